"""A run as its folder holds it: read, not believed. A figure that is none is as good as not there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from .trace import SpanTime

Line = Mapping[str, Any]
"""A line of a log."""

LOGS = ("metrics", "timings", "evaluations", "alarms", "completions", "tokens", "scores")
"""Those that a report is made of."""


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """All of a run's folder that can be shown; what the run lacks is empty.

    Attributes:
        path: of the folder.
        status: as the manifest has it, but that of a run which was killed is ``failed``.
        logs: by name.
        samples: answers that were kept to be read, by when: before, after.
        rows: as the model sees them, of ``rows.json``.
        search: the report of a prompt search, of ``search.json``.
        held_out: digests of the prompts that the run holds out, of ``held-out.json``; None: it does not tell.
        ablation: of its model with and without memory and procedures, of ``ablation.json``.
        spans: what was traced of it, by name.
        damaged: a sentence for every file that could not be read whole.
    """

    path: str
    status: str
    manifest: Line
    logs: Mapping[str, Sequence[Line]] = field(default_factory=dict)
    samples: Mapping[str, Sequence[Line]] = field(default_factory=dict)
    rows: Sequence[Line] = ()
    search: Line = field(default_factory=dict)
    held_out: frozenset[str] | None = None
    ablation: Line = field(default_factory=dict)
    spans: Sequence[SpanTime] = ()
    damaged: tuple[str, ...] = ()

    @property
    def algorithm(self) -> str:
        return text(self.manifest, "algorithm")

    def log(self, name: str) -> Sequence[Line]:
        return self.logs.get(name, ())


def figure(line: Line, name: str) -> float | None:
    """A finite number, or None."""
    value = line.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if isfinite(value) else None
    except OverflowError:  # a whole number beyond all floats
        return None


def whole(line: Line, name: str) -> int:
    """A whole number; 0 where there is none."""
    value = figure(line, name)
    return 0 if value is None else int(value)


def text(line: Line, name: str) -> str:
    """A text; empty where there is none."""
    value = line.get(name)
    return value if isinstance(value, str) else ""


def part(line: Line, name: str) -> Line:
    """A mapping within a line; empty where there is none."""
    value = line.get(name)
    return value if isinstance(value, Mapping) else {}


def parts(line: Line, name: str) -> list[Line]:
    """The mappings of a list within a line."""
    value = line.get(name)
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list | tuple) else []


def texts(line: Line, name: str) -> list[str]:
    """The texts of a list within a line."""
    value = line.get(name)
    return [one for one in value if isinstance(one, str)] if isinstance(value, list | tuple) else []


def figures(line: Line, name: str) -> dict[str, float]:
    """The numbers of a mapping within a line, by name."""
    within = part(line, name)
    return {str(key): value for key in within if (value := figure(within, key)) is not None}


def course(lines: Sequence[Line], name: str) -> list[tuple[int, float]]:
    """What a figure was at each step that tells it."""
    return list(_course(lines, name))


def _course(lines: Sequence[Line], name: str) -> Iterator[tuple[int, float]]:
    for line in lines:
        step, value = figure(line, "step"), figure(line, name)
        if step is not None and value is not None:
            yield int(step), value
