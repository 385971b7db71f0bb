"""Install two small items from memory and die by SIGKILL just before the n-th change of the disk.

Usage: python -m tests.integration.killed_installation HOME N
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from tests.fakes.kit import RecordedProgress, small_kit


def killing(call: Callable[..., Any], changes: count[int], last: int) -> Callable[..., Any]:
    def counted(*arguments: Any, **options: Any) -> Any:
        if next(changes) == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **options)

    return counted


if __name__ == "__main__":
    install = small_kit(Path(sys.argv[1]))
    changes = count(1)
    for name in ("fsync", "mkdir", "open", "rename", "rmdir", "unlink"):
        setattr(os, name, killing(getattr(os, name), changes, int(sys.argv[2])))
    install(RecordedProgress())
