"""Figures as a table that every spreadsheet opens: metrics.csv, a row each time, a column each name."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

from ...domain.ports.logs import LoggedRun
from .private_files import append_private, write_private

FILE = "metrics.csv"
STEP = "step"

Row: TypeAlias = dict[str, str]
"""Cells by column; a cell that is empty was not measured."""


class CsvLog:
    """``metrics.csv`` in the run's folder; every row is whole before the next step begins."""

    def begin(self, run: LoggedRun, first_step: int) -> None:
        self._path = run.folder / FILE
        rows = [row for row in _rows(self._path) if int(row[STEP]) <= first_step] if run.resumed else []
        self._rewrite(list(rows[0]) if rows else [STEP], rows)

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        if new := [name for name in figures if name not in self._columns]:
            self._rewrite([*self._columns, *new], _rows(self._path))
        row = {STEP: str(step)} | {name: repr(float(value)) for name, value in figures.items()}
        append_private(self._path, _text([row], self._columns))

    def end(self, status: str) -> None:
        """Every row is there already."""

    def _rewrite(self, columns: list[str], rows: Iterable[Row]) -> None:
        write_private(self._path, _text([dict(zip(columns, columns, strict=True)), *rows], columns))
        self._columns = columns


def _rows(path: Path) -> list[Row]:
    """The rows of a table, without a last one that was not written to its end."""
    if not path.exists():
        return []
    text = path.read_bytes()
    whole = text[: text.rfind(b"\n") + 1].decode()
    return list(csv.DictReader(io.StringIO(whole, newline="")))


def _text(rows: Iterable[Row], columns: list[str]) -> bytes:
    text = io.StringIO(newline="")
    csv.DictWriter(text, columns, restval="", lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
