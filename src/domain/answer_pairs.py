"""Two scores of the same held-out row, before and after or of two runs: what a gain is told by best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from statistics import fmean

from .recorded_run import Line, figure, figures, part, text

SCORES = "scores"
"""The log that has the score of every graded row, with a digest of its prompt."""

BEFORE, AFTER = "before", "after"


def score_pairs(
    graded: tuple[Line, Line], source: str, answers: tuple[Sequence[Line], Sequence[Line]]
) -> list[tuple[float, float]]:
    """By the scores that were kept, or by their parts where the score is the mean of these.

    Args:
        graded: what the two evaluations came to.
        answers: as ``scores.jsonl`` or ``samples-after.jsonl`` has them, of the two.
    """
    found = _pairs(lambda one: figure(one, "score"), source, answers)
    return found or part_pairs(_told_by(graded), source, answers)


def part_pairs(
    parts: Sequence[str], source: str, answers: tuple[Sequence[Line], Sequence[Line]]
) -> list[tuple[float, float]]:
    """The mean of these parts of the reward in both answers to the same prompt."""
    return _pairs(lambda one: _mean_part(one, parts), source, answers)


def _pairs(
    score: Callable[[Line], float | None], source: str, answers: tuple[Sequence[Line], Sequence[Line]]
) -> list[tuple[float, float]]:
    """Rows that ask the same are told apart by their order, which is that of the held-out rows."""
    first, second = (dict(_by_row(its, source)) for its in answers)
    values = [(score(first[one]), score(second[one])) for one in first if one in second]
    return [(old, new) for old, new in values if old is not None and new is not None]


def _by_row(answers: Sequence[Line], source: str) -> Iterator[tuple[tuple[str, int], Line]]:
    seen: Counter[str] = Counter()
    for one in answers:
        if text(one, "source") == source:
            prompt = text(one, "prompt")
            yield (prompt, seen[prompt]), one
            seen[prompt] += 1


def _told_by(graded: Sequence[Line]) -> Sequence[str]:
    """The parts whose mean is the score, in all of these graded sets; none where it is anything else."""
    parts = sorted({name for its in graded for name in part(its, "parts")})
    return parts if all(_is_their_mean(its, parts) for its in graded) else ()


def _is_their_mean(graded: Line, parts: Sequence[str]) -> bool:
    """``parts`` of a graded set are sums over its rows."""
    rows, score, sums = figure(graded, "rows"), figure(graded, "score"), figures(graded, "parts")
    mean = _mean([sums[name] / rows if rows and name in sums else None for name in parts])
    return mean is not None and score is not None and abs(mean - score) < 1e-9


def _mean_part(answer: Line, parts: Sequence[str]) -> float | None:
    its = figures(answer, "parts")
    return _mean([its.get(name) for name in parts])


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None
