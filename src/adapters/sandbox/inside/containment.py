"""What a process does to itself before it runs a line that nobody has read. None of it can be undone."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from collections.abc import Sequence
from functools import cache
from typing import Any

from . import landlock, seccomp

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_THREADS = 64
_OPEN_FILES = 64
_ALL = 2**31 - 1

libc = ctypes.CDLL(None, use_errno=True)


def contain(memory: int, cpu: int, held: Any) -> None:
    """Limits, then privileges, then files, then system calls: each needs what the next takes away.

    Args:
        memory: bytes of address space.
        cpu: seconds.
        held: the settings: ``uid`` to become or None, ``landlock`` and ``seccomp`` whether to, ``readable``.

    Raises:
        OSError: something of it cannot be done here.
    """
    os.umask(0o077)
    _limit(memory, cpu, lone=held["is_lone"], others=held["tasks"])
    if held["uid"] is not None:
        os.setgroups([])
        os.setresgid(held["uid"], held["uid"], held["uid"])
        os.setresuid(held["uid"], held["uid"], held["uid"])
    die_with_parent()
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs")
    os.environ.clear()
    if held["landlock"]:
        landlock.install(libc, _ruleset(tuple(held["readable"])))
    if held["seccomp"]:
        _filter().install(libc)


@cache
def _filter() -> seccomp.Filter:
    return seccomp.Filter()


@cache
def _ruleset(readable: tuple[str, ...]) -> int:
    return landlock.ruleset(libc, readable)


def prepare(held: Any) -> list[int]:
    """Does once, before anything is forked, what every child would do for itself.

    Returns:
        Descriptors that a child needs for it.
    """
    if held["seccomp"]:
        _filter()
    return [_ruleset(tuple(held["readable"]))] if held["landlock"] else []


def die_with_parent() -> None:
    """The kernel kills this process when its parent ends; a change of user makes it forget that."""
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _limit(memory: int, cpu: int, lone: bool, others: int) -> None:
    limits = {
        resource.RLIMIT_AS: (memory, memory),
        # SIGXCPU first: the kernel's second is SIGKILL, a second later.
        resource.RLIMIT_CPU: (cpu, cpu + 1),
        resource.RLIMIT_FSIZE: (0, 0),
        resource.RLIMIT_CORE: (0, 0),
        resource.RLIMIT_NOFILE: (_OPEN_FILES, _OPEN_FILES),
        resource.RLIMIT_MSGQUEUE: (0, 0),
        resource.RLIMIT_MEMLOCK: (0, 0),
    }
    # Counted over all of a user's processes, of whom an ordinary user has others.
    most = _THREADS + (0 if lone else others)
    limits[resource.RLIMIT_NPROC] = (most, most)
    for which, values in limits.items():
        resource.setrlimit(which, values)


def close_all_but(kept: Sequence[int]) -> None:
    """Closes every other descriptor that this process was given."""
    start = 0
    for descriptor in sorted(kept):
        if start < descriptor:  # an empty range from 0 is taken for all there are (Python 3.11)
            os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, _ALL)
