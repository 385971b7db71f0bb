"""Ask a run's model the same held-out tasks with and without what the memory and the procedures know."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from time import perf_counter

from ..domain.ablation import Ablation, Arm, ArmScores, arm_figures
from ..domain.conversation import Conversation, Message, Role
from ..domain.conversation_json import to_json
from ..domain.errors import DataError, Interrupted
from ..domain.ports.model import Policy
from ..domain.ports.reward import RewardModel
from ..domain.ports.run import Observer, Stop
from ..domain.prompt_program import PromptProgram
from ..domain.reward import Attempt, InfraErrors
from .ground_rows import GroundRows
from .instruct_rows import InstructRows
from .show_task import Helps, shown_task

Answers = Callable[[Policy, Sequence[Conversation], Arm], Sequence[Attempt]]
"""Asks a model, greedily, with the tools that it was trained with, but for what the arm goes without."""


@dataclass(frozen=True, slots=True)
class AblateRequest:
    """What is to be told apart.

    Attributes:
        models: their names, the run's own first.
        arms: the bare one first.
        tasks: held-out rows up to their answers, with nothing put around them.
        program: what is put around each in every arm.
        max_tokens: of a prompt; one that passages make longer goes without them, as in a training.
        settings: what is kept with the result; see ``Ablation``.
        batch: tasks that are asked at a time, in all arms, before the next.
    """

    run: str
    source: str
    reward: str
    models: Sequence[str]
    arms: Sequence[Arm]
    tasks: Sequence[Conversation]
    program: PromptProgram
    max_tokens: int
    settings: Mapping[str, object] = field(default_factory=dict)
    batch: int = 8


@dataclass(frozen=True, slots=True)
class _Answered:
    """One task in one arm; see ``ArmScores``."""

    score: float | None
    grounded: bool
    guided: bool
    read: int | None
    written: int | None
    seconds: float


@dataclass(slots=True)
class _Tally:
    """An arm while it is asked."""

    model: str
    arm: Arm
    rows: list[_Answered] = field(default_factory=list)

    def of(self, tasks: int) -> ArmScores:
        """What the first tasks came to."""
        rows = self.rows[:tasks]
        return ArmScores(
            self.model,
            self.arm,
            [one.score for one in rows],
            [one.grounded for one in rows],
            [one.guided for one in rows],
            [one.read for one in rows],
            [one.written for one in rows],
            [one.seconds for one in rows],
        )


class AblateRun:
    """Asks batch by batch, every arm before the next batch: where it is stopped, all arms had the same tasks.

    Args:
        load: gives a model by its name.
        instruct: puts procedures into prompts, ``ground`` passages; None: no arm has them.
    """

    def __init__(
        self,
        load: Callable[[str], Policy],
        answers: Answers,
        reward: RewardModel,
        instruct: InstructRows | None,
        ground: GroundRows | None,
        observer: Observer,
        stop: Stop,
    ) -> None:
        self._load = load
        self._answers = answers
        self._reward = reward
        self._instruct = instruct
        self._ground = ground
        self._observer = observer
        self._stop = stop
        self._errors = InfraErrors()

    def __call__(self, request: AblateRequest) -> Ablation:
        """The arms of every model; stopped by a signal, what was asked in all of them by then.

        Raises:
            DataError: D076 when the reward could judge none of the answers. Interrupted: stopped before all
                arms had answered anything. CeselloError: those of memory, models and rewards.
        """
        found: list[Sequence[ArmScores]] = []
        stopped = False
        for model in request.models:
            tallies = [_Tally(model, arm) for arm in request.arms]
            try:
                self._ask(model, tallies, request)
            except Interrupted:
                stopped = True
            asked = min(len(one.rows) for one in tallies)
            if asked:
                found.append([one.of(asked) for one in tallies])
            elif stopped and not found:
                raise Interrupted(self._stop.requested or 2, "nothing was answered in every arm yet")
            if stopped:
                break
        arms = tuple(figures for one in found for figures in arm_figures(one))
        if not any(one.tasks for one in arms):
            raise _nothing_judged(request)
        scores = tuple(one for its in found for one in its)
        tasks = tuple(map(_task_id, request.tasks))
        return Ablation(
            request.run, request.source, request.reward, len(request.tasks), self._pins(), arms, scores,
            stopped, tasks, request.settings,
        )  # fmt: skip

    def _pins(self) -> dict[str, str]:
        memory = self._ground and f"generation {self._ground.generation}, {self._ground.identity}"
        pins = {"memory": memory, "procedures": self._instruct and self._instruct.identity}
        return {name: pin for name, pin in pins.items() if pin}

    def _ask(self, model: str, tallies: Sequence[_Tally], request: AblateRequest) -> None:
        self._observer.phase(f"loading the {model} model")
        policy = self._load(model)
        # What is loaded for the first search is loaded before anything is timed.
        for arm in request.arms:
            for task in request.tasks[:1]:
                self._shown(policy, task, arm, request)
        names = ", ".join(request.arms)
        self._observer.phase(f"asking {model}: {names}", len(request.tasks) * len(tallies))
        for begin in range(0, len(request.tasks), request.batch):
            batch = request.tasks[begin : begin + request.batch]
            for tally in tallies:
                self._stop.check()
                self._ask_batch(policy, tally, batch, request)
                self._observer.advance(len(batch))

    def _ask_batch(
        self, policy: Policy, tally: _Tally, tasks: Sequence[Conversation], request: AblateRequest
    ) -> None:
        if self._ground is not None:
            self._ground.forget()  # an arm that is given what another one has searched for would look quicker
        began = perf_counter()
        prompts = [self._shown(policy, task, tally.arm, request) for task in tasks]
        attempts = self._answers(policy, prompts, tally.arm)
        seconds = perf_counter() - began
        # A reward reads the task as it is, not what was put around it.
        bare = [
            replace(one, prompt=replace(task, tools=one.prompt.tools))
            for one, task in zip(attempts, tasks, strict=True)
        ]
        results = self._reward.score(bare)
        self._errors.count(results)
        tally.rows += [
            _Answered(
                result.score,
                bool(prompt.context and prompt.context.text),
                bool(prompt.procedure and prompt.procedure.text),
                *_tokens(policy, attempt),
                seconds / len(tasks),
            )
            for prompt, attempt, result in zip(prompts, attempts, results, strict=True)
        ]

    def _shown(self, policy: Policy, task: Conversation, arm: Arm, request: AblateRequest) -> Conversation:
        helps = Helps(
            request.max_tokens,
            self._instruct if arm.follows else None,
            self._ground if arm.remembers else None,
        )
        return shown_task(task, request.program, helps, policy)


def _task_id(task: Conversation) -> str:
    """What it asks, and the reference that an answer is judged by."""
    text = to_json(replace(task, context=None, procedure=None))
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _tokens(policy: Policy, attempt: Attempt) -> tuple[int | None, int | None]:
    """What was read and what was written, as the chat template writes it; None of what it refuses."""
    turns = attempt.turns or (Message(Role.ASSISTANT, attempt.completion),)
    answered = [replace(turn, trained=None) for turn in turns]
    before = [replace(turn, trained=False) for turn in attempt.prompt.messages]
    try:
        row = policy.encode(replace(attempt.prompt, messages=(*before, *answered)))
    except DataError:
        return None, None
    return len(row) - row.trained_tokens, row.trained_tokens


def _nothing_judged(request: AblateRequest) -> DataError:
    return DataError(
        "D076",
        "the reward could judge none of the answers",
        where=f'source "{request.source}"',
        got=f'reward "{request.reward}"',
        fix="choose a reward that the source's rows have a reference for, with --reward and --source",
    )
