"""A control group around a sandbox, where this user may make one: a cap on its memory and tasks in all.

The limits of a process (``containment``) hold without it. It caps what several processes take together, and
the tasks of a user who has other work here (cgroups(7), versions 1 and 2).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_MEMORY = 4 * 2**30
_TASKS = 192
_PREFIX = "cesello-sandbox"
_ROOT = Path("/sys/fs/cgroup")


class ControlGroup:
    """Made for one process and all it forks.

    Args:
        slot: which of the sandboxes of this process it is for.
        pid: the process.
    """

    def __init__(self, slot: int, pid: int) -> None:
        name = f"{_PREFIX}-{os.getpid()}-{slot}"
        self._folders = [made for parent in _parents() if (made := _made(parent / name, pid))]

    @property
    def is_there(self) -> bool:
        return bool(self._folders)

    def kills(self) -> int:
        """How many of its processes the kernel has killed for want of memory."""
        return sum(_kills(folder) for folder in self._folders)

    def close(self) -> None:
        """Takes it away; its processes must have ended."""
        for folder in self._folders:
            with suppress(OSError):
                folder.rmdir()
        self._folders = []


def _made(folder: Path, pid: int) -> Path | None:
    _sweep(folder.parent)
    try:
        folder.mkdir()
    except OSError:
        return None
    limits = {"memory.max": _MEMORY, "memory.limit_in_bytes": _MEMORY, "pids.max": _TASKS}
    there = {file: limit for file, limit in limits.items() if (folder / file).exists()}
    try:
        if not there:
            raise OSError
        for file, limit in there.items():
            (folder / file).write_text(str(limit))
        (folder / "cgroup.procs").write_text(str(pid))
    except OSError:
        with suppress(OSError):
            folder.rmdir()
        return None
    return folder


def _sweep(parent: Path) -> None:
    """Takes away groups of processes that were killed before they could."""
    with suppress(OSError):
        for folder in parent.glob(f"{_PREFIX}-*"):
            owner = folder.name.split("-")[2]
            if owner.isdigit() and not Path("/proc", owner).exists():
                with suppress(OSError):
                    folder.rmdir()


def _parents() -> Iterator[Path]:
    """Where a group may be made, in each hierarchy: the nearest above us that has the controllers."""
    with suppress(OSError, ValueError):
        for line in _lines():
            _, controllers, path = line.split(":", 2)
            for mount in _mounts(controllers.split(",")):
                yield from _writable(mount, path, needs_delegation=not controllers)


def _lines() -> list[str]:
    return Path("/proc/self/cgroup").read_text().splitlines()


def _mounts(controllers: list[str]) -> list[Path]:
    """Of version 2 there is one hierarchy, without a name; of version 1, one for each controller."""
    if controllers == [""]:
        return [mount for mount in (_ROOT,) if (mount / "cgroup.controllers").exists()]
    return [_ROOT / name for name in controllers if name in ("memory", "pids")]


def _writable(mount: Path, path: str, needs_delegation: bool) -> Iterator[Path]:
    own = mount / path.strip("/")
    for folder in (own, *own.parents):
        if not folder.is_relative_to(mount):
            return
        given = not needs_delegation or "memory" in (folder / "cgroup.subtree_control").read_text().split()
        if given and os.access(folder, os.W_OK):
            yield folder
            return


def _kills(folder: Path) -> int:
    for file in ("memory.events", "memory.oom_control"):
        with suppress(OSError, ValueError):
            for line in (folder / file).read_text().splitlines():
                name, count = line.split()
                if name == "oom_kill":
                    return int(count)
    return 0
