"""Where the time of a run went, by its spans, or by its logs where nothing was traced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from .genai_names import CHAT, EXECUTE_TOOL
from .recorded_run import Line, RecordedRun, figure, parts, text
from .trace import SpanTime

_COVERED = 0.9
"""Of the seconds that the logs tell of: where spans have less, some were not recorded."""

_OTHERS = 20
"""Names of people's own spans that are told apart at most."""

_REST = "the rest"

_OF_SPANS = {
    "prepare data": "preparing the data",
    "load model": "loading the model",
    "score": "judging",
    "log-probabilities": "log-probabilities",
    "forward and backward": "forward and backward",
    "step": "optimizer",
    "evaluate": "evaluating",
    "save checkpoint": "saving",
    "save weights": "saving",
    "search": "searching the memory",
    "propose prompts": "thinking of prompts",
    "next step of the procedure": "steps of procedures",
    "train": _REST,
    "search prompt": _REST,
    "take steps": _REST,
    "draw and judge": _REST,
}
"""Of spans by name; see ``docs/tracing.md``."""

_OF_LOGS = {
    "generate": "drawing answers",
    "tools": "tools",
    "score": "judging",
    "log_probs": "log-probabilities",
    "update": "learning",
    "wait": "waiting for other processes",
}


@dataclass(frozen=True, slots=True)
class Phase:
    """Where time went.

    Attributes:
        share: of all that is told, in [0, 1].
        count: how often; 0 where the logs tell it, which do not say.
        read, written: tokens.
    """

    name: str
    seconds: float
    share: float = 0.0
    count: int = 0
    read: int = 0
    written: int = 0


@dataclass(frozen=True, slots=True)
class TimeSpent:
    """All phases, the longest first where spans tell them.

    Attributes:
        spans: that they are made of; 0: of the logs.
        dropped: spans that are known to be lost.
        took: seconds of the spans that are within no other, together: what lies between these, as a pause,
            is no part of it. None: by the logs. Where things are done at the same time within such a span,
            it is less than the sum of the phases.
    """

    phases: tuple[Phase, ...]
    spans: int = 0
    dropped: int = 0
    took: float | None = None


def time_spent(run: RecordedRun) -> TimeSpent | None:
    """By spans where there are some for all that was done; None where nothing tells it."""
    logged = list(_logged(run))
    traced = sum(one.seconds for one in run.spans)
    if run.spans and traced >= _COVERED * sum(one.seconds for one in logged):
        spans, dropped = (
            sum(its) for its in zip(*((one.count, one.dropped) for one in run.spans), strict=True)
        )
        took = sum(one.outermost for one in run.spans)
        return TimeSpent(_shared(_of_spans(run.spans)), spans, dropped, took)
    return TimeSpent(_shared((*logged, *_besides(run, logged)))) if logged else None


def wall_seconds(manifest: Line) -> float | None:
    """From its beginning to its end, pauses included."""
    try:
        ended = datetime.fromisoformat(text(manifest, "finished"))
        return (ended - datetime.fromisoformat(text(manifest, "started"))).total_seconds()
    except (ValueError, TypeError):
        return None


def _shared(phases: Iterable[Phase]) -> tuple[Phase, ...]:
    found = tuple(phases)
    total = sum(one.seconds for one in found)
    return tuple(replace(one, share=one.seconds / total if total else 0.0) for one in found)


def _of_spans(spans: Sequence[SpanTime]) -> list[Phase]:
    found: dict[str, Phase] = {}
    for one in spans:
        name = _called(one.name)
        if name not in found and len(found) >= _OTHERS:
            name = _REST
        before = found.get(name, Phase(name, 0.0))
        found[name] = Phase(
            name, before.seconds + one.seconds, 0.0, before.count + one.count, before.read + one.read,
            before.written + one.written,
        )  # fmt: skip
    if _REST in found:
        found[_REST] = replace(found[_REST], count=0)  # what is left of several kinds
    return sorted(found.values(), key=lambda one: (one.name == _REST, -one.seconds))


def _called(name: str) -> str:
    operation, _, what = name.partition(" ")
    if operation == CHAT:
        return "drawing answers"
    return f"tool {what}" if operation == EXECUTE_TOOL else _OF_SPANS.get(name, name)


def _logged(run: RecordedRun) -> Iterator[Phase]:
    """Of the steps by phase; of a search by what it was spent on."""
    spent: dict[str, float] = {}
    for line in run.log("timings"):
        phases = {name: figure(line, name) or 0.0 for name in line if name.startswith("seconds_")}
        for name, seconds in (phases or {"seconds_steps": figure(line, "seconds") or 0.0}).items():
            known = name.removeprefix("seconds_")
            spent[known] = spent.get(known, 0.0) + seconds
    for one in parts(run.search, "spent"):
        spent[text(one, "phase")] = figure(one, "seconds") or 0.0
    yield from (Phase(_OF_LOGS.get(name, name), seconds) for name, seconds in spent.items())


def _besides(run: RecordedRun, logged: Sequence[Phase]) -> Iterator[Phase]:
    """What is not of a step or an answer; a run begins when its model is loaded; pauses are left out."""
    wall = wall_seconds(run.manifest)
    if wall is None or parts(run.manifest, "resumes"):
        return
    if (rest := wall - sum(one.seconds for one in logged)) > 0:
        yield Phase("thinking of prompts, saving" if run.algorithm == "apo" else "evaluating, saving", rest)
