"""Grading a program that reads its standard input and prints."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ...domain.code_tests import Exchange, Grade, Grading, Limits
from ...domain.reward import Verdict
from .children import Child
from .inside.frames import TooLong
from .verdicts import of_checks, of_end, of_ending, out_of_time
from .warden import Ending, Warden

_LONGEST_END = 2**16
_PIECE = 2**16


def grade_exchanges(warden: Warden, grading: Grading, deadline: float) -> Grade:
    """Each exchange by a process of its own; a program that fails one is not asked the rest."""
    total = len(grading.tests.exchanges)
    for passed, exchange in enumerate(grading.tests.exchanges):
        grade = _exchange(warden, grading, exchange, deadline, passed)
        if grade.verdict is not Verdict.PASSED:
            return grade
    return of_checks(total, total, "", "")


def _exchange(warden: Warden, grading: Grading, exchange: Exchange, deadline: float, passed: int) -> Grade:
    limits, total = grading.limits, passed + 1
    try:
        given = exchange.input.encode("utf-8", "surrogatepass")
        script = run_script(warden, grading.program, given, limits, deadline)
    except TimeoutError:
        return out_of_time(limits, passed, total)
    except TooMuchPrinted:
        return of_end("output", f"more than {limits.output} bytes are printed", passed, total)
    if script.end.get("memory"):
        return of_end("memory", "", passed, total)
    if "raised" in script.end:
        return Grade(Verdict.CRASH, passed, total, "raises", script.raised)
    if script.ending.status:
        return of_ending(script.ending, limits, passed, total)
    return _compared(script.printed, exchange.output, passed, total)


@dataclass(frozen=True, slots=True)
class Script:
    """A program that has run: what it printed, what it says of its end, and how its process ended."""

    printed: bytes
    end: Mapping[str, Any]
    ending: Ending

    @property
    def raised(self) -> str:
        return f"{(self.end.get('raised') or ['nothing'])[0]}: {self.end.get('text', '')}"


class TooMuchPrinted(Exception):
    """A program prints more than it may."""


def run_script(warden: Warden, program: str, given: bytes, limits: Limits, deadline: float) -> Script:
    """Runs a program as the main module.

    Raises:
        TimeoutError: the deadline is over.
        TooMuchPrinted: it prints more than ``limits.output``.
        WardenLost: the sandbox failed.
    """
    (near_in, far_in), (near_out, far_out) = socket.socketpair(), socket.socketpair()
    with near_in, near_out:
        ends = [far_in, far_out]
        with Child(warden, "script", ends, limits.memory, limits.cpu, deadline, _LONGEST_END) as child:
            child.start({"program": program})
            printed = _printed(near_in, near_out, given, deadline, limits.output)
            return Script(printed, _end(child), child.ending())


def _end(child: Child) -> dict[str, Any]:
    """How the program says it ended; nothing where it ended without a word, or with words of its own."""
    try:
        said = child.receive()
    except (EOFError, ConnectionError, TooLong, ValueError):
        return {}
    if not isinstance(said, dict) or not all(isinstance(name, str) for name in said.get("raised") or ()):
        return {}
    return said


def _printed(
    near_in: socket.socket, near_out: socket.socket, given: bytes, deadline: float, most: int
) -> bytes:
    """All it prints, while it is given what it reads."""
    printed = bytearray()
    left = memoryview(given)
    for end in (near_in, near_out):
        end.setblocking(False)
    with selectors.DefaultSelector() as ready:
        ready.register(near_in, selectors.EVENT_WRITE)
        ready.register(near_out, selectors.EVENT_READ)
        while True:
            if (wait := deadline - time.monotonic()) <= 0:
                raise TimeoutError
            for key, _ in ready.select(wait):
                if key.fileobj is near_in:
                    left = left[_written(near_in, left) :]
                    if not left:
                        ready.unregister(near_in)
                        with suppress(OSError):
                            near_in.shutdown(socket.SHUT_WR)
                    continue
                piece = _read(near_out)
                if not piece:
                    return bytes(printed)
                printed += piece
                if len(printed) > most:
                    raise TooMuchPrinted


def _written(end: socket.socket, left: memoryview) -> int:
    try:
        return end.send(left[:_PIECE]) if left else 0
    except BlockingIOError:
        return 0
    except OSError:
        return len(left)  # nobody reads any more


def _read(end: socket.socket) -> bytes:
    try:
        return end.recv(_PIECE)
    except ConnectionError:
        return b""


def _compared(printed: bytes, wanted: str, passed: int, total: int) -> Grade:
    try:
        text = printed.decode()
    except UnicodeDecodeError:
        return Grade(Verdict.INVALID_OUTPUT, passed, total, "no_text", "what is printed is not UTF-8")
    if _lines(text) == _lines(wanted):
        return Grade(Verdict.PASSED, total, total)
    return Grade(Verdict.WRONG, passed, total, "", f"exchange {total} prints something else")


def _lines(text: str) -> list[str]:
    """Without the spaces at the ends of lines, and the empty lines at the end."""
    return [line.rstrip() for line in text.rstrip().split("\n")]
