"""What the filter decides, by an interpreter of its instructions (bpf, classic): on both architectures."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

import pytest

from cesello.adapters.sandbox.inside import seccomp
from cesello.adapters.sandbox.inside.syscalls import ARCHITECTURES

ALLOWED = 0x7FFF0000
OWN = seccomp._OWN


def decided(architecture: str, number: int, *arguments: int, audit: int | None = None) -> int | str:
    """``allow``, ``kill`` or the number of an error."""
    known = ARCHITECTURES[architecture]
    words = [number, known.audit if audit is None else audit, 0, 0]
    for argument in (*arguments, *[0] * (6 - len(arguments))):
        words += [argument & 0xFFFFFFFF, argument >> 32 & 0xFFFFFFFF]
    lines = seccomp._program(known)
    assert len(lines) < 4096
    at = value = 0
    while True:
        code, yes, no, k = lines[at]
        at += 1
        if code == 0x20:
            value = words[k // 4]
        elif code == 0x54:
            value &= k
        elif code == 0x06:
            return "allow" if k == ALLOWED else "kill" if k == 0x80000000 else k & 0xFFFF
        else:
            holds = {0x15: value == k, 0x45: bool(value & k), 0x35: value >= k}[code]
            at += yes if holds else no


def named(architecture: str, name: str, *arguments: int) -> int | str:
    return decided(architecture, ARCHITECTURES[architecture].calls[name], *arguments)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
class TestEveryArchitecture:
    @pytest.mark.parametrize(
        ("name", "arguments", "decision"),
        [
            ("read", (), "allow"),
            ("openat", (0, 0, os.O_RDONLY | os.O_CLOEXEC), "allow"),
            ("openat", (0, 0, os.O_WRONLY), errno.EACCES),
            ("openat", (0, 0, os.O_RDWR), errno.EACCES),
            ("openat", (0, 0, os.O_CREAT), errno.EACCES),
            ("openat", (0, 0, os.O_TRUNC), errno.EACCES),
            ("openat", (0, 0, os.O_TMPFILE | os.O_RDWR), errno.EACCES),
            ("openat2", (), errno.ENOSYS),
            ("clone3", (), errno.ENOSYS),
            ("clone", (17,), errno.EPERM),
            ("clone", (0x3D0F00,), "allow"),
            ("clone", (0x3D0F00 | 0x10000000,), errno.EPERM),
            ("kill", (OWN, 15), "allow"),
            ("kill", (OWN, 9), errno.EPERM),
            ("kill", (OWN, 19), errno.EPERM),
            ("kill", (OWN + 1, 15), errno.EPERM),
            ("kill", (0xFFFFFFFF, 15), errno.EPERM),
            ("kill", (0, 15), errno.EPERM),
            ("tgkill", (OWN, 5, 6), "allow"),
            ("tgkill", (OWN, 5, 9), errno.EPERM),
            ("tgkill", (1, 1, 6), errno.EPERM),
            ("socketpair", (1, socket.SOCK_STREAM | socket.SOCK_CLOEXEC), "allow"),
            ("socketpair", (1, socket.SOCK_DGRAM), errno.EPERM),
            ("socketpair", (2, socket.SOCK_STREAM), errno.EPERM),
            ("prlimit64", (0, 7, 0, 4096), "allow"),
            ("prlimit64", (0, 7, 1 << 40, 0), errno.EPERM),
            ("prlimit64", (0, 7, 4096, 0), errno.EPERM),
            ("fcntl", (3, 3), "allow"),
            ("fcntl", (3, 8), errno.EPERM),
            ("ioctl", (0, 0x5401), "allow"),
            ("ioctl", (0, 0x5412), errno.EPERM),
        ],
    )
    def test_it_lets_through_what_computes(
        self, architecture: str, name: str, arguments: tuple[int, ...], decision: Any
    ) -> None:
        assert named(architecture, name, *arguments) == decision

    def test_every_other_call_is_refused(self, architecture: str) -> None:
        known = set(ARCHITECTURES[architecture].calls.values())
        others = set(range(600)) - known
        assert {decided(architecture, number) for number in others} == {errno.EPERM}

    def test_another_architecture_ends_the_process(self, architecture: str) -> None:
        assert decided(architecture, 1, audit=0x40000003) == "kill"


def test_calls_of_the_x32_interface_are_refused() -> None:
    assert decided("x86_64", 0x40000000 | 1) == errno.EPERM


@pytest.mark.parametrize("name", ["execve", "fork", "socket", "connect", "ptrace", "mount", "bpf"])
def test_dangerous_calls_are_not_even_named(name: str) -> None:
    assert all(name not in known.calls for known in ARCHITECTURES.values())
