"""The steps of a reinforcement for a person: a row of a table on a terminal, a line in a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from ...domain.schedule import StepReport


class Column(NamedTuple):
    """A figure of the report, or the seconds of a phase."""

    key: str
    title: str
    width: int
    form: Callable[[float], str]


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 100 else f"{value:.0f} s"


_FIGURES = (
    Column("reward", "reward", 8, "{:.3f}".format),
    Column("dead_groups", "dead", 6, "{:.0%}".format),
    Column("cut_off", "cut off", 9, "{:.0%}".format),
    Column("completion_tokens", "tokens", 7, "{:.0f}".format),
    Column("entropy", "entropy", 8, "{:.2f}".format),
    Column("kl", "kl", 7, "{:.3f}".format),
)
_PHASES = (
    Column("generate", "generate", 9, _seconds),
    Column("score", "score", 7, _seconds),
    Column("log_probs", "log p", 7, _seconds),
    Column("update", "update", 7, _seconds),
)
_STEP = 4
"""Width of the step's number. All of it fits a terminal of 80 columns."""


def is_reinforced(report: StepReport) -> bool:
    """Whether the step drew completions, or learnt from some."""
    return "reward_deviation" in report.figures


def heading() -> str:
    """Of ``row``."""
    return "step".rjust(_STEP) + "".join(column.title.rjust(column.width) for column in _FIGURES + _PHASES)


def row(report: StepReport) -> str:
    """The figures under their headings, a hyphen where there is none."""
    cells = [(cell or "-").rjust(column.width) for column, cell in _cells(report)]
    return str(report.step).rjust(_STEP) + "".join(cells)


def reward_figures(report: StepReport) -> str:
    """The same with names, on one line, and with what else time went to."""
    known = {column.key for column in _PHASES}
    rest = {key: value for key, value in report.phases.items() if key not in known}
    return "  ".join(
        [
            *(f"{column.title} {cell}" for column, cell in _cells(report) if cell),
            *(f"{key} {_seconds(value)}" for key, value in rest.items()),
        ]
    )


def _cells(report: StepReport) -> Iterator[tuple[Column, str]]:
    for columns, values in ((_FIGURES, report.figures), (_PHASES, report.phases)):
        for column in columns:
            yield column, column.form(values[column.key]) if column.key in values else ""
