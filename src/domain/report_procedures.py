"""What prompts with a procedure, or with something of the memory, brought against those that went without."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, variance

from .procedure_outcomes import outcome_of
from .recorded_run import Line, RecordedRun, figure, figures, part, parts, text
from .report_gains import gain_interval, score_interval, score_range
from .report_groups import retrieved
from .report_memory import ReadGroup, Use, read_groups, use
from .statistics import Interval, student, student_quantile

HELD_OUT = "off"
"""The mode of a prompt that goes without what it could have been given, to compare."""

MEMORY, PROCEDURE = "memory", "procedure"

READ, NO_ROOM, NOTHING_FOUND, NONE_MATCHED = "in the prompt", "no room", "nothing found", "none matched"

_WITHOUT = (HELD_OUT, NO_ROOM, NOTHING_FOUND, NONE_MATCHED)

_LATER = (HELD_OUT, "held out", NO_ROOM, NOTHING_FOUND, NONE_MATCHED)
"""Modes, and what became of rows, in the order in which they come after those that were given something."""

_SEARCH = "search"
"""The tool by which a model asks the memory itself."""


@dataclass(frozen=True, slots=True)
class Arm:
    """Prompts that were given the same.

    Attributes:
        given: ``memory``, or a procedure's name; ``mode`` how, or why not.
        prompts: different ones, of whose mean rewards ``mean`` is the mean.
        interval: at 95 %, by Student's t over prompts; where all are alike, ``score_interval``.
        kind: ``memory`` or ``procedure``.
        version: of the procedure, the beginning of its digest.
        outcomes: of the procedure, by a prompt's mean reward, as the log of procedures has it.
    """

    given: str
    mode: str
    prompts: int
    mean: float
    interval: Interval | None
    kind: str = MEMORY
    version: str = ""
    outcomes: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Lift:
    """Prompts with something against those that were held out from it.

    Attributes:
        gain: of the mean reward, with minus without; its interval at 95 %.
        prompts: with it; ``held_out`` without. Those that were asked both ways, as under two versions of a
            procedure, are in neither.
    """

    given: str
    gain: float
    interval: Interval
    kind: str = MEMORY
    prompts: int = 0
    held_out: int = 0


@dataclass(frozen=True, slots=True)
class GroundedRows:
    """Rows of a source, by what was found for them.

    Attributes:
        counts: of passages ``given``, ``nothing found``, ``held out``, ``no room``; of procedures the name,
            the version and how it was given, or ``none matched``; and how many rows.
        kind: ``memory`` or ``procedure``.
    """

    source: str
    counts: tuple[tuple[str, int], ...]
    kind: str = MEMORY


@dataclass(frozen=True, slots=True)
class Given:
    """All that prompts were given besides their question.

    Attributes:
        sources: what was retrieved most, and how often.
        use: what of it came back in the answers; None where its text was not kept.
        rows: of the sources of a fine-tuning.
        answers: that were drawn; ``searching`` of them asked the memory by the tool; None: there is none.
    """

    arms: tuple[Arm, ...]
    lifts: tuple[Lift, ...]
    sources: tuple[tuple[str, int], ...]
    use: Use | None = None
    rows: tuple[GroundedRows, ...] = ()
    answers: int = 0
    searching: int | None = None


_Key = tuple[str, str, str, str]
"""Kind, what, how, version."""

_Rewards = dict[str, list[float]]
"""Of all answers to a question."""


def given(run: RecordedRun, read: Sequence[ReadGroup] | None = None) -> Given | None:
    """None where no prompt was given anything, and none could be.

    Args:
        read: ``read_groups`` of the run, where they are known.
    """
    arms: dict[_Key, _Rewards] = {}
    sources: Counter[str] = Counter()
    lines = run.log("completions")
    remembers, guided = _remembers(run), any(part(line, "procedure") for line in lines)
    for line in lines:
        chunks = retrieved(line)
        sources.update(chunk.place for chunk in chunks)
        if (reward := figure(line, "reward")) is not None:
            for arm in _arms(line, remembers=remembers, guided=guided, reads=bool(chunks)):
                # Answers to one request are no trials that know nothing of each other, whenever it was asked.
                arms.setdefault(arm, {}).setdefault(text(line, "question"), []).append(reward)
    rows, searching = tuple(_rows(run)), _searching(run)
    if not (sources or arms or rows) and searching is None:
        return None
    low, high = score_range(run)
    shown = [_arm(arm, list(_means(prompts).values()), low, high) for arm, prompts in arms.items()]
    order = sorted(sources.items(), key=lambda one: (-one[1], one[0]))
    return Given(
        tuple(
            sorted(shown, key=lambda arm: (arm.kind, not arm.given, arm.given, _place(arm.mode), arm.mode))
        ),
        tuple(_lifts(arms, low, high)),
        tuple(order[:20]),
        use(read_groups(run) if read is None else read),
        rows,
        len(lines),
        searching,
    )


def _remembers(run: RecordedRun) -> bool:
    return "memory retrieve" in part(run.manifest, "identity") or any(
        retrieved(line) or text(line, "memory_left_out") for line in run.log("completions")
    )


def _arms(line: Line, *, remembers: bool, guided: bool, reads: bool) -> Iterator[_Key]:
    """What a prompt was given, and how; of the memory and of procedures apart."""
    if remembers:
        left_out = text(line, "memory_left_out")
        without = HELD_OUT if left_out == "held out" else left_out or NOTHING_FOUND
        yield MEMORY, MEMORY, READ if reads else without, ""
    if guided:
        its = part(line, "procedure")
        yield PROCEDURE, text(its, "name"), text(its, "mode") or NONE_MATCHED, text(its, "sha")[:8]


def _arm(arm: _Key, values: Sequence[float], low: float, high: float) -> Arm:
    kind, name, mode, version = arm
    outcomes = Counter(outcome_of(value).value for value in values) if name and kind == PROCEDURE else {}
    return Arm(
        name, mode, len(values), fmean(values), _interval(values, low, high), kind, version,
        tuple(sorted(outcomes.items(), key=lambda one: -one[1])),
    )  # fmt: skip


def _means(prompts: _Rewards) -> dict[str, float]:
    """By the question."""
    return {question: fmean(rewards) for question, rewards in prompts.items()}


def _lifts(arms: Mapping[_Key, _Rewards], low: float, high: float) -> Iterator[Lift]:
    for kind, name in dict.fromkeys((kind, name) for kind, name, *_ in arms):
        own = {arm: prompts for arm, prompts in arms.items() if arm[:2] == (kind, name)}
        off = _means(_together(prompts for arm, prompts in own.items() if arm[2] == HELD_OUT))
        on = _means(_together(prompts for arm, prompts in own.items() if arm[2] not in _WITHOUT))
        # Welch's interval is of two sides that share nothing.
        without = [value for question, value in off.items() if question not in on]
        with_it = [value for question, value in on.items() if question not in off]
        if len(without) > 1 and len(with_it) > 1:
            gain = fmean(with_it) - fmean(without)
            within = lift_interval(with_it, without, low, high)
            yield Lift(name, gain, within, kind, len(with_it), len(without))


def _together(several: Iterable[_Rewards]) -> _Rewards:
    """A question that came under two versions is one question."""
    found: _Rewards = {}
    for prompts in several:
        for question, rewards in prompts.items():
            found.setdefault(question, []).extend(rewards)
    return found


def _rows(run: RecordedRun) -> Iterator[GroundedRows]:
    """Of a reinforcement none: of its prompts every one is told."""
    sources = [] if run.algorithm == "grpo" else parts(part(run.manifest, "data"), "sources")
    for source in sources:
        for kind, key in ((MEMORY, "grounded"), (PROCEDURE, "instructed")):
            if counts := figures(source, key):
                shown = tuple((_told(what), int(counts[what])) for what in sorted(counts, key=_order))
                yield GroundedRows(text(source, "name"), shown, kind)


def _place(mode: str) -> int:
    return _LATER.index(mode) + 1 if mode in _LATER else 0


def _order(what: str) -> tuple[int, str, int, str]:
    """Of a procedure its versions together, each before those that it was held out from."""
    name, _, mode = what.rpartition(", ")
    return _place(what), name, _place(mode), what


def _told(what: str) -> str:
    name, comma, mode = what.rpartition(", ")
    return f"{name}, held out" if comma and mode == HELD_OUT else what


def _searching(run: RecordedRun) -> int | None:
    lines = run.log("completions")
    found = sum(figures(line, "tools").get(_SEARCH, 0) > 0 for line in lines)
    return found if found or "memory search" in part(run.manifest, "identity") else None


def _interval(values: Sequence[float], low: float, high: float) -> Interval | None:
    """Of their mean; None of a single one."""
    if len(values) < 2:
        return None
    if variance(values) > 0:
        its = student(values)
        return Interval(max(low, its.low), min(high, its.high))
    return score_interval(values[0], len(values), low, high)


def lift_interval(one: Sequence[float], other: Sequence[float], low: float, high: float) -> Interval:
    """Of the difference of two means at 95 %, the first minus the second, of scores within a range.

    Welch's; where one of them does not vary, that says little of its spread, and it is ``gain_interval``.
    """
    if variance(one) == 0 or variance(other) == 0:
        return gain_interval(fmean(one), len(one), fmean(other), len(other), low, high)
    its = welch(one, other)
    return Interval(max(low - high, its.low), min(high - low, its.high))


def welch(one: Sequence[float], other: Sequence[float]) -> Interval:
    """The interval at 95 % of the difference of two means, the first minus the second (Welch, 1947).

    Its degrees of freedom are Satterthwaite's (1946). Two values of each are needed, and both must vary.
    """
    a, b = variance(one) / len(one), variance(other) / len(other)
    gain = fmean(one) - fmean(other)
    freedom = (a + b) ** 2 / (a * a / (len(one) - 1) + b * b / (len(other) - 1))
    half = student_quantile(0.975, freedom) * sqrt(a + b)
    return Interval(gain - half, gain + half)
