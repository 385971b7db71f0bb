"""The hub cache that the offline kit seeds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class HubCache:
    """A folder in the layout of the Hugging Face cache, apart from the user's own.

    Attributes:
        folder: the cache, or None when there is none.
    """

    folder: Path | None

    def arguments(self, name: str) -> dict[str, Any]:
        """``cache_dir`` and ``local_files_only`` for a seeded name; any other goes its usual way."""
        if self.folder is None or not (self.folder / _repository(name) / "refs" / "main").is_file():
            return {}
        return {"cache_dir": str(self.folder), "local_files_only": True}


def _repository(name: str) -> str:
    return "models--" + name.replace("/", "--")
