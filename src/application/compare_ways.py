"""Compare ways to answer: a prompt, a better prompt, tuned weights, on tasks that none of them has seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

from ..domain.conversation import Conversation
from ..domain.conversation_json import identity
from ..domain.errors import DataError
from ..domain.generation import Completion, Sampling
from ..domain.model_spec import ModelSpec
from ..domain.ports.model import Policy
from ..domain.ports.reward import RewardModel
from ..domain.ports.run import Observer, Stop
from ..domain.prompt_program import PromptProgram
from ..domain.prompt_verdict import Comparison, Figure, compared, figure
from ..domain.reward import Attempt, InfraErrors
from .prepare_source import PreparedSource, question
from .show_task import Helps, shown_task

SOLVED = 1 - 1e-6
"""A score from which a task counts as solved: the top of a reward, but for rounding."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What it took to make a way.

    Attributes:
        seconds: of training or searching.
        rollouts: answers that were judged.
        tokens: that these had, where it is known.
    """

    seconds: float = 0.0
    rollouts: int = 0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Way:
    """One way to answer.

    Attributes:
        kind: base, seed (the prompt that a search began with), or the algorithm that made it.
        weights: folder of LoRA weights; None: the base model.
        begins_with: the name of the way that it was made from; empty: the first.
        helps: what its recipe puts into prompts besides; None: nothing.
    """

    name: str
    kind: str
    model: ModelSpec
    weights: Path | None
    program: PromptProgram
    cost: Cost = Cost()
    begins_with: str = ""
    helps: Helps | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """The rows of a recipe, as its training had them but for a prompt file around them.

    Attributes:
        system_prompt: that was put before rows without one.
    """

    sources: Sequence[PreparedSource]
    system_prompt: str


@dataclass(frozen=True, slots=True)
class CompareRequest:
    """What is to be compared.

    Attributes:
        source: whose held-out rows are the tasks; at most ``rows`` of them.
        reward: its name.
        seen: of every recipe; what any of them has trained on is no task.
    """

    ways: Sequence[Way]
    source: str
    reward: str
    rows: int
    seen: Sequence[Seen]
    sampling: Sampling
    batch_size: int = 8


@dataclass(frozen=True, slots=True)
class Compared:
    """One way, measured.

    Attributes:
        figure: mean score.
        solved: tasks with a score at the top of the reward.
        beside_first: what it has over the first way; None for the first itself.
        begins_with: the way that it was made from; empty: the first.
        beside_start: what it has over that; None where that is the first.
        tokens: of an answer, on average; ``prompt_characters`` of what was sent.
        seconds: that an answer took, on average.
    """

    name: str
    kind: str
    figure: Figure
    solved: int
    beside_first: Comparison | None
    begins_with: str
    beside_start: Comparison | None
    tokens: float
    prompt_characters: float
    seconds: float
    cost: Cost


@dataclass(frozen=True, slots=True)
class TrainingBrings:
    """What the best trained way has over the best that is a prompt alone.

    The best of several is flattered by chance; with few ways and a gain beyond its interval that is little.
    """

    prompt: str
    trained: str
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class WaysCompared:
    """All of them, on the tasks that every way's answer could be judged on.

    Attributes:
        seen_by_some: held-out rows that are no tasks, since one of the recipes has trained on them.
        training: None where no way is trained.
    """

    source: str
    reward: str
    tasks: int
    seen_by_some: int
    ways: tuple[Compared, ...]
    training: TrainingBrings | None


@dataclass(frozen=True, slots=True)
class _Answers:
    scores: Sequence[float | None]
    tokens: float
    prompt_characters: float
    seconds: float


LoadWay = Callable[[Way], Policy]


class CompareWays:
    """Asks every way the same held-out tasks, greedily.

    Args:
        load: gives the model of a way.
        reward: judges.
    """

    def __init__(self, load: LoadWay, reward: RewardModel, observer: Observer, stop: Stop) -> None:
        self._load = load
        self._reward = reward
        self._observer = observer
        self._stop = stop
        self._errors = InfraErrors()

    def __call__(self, request: CompareRequest) -> WaysCompared:
        """The ways in their order, each beside the first.

        Raises:
            DataError: D060 when no held-out row is left that no recipe has trained on, D061 when the reward
                can judge none.
            SandboxError: X010 when too many answers could not be judged. ModelError: those of the models.
        """
        held, tasks = unseen(request)
        answers = [self._answers(way, tasks, request) for way in request.ways]
        judged = [row for row in zip(*(one.scores for one in answers), strict=True) if None not in row]
        if not judged:
            raise _nothing_judged(request)
        columns = [[float(row[at] or 0.0) for row in judged] for at in range(len(answers))]
        place = {way.name: at for at, way in enumerate(request.ways)}
        ways = tuple(
            Compared(
                way.name, way.kind, figure(way.name, scores), sum(score >= SOLVED for score in scores),
                _beside(request.ways, columns, 0, at) if at else None, way.begins_with,
                _beside(request.ways, columns, start, at) if (start := place.get(way.begins_with)) else None,
                its.tokens, its.prompt_characters, its.seconds, way.cost,
            )
            for at, (way, its, scores) in enumerate(zip(request.ways, answers, columns, strict=True))
        )  # fmt: skip
        training = _training(request.ways, columns)
        return WaysCompared(request.source, request.reward, len(judged), held - len(tasks), ways, training)

    def _answers(self, way: Way, tasks: Sequence[Conversation], request: CompareRequest) -> _Answers:
        self._observer.phase(f"loading {way.name}")
        policy = self._load(way)
        prompts = [shown_task(task, way.program, way.helps, policy) for task in tasks]
        self._observer.phase(f"asking {way.name}", len(prompts))
        began = perf_counter()
        completions = list(self._asked(policy, prompts, way, request))
        seconds = perf_counter() - began
        # A reward reads the task as it is, not what a prompt has made of it.
        attempts = [Attempt(*pair) for pair in zip(tasks, (one.text for one in completions), strict=True)]
        results = self._reward.score(attempts)
        self._errors.count(results)
        sent = sum(len(turn.content) for prompt in prompts for turn in prompt.messages)
        return _Answers(
            [result.score for result in results],
            sum(one.tokens for one in completions) / len(tasks),
            sent / len(tasks),
            seconds / len(tasks),
        )

    def _asked(
        self, policy: Policy, prompts: Sequence[Conversation], way: Way, request: CompareRequest
    ) -> Iterator[Completion]:
        for start in range(0, len(prompts), request.batch_size):
            self._stop.check()
            batch = prompts[start : start + request.batch_size]
            yield from policy.generate(batch, request.sampling, lora=way.weights is not None)
            self._observer.advance(len(batch))


def _nothing_judged(request: CompareRequest) -> DataError:
    return DataError(
        "D061",
        "the reward could judge none of the answers",
        where=f'source "{request.source}"',
        got=f'reward "{request.reward}"',
        fix="choose a reward that the source's rows have a reference for, with --reward and --source",
    )


def _training(ways: Sequence[Way], scores: Sequence[Sequence[float]]) -> TrainingBrings | None:
    prompts = [at for at, way in enumerate(ways) if way.weights is None]
    trained = [at for at, way in enumerate(ways) if way.weights is not None]
    if not (prompts and trained):
        return None
    prompt, best = (max(them, key=lambda at: sum(scores[at])) for them in (prompts, trained))
    return TrainingBrings(ways[prompt].name, ways[best].name, _beside(ways, scores, prompt, best))


def _beside(ways: Sequence[Way], scores: Sequence[Sequence[float]], old: int, new: int) -> Comparison:
    pairs = list(zip(scores[old], scores[new], strict=True))
    return compared(ways[old].name, ways[new].name, pairs)


def unseen(request: CompareRequest) -> tuple[int, list[Conversation]]:
    """How many rows the first recipe with the source holds out, and those that no recipe has trained on."""
    trained = {
        _asks(source.examples.example(index).conversation, seen.system_prompt)
        for seen in request.seen
        for source in seen.sources
        if source.is_drawn
        for index in source.train
    }
    seen, source = next(
        ((seen, one) for seen in request.seen for one in seen.sources if one.spec.name == request.source),
        (None, None),
    )
    rows = source.held_out(request.rows) if source else []
    prompt = seen.system_prompt if seen else ""
    tasks = [
        # What the recipe that it is of found for it is no part of the task: others have other help, or none.
        replace(row.conversation.without_system(prompt).prompt(), context=None, procedure=None)
        for row in rows
        if _asks(row.conversation, prompt) not in trained
    ]
    if tasks:
        return len(rows), tasks
    raise DataError(
        "D060",
        "there is no held-out row to compare on",
        where=f'source "{request.source}"',
        got=f"{len(rows)} held out, all of them trained on by one of the recipes"
        if rows
        else "none held out",
        fix="hold rows out in all of the recipes: the same source, name, seed and holdout",
    )


def _asks(conversation: Conversation, system_prompt: str) -> int:
    """What stands for the question alone, whichever system prompt, procedure and answer are around it."""
    asked = question(conversation.without_system(system_prompt))
    return identity(replace(asked, tools=()))
