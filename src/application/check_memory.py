"""Whether a training fits the memory, before anything is loaded, and what to change where it does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..domain.errors import ModelError
from ..domain.footprint import Answers, DeviceMemory, Footprint, ForwardPass, RowSize, fits, is_tight, needed
from ..domain.model_spec import LoraSpec, ModelSpec
from ..domain.ports.model import Devices, MemoryPredictor

_GIB = 2**30
_SHORTEST = 256
"""Rows are not cut below so many tokens."""


@dataclass(frozen=True, slots=True)
class MemoryRequest:
    """What a training holds depends on.

    Attributes:
        quantizer: its name.
        accumulate: forward passes of a step.
        memory: of the device to plan for; None asks the device that the model is for.
    """

    model: ModelSpec
    quantizer: str
    lora: LoraSpec
    work: ForwardPass
    answers: Answers
    accumulate: int = 1
    memory: DeviceMemory | None = None


@dataclass(frozen=True, slots=True)
class Remedy:
    """A change of the recipe, on top of those before it.

    Attributes:
        change: as it is written behind ``--set``.
        cost: in words.
        footprint: with the change.
    """

    change: str
    cost: str
    footprint: Footprint
    fits: bool


@dataclass(frozen=True, slots=True)
class MemoryCheck:
    """What a training takes of a device.

    Attributes:
        tight: whether it fits a CPU's memory only where the allocator gives back what is not in use.
        remedies: what to change where it does not fit, the cheapest first, until it does.
    """

    footprint: Footprint
    memory: DeviceMemory
    fits: bool
    tight: bool
    remedies: tuple[Remedy, ...] = ()


class CheckMemory:
    """Predicts and compares."""

    def __init__(self, predictor: MemoryPredictor, devices: Devices) -> None:
        self._predictor = predictor
        self._devices = devices

    def __call__(self, request: MemoryRequest) -> MemoryCheck:
        """What the training takes, and of how much.

        Raises:
            ModelError: those of the predictor, and M005 when the device is not here.
        """
        memory = request.memory or self._devices.memory(request.model.device)
        footprint = self.footprint(request)
        fit = fits(footprint, memory)
        remedies = () if fit else tuple(self._remedies(request, footprint, memory))
        return MemoryCheck(footprint, memory, fit, is_tight(footprint, memory), remedies)

    def or_refuse(self, request: MemoryRequest) -> MemoryCheck:
        """The same, for somebody who is about to load the model.

        Raises:
            ModelError: M006 when the training does not fit.
        """
        check = self(request)
        if not check.fits:
            raise _too_big(request, check)
        return check

    def footprint(self, request: MemoryRequest) -> Footprint:
        """What the training takes, whatever there is."""
        return self._predictor.footprint(
            request.model, request.quantizer, request.lora, request.work, request.answers
        )

    def _remedies(
        self, request: MemoryRequest, footprint: Footprint, memory: DeviceMemory
    ) -> Iterator[Remedy]:
        writes = footprint.resting + footprint.cache > footprint.training
        for change, cost, changed in _changes(request, memory, writes):
            then = self.footprint(changed)
            fit = fits(then, memory)
            yield Remedy(change, cost, then, fit)
            if fit:
                return


def _changes(
    request: MemoryRequest, memory: DeviceMemory, writes: bool
) -> Iterator[tuple[str, str, MemoryRequest]]:
    """Changes on top of each other, the cheapest first.

    Args:
        writes: whether most is held when answers are written, not when weights are trained.
    """
    if writes and request.answers.count > 1:
        request = replace(request, answers=replace(request.answers, count=1))
        yield "evaluation.batch_size=1", "answers are written one after the other", request
    work = request.work
    count = len(work.rows)
    if count > 1:
        work = replace(work, rows=(max(work.rows, key=lambda row: row.tokens),), accumulates=True)
        request = replace(request, work=work)
        change = f"training.batch_size=1 training.accumulate={count * request.accumulate}"
        yield change, "the same steps, in more and smaller passes", request
    if not work.checkpointing:
        work = replace(work, checkpointing=True)
        request = replace(request, work=work)
        yield "training.gradient_checkpointing=true", "about a third more time", request
    if not work.offloads and memory.device == "cuda":
        work = replace(work, offloads=True)
        request = replace(request, work=work)
        yield "training.activation_offload=true", "copies to the host and back, some time", request
    if request.quantizer in ("none", "int8", "torchao_int8"):
        request = replace(request, quantizer="nf4")
        yield "quantizer.name=nf4", "the base weights rounded to 4 bits", request
    tokens = work.rows[0].tokens
    while tokens // 2 >= _SHORTEST:
        tokens //= 2
        short = RowSize(tokens, min(work.rows[0].trained, tokens))
        request = replace(request, work=replace(work, rows=(short,)))
        yield f"data.max_tokens={tokens}", "longer rows are cut or left out", request


def _too_big(request: MemoryRequest, check: MemoryCheck) -> ModelError:
    memory = check.memory
    need, free = needed(check.footprint, memory.device), memory.free or 0
    helps = [remedy.change for remedy in check.remedies]
    enough = bool(check.remedies) and check.remedies[-1].fits
    fix = f"set {', '.join(helps)}" if enough else "take a smaller model or a device with more memory"
    return ModelError(
        "M006",
        "the training does not fit the memory",
        where=f"{request.model.name} on {memory.name}",
        got=f"{need / _GIB:.1f} GiB needed at the peak",
        expected=f"at most the {free / _GIB:.1f} GiB that are free",
        fix=f"{fix}; `cesello plan` shows what takes how much",
    )
