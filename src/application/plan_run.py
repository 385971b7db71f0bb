"""Say what a training takes and trains, from its recipe alone: nothing is read but a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..domain.errors import ModelError
from ..domain.footprint import DeviceMemory, Footprint, ForwardPass, ModelShape, RowSize
from ..domain.ports.model import MemoryPredictor
from ..domain.ports.run import Observer
from .check_memory import CheckMemory, MemoryCheck
from .finetune import FinetuneRequest, forward_pass, memory_request

PRESETS = ("attention", "mlp", "all-linear")


@dataclass(frozen=True, slots=True)
class RunPlan:
    """A training before it begins.

    Attributes:
        work: the largest forward pass it can have: every row as long as the recipe lets it be.
        longest: tokens of a row at most; of reinforcement, of a prompt.
        answers: tokens that a prompt is answered with at most, by all its completions; 0: rows are learnt.
        presets: weights that LoRA of the recipe's rank has on each preset of the architecture.
        memory: what it takes, as the recipe says.
        other: the same with gradient checkpointing where that is off, without it where it is on.
        steps: None where the rows decide.
    """

    shape: ModelShape
    work: ForwardPass
    longest: int
    answers: int
    presets: Mapping[str, int]
    memory: MemoryCheck
    other: Footprint
    steps: int | None
    rows_per_step: int

    @property
    def tokens(self) -> int | None:
        """At most, of all steps."""
        most = self.rows_per_step * (self.longest + self.answers)
        return None if self.steps is None else self.steps * most


class PlanRun:
    """The plan before the bill."""

    def __init__(self, predictor: MemoryPredictor, check_memory: CheckMemory, observer: Observer) -> None:
        self._predictor = predictor
        self._check_memory = check_memory
        self._observer = observer

    def __call__(self, request: FinetuneRequest, memory: DeviceMemory | None = None) -> RunPlan:
        """The plan for a device, or for the one that the recipe chooses here.

        Raises:
            ModelError: M001, M002 for the model, M005 for the device, M010 to M012 for what LoRA is asked.
        """
        self._observer.phase(f"planning {request.data.model.name}")
        plan = request.data.plan
        shape = self._predictor.shape(request.data.model)
        work = _largest(request)
        asked = replace(memory_request(request, work), memory=memory)
        other = replace(work, checkpointing=not work.checkpointing, offloads=False)
        return RunPlan(
            shape=shape,
            work=work,
            longest=request.data.rules.max_tokens,
            answers=request.answers,
            presets=dict(_presets(shape, request.lora.r)) if request.lora.continue_from is None else {},
            memory=self._check_memory(asked),
            other=self._check_memory.footprint(replace(asked, work=other)),
            steps=request.data.max_steps,
            rows_per_step=plan.rows_per_step,
        )


def _largest(request: FinetuneRequest) -> ForwardPass:
    """As many rows as the recipe says, as long as it lets them be, all of them trained."""
    plan, longest = request.data.plan, request.data.rules.max_tokens
    if request.group is not None:
        return forward_pass((request.group,), plan)
    return forward_pass((RowSize(longest, longest - 1),) * plan.batch_size, plan)


def _presets(shape: ModelShape, r: int) -> list[tuple[str, int]]:
    """None where the architecture has no presets."""
    try:
        return [(preset, shape.lora_parameters(preset, r)) for preset in PRESETS]
    except ModelError:
        return []
