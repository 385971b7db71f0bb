"""What a training brought on held-out rows, with intervals that are wide enough."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .answer_pairs import AFTER, BEFORE, SCORES, score_pairs
from .prompt_verdict import PROVEN, compared
from .recorded_run import Line, RecordedRun, figure, figures, part, text, whole
from .statistics import Interval, newcombe_unpaired, wilson


@dataclass(frozen=True, slots=True)
class Gain:
    """A held-out figure before and after.

    Attributes:
        kind: ``score``, of which more is better, or ``loss``, of which less is.
        rows: that it is the mean of.
        before_interval, after_interval, interval: at 95 %, of both and of the difference after minus before;
            None for a loss, of which only the sum is kept.
        paired: the interval of the difference is by the answers to the same prompts, before and after.
            Otherwise it is as if they were of other rows: scores of the same mostly go together, so that the
            true interval is narrower.
        p: of a paired difference, one-sided, that it is none in the direction that was seen: exact McNemar,
            or the sign-flip test.
    """

    source: str
    kind: str
    reward: str
    rows: int
    before: float
    after: float | None
    before_interval: Interval | None = None
    after_interval: Interval | None = None
    interval: Interval | None = None
    paired: bool = False
    p: float | None = None

    @property
    def difference(self) -> float | None:
        return None if self.after is None else self.after - self.before

    @property
    def is_better(self) -> bool | None:
        """None where it may be either.

        Of a paired difference p must say so too: of a few rows Student's interval is too sure, since their
        scores are no draws of a normal distribution.
        """
        if self.interval is None or (self.p is not None and self.p > PROVEN):
            return None
        return True if self.interval.low > 0 else False if self.interval.high < 0 else None


def gains(run: RecordedRun) -> tuple[Gain, ...]:
    """Scores first, then losses, source by source."""
    before, after = part(run.manifest, "before"), part(run.manifest, "after")
    return (*_scores(run, before, after), *_losses(before, after))


def score_range(run: RecordedRun) -> tuple[float, float]:
    """What the scores of a run lie within; see ``range_of``."""
    lines = [*run.log("evaluations"), part(run.manifest, "before"), part(run.manifest, "after")]
    graded = [one for line in lines for one in _within(line, "graded")]
    answers = [*run.log(SCORES), *(one for kept in run.samples.values() for one in kept)]
    seen = [
        value
        for one in (*graded, *answers)
        for value in (figure(one, "score"), *figures(one, "parts").values())
    ]
    return range_of((*seen, *(figure(line, "reward") for line in run.log("completions"))))


def range_of(seen: Iterable[float | None]) -> tuple[float, float]:
    """What such scores lie within: rewards are 0 to 1, or where one below 0 is seen, -1 to 1."""
    return (-1.0 if any(value is not None and value < 0 for value in seen) else 0.0), 1.0


def score_interval(mean: float, rows: int, low: float, high: float) -> Interval:
    """At 95 %, of the mean of so many scores within a range, of which nothing else is known.

    No scores of that mean vary more than those that are all at one end or the other (Bhatia and Davis,
    2000, "A better bound on the variance"), so Wilson's interval of such a proportion is wide enough.
    """
    its = wilson(_share(mean, low, high) * rows, rows)
    return Interval(low + its.low * (high - low), low + its.high * (high - low))


def gain_interval(new: float, new_rows: int, old: float, old_rows: int, low: float, high: float) -> Interval:
    """At 95 %, of the difference of two means of such scores, on rows of their own, new minus old.

    By the same bound as ``score_interval``: Newcombe's of two proportions, stretched to the range.
    """
    of_new, of_old = _share(new, low, high) * new_rows, _share(old, low, high) * old_rows
    its = newcombe_unpaired(of_new, new_rows, of_old, old_rows)
    return Interval(its.low * (high - low), its.high * (high - low))


def _share(mean: float, low: float, high: float) -> float:
    """Of scores at the upper end, were all of them at one end or the other."""
    return min(1.0, max(0.0, (mean - low) / (high - low)))


def _within(line: Line, name: str) -> list[Line]:
    return [part(part(line, name), source) for source in part(line, name)]


def _scores(run: RecordedRun, before: Line, after: Line) -> Iterator[Gain]:
    low, high = score_range(run)
    for source in part(before, "graded"):
        one, then = part(part(before, "graded"), source), part(part(after, "graded"), source)
        old, new, rows = figure(one, "score"), figure(then, "score"), whole(one, "rows")
        if old is None:
            continue
        name, reward, of_old = str(source), text(one, "reward"), score_interval(old, rows, low, high)
        if new is None:
            yield Gain(name, "score", reward, rows, old, None, of_old)
            continue
        many = whole(then, "rows")
        its = _paired(run, name, (one, then), low)
        within, p = its or (gain_interval(new, many, old, rows, low, high), None)
        of_new = score_interval(new, many, low, high)
        yield Gain(name, "score", reward, rows, old, new, of_old, of_new, within, its is not None, p)


def _paired(
    run: RecordedRun, source: str, graded: tuple[Line, Line], least: float
) -> tuple[Interval, float] | None:
    """Of the gain, with its p, as ``cesello compare`` has it; None where not all rows have both scores.

    Older runs have kept the scores of those answers alone that are there to be read.

    Args:
        least: that any score of the run may be.
    """
    before, after = ([one for one in run.log(SCORES) if one.get("when") == when] for when in (BEFORE, AFTER))
    found = score_pairs(graded, source, (before, after))
    if not found:
        found = score_pairs(graded, source, (run.samples.get(BEFORE, ()), run.samples.get(AFTER, ())))
    if not found or {len(found)} != {whole(one, "rows") for one in graded}:
        return None
    its = compared("", "", found, least=least)
    worse = its.gain < 0
    return its.interval, compared("", "", [(new, old) for old, new in found]).p if worse else its.p


def _losses(before: Line, after: Line) -> Iterator[Gain]:
    for source in part(before, "losses"):
        one, then = part(part(before, "losses"), source), part(part(after, "losses"), source)
        if (old := figure(one, "loss")) is not None:
            yield Gain(str(source), "loss", "", whole(one, "rows"), old, figure(then, "loss"))
