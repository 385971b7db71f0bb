"""A run's folder as it is to be shown: nothing in it is believed, and nothing damaged ends the reading."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from sys import intern, maxsize
from typing import Any, BinaryIO

from ...domain.answer_pairs import AFTER, BEFORE
from ...domain.held_prompts import HELD_OUT
from ...domain.recorded_run import LOGS, RecordedRun, whole
from ...domain.report_groups import kept_steps
from ...domain.run import RunSummary

_LINE = 1 << 22
"""Bytes of a line at most: what is longer is no line of ours."""

_WHOLE = 1 << 26
"""Likewise of a file that is read in one piece."""


Kept = Callable[[dict[str, Any]], Mapping[str, Any] | None]
"""What is kept of a line; None where nothing of it is."""

_COUNTED = (
    "step", "prompt", "question", "tokens", "reward", "procedure", "memory", "memory_left_out", "tools",
)  # fmt: skip
"""Of an answer that is not shown, what counts in a figure."""


class FolderRecordedRuns:
    """Reads what ``FolderRunStore`` finds.

    Args:
        whole_log: bytes of ``completions.jsonl`` up to which all of its texts are held in memory; of a longer
            one those that a page shows. None: all, whatever its length.
    """

    def __init__(self, whole_log: int | None = 1 << 24) -> None:
        self._whole_log = whole_log

    def read(self, run: RunSummary) -> RecordedRun:
        folder, damaged = Path(run.path), list[str]()
        return replace(
            _told_of_held_out(run, damaged),
            logs={name: self._log(folder / f"{name}.jsonl", damaged) for name in LOGS},
            rows=[one for one in _document(folder / "rows.json", list, damaged) if isinstance(one, Mapping)],
            search=_document(folder / "search.json", dict, damaged),
            ablation=_document(folder / "ablation.json", dict, damaged),
            damaged=tuple(damaged),
        )

    def held_out(self, run: RunSummary) -> RecordedRun:
        damaged = list[str]()
        return replace(_told_of_held_out(run, damaged), damaged=tuple(damaged))

    def _log(self, file: Path, damaged: list[str]) -> Sequence[Mapping[str, Any]]:
        size = file.stat().st_size if file.is_file() else 0
        if file.name != "completions.jsonl" or self._whole_log is None or size <= self._whole_log:
            return _lines(file, damaged)
        # What is added from now on would change which steps are shown: both readings end at the same place.
        return _lines(file, damaged, partial(_without_texts, _shown(file, size)), size)


def _told_of_held_out(run: RunSummary, damaged: list[str]) -> RecordedRun:
    folder = Path(run.path)
    return RecordedRun(
        path=run.path,
        status=run.status.value,
        manifest=run.manifest,
        samples={when: _lines(folder / f"samples-{when}.jsonl", damaged) for when in (BEFORE, AFTER)},
        held_out=_held_out(folder / HELD_OUT, damaged),
    )


def _shown(file: Path, size: int) -> set[int]:
    """Steps whose texts are shown, of a first reading that keeps nothing else."""
    lines: Counter[int] = Counter()
    _lines(file, [], partial(_counted, lines), size)
    return set(kept_steps(lines))


def _counted(lines: Counter[int], line: dict[str, Any]) -> None:
    lines[whole(line, "step")] += 1


def _without_texts(steps: set[int], line: dict[str, Any]) -> dict[str, Any]:
    """A line of another step without what is read of shown ones alone; nearly all of a log are its texts."""
    if whole(line, "step") not in steps:
        line = {name: line[name] for name in _COUNTED if line.get(name) is not None}
    if isinstance(question := line.get("question"), str):
        line["question"] = intern(question)  # of all answers to a prompt it is the same
    return line


def _lines(
    file: Path,
    damaged: list[str],
    kept: Kept = lambda line: line,
    size: int = maxsize,
) -> Sequence[Mapping[str, Any]]:
    """What is kept of the lines of a log.

    Args:
        kept: of a line; None where nothing of it is.
        size: bytes of the file that are read, to the end of a line.
    """
    if not file.is_file():
        return ()
    try:
        with file.open("rb") as opened:
            found, wrong = _read(opened, kept, size)
    except OSError as cause:
        damaged.append(f"{file.name} cannot be read: {cause.strerror}")
        return ()
    if wrong:
        damaged.append(f"{wrong} lines of {file.name} cannot be read")
    return found


def _read(opened: BinaryIO, kept: Kept, size: int) -> tuple[list[Mapping[str, Any]], int]:
    """The lines, and how many are none; a last one without an end is being written just now."""
    found: list[Mapping[str, Any]] = []
    wrong = 0
    while opened.tell() < size and (line := opened.readline(_LINE)):
        value = _parsed(line)
        if isinstance(value, dict):
            if (its := kept(value)) is not None:
                found.append(its)
        elif line.endswith(b"\n") or len(line) == _LINE:
            wrong += 1
    return found, wrong


def _held_out(file: Path, damaged: list[str]) -> frozenset[str] | None:
    """None where there is no such file, or where it is none: then nobody knows."""
    before = len(damaged)
    found = _document(file, list, damaged)
    known = file.is_file() and len(damaged) == before
    return frozenset(one for one in found if isinstance(one, str)) if known else None


def _document(file: Path, kind: type[Any], damaged: list[str]) -> Any:
    """A file of JSON; an empty one of its kind where there is none."""
    if not file.is_file():
        return kind()
    try:
        value = _parsed(file.read_bytes()) if file.stat().st_size <= _WHOLE else None
    except OSError:
        value = None
    if isinstance(value, kind):
        return value
    damaged.append(f"{file.name} cannot be read")
    return kind()


def _parsed(content: bytes) -> Any:
    """None where it is no JSON."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
