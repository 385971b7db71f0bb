"""A disk that fails at the call one asks for, and the checkpoints that are written to it."""

from __future__ import annotations

import gc
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest

CALLS = [
    *("chmod", "close", "fstat", "fsync", "ftruncate", "listdir", "lstat", "mkdir", "open", "rename"),
    *("replace", "rmdir", "scandir", "stat", "truncate", "unlink", "write"),
]
LOOKING = {"close", "fstat", "listdir", "lstat", "scandir", "stat"}
"""They change nothing: who dies at one leaves what he leaves at the next that is none of these."""

DEATH = 9


class Disk:
    """Counts the calls of the system that are made while it is in place.

    Attributes:
        calls: their names, in order.
        fail: what happens in the place of call number ``at``, from 1.
        lasting: and in the place of all after it.
        synced: inodes whose content was brought to the disk. That itself is not done: it costs time and says
            nothing to a test.
    """

    def __init__(
        self, at: int = 0, fail: Callable[[Disk], object] = lambda disk: None, *, lasting: bool = False
    ) -> None:
        self.calls: list[str] = []
        self.at = at
        self.fail = fail
        self.lasting = lasting
        self.synced: set[int] = set()

    def __call__(self, name: str, real: Callable[..., Any], *args: Any, **named: Any) -> Any:
        self.calls.append(name)
        if len(self.calls) == self.at or (self.lasting and len(self.calls) > self.at):
            if name == "close":  # Also where it fails, the descriptor is gone.
                real(*args)
            self.fail(self)
        if name == "fsync":
            self.synced.add(_FSTAT(args[0]).st_ino)
            return None
        return real(*args, **named)


_FSTAT = os.fstat


@contextmanager
def in_place(disk: Disk) -> Iterator[Disk]:
    """All that this process asks of the system goes through that disk; what others left is not freed."""

    def through(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **named: disk(name, real, *args, **named)

    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, through(name, getattr(os, name)))
        patch.setattr(io, "open", through("open", io.open))
        gc.disable()
        try:
            yield disk
        finally:
            gc.enable()


def refuses(number: int) -> Callable[[Disk], NoReturn]:
    """Fails with that errno."""

    def fail(disk: Disk) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return fail


def dies(disk: Disk) -> NoReturn:
    """As killed by SIGKILL: no line of Python runs any more."""
    os._exit(DEATH)


def loses_power(folder: Path, before: set[int]) -> Callable[[Disk], NoReturn]:
    """Dies, and what was not brought to the disk is lost.

    Args:
        before: inodes that were on the disk already.
    """

    def fail(disk: Disk) -> NoReturn:
        disk.at = 0
        for path in folder.rglob("*"):
            if path.is_file() and path.stat().st_ino not in before | disk.synced:
                path.write_bytes(b"")
        dies(disk)

    return fail


def inodes(folder: Path) -> set[int]:
    return {path.stat().st_ino for path in folder.rglob("*")}


def deaths(calls: list[str]) -> list[int]:
    """The numbers of the calls at which a death leaves the disk as no other does."""
    return [at for at, name in enumerate(calls, 1) if name not in LOOKING]


def in_a_child(work: Callable[[], object]) -> int:
    """Does it in a process of its own; tells how that ended: 0, or the status it died with."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
