"""How runs are written in a terminal: curves, states, spans of time, and tables that fit its width."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from unicodedata import combining, east_asian_width

import click

from ...domain.curve import Curve
from ...domain.sparkline import ASCII, BLOCKS, sparkline
from .output import one_line

_COLOURS = {
    "running": "cyan",
    "completed": "green",
    "interrupted": "yellow",
    "failed": "red",
}
_GAPS = {BLOCKS: "·", ASCII: "?"}
_NARROWEST = 8
"""Columns that a cell is cut to at least."""


@dataclass(frozen=True, slots=True)
class Coloured:
    """A cell of a table in one of ``click``'s colours."""

    text: str
    colour: str | None = None

    def __str__(self) -> str:
        return self.text


def status_cell(status: object) -> Coloured:
    """The status of a run."""
    return Coloured(str(status), _COLOURS.get(str(status)))


def width_of() -> int | None:
    """Columns of the terminal that standard output is; None where it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def height_of() -> int | None:
    """Lines that a terminal shows above the one that the cursor is left on; None where there is none."""
    return max(shutil.get_terminal_size().lines - 1, 1) if sys.stdout.isatty() else None


def is_coloured() -> bool:
    """Whether colours are wanted (https://no-color.org) and seen."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def signs() -> str:
    """Of curves: blocks, where standard output can write them."""
    try:
        BLOCKS.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return ASCII if os.environ.get("TERM") == "dumb" and sys.stdout.isatty() else BLOCKS


def spark(curve: Curve, width: int, *, scale: tuple[float, float] | None = None) -> str:
    """A curve in so many columns at most."""
    low, high = scale or (None, None)
    its = signs()
    return sparkline(curve.columns(width), its, gap=_GAPS[its], low=low, high=high)


def figure(value: float | None, form: str) -> str:
    """A number in that form, a hyphen where there is none."""
    return "-" if value is None else format(value, f"z{form}")  # z: no minus before what is rounded to 0


def duration(seconds: float) -> str:
    """As a person says it."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def columns_of(text: str) -> int:
    """How wide a terminal writes it: signs of East Asia take two columns, accents of their own none."""
    return sum(0 if combining(sign) else 2 if east_asian_width(sign) in "WF" else 1 for sign in text)


def cut(text: str, width: int) -> str:
    """Its beginning, where it is wider."""
    if columns_of(text) <= width:
        return text
    kept, used = "", 1
    for sign in text:
        used += columns_of(sign)
        if used > width:
            break
        kept += sign
    return kept + ("…" if signs() == BLOCKS else "~")


def table(
    headings: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    right: Sequence[int] = (),
    width: int | None = None,
    spare: Sequence[int] = (),
) -> list[str]:
    """Aligned lines.

    Args:
        right: columns aligned to the right.
        width: that the lines are to fit; they are cut where all else does not suffice.
        spare: columns that are left out first where it is too little, in that order.
    """
    cells = [tuple(headings), *(tuple(row) for row in rows)]
    texts = [tuple(one_line(cell) for cell in row) for row in cells]
    shown = list(range(len(headings)))
    widths = [max(columns_of(row[at]) for row in texts) for at in shown]
    for column in spare:
        if width is not None and _together(widths, shown) > width:
            shown.remove(column)
    if width is not None and (over := _together(widths, shown) - width) > 0:
        widest = max(shown, key=lambda at: widths[at])
        widths[widest] = max(widths[widest] - over, _NARROWEST)
    return [_line(row, its, shown, widths, right) for row, its in zip(cells, texts, strict=True)]


def room_for(column: int, rows: Sequence[Sequence[object]], width: int | None, most: int) -> int:
    """How wide a column may be beside all others of these rows, its headings not counted: at most that."""
    if width is None or not rows:
        return most
    others = [at for at in range(len(rows[0])) if at != column]
    used = sum(max(columns_of(one_line(row[at])) for row in rows) + 2 for at in others)
    return min(max(width - used, _NARROWEST), most)


def echo_lines(lines: Iterable[str]) -> None:
    """Prints them; colours go to a terminal alone."""
    for line in lines:
        click.echo(line, color=is_coloured())


def _together(widths: Sequence[int], shown: Sequence[int]) -> int:
    return sum(widths[at] for at in shown) + 2 * (len(shown) - 1)


def _line(
    cells: Sequence[object],
    texts: Sequence[str],
    shown: Sequence[int],
    widths: Sequence[int],
    right: Sequence[int],
) -> str:
    parts = []
    for at in shown:
        text = cut(texts[at], widths[at])
        room = " " * (widths[at] - columns_of(text))
        cell = cells[at]
        if isinstance(cell, Coloured) and cell.colour:
            text = click.style(text, fg=cell.colour)
        parts.append(room + text if at in right else text + (room if at != shown[-1] else ""))
    return "  ".join(parts).rstrip()
