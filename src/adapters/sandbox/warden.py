"""Our hold on a zygote: it starts it, asks it for children, and has them reaped."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .control_group import ControlGroup
from .held import Held

_INSIDE = Path(__file__).parent / "inside"
_START_SECONDS = 120.0
_ANSWER_SECONDS = 60.0
_LONGEST_ANSWER = 65536
_LONGEST_COMPLAINT = 2000
# All there is. The hash seed is fixed, so that a set has the same order in every process.
_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


class WardenLost(Exception):
    """The zygote has ended, does not answer, or cannot hold a child: nothing is known of the program."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a child ended.

    Attributes:
        status: as ``os.waitstatus_to_exitcode`` reads it: an exit status, or minus a signal.
        cpu: seconds.
        killed: whether by us.
        starved: whether the kernel has killed something of this sandbox for want of memory.
    """

    status: int
    cpu: float
    killed: bool
    starved: bool = False

    @property
    def is_killed_by_others(self) -> bool:
        return self.status == -signal.SIGKILL and not self.killed


class Warden:
    """One zygote; used by one thread at a time.

    Args:
        held: how its children are held.
        module: what it imports for its children to call.
    """

    def __init__(self, held: Held, module: str | None = None) -> None:
        self.slot = held.slot
        self._kills = 0
        self._control, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process = _started(held, module, far)
        far.close()
        self.group = ControlGroup(held.slot, self._process.pid)
        self._control.settimeout(_START_SECONDS)
        try:
            self._answer()
        except WardenLost as cause:
            raise WardenLost(f"{cause}: {self._complaint()}") from cause
        finally:
            assert self._process.stderr is not None
            self._process.stderr.close()
        self._control.settimeout(_ANSWER_SECONDS)

    def fork(self, kind: str, given: Sequence[socket.socket | int], memory: int, cpu: int) -> int:
        """A child that is held, by its process id; its ends of the connections are closed here.

        Args:
            kind: ``program``, ``script``, ``tests`` or ``call``.
            given: what it gets, its job first.
        """
        descriptors = [one if isinstance(one, int) else one.fileno() for one in given]
        request = json.dumps({"fork": kind, "memory": memory, "cpu": cpu}).encode()
        try:
            socket.send_fds(self._control, [request], descriptors)
            pid: int = self._answer()["pid"]
        except OSError as cause:
            raise WardenLost(str(cause)) from cause
        return pid

    def reap(self, pid: int, grace: float = 0.0) -> Ending:
        """How a child ended; one that runs on after ``grace`` seconds is killed."""
        try:
            self._control.send(json.dumps({"reap": pid, "grace": grace}).encode())
        except OSError as cause:
            raise WardenLost(str(cause)) from cause
        answer = self._answer()
        starved, self._kills = self.group.kills() > self._kills, self.group.kills()
        return Ending(os.waitstatus_to_exitcode(answer["status"]), answer["cpu"], answer["killed"], starved)

    def close(self) -> None:
        """Ends the zygote, and with it its children."""
        self._control.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.group.close()

    def _answer(self) -> dict[str, Any]:
        try:
            text = self._control.recv(_LONGEST_ANSWER)
        except OSError as cause:
            raise WardenLost(str(cause)) from cause
        if not text:
            raise WardenLost("the sandbox has ended")
        answer: dict[str, Any] = json.loads(text)
        return answer

    def _complaint(self) -> str:
        """The last line of what a zygote that does not start has to say."""
        self.close()
        assert self._process.stderr is not None
        lines = self._process.stderr.read(_LONGEST_COMPLAINT).decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "it says nothing"


def _started(held: Held, module: str | None, far: socket.socket) -> subprocess.Popen[bytes]:
    sources = {f"inside.{file.stem}": file.read_text("utf-8") for file in _INSIDE.glob("*.py")}
    modules = {"inside": sources.pop("inside.__init__")} | sources
    boot = modules.pop("inside.boot")
    with _descriptor() as descriptor:
        arguments = [*held.interpreter, "-c", boot, str(descriptor)]
        settings = held.settings(far.fileno(), [*arguments, "inside"], module)
        os.write(descriptor, json.dumps({"modules": modules, "settings": settings}).encode())
        return subprocess.Popen(
            [*arguments, "outside"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd="/",
            # The interpreter is told to mind these: a set has the same order in every process.
            env={
                "PYTHONHASHSEED": "0",
                "PYTHONUTF8": "1",
                "OMP_NUM_THREADS": "1",
                "OPENBLAS_NUM_THREADS": "1",
            },
            pass_fds=(descriptor, far.fileno()),
            # A signal from the keyboard is for us, who end the sandbox when we end.
            start_new_session=True,
        )


@contextmanager
def _descriptor() -> Iterator[int]:
    descriptor = os.memfd_create("cesello")
    try:
        yield descriptor
    finally:
        with suppress(OSError):
            os.close(descriptor)
