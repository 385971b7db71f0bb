"""A warm interpreter that forks: each child is held before it learns what it is to run.

This process never sees a program, a test or an expected value, so that no child inherits one.
It is asked over a socket, a JSON message each way:

    {"fork": kind, "memory", "cpu"} and descriptors   ->  {"pid"}
    {"reap": pid, "grace"}                            ->  {"status", "cpu", "killed"}
"""

from __future__ import annotations

import builtins
import gc
import importlib
import json
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from . import checks, program
from .containment import close_all_but, contain, die_with_parent, prepare
from .frames import Frames

_LONGEST_REQUEST = 65536
_MOST_DESCRIPTORS = 4
_CONTROL = 3
_LIKELY = (
    "abc", "array", "asyncio", "base64", "bisect", "calendar", "cmath", "contextlib", "copy", "csv",
    "dataclasses", "datetime", "decimal", "difflib", "enum", "fractions", "functools", "hashlib", "heapq",
    "html", "inspect", "io", "itertools", "json", "logging", "math", "numbers", "operator", "queue", "random",
    "re", "secrets", "statistics", "string", "struct", "textwrap", "threading", "time", "traceback", "types",
    "typing", "unicodedata", "unittest", "uuid", "zlib",
)  # fmt: skip


def main(settings: dict[str, Any]) -> None:
    """Serves until nobody listens."""
    # As low as can be: nothing above it is kept in a child.
    if settings["control"] != _CONTROL:
        os.dup2(settings["control"], _CONTROL)
        os.close(settings["control"])
    control = socket.socket(fileno=_CONTROL)
    control.setblocking(True)
    _warm(settings)
    settings["kept"] = prepare(settings)
    gc.collect()
    gc.freeze()
    control.send(json.dumps({"ready": True}).encode())
    running: set[int] = set()
    while True:
        text, descriptors, _, _ = socket.recv_fds(control, _LONGEST_REQUEST, _MOST_DESCRIPTORS)
        if not text:
            break
        request = json.loads(text)
        if "fork" in request:
            answer = _fork(request, descriptors, settings, control)
            running.add(answer["pid"])
        else:
            running.discard(request["reap"])
            answer = _reap(request["reap"], request["grace"])
        control.send(json.dumps(answer).encode())
    for pid in running:
        _kill(pid)


def _warm(settings: dict[str, Any]) -> None:
    """Imports what children are likely to want, once for all of them."""
    for name in _LIKELY:
        with suppress(ImportError):
            importlib.import_module(name)
    if settings["path"] is not None:
        sys.path[:] = settings["path"]
    if settings["module"]:
        importlib.import_module(settings["module"])
    # What the module ``site`` would have brought.
    for name in ("exit", "quit"):
        setattr(builtins, name, sys.exit)
    for name in ("stdin", "stdout", "stderr"):
        stream = open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8")  # noqa: SIM115
        setattr(sys, name, stream)


def _fork(
    request: dict[str, Any], descriptors: list[int], settings: dict[str, Any], control: socket.socket
) -> dict[str, Any]:
    pid = os.fork()
    if pid == 0:
        try:
            control.detach()
            _child(request, descriptors, settings)
        finally:
            os._exit(1)
    for descriptor in descriptors:
        os.close(descriptor)
    return {"pid": pid}


def _child(request: dict[str, Any], descriptors: list[int], settings: dict[str, Any]) -> None:
    """Says that it is held, and only then is told what to do."""
    die_with_parent()
    os.setsid()
    kind, (job, *others) = request["fork"], descriptors
    _standard_streams(others if kind == "script" else ())
    close_all_but([0, 1, 2, *descriptors, *settings["kept"]])
    connection = socket.socket(fileno=job)
    frames = Frames(connection)
    try:
        contain(request["memory"], request["cpu"], settings)
    except (OSError, ValueError) as cause:
        frames.send({"ready": False, "why": f"{type(cause).__name__}: {cause}"})
        return
    # Like for like: the same program gets the same random numbers whenever it is graded.
    random.seed(0)
    frames.send({"ready": True})
    _KINDS[kind](connection, *map(_socket, others if kind != "script" else ()))
    os._exit(0)


def _socket(descriptor: int) -> socket.socket:
    return socket.socket(fileno=descriptor)


def _standard_streams(given: Sequence[int]) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for number, descriptor in enumerate((given[0], given[1], nothing) if given else (nothing,) * 3):
        os.dup2(descriptor, number)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115


def _call(job: socket.socket) -> None:
    """Calls a function of ours, once."""
    frames = Frames(job)
    request = frames.receive()
    module, _, name = request["function"].partition(":")
    function = getattr(sys.modules[module], name)
    try:
        frames.send({"value": function(*request["arguments"])})
    except Exception as cause:
        frames.send({"raised": f"{type(cause).__name__}: {cause}"[:300]})


_KINDS: dict[str, Callable[..., None]] = {
    "program": program.serve,
    "script": program.run_script,
    "tests": checks.run_tests,
    "call": _call,
}


def _reap(pid: int, grace: float) -> dict[str, Any]:
    """How a child ended; one that has not when the grace is over is killed."""
    until = time.monotonic() + grace
    ended, status, used = os.wait4(pid, os.WNOHANG)
    while not ended and time.monotonic() < until:
        time.sleep(0.001)
        ended, status, used = os.wait4(pid, os.WNOHANG)
    if not ended:
        _kill(pid)
        _, status, used = os.wait4(pid, 0)
    return {"status": status, "cpu": used.ru_utime + used.ru_stime, "killed": not ended}


def _kill(pid: int) -> None:
    """It, and what it left in its process group where it could fork."""
    for kill in (os.killpg, os.kill):
        with suppress(ProcessLookupError):
            kill(pid, signal.SIGKILL)
