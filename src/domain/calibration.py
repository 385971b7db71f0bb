"""From which score on a procedure applies: learnt from requests of which it is known what is right.

Each of them is judged by the votes of all the others, itself left out. Of the requests that no procedure is
for the highest scores decide: the threshold is above all of them, and where by the tail of these a share of
``MOST_FALSE`` is still above it. The tail is taken to fall off exponentially above its 90 % quantile, as in
the peaks-over-threshold method (Davison & Smith, 1990, "Models for exceedances over high thresholds"): the
highest score that was seen alone would let through one of as many requests again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf, log, nextafter

from .off_topic import OFF_TOPIC
from .procedure_match import Known
from .statistics import Interval, wilson

MOST_FALSE = 0.01
"""The share of requests for nothing that may find a procedure, by the fitted tail."""

MOST_HARD = 0.05
"""The same of the requests of ``off_topic``."""

MOST_MISSED = 0.05
"""The share of right finds that is given for fewer false ones."""

UNCALIBRATED = 0.15
"""The threshold where too few requests say what is right."""

LEAST = 20
"""Requests for nothing that a tail can be seen in."""

_TAIL = 0.1
_HARD = frozenset(OFF_TOPIC)


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found for a request of which it is known what is right.

    Attributes:
        score: of the best procedure, ``name``; for a request that is merely not for one, of that one.
    """

    known: Known
    name: str
    score: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """A threshold, and what it does to the requests that it was chosen by.

    Attributes:
        wanted: requests for a procedure; ``right`` of them found it, ``other`` found another one.
        unwanted: requests for nothing, of which ``false`` found a procedure.
    """

    threshold: float
    wanted: int
    right: int
    other: int
    unwanted: int
    false: int

    @property
    def right_share(self) -> Interval:
        """Of 95 %."""
        return wilson(self.right, self.wanted)

    @property
    def false_share(self) -> Interval:
        """Of 95 %."""
        return wilson(self.false, self.unwanted)


def judged(known: Sequence[Known], left_out: Sequence[Sequence[float]], names: Sequence[str]) -> list[Judged]:
    """What the votes of the others find for each request that can be measured by.

    Args:
        left_out: for each request what the others' votes come to, shape (len(known), len(names) + 1).
    """
    found = []
    for one, row in zip(known, left_out, strict=True):
        if not one.judged or not names:
            continue
        scores = {name: row[at] - row[-1] for at, name in enumerate(names)}
        name = one.against or max(scores, key=scores.__getitem__)
        found.append(Judged(one, name, scores[name]))
    return found


def calibrated(found: Sequence[Judged]) -> Calibration:
    """The threshold for these, and what it does.

    It is the highest of three: by the requests for nothing that a person has labelled; by those of
    ``off_topic``, many of which were chosen to be hard; and where one in twenty of the requests that would
    find what is right no longer do: a miss costs little, and what is learnt of its own requests is told too
    well. It is never below 0, where more is voted for none. What an eval says is not for one procedure is
    nearly for it, or for another one, and does not choose.
    """
    nothing = [one for one in found if one.known.procedure is None and one.known.against is None]
    hard = [one.score for one in nothing if one.known.text in _HARD]
    labelled = [one.score for one in nothing if one.known.text not in _HARD]
    by_labelled = [threshold_for(labelled)] if len(labelled) >= LEAST else []
    lowest = max(threshold_for(hard, MOST_HARD), *by_labelled, 0.0)
    return outcome(found, max(lowest, _affordable(found, lowest)))


def _affordable(found: Sequence[Judged], lowest: float) -> float:
    """The score that all but ``MOST_MISSED`` of the right ones above ``lowest`` reach."""
    right = sorted(one.score for one in found if one.name == one.known.procedure and one.score >= lowest)
    return right[int(MOST_MISSED * len(right))] if len(right) >= LEAST else lowest


def outcome(found: Sequence[Judged], threshold: float) -> Calibration:
    """What a threshold does."""
    wanted = [one for one in found if one.known.procedure is not None]
    triggered = [one for one in wanted if one.score >= threshold]
    right = sum(one.name == one.known.procedure for one in triggered)
    unwanted = [one.score for one in found if one.known.procedure is None]
    false = sum(score >= threshold for score in unwanted)
    return Calibration(threshold, len(wanted), right, len(triggered) - right, len(unwanted), false)


def threshold_for(scores: Sequence[float], most_false: float = MOST_FALSE) -> float:
    """Above which a share of ``most_false`` is expected of requests for nothing, whose scores these are."""
    if len(scores) < LEAST:
        return UNCALIBRATED
    ordered = sorted(scores, reverse=True)
    count = ceil(_TAIL * len(ordered))
    start = ordered[count]
    excess = sum(score - start for score in ordered[:count]) / count
    share = count / len(ordered)
    found = start + excess * log(share / most_false)
    return max(found, nextafter(ordered[0], inf)) if most_false <= MOST_FALSE else found
