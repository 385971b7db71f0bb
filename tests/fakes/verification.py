"""The files of runs in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from cesello.domain.checkpoint import LogMark
from cesello.domain.run_verification import StoredCheckpoint


@dataclass
class FakeRunFiles:
    """Files by their whole path.

    Attributes:
        stored: the checkpoints of every run.
    """

    files: dict[Path, bytes] = field(default_factory=dict)
    stored: list[StoredCheckpoint] = field(default_factory=list)

    def digests(self, folder: Path) -> Mapping[str, str]:
        return {
            file.relative_to(folder).as_posix(): sha256(content).hexdigest()
            for file, content in sorted(self.files.items())
            if file.is_relative_to(folder)
        }

    def seal(self, run: Path) -> Mapping[str, str]:
        others = ("recipe.yaml", "manifest.json", "lora/")
        found = self.digests(run).items()
        return {name: digest for name, digest in found if not name.startswith(others)}

    def content(self, file: Path) -> bytes | None:
        return self.files.get(file)

    def lines(self, run: Path, log: str) -> Sequence[Mapping[str, Any]] | None:
        content = self.content(run / f"{log}.jsonl")
        if content is None:
            return None
        try:
            found = [json.loads(line) for line in content.splitlines()]
        except ValueError:
            return None
        return found if all(isinstance(line, dict) for line in found) else None

    def checkpoints(self, run: Path) -> Sequence[StoredCheckpoint]:
        return sorted(self.stored, key=lambda one: one.step)

    def log_changes(self, run: Path, marks: Mapping[str, LogMark]) -> Sequence[str]:
        found = []
        for name, mark in marks.items():
            content = (self.content(run / name) or b"")[: mark.size]
            if sha256(content).hexdigest() != mark.sha256:
                found.append(f"{name}: got another sha256, expected {mark.sha256[:12]}")
        return found
