"""What commands print: tables for people, JSON for programs, never control sequences out of data."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

import click

_CONTROL = re.compile(
    r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


_UNSEEN = re.compile(
    "[\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
"""What changes the direction of text, or is seen by nobody. What joins letters is none of it: some languages
are not written without."""

_JOINERS = re.compile("[\u200c\u200d]")
_BREAKS = re.compile("[\t\n\v\f\r\x85\u2028\u2029]+")
_OBEYED = re.compile(f"[\x7f-\x9f]|{_UNSEEN.pattern}|{_JOINERS.pattern}")
"""What JSON leaves as it is, and a terminal obeys, or nobody sees."""


def printable(text: str) -> str:
    """The text without what a terminal obeys and what nobody sees; tabs and line ends are kept."""
    return _UNSEEN.sub("", _CONTROL.sub("", text))


def one_line(text: object) -> str:
    """The same on one line, for a cell or a name: nothing in it can look like another line."""
    return _JOINERS.sub("", printable(_BREAKS.sub(" ", str(text))))


def echo_json(value: Any) -> None:
    """Prints a value, dataclasses included, as JSON on standard output."""
    plain = (
        dataclasses.asdict(value)
        if dataclasses.is_dataclass(value) and not isinstance(value, type)
        else value
    )
    text = json.dumps(plain, ensure_ascii=False, indent=2, default=str)
    click.echo(_OBEYED.sub(lambda found: json.dumps(found[0])[1:-1], text))


def echo_table(
    headings: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[int] = ()
) -> None:
    """Prints aligned columns; those in ``right`` are aligned to the right."""
    lines = [tuple(headings), *(tuple(one_line(cell) for cell in row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    for line in lines:
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        click.echo("  ".join(cells).rstrip())
