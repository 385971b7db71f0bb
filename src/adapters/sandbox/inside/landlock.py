"""Which files a process can open: those named, to read; no others, and no network (landlock(7))."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same numbers on every architecture
_GET_VERSION, _PATH_BENEATH = 1, 1
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""How many rights over files the kernel knows, from which version of its interface on."""
_TCP_SINCE, _SCOPES_SINCE = 4, 6
_BIND_AND_CONNECT, _SOCKETS_AND_SIGNALS = 0b11, 0b11


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("rights", ctypes.c_uint64), ("folder", ctypes.c_int32))


def version(libc: ctypes.CDLL) -> int:
    """Of the kernel's interface; 0 where it has none."""
    return max(0, int(libc.syscall(_CREATE, None, ctypes.c_size_t(0), _GET_VERSION)))


def ruleset(libc: ctypes.CDLL, readable: Sequence[str]) -> int:
    """A descriptor of the rule that these files, and what lies in these folders, can be read and no more.

    Raises:
        OSError: the kernel has no Landlock.
    """
    known = version(libc)
    if not known:
        raise OSError(ctypes.get_errno(), "Landlock")
    rules = _Ruleset(
        (1 << max(count for since, count in _FILE_RIGHTS.items() if known >= since)) - 1,
        _BIND_AND_CONNECT if known >= _TCP_SINCE else 0,
        _SOCKETS_AND_SIGNALS if known >= _SCOPES_SINCE else 0,
    )
    made = _checked(libc.syscall(_CREATE, ctypes.byref(rules), ctypes.c_size_t(_size(known)), 0))
    for path in readable:
        _allow(libc, made, path)
    return made


def install(libc: ctypes.CDLL, made: int) -> None:
    """From now on this process keeps to a ruleset, which is closed; PR_SET_NO_NEW_PRIVS must be set."""
    _checked(libc.syscall(_RESTRICT, made, 0))
    os.close(made)


def _size(known: int) -> int:
    """Older kernels know fewer fields."""
    return 24 if known >= _SCOPES_SINCE else 16 if known >= _TCP_SINCE else 8


def _allow(libc: ctypes.CDLL, ruleset: int, path: str) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there need not be read
    rights = _READ_FILE | _READ_FOLDER if os.path.isdir(path) else _READ_FILE
    rule = _Beneath(rights, opened)
    _checked(libc.syscall(_ADD, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0))
    os.close(opened)


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), "Landlock")
    return result
