"""The figures of one run: curves, evaluations, alarms, and where the time went."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from ...application.read_run import RunView
from ...domain.curve import Curve
from ...domain.run import RunStatus
from ...domain.run_figures import FigureKind, HeldOut, RunFigures
from ...domain.sparkline import BLOCKS
from .output import one_line
from .runs_text import Coloured, duration, figure, room_for, signs, spark, table

_CURVE = 32
"""Columns of a curve where there is room, or nobody says how much."""

_EVALUATIONS = 12
_ALARMS = 12


def figure_lines(view: RunView, width: int | None) -> list[str]:
    """A line a figure: its curve, and its first, last, least and highest value."""
    figures = view.figures
    headings = ("figure", "", "first", "last", "least", "most")
    found = [(kind, figures.curve(kind), figures.ends(kind)) for kind in figures.kinds]
    known = [(kind, curve, ends) for kind, curve, ends in found if curve is not None]
    rows = [
        (
            kind.title,
            "",
            *(figure(one, kind.form) for one in (ends.first, ends.last, curve.least, curve.most)),
        )
        for kind, curve, ends in known
    ]
    room = room_for(1, [headings, *rows], width, _CURVE)
    drawn = [
        (row[0], Coloured(spark(curve, room, scale=_scale(curve, kind)), "cyan"), *row[2:])
        for row, (kind, curve, _) in zip(rows, known, strict=True)
    ]
    return table(headings, drawn, right=range(2, 6), width=width) if drawn else []


def _scale(curve: Curve, kind: FigureKind) -> tuple[float, float] | None:
    """Its own; none at all, which draws it flat, where its least and its highest value are written the same.

    A curve of ups and downs beside four equal numbers would say that something happens.
    """
    least, most = curve.least, curve.most
    flat = least is not None and figure(least, kind.form) == figure(most, kind.form)
    return (least, least) if flat and least is not None else None


def averaged_note(figures: RunFigures) -> str | None:
    """What first and last are, where they are means."""
    counts = [figures.ends(kind).averaged for kind in figures.kinds if kind.log == "metrics"]
    count = max(counts, default=1)
    return f"first and last: means of {count} steps" if count > 1 else None


def evaluation_lines(view: RunView, width: int | None) -> list[str]:
    """All evaluations, where there are others than before and after; of many, the first and the last."""
    found = list(view.figures.evaluations)
    if not any(one.when == "step" for one in found):
        return []
    left = len(found) - _EVALUATIONS
    shown = found if left <= 0 else [*found[: _EVALUATIONS // 2], *found[-_EVALUATIONS // 2 :]]
    rows = [(one.step, one.when.replace("step", "on the way"), *_held_out(one)) for one in shown]
    lines = table(["evaluated at step", "", "loss", "score"], rows, right=(0, 2, 3), width=width)
    if left > 0:
        lines.insert(1 + _EVALUATIONS // 2, f"… {left} more")
    return lines


def _held_out(one: HeldOut) -> tuple[str, str]:
    return figure(one.evaluation.loss, ".3f"), figure(one.evaluation.score, ".3f")


def alarm_lines(figures: RunFigures) -> Iterator[str]:
    """In their own sentences."""
    alarms = list(figures.alarms)
    if len(alarms) > _ALARMS:
        yield f"… {len(alarms) - _ALARMS} alarms before these"
    for alarm in alarms[-_ALARMS:]:
        yield f"step {alarm.step}: {one_line(alarm.text)}"


def time_lines(view: RunView, width: int | None) -> list[str]:
    """Where the time went; the rest of a run that was never gone on with is what is not steps."""
    parts = time_parts(view)
    total = sum(seconds for _, seconds in parts)
    if not total:
        return []
    rows = [
        (name.replace("_", " "), duration(seconds), f"{seconds / total:.0%}", _bar(seconds / total))
        for name, seconds in parts
    ]
    return table(["time went to", "", "share", ""], rows, right=(1, 2), width=width)


def time_parts(view: RunView) -> Sequence[tuple[str, float]]:
    """Seconds by what they went to."""
    figures, manifest = view.figures, view.summary.manifest
    parts = list(figures.phases.items()) or ([("steps", figures.seconds)] if figures.seconds else [])
    known = sum(seconds for _, seconds in parts)
    if figures.seconds - known > 1:
        parts.append(("rest of the steps", figures.seconds - known))
    if figures.seconds and view.summary.status is RunStatus.COMPLETED and not manifest.get("resumes"):
        whole = _between(manifest.get("started"), manifest.get("finished"))
        if whole is not None and whole - figures.seconds >= 1:
            parts.append(("evaluating, saving", whole - figures.seconds))
    return parts


def _between(started: object, finished: object) -> float | None:
    try:
        return (datetime.fromisoformat(str(finished)) - datetime.fromisoformat(str(started))).total_seconds()
    except (ValueError, TypeError):
        return None


def _bar(share: float) -> str:
    return ("█" if signs() == BLOCKS else "#") * round(share * 20)
