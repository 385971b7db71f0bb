"""The way into the sandbox: from the user who grades to the one who runs, once, before anything is forked."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from typing import Any

from . import zygote
from .containment import libc

_CLONE_NEWNS = 0x00020000
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18


def main(settings: dict[str, Any], is_inside: bool) -> None:
    """Becomes the zygote; with bubblewrap, by starting itself anew inside it."""
    _volunteer()
    if is_inside or not settings["bubblewrap"]:
        if settings["hidden"] and not is_inside:
            _show(settings["hidden"])
        zygote.main(settings)
        return
    if settings["hidden"]:
        _show(settings["hidden"])
    if settings["outer_uid"] is not None:
        # Started by root, bubblewrap keeps the powers of root.
        os.setgroups([])
        os.setresgid(*[settings["outer_uid"]] * 3)
        os.setresuid(*[settings["outer_uid"]] * 3)
    os.execv(settings["bubblewrap"][0], settings["bubblewrap"])


def _volunteer() -> None:
    """Where memory runs out the kernel is to take us, not the process that trains (proc(5))."""
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("1000")
    except OSError:
        pass  # inside bubblewrap there is no /proc: it was done before


def _show(folders: Sequence[str]) -> None:
    """Lets every user read these folders, which lie below one that only root may enter.

    In a mount namespace of our own, an empty file system covers the closed folder and holds these alone.
    """
    os.umask(0o022)
    _checked(libc.unshare(_CLONE_NEWNS), "unshare")
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
    opened = {folder: os.open(folder, os.O_PATH) for folder in folders}
    for closed in sorted({_closed_above(folder) for folder in folders}):
        _mount("tmpfs", closed, "tmpfs", _MS_NOSUID | _MS_NODEV, b"mode=755,size=1m")
    for folder, descriptor in opened.items():
        os.makedirs(folder, exist_ok=True)
        _mount(f"/proc/self/fd/{descriptor}", folder, None, _MS_BIND | _MS_REC)
        os.close(descriptor)


def _closed_above(folder: str) -> str:
    """The first folder on the way that others may not enter."""
    path = "/"
    for part in folder.strip("/").split("/"):
        path = os.path.join(path, part)
        if not os.stat(path).st_mode & 0o001:
            return path
    return path


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: bytes | None = None) -> None:
    names = [None if name is None else name.encode() for name in (source, target, kind)]
    _checked(libc.mount(*names, ctypes.c_ulong(flags), data), f"mount {target}")


def _checked(result: int, what: str) -> None:
    if result:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
