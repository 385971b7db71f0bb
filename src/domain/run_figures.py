"""What the logs of a run come to: curves, seconds, evaluations and alarms, however long the logs are."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from math import isfinite
from statistics import fmean, median
from typing import Any

from .curve import Curve
from .run import Evaluation, evaluation_from

AVERAGED = 5
"""So many steps are averaged at both ends of a curve: a single one says little."""

_MOST_EVALUATIONS = 200
_MOST_ALARMS = 100
_MOST_NAMES = 20
"""Of parts of a reward, and of phases: a log of anybody may name as many as it likes."""

_PACED_BY = 10
"""Steps that tell how long another one takes."""


@dataclass(frozen=True, slots=True)
class FigureKind:
    """A figure that people look at.

    Attributes:
        log, key: where it is written; a key of ``evaluations`` is that of an ``Evaluation``.
        form: of its number, as ``format`` takes it.
    """

    key: str
    title: str
    form: str
    log: str = "metrics"


_LOSS = FigureKind("loss", "loss", ".3f")
REWARD = FigureKind("reward", "reward", ".3f")
SCORE = FigureKind("score", "held-out score", ".3f", "evaluations")
_HELD_OUT = FigureKind("loss", "held-out loss", ".3f", "evaluations")
_SPEED = FigureKind("tokens_per_second", "tokens/s", ".0f", "timings")
BEST = FigureKind("best", "best score", ".3f", "search")
"""Of the prompts that a search has tried so far."""

FINE_TUNED = (
    _LOSS,
    _HELD_OUT,
    SCORE,
    FigureKind("token_accuracy", "token accuracy", ".1%"),
    FigureKind("gradient_norm", "gradient norm", ".3g"),
    _SPEED,
)
REWARDED = (
    REWARD,
    SCORE,
    _HELD_OUT,
    FigureKind("dead_groups", "dead groups", ".0%"),
    FigureKind("cut_off", "cut off", ".0%"),
    FigureKind("completion_tokens", "tokens of a completion", ".1f"),
    FigureKind("entropy", "entropy of a token", ".3f"),
    FigureKind("kl", "kl to the reference", ".4f"),
    FigureKind("gradient_norm", "gradient norm", ".3g"),
    replace(_SPEED, title="tokens learnt/s"),
)
"""The loss is not among them: it is near 0 by construction, and says nothing. Groups that are all alike are
drawn and not learnt from, so that the speed falls where there are more of them."""

_KEYS = tuple({kind.key: None for kind in (*FINE_TUNED, *REWARDED) if kind.log == "metrics"})


@dataclass(frozen=True, slots=True)
class TriedPrompt:
    """A prompt of a search: on how many tasks it was tried, and its mean score there."""

    trials: int
    mean: float | None


@dataclass(frozen=True, slots=True)
class HeldOut:
    """One evaluation: before the training, on the way (``step``), or after it."""

    step: int
    when: str
    evaluation: Evaluation


@dataclass(frozen=True, slots=True)
class Raised:
    """An alarm, as it was told."""

    step: int
    text: str


class Ends:
    """The first and the last values of a curve, averaged."""

    def __init__(self) -> None:
        self.count = 0
        self._first: list[float] = []
        self._last: deque[float] = deque(maxlen=AVERAGED)

    def add(self, value: float) -> None:
        """Takes one in."""
        self.count += 1
        self._last.append(value)
        if len(self._first) < AVERAGED:
            self._first.append(value)

    @property
    def averaged(self) -> int:
        """How many of them: no value is in both means, where there are two."""
        return max(min(AVERAGED, self.count // 2), 1)

    @property
    def first(self) -> float | None:
        return fmean(self._first[: self.averaged]) if self._first else None

    @property
    def last(self) -> float | None:
        return fmean(list(self._last)[-self.averaged :]) if self._last else None


class RunFigures:
    """Takes the lines of a run's logs in, one after the other.

    Attributes:
        step: the last one that was logged; ``steps`` in all.
        tokens, seconds: of all steps; ``phases``: those seconds by what they went to.
        evaluations, alarms: in order, the last of them where there are many.
        latest: the figures of the last step.
    """

    def __init__(self) -> None:
        self.step = self.steps = 0
        self.tokens = 0
        self.seconds = 0.0
        self._timings = 0
        self.phases: dict[str, float] = {}
        self.evaluations: deque[HeldOut] = deque(maxlen=_MOST_EVALUATIONS)
        self.alarms: deque[Raised] = deque(maxlen=_MOST_ALARMS)
        self.latest: dict[str, float] = {}
        self._curves: dict[tuple[str, str], Curve] = {}
        self._ends: dict[tuple[str, str], Ends] = {}
        self._pace: deque[float] = deque(maxlen=_PACED_BY)

    def add(self, log: str, line: Mapping[str, Any]) -> None:
        """Takes a line in; what a figure should be and is not is left out."""
        match log:
            case "metrics":
                self._step(line)
            case "timings":
                self._timing(line)
            case "evaluations":
                self._evaluation(line)
            case "alarms" if isinstance(line.get("text"), str):
                self.alarms.append(Raised(_whole(line.get("step")), line["text"]))
            case _:
                pass

    def add_best(self, score: float | None) -> None:
        """The best score of a search, after one more of its prompts."""
        self._take("search", "best", score)

    @property
    def is_rewarded(self) -> bool:
        """Whether completions were drawn and rewarded."""
        return ("metrics", "reward") in self._curves

    @property
    def parts(self) -> tuple[str, ...]:
        """The rewards by name, where there are several: the only one says the same as all of them."""
        names = tuple(key for log, key in self._curves if log == "metrics" and key.startswith("reward/"))
        return names if len(names) > 1 else ()

    @property
    def kinds(self) -> tuple[FigureKind, ...]:
        """The figures that there are, the one that matters first."""
        if ("search", "best") in self._curves:
            return (BEST,)
        parts = [FigureKind(name, f"reward: {_words(name)}", ".3f") for name in self.parts]
        all_of_them = (REWARD, *parts, *REWARDED[1:]) if self.is_rewarded else FINE_TUNED
        return tuple(kind for kind in all_of_them if self.curve(kind) is not None)

    def curve(self, kind: FigureKind) -> Curve | None:
        """None where it was never told."""
        return self._curves.get((kind.log, kind.key))

    def ends(self, kind: FigureKind) -> Ends:
        """The first and the last values."""
        return self._ends[kind.log, kind.key]

    @property
    def seconds_a_step(self) -> float | None:
        """Of the last steps, the one in the middle."""
        return median(self._pace) if self._pace else None

    def _step(self, line: Mapping[str, Any]) -> None:
        self.steps += 1
        self.step = _whole(line.get("step"))
        self.tokens += _whole(line.get("tokens"))
        self.latest = {}
        for key in _KEYS:
            self._take("metrics", key, line.get(key), self.steps)
        for key in line:
            if key.startswith("reward/") and self._has_room(key):
                self._take("metrics", key, line[key], self.steps)
        for (log, _), curve in self._curves.items():
            if log == "metrics":
                _fill(curve, self.steps)

    def _timing(self, line: Mapping[str, Any]) -> None:
        self._timings += 1
        seconds = number(line.get("seconds")) or 0.0
        self.seconds += seconds
        self._pace.append(seconds)
        self._take("timings", "tokens_per_second", line.get("tokens_per_second"), self._timings)
        for key, value in line.items():
            name = key.removeprefix("seconds_")
            if name == key or not (name in self.phases or len(self.phases) < _MOST_NAMES):
                continue
            self.phases[name] = self.phases.get(name, 0.0) + (number(value) or 0.0)

    def _evaluation(self, line: Mapping[str, Any]) -> None:
        try:
            evaluation = evaluation_from(line)
            loss, score = number(evaluation.loss), number(evaluation.score)
        except (KeyError, TypeError, AttributeError):
            return
        when = str(line.get("when", ""))
        self.evaluations.append(HeldOut(_whole(line.get("step")), when, evaluation))
        for key, value in (("loss", loss), ("score", score)):
            if value is not None:
                self._take("evaluations", key, value)

    def _take(self, log: str, key: str, value: object, line: int = 0) -> None:
        """Adds to a curve; one that begins at a later line of a log of steps has gaps before."""
        known = value if type(value) is float and isfinite(value) else number(value)
        curve = self._curves.get((log, key))
        if curve is None:
            if value is None:
                return  # a figure that the training does not have
            curve = self._curves[log, key] = Curve()
            self._ends[log, key] = Ends()
            _fill(curve, line - 1)
        curve.add(known)
        if known is not None:
            self._ends[log, key].add(known)
            self.latest[key] = known

    def _has_room(self, key: str) -> bool:
        return ("metrics", key) in self._curves or len(self._curves) < 2 * _MOST_NAMES


def _fill(curve: Curve, count: int) -> None:
    """With gaps, until there are so many values: a column is the same step in every curve."""
    while curve.count < count:
        curve.add(None)


def number(value: object) -> float | None:
    """What is a finite number, and None for anything else that a log may hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        known = float(value)
    except OverflowError:
        return None
    return known if isfinite(known) else None


def _whole(value: object) -> int:
    return int(known) if (known := number(value)) is not None else 0


def _words(key: str) -> str:
    return key.removeprefix("reward/").replace("_", " ")


def best_so_far(tried: Sequence[TriedPrompt]) -> list[float]:
    """The highest mean score up to each of the prompts of a search that were tried on enough tasks.

    One that was tried on few and given up may have scored high by luck: those count that were tried on half
    as many as the one in the middle of all, at least.
    """
    scored = [one for one in tried if one.mean is not None]
    if not scored:
        return []
    enough = median(one.trials for one in scored) / 2
    means = [one.mean for one in scored if one.mean is not None and one.trials >= enough]
    return list(accumulate(means, max))
