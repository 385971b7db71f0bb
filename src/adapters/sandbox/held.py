"""How children are held: the layers of a tier, and what they need to know of this machine."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import sysconfig
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LANDLOCK, BUBBLEWRAP, BOTH, UNSAFE = "landlock", "bubblewrap", "landlock+bubblewrap", "unsafe"

_FIRST_UID = 64_000
_MULTIARCH = sysconfig.get_config_var("MULTIARCH") or "."
_SYSTEM = ("/lib64", "/usr/lib64", f"/lib/{_MULTIARCH}", f"/usr/lib/{_MULTIARCH}")
"""Where a system keeps its shared libraries, and little else."""
_PACKAGES = ("site-packages", "dist-packages")
_FILES = (
    "/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo", "/dev/null", "/dev/zero", "/dev/urandom",
)  # fmt: skip
_STDLIB = sysconfig.get_path("stdlib")
_NAMESPACES = ("--unshare-all", "--new-session", "--die-with-parent")


@dataclass(frozen=True, slots=True)
class Held:
    """The layers of a tier.

    Args:
        tier: ``landlock``, ``bubblewrap``, ``landlock+bubblewrap`` or ``unsafe``.
        slot: which of several sandboxes of this process it is; each has a user of its own where root grades.
        packages: whether installed packages can be imported, or the standard library alone.
    """

    tier: str
    slot: int = 0
    packages: bool = False

    @property
    def interpreter(self) -> list[str]:
        """Its command: no user's site-packages, no bytecode written, no folder put on its path."""
        if self.packages:
            return [_executable(), "-P", "-s", "-B"]
        return [_base_executable(), "-P", "-s", "-S", "-B"]

    @property
    def uid(self) -> int | None:
        return _FIRST_UID + self.slot if os.geteuid() == 0 and self.tier != UNSAFE else None

    @property
    def _folders(self) -> list[str]:
        """What must be within reach of the sandbox's user; programs cannot read all of it."""
        folders = {_STDLIB, f"{sys.base_prefix}/lib", str(Path(_base_executable()).parent)}
        if self.packages:
            ours = str(Path(__file__).resolve().parents[2])
            folders |= {os.path.realpath(sys.prefix), ours, *_import_path()}
        there = [folder for folder in sorted(folders) if os.path.isdir(folder)]
        return [one for one in there if not any(one.startswith(f"{other}/") for other in there)]

    @property
    def _readable(self) -> list[str]:
        """What a program may read: the standard library, without the packages installed beside it."""
        if self.packages:
            return self._folders
        entries = [str(entry) for entry in Path(_STDLIB).iterdir() if entry.name not in _PACKAGES]
        return [*sorted(entries), *_shared_libraries()]

    @property
    def _has_bubblewrap(self) -> bool:
        return self.tier in (BUBBLEWRAP, BOTH)

    def settings(self, control: int, again: Sequence[str], module: str | None) -> dict[str, Any]:
        """What the processes inside are told.

        Args:
            control: the descriptor on which the zygote is asked.
            again: the command that starts it anew inside bubblewrap.
            module: what it imports for its children to call.
        """
        return {
            "control": control,
            "module": module,
            # Where this process imports from, PYTHONPATH among it: else another copy of us might be found.
            "path": _import_path() if self.packages else None,
            "landlock": self.tier in (LANDLOCK, BOTH),
            "seccomp": self.tier != UNSAFE,
            "readable": [*self._readable, *_SYSTEM, *_FILES],
            # Inside bubblewrap nobody is root, and there is but one user.
            "uid": None if self._has_bubblewrap else self.uid,
            "is_lone": self.uid is not None,
            "tasks": _tasks_of_this_user() if self.uid is None else 0,
            "outer_uid": self.uid,
            "hidden": [] if self.uid is None else [one for one in self._folders if not _is_open(one)],
            "bubblewrap": [*self._bubblewrap(), *again] if self._has_bubblewrap else None,
        }

    def _bubblewrap(self) -> list[str]:
        command = shutil.which("bwrap")
        assert command, "the tier was looked for"
        binds = [part for one in (*_SYSTEM, *_FILES[:3]) for part in ("--ro-bind-try", one, one)]
        binds += [part for one in _FILES[3:] for part in ("--dev-bind", one, one)]
        shown = [*(self._folders if self.packages else (_STDLIB, *_shared_libraries())), _base_executable()]
        binds += [part for one in shown for part in ("--ro-bind", one, one)]
        for hidden in (Path(_STDLIB) / name for name in _PACKAGES):
            if hidden.is_dir() and not self.packages:
                binds += ["--tmpfs", str(hidden), "--remount-ro", str(hidden)]
        return [command, *_NAMESPACES, *binds, "--remount-ro", "/", "--chdir", "/", "--"]


def _shared_libraries() -> list[str]:
    """Those beside the standard library: Python's own, and where it brings them what its modules need."""
    return sorted(str(file) for file in Path(sys.base_prefix, "lib").glob("*.so*") if file.is_file())


def _tasks_of_this_user() -> int:
    """Threads of all processes of this user, as the kernel counts them for RLIMIT_NPROC."""
    own, count = os.getuid(), 0
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if folder.stat().st_uid == own:
                count += len(os.listdir(folder / "task"))
    return count


def _base_executable() -> str:
    """The interpreter itself, without a virtual environment."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def _executable() -> str:
    """The interpreter with its environment, which can be a link to elsewhere: only its own place is shown."""
    with suppress(ValueError):
        return str(Path(os.path.realpath(sys.prefix), Path(sys.executable).relative_to(sys.prefix)))
    return sys.executable


def _import_path() -> list[str]:
    """Where this process imports from, without links on the way."""
    return [os.path.realpath(folder) for folder in sys.path if os.path.exists(folder)]


def _is_open(folder: str) -> bool:
    """Whether every user may enter it, and all folders above it."""
    return all(os.stat(step).st_mode & stat.S_IXOTH for step in (Path(folder), *Path(folder).parents))
