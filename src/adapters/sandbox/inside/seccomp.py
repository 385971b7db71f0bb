"""A filter of system calls: what a program needs to compute, and nothing else (seccomp(2), filter mode).

The list says what is allowed; a call that nobody thought of is refused. Refused calls fail with EPERM, so
that an honest program that tries one gets an exception it understands.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
from collections.abc import Sequence

from .syscalls import ARCHITECTURES, UNCONDITIONAL, Architecture

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_ALLOW, _ERRNO, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _EQUAL, _ANY_BIT, _AT_LEAST, _AND, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x54, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_X32_CALLS = 0x40000000

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_THREAD = 0x00010000
_NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
_FCNTL = (0, 1, 2, 3, 4, 1030)  # duplicate, and flags of one's own descriptors; no owner, lease or notice
_IOCTL = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)  # is it a terminal, how much is there, flags
_AF_UNIX, _SOCK_STREAM = 1, 1
_OWN = 0xCE5E110
"""Stands for the id of the process until it is known."""

_Instruction = tuple[int, int, int, int]


class _Filter(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_ushort),
        ("yes", ctypes.c_ubyte),
        ("no", ctypes.c_ubyte),
        ("k", ctypes.c_uint),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filters", ctypes.POINTER(_Filter)))


class Filter:
    """Built once, before anything is forked; installed by each process that is to be held.

    Raises:
        OSError: the architecture is unknown.
    """

    def __init__(self) -> None:
        architecture = ARCHITECTURES.get(os.uname().machine)
        if architecture is None:
            raise OSError(errno.ENOSYS, f"no filter for {os.uname().machine}")
        lines = _program(architecture)
        self._own = [number for number, line in enumerate(lines) if line[3] == _OWN]
        self._filters = (_Filter * len(lines))()
        for place, line in zip(self._filters, lines, strict=True):
            place.code, place.yes, place.no, place.k = line
        self._program = _Program(len(lines), self._filters)

    def install(self, libc: ctypes.CDLL) -> None:
        """From now on this process and its threads are held; PR_SET_NO_NEW_PRIVS must be set.

        Raises:
            OSError: the kernel has no such filters.
        """
        for number in self._own:
            self._filters[number].k = os.getpid()
        if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(self._program), 0, 0):
            raise OSError(ctypes.get_errno(), "seccomp")


def _program(architecture: Architecture) -> list[_Instruction]:
    calls = architecture.calls
    lines: list[_Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture.audit),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32_CALLS),
        (_RETURN, 0, 0, _ERRNO | errno.EPERM),
    ]
    for name, number in calls.items():
        if name in UNCONDITIONAL:
            lines += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ALLOW)]
    for name, conditions in _CONDITIONS.items():
        if name in calls:
            lines += [(_EQUAL, 0, len(conditions), calls[name]), *conditions]
    return [*lines, (_RETURN, 0, 0, _ERRNO | errno.EPERM)]


def _argument(index: int, high: bool = False) -> int:
    """Where the lower, or the higher, half of an argument lies (both architectures are little endian)."""
    return _ARGUMENTS + 8 * index + 4 * high


def _is(index: int, value: int, high: bool = False) -> list[_Instruction]:
    """Goes on where the argument has that value; else the call is refused."""
    return [
        (_LOAD, 0, 0, _argument(index, high)),
        (_EQUAL, 1, 0, value),
        (_RETURN, 0, 0, _ERRNO | errno.EPERM),
    ]


def _masked(index: int, mask: int, value: int) -> list[_Instruction]:
    return [
        (_LOAD, 0, 0, _argument(index)),
        (_AND, 0, 0, mask),
        (_EQUAL, 1, 0, value),
        (_RETURN, 0, 0, _ERRNO | errno.EPERM),
    ]


def _without(index: int, bits: int) -> list[_Instruction]:
    """Allowed where the argument has none of these bits."""
    return [
        (_LOAD, 0, 0, _argument(index)),
        (_ANY_BIT, 1, 0, bits),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ERRNO | errno.EACCES),
    ]


def _one_of(index: int, values: Sequence[int]) -> list[_Instruction]:
    """Allowed where the argument is one of these."""
    lines: list[_Instruction] = [(_LOAD, 0, 0, _argument(index))]
    for value in values:
        lines += [(_EQUAL, 0, 1, value), (_RETURN, 0, 0, _ALLOW)]
    return [*lines, (_RETURN, 0, 0, _ERRNO | errno.EPERM)]


# What must hold of a call's arguments. Where a library's newest call is unknown, it takes the older.
_UNKNOWN = [(_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
_HARMLESS = [number for number in range(65) if number not in (signal.SIGKILL, signal.SIGSTOP)]
_CONDITIONS: dict[str, list[_Instruction]] = {
    "open": _without(1, _WRITES),
    "openat": _without(2, _WRITES),
    "openat2": _UNKNOWN,
    "clone3": _UNKNOWN,
    "clone": [
        (_LOAD, 0, 0, _argument(0)),
        (_ANY_BIT, 0, 2, _THREAD),
        (_ANY_BIT, 1, 0, _NAMESPACES),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ERRNO | errno.EPERM),
    ],
    "fcntl": _one_of(1, _FCNTL),
    "ioctl": _one_of(1, _IOCTL),
    # A stream alone: over a datagram socket one can speak to others by their address.
    "socketpair": [*_is(0, _AF_UNIX), *_masked(1, 0xF, _SOCK_STREAM), (_RETURN, 0, 0, _ALLOW)],
    # Nobody else is signalled; and a program that could kill itself outright could pass for one that the
    # machine has killed, which is no fault of its own.
    "kill": [*_is(0, _OWN), *_one_of(1, _HARMLESS)],
    "tgkill": [*_is(0, _OWN), *_one_of(2, _HARMLESS)],
    # Limits may be read, not set: lowering its own would end a program by SIGKILL as well.
    "prlimit64": [*_is(2, 0), *_is(2, 0, high=True), (_RETURN, 0, 0, _ALLOW)],
}
