"""A program in a terminal of its own."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


class Terminal:
    """Runs a program whose standard streams are a terminal, and keeps all that it writes.

    Args:
        size: lines and columns.
    """

    def __init__(
        self,
        arguments: Sequence[str | Path],
        *,
        cwd: Path,
        environment: Mapping[str, str],
        size: tuple[int, int] = (24, 80),
    ) -> None:
        self._master, its = pty.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        self.process = subprocess.Popen(
            [*map(str, arguments)], cwd=cwd, env={**environment, "TERM": "xterm-256color"},
            stdin=its, stdout=its, stderr=its, start_new_session=True, preexec_fn=_take_terminal,
        )  # fmt: skip
        os.close(its)
        self._written = b""

    @property
    def text(self) -> str:
        """All that was written so far; what is no UTF-8 is seen as such."""
        return self._written.decode("utf-8", "backslashreplace")

    def wait_for(self, seen: Callable[[str], bool], *, seconds: float = 60) -> None:
        """Reads on until that is seen.

        Raises:
            TimeoutError: with all that was written instead.
        """
        until = time.monotonic() + seconds
        while not seen(self.text):
            if time.monotonic() > until or not self._read(until - time.monotonic()):
                raise TimeoutError(self.text)

    def press(self, keys: bytes) -> None:
        """As if they were typed."""
        os.write(self._master, keys)

    def end(self) -> int:
        """Reads to the end of the program; its status."""
        while self._read(60):
            pass
        status = self.process.wait(60)
        os.close(self._master)
        return status

    def _read(self, seconds: float) -> bool:
        if not select.select([self._master], [], [], max(seconds, 0))[0]:
            return False
        try:
            some = os.read(self._master, 1 << 16)
        except OSError:  # what Linux says once nobody has the terminal open
            return False
        self._written += some
        return bool(some)


def _take_terminal() -> None:
    """Ctrl-C goes to the program."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
