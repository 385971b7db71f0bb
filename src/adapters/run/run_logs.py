"""The logs of a run: a line of JSON a step, and brought back to where a checkpoint was made."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from ...domain.checkpoint import LogMark
from ...domain.errors import StorageError
from .plain_json import finite
from .whole_files import append_line, sync, writing_run

_LOG = re.compile(r"(?!samples-)[A-Za-z0-9_][A-Za-z0-9._-]*\.jsonl")
_BLOCK = 1 << 20


def is_log(name: str) -> bool:
    """Whether a file of that name is one; samples are written whole and are none."""
    return bool(_LOG.fullmatch(name))


class RunLogs:
    """All ``*.jsonl`` of a run's folder that grow."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def append(self, log: str, line: Mapping[str, Any]) -> None:
        if not is_log(name := f"{log}.jsonl"):
            raise ValueError(f"{name} is no name of a log")
        with writing_run(self._folder):
            append_line(self._folder / name, (json.dumps(finite(line)) + "\n").encode("ascii"))

    def lines(self, log: str) -> Iterator[Mapping[str, Any]]:
        file = self._folder / f"{log}.jsonl"
        if not file.exists():
            return
        try:
            with file.open(encoding="ascii") as opened:
                yield from map(json.loads, opened)
        except (OSError, ValueError) as cause:
            fix = "see whether the disk is well"
            what = "a log of the run cannot be read"
            raise StorageError("I003", what, where=str(file), got=str(cause), fix=fix) from cause

    def mark(self) -> Mapping[str, LogMark]:
        with writing_run(self._folder):
            marks = {log.name: self._mark(log) for log in self._logs()}
            sync(self._folder)
        return marks

    def cut(self, marks: Mapping[str, LogMark]) -> None:
        """Looks at all before it touches one, so that a refusal leaves everything as it is."""
        with writing_run(self._folder):
            for name, mark in marks.items():
                self._check(self._folder / name, mark)
            for log in self._logs():
                if log.name in marks:
                    os.truncate(log, marks[log.name].size)
                    sync(log)
                else:
                    log.unlink()
            sync(self._folder)

    def changes(self, marks: Mapping[str, LogMark]) -> list[str]:
        """A sentence for each log that is not as it was when it was marked; what came later may differ."""
        found: list[str] = []
        for name, mark in marks.items():
            try:
                self._check(self._folder / name, mark)
            except StorageError as changed:
                found.append(f"{name}: got {changed.got}, expected {changed.expected}")
        return found

    def _logs(self) -> list[Path]:
        return sorted(path for path in self._folder.iterdir() if is_log(path.name))

    def _mark(self, log: Path) -> LogMark:
        sync(log)
        size = log.stat().st_size
        return LogMark(size, _sha256_until(log, size))

    def _check(self, log: Path, mark: LogMark) -> None:
        size = log.stat().st_size if log.exists() else 0
        if size < mark.size:
            raise _changed(log, f"{size} bytes", f"at least {mark.size}")
        if mark.size and (digest := _sha256_until(log, mark.size)) != mark.sha256:
            raise _changed(
                log, f"sha256 {digest[:12]}… of the first {mark.size} bytes", f"{mark.sha256[:12]}…"
            )


def _sha256_until(log: Path, size: int) -> str:
    digest = sha256()
    with log.open("rb") as file:
        while size and (block := file.read(min(size, _BLOCK))):
            digest.update(block)
            size -= len(block)
    return digest.hexdigest()


def _changed(log: Path, got: str, expected: str) -> StorageError:
    return StorageError(
        "I041",
        "a log of the run was changed since its checkpoint",
        where=str(log),
        got=got,
        expected=expected,
        fix="put the file back as it was, or begin anew with --overwrite",
    )
