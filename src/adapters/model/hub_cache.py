"""The hub cache that the offline kit seeds, and what the hub itself holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

_PATIENCE = 10.0
"""Seconds for the hub to answer the first question."""


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


def hub_files(name: str, revision: str | None) -> tuple[str, ...] | None:
    """What a model's repository holds, or None when the hub cannot be reached.

    Ask before loading: the loading calls ask for file after file, half a minute each, of a hub that is away.
    """
    try:
        files = HfApi().model_info(name, revision=revision, timeout=_PATIENCE).siblings
    except HfHubHTTPError:
        return ()  # it answers, and the loading call says what is wrong with the name
    except Exception:  # of its HTTP library, which changes with its versions; or it is switched off
        return None
    return tuple(file.rfilename for file in files or ())


def _repository(name: str) -> str:
    return "models--" + name.replace("/", "--")
