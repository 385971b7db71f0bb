"""A prompt search as a page shows it: its candidates as a tree, the verdict, the diff and what it cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .prompt_json import program_from
from .prompt_program import COMPONENTS
from .recorded_run import Line, RecordedRun, figure, part, parts, text, texts, whole
from .report_gains import range_of, score_interval
from .secret_text import Redact, redacted
from .statistics import Interval

CANDIDATES = 400
"""Shown at most, the first ones."""

_CHARACTERS = 4_000


@dataclass(frozen=True, slots=True)
class Candidate:
    """A prompt that was thought of.

    Attributes:
        id: of its texts; ``number`` in the order in which they were thought of, from 0.
        depth: edits between it and the first prompt.
        trials: tasks that it was tried on; ``mean`` of its scores there.
        interval: at most so wide at 95 %.
        role: ``seed``, ``best`` or empty.
        texts: of its components that are not empty, by name.
    """

    id: str
    number: int
    proposer: str
    edit: str
    parents: tuple[str, ...]
    depth: int
    trials: int
    mean: float | None
    interval: Interval | None
    accepted: bool
    rejected: str
    role: str
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tested:
    """A prompt's score on a part of the tasks."""

    name: str
    mean: float
    low: float | None
    high: float | None
    tasks: int


@dataclass(frozen=True, slots=True)
class SearchView:
    """All of a search.

    Attributes:
        verdict: proven, promising or keep yours; empty while there is none.
        candidates: each behind its first parent.
        tested: the first prompt and the best one on the test's tasks.
        gain: of the best, with its interval and p; None where the first was best.
        diff: unified, by component.
        spent: by phase, in the units of ``Spent``.
        budget: what was allowed, by phase.
        ended: why it had no more rounds.
        unfinished: it has not come to its end: what is here is known so far, and nothing is tested.
    """

    verdict: str
    candidates: tuple[Candidate, ...]
    left_out: int
    tested: tuple[Tested, ...]
    gain: float | None
    interval: tuple[float | None, float | None] | None
    p: float | None
    test: str
    wins: int
    losses: int
    diff: Mapping[str, str]
    spent: tuple[Line, ...]
    budget: Line
    rounds: int
    ended: str
    unfinished: bool = False


def search_view(run: RecordedRun, redact: Redact = redacted) -> SearchView | None:
    """None where the run searched nothing, or has no report yet.

    Args:
        run: ``lowest`` of its search is the least reward of any answer, where it is known: means alone may
            hide that there are rewards below 0.
        redact: takes secrets out of texts before they are cut.
    """
    found = run.search
    if not found:
        return None
    every = parts(found, "candidates")
    ids = [_id(part(one, "program")) for one in every]
    best, within = _id(part(found, "best")) or None, _range(found)
    made = [_candidate(one, ids[at], at, best, within, redact) for at, one in enumerate(every[:CANDIDATES])]
    test = part(found, "test")
    bounds = part(test, "interval")
    return SearchView(
        verdict=text(found, "verdict"),
        candidates=tuple(_as_tree(made)),
        left_out=max(0, len(every) - CANDIDATES),
        tested=tuple(_tested(found, within)),
        gain=figure(test, "gain"),
        interval=(figure(bounds, "low"), figure(bounds, "high")) if test else None,
        p=figure(test, "p"),
        test=text(test, "test"),
        wins=whole(test, "wins"),
        losses=whole(test, "losses"),
        diff={str(name): text(part(found, "diff"), name) for name in part(found, "diff")},
        spent=tuple(_spent(parts(found, "spent"))),
        budget=part(found, "plan"),
        rounds=whole(found, "rounds"),
        ended=text(found, "ended"),
        unfinished=found.get("unfinished") is True,
    )


def _id(program: Line) -> str:
    try:
        return program_from(program).id
    except (ValueError, TypeError):
        return ""


def _range(found: Line) -> tuple[float, float]:
    """What all scores of the search lie within: one for all of it, so that intervals can be compared."""
    test = part(found, "test")
    tested = (part(test, "old"), part(test, "new"), part(found, "seed_figure"))
    means = (figure(one, "mean") for one in (*parts(found, "candidates"), *tested))
    return range_of((figure(found, "lowest"), *means))


def _candidate(
    one: Line, its: str, number: int, best: str | None, within: tuple[float, float], redact: Redact
) -> Candidate:
    trials, mean = whole(one, "trials"), figure(one, "mean")
    role = "seed" if text(one, "proposer") == "seed" else "best" if its == best else ""
    program = part(one, "program")
    shown = {name: text(program, name) for name in COMPONENTS if text(program, name)}
    demos = parts(program, "demos")
    if demos:
        shown["demos"] = "\n\n".join(f"Q: {text(d, 'question')}\nA: {text(d, 'answer')}" for d in demos)
    return Candidate(
        its, number, text(one, "proposer"), redact(text(one, "edit"))[:_CHARACTERS],
        tuple(texts(one, "parents")), 0, trials, mean,
        None if mean is None or not trials else score_interval(mean, trials, *within),
        one.get("accepted") is True, redact(text(one, "rejected"))[:_CHARACTERS], role,
        {name: redact(value)[:_CHARACTERS] for name, value in shown.items()},
    )  # fmt: skip


def _as_tree(candidates: Sequence[Candidate]) -> Iterator[Candidate]:
    """Each behind its first parent, with its depth; those of unknown parents, and of a ring, last."""
    known = {one.id for one in candidates}
    children: dict[str, list[int]] = {}
    for at, one in enumerate(candidates):
        parent = next((p for p in one.parents if p in known and p != one.id), "")
        children.setdefault(parent, []).append(at)
    seen: set[int] = set()
    waiting = [(at, 0) for at in reversed(children.get("", []))]
    while waiting:
        at, depth = waiting.pop()
        if at in seen:
            continue
        seen.add(at)
        yield replace(candidates[at], depth=depth)
        waiting += [(child, depth + 1) for child in reversed(children.get(candidates[at].id, []))]
    yield from (one for at, one in enumerate(candidates) if at not in seen)


def _tested(found: Line, within: tuple[float, float]) -> Iterator[Tested]:
    test = part(found, "test")
    both = (("first prompt", part(test, "old")), ("best prompt", part(test, "new")))
    for name, one in both if test else (("first prompt", part(found, "seed_figure")),):
        mean, bounds, tasks = figure(one, "mean"), part(one, "interval"), whole(one, "tasks")
        if mean is not None:
            kept = (figure(bounds, "low"), figure(bounds, "high"))
            yield Tested(name, mean, *_bounds(mean, *kept, tasks, within), tasks)


def _bounds(
    mean: float, low: float | None, high: float | None, tasks: int, within: tuple[float, float]
) -> tuple[float | None, float | None]:
    """As they were kept; of scores that were all the same, which no few tasks prove, ``score_interval``."""
    if low is None or high is None or high > low or tasks < 1:
        return low, high
    its = score_interval(mean, tasks, *within)
    return its.low, its.high


def _spent(phases: Sequence[Line]) -> Iterator[Line]:
    for one in phases:
        counts = ("rollouts", "tokens", "optimizer_calls", "saved")
        numbers = {name: whole(one, name) for name in counts if name in one}
        yield {"phase": text(one, "phase"), **numbers, "seconds": figure(one, "seconds") or 0.0}
