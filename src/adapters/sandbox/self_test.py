"""What a program must not be able to do, tried by a program that is held."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ...domain.code_tests import Limits
from .children import described
from .scripts import run_script
from .warden import Warden

REFUSED = {
    "read": "reading the machine's files",
    "write": "writing anywhere",
    "fork": "starting processes",
    "execute": "running other programs",
    "network": "the network",
    "signal": "signalling other processes",
    "trace": "looking into other processes",
    "privilege": "gaining privileges",
    "share": "memory shared with other processes",
    "limits": "lifting its limits",
    "environment": "reading the environment",
}
"""What the self-test tries, and what a person calls it."""

_PROGRAM = r"""
import ctypes, errno, json, os, resource, signal, socket, sys

libc = ctypes.CDLL(None, use_errno=True)


def done(call):
    try:
        return call() not in (None, -1, False, [], b"")
    except (OSError, ValueError, AttributeError):
        return False


def fork():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    return True


def execute():
    # Where it succeeds nothing is printed, and that fails the test as well.
    os.execv("/bin/true", ["true"])


def write(path):
    with open(path, "w") as file:
        return file.write("x")


def traced():
    parent = os.getppid()
    # PTRACE_SEIZE
    return libc.ptrace(0x4206, parent, None, None) == 0 or os.listdir("/proc/1")


FILES = "/etc/passwd", "/etc/hostname", "/proc/self/environ", "/proc/1/cmdline", *input().split()
PLACES = [os.path.join(folder, "x") for folder in ("", "/", "/tmp", "/var/tmp", "/dev/shm")]
FAMILIES = socket.AF_INET, socket.AF_INET6, socket.AF_UNIX
tries = {
    "read": lambda: any(done(lambda p=path: open(p, "rb").read(1)) for path in FILES),
    "write": lambda: any(done(lambda p=path: write(p)) for path in PLACES),
    "fork": fork,
    "execute": execute,
    "network": lambda: any(done(lambda f=family: socket.socket(f)) for family in FAMILIES),
    "signal": lambda: os.kill(os.getppid(), 0) is None or True,
    "trace": traced,
    "privilege": lambda: os.setuid(0) is None or True,
    "share": lambda: libc.shmget(0x5EED, 4096, 0o1600) >= 0,
    "limits": lambda: resource.setrlimit(resource.RLIMIT_CPU, (1, 1)) is None or True,
    "environment": lambda: bool(os.environ),
}
free = [name for name, attempt in tries.items() if done(attempt)]
import wave  # the standard library can be read
print(json.dumps(free))
"""


@contextmanager
def _canary() -> Iterator[str]:
    """A file that everybody may read, where one can be made; a program that is held may not."""
    try:
        file = tempfile.NamedTemporaryFile("w", prefix="cesello")  # noqa: SIM115
    except OSError:
        yield ""
        return
    with file:
        file.write("sings")
        file.flush()
        os.chmod(file.name, 0o644)
        yield file.name


def probe(warden: Warden) -> str | None:
    """Why this warden's children are not held well enough, or None where they are.

    Raises:
        WardenLost: it cannot hold them at all.
    """
    limits = Limits()
    with _canary() as name:
        script = run_script(warden, _PROGRAM, name.encode() + b"\n", limits, time.monotonic() + limits.wall)
    try:
        free = json.loads(script.printed)
    except ValueError:
        return f"its self-test fails: {script.raised}, {described(script.ending)}"
    return f"it does not stop {', '.join(REFUSED[name] for name in free)}" if free else None
