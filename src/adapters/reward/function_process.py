"""A process that answers one line with one line, and is killed when it takes too long."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

_PIECE = 1 << 16


class Unanswered(Exception):
    """There is no answer; its text is the reason, as a code."""


class LineProcess:
    """The process of a Python module. It has our environment, and a group of its own.

    Args:
        module: an installed module, run as a program.
    """

    def __init__(self, module: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # The same order of sets in every process: the same completion gets the same score.
            env={"PYTHONHASHSEED": "0", **os.environ},
            bufsize=0,
            # A signal from the keyboard is for us, who end it.
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        os.set_blocking(self._in.fileno(), False)
        self.end = weakref.finalize(self, _end, self._process)
        """Kills it with all that it started; also called when nobody holds it any more."""

    def ask(self, request: Mapping[str, Any], patience: float) -> Any:
        """The answer to a request, both JSON; without one in time, the process is killed.

        Raises:
            Unanswered: with ``timeout``, or ``crashed:`` and what ended it.
            ValueError, RecursionError: when the request cannot be written as JSON; nothing is killed then.
        """
        line = json.dumps(request, default=_plain).encode() + b"\n"
        try:
            return json.loads(self._exchange(line, time.monotonic() + patience))
        except BaseException:
            self.end()
            raise

    def _exchange(self, line: bytes, deadline: float) -> bytes:
        answer, rest = bytearray(), memoryview(line)
        with selectors.DefaultSelector() as ready:
            ready.register(self._out, selectors.EVENT_READ)
            ready.register(self._in, selectors.EVENT_WRITE)
            while not answer.endswith(b"\n"):
                waiting = deadline - time.monotonic()
                if waiting <= 0:
                    raise Unanswered("timeout")
                for key, _ in ready.select(waiting):
                    if key.fileobj is self._out:
                        answer += self._read()
                        continue
                    rest = rest[self._write(rest[:_PIECE]) :]
                    if not rest:
                        ready.unregister(self._in)
        return bytes(answer)

    def _read(self) -> bytes:
        piece = os.read(self._out.fileno(), _PIECE)
        if not piece:
            raise Unanswered(self._crash())
        return piece

    def _write(self, piece: memoryview) -> int:
        try:
            return os.write(self._in.fileno(), piece)
        except BrokenPipeError as cause:
            raise Unanswered(self._crash()) from cause

    def _crash(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            status = self._process.wait(timeout=1)
            return f"crashed:{signal.Signals(-status).name if status < 0 else f'exit_{status}'}"
        return "crashed:closed"


def _plain(value: Any) -> Any:
    """Values of a reference that JSON does not know, dates for example, become text."""
    return dict(value) if isinstance(value, Mapping) else str(value)


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
