"""The folder where cesello keeps what it brings and remembers."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def home() -> Path:
    """``$CESELLO_HOME``, or a folder in the user's cache. It need not exist."""
    chosen = os.environ.get("CESELLO_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    return platformdirs.user_cache_path("cesello", appauthor=False)
