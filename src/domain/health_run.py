"""Checks of the run as a whole: its data, its memory, its files and its end."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

from .health_figures import FINE, NOTHING_TO_LOOK_AT, Level, Said, Verdict, sentence
from .recorded_run import Line, RecordedRun, figure, figures, part, parts, text, texts, whole

_OFF_PLAN = 0.02
"""Of the rows, besides what chance explains: two of a hundred rows nobody notices."""

_CHOSEN = "over max_samples"
"""Why rows are left out that the recipe does not want."""

_DROPPED = 0.3
"""Of the rows that were read: then what is trained on is no longer what the source is."""

_PASSES = 4.0
"""Times that a row has come: up to four repetitions are nearly as good as new rows (Muennighoff et al., 2023,
arXiv 2305.16264), later ones teach by heart."""


_AGAIN = "`cesello train RECIPE --resume --run RUN` goes on with the answers that it has already paid for."
"""A search has no checkpoints."""


def is_whole(run: RecordedRun) -> Verdict:
    """How it ended, and whether nothing changed on the way."""
    if run.status == "running":
        return NOTHING_TO_LOOK_AT
    if run.status != "completed":
        why = text(run.manifest, "error")
        level = Level.LOOK if run.status == "interrupted" else Level.WRONG  # a signal is somebody's wish
        fix = _AGAIN if run.algorithm == "apo" else ""
        return Said(f"The run did not end by itself: {run.status}{f' ({why})' if why else ''}.", level, fix)
    changed = [name for one in parts(run.manifest, "resumes") for name in texts(one, "differences")]
    if not changed:
        return FINE
    names = ", ".join(dict.fromkeys(changed))
    return Said(f"It was gone on with (--allow-inexact) although something had changed: {names}.")


def files_are_read(run: RecordedRun) -> Verdict:
    """What could not be read of the run's folder."""
    return Said(sentence(run.damaged), Level.WRONG) if run.damaged else FINE


def mixture_as_planned(run: RecordedRun) -> Verdict:
    """Shares of the rows drawn."""
    sources = [one for one in _sources(run) if figure(one, "realised") is not None]
    rows = sum(whole(one, "drawn") for one in sources)
    if not rows:
        return NOTHING_TO_LOOK_AT
    off = [_shares(one) for one in sources if _is_off(one, rows)]
    return Said(f"Sources came in other shares than planned: {', '.join(off)}.") if off else FINE


def _is_off(source: Line, rows: int) -> bool:
    """By more than three standard deviations of a draw of so many rows."""
    planned, drawn = figure(source, "planned") or 0.0, figure(source, "realised") or 0.0
    return abs(planned - drawn) > _OFF_PLAN + 3 * sqrt(max(0.0, planned * (1 - planned)) / rows)


def _shares(source: Line) -> str:
    planned, drawn = figure(source, "planned") or 0.0, figure(source, "realised") or 0.0
    return f"{text(source, 'name')} {planned:.0%} planned, {drawn:.0%} drawn"


def rows_are_used(run: RecordedRun) -> Verdict:
    """Rows that were left out, cut off, or repeated."""
    sources = [one for one in _sources(run) if whole(one, "read")]
    if not sources:
        return NOTHING_TO_LOOK_AT
    said = [what for one in sources for what in _badly_used(one)]
    return Said(sentence(said)) if said else FINE


def _badly_used(source: Line) -> Iterator[str]:
    reasons = figures(source, "dropped")
    name, read = text(source, "name"), whole(source, "read") - int(reasons.pop(_CHOSEN, 0))
    dropped = sum(reasons.values())
    if dropped > _DROPPED * read:
        yield f"{dropped:.0f} of {read} rows of {name} were left out"
    if whole(source, "truncated") > _DROPPED * whole(source, "kept"):
        yield f"{whole(source, 'truncated')} rows of {name} were cut off"
    if (passes := figure(source, "passes") or 0.0) > _PASSES:
        yield f"rows of {name} have come {passes:.1f} times"


def memory_sufficed(run: RecordedRun) -> Verdict:
    """Whether passes were cut for want of it."""
    splits = whole(run.manifest, "splits")
    if not splits:
        return bool(run.log("timings"))
    return Said(f"The memory ran out, and forward passes were cut into {2 ** min(splits, 30)} parts.")


def _sources(run: RecordedRun) -> list[Line]:
    return parts(part(run.manifest, "data"), "sources")
