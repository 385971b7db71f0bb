"""A side of ``benchmarks/grpo_vs_trl.py``, from outside: started, asked for steps, watched, ended."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.peers.grpo_job import GrpoJob

ROOT = Path(__file__).resolve().parents[2]
_SPARE = 2**30 // 2
"""What is to be left of the machine's memory, lest the system ends processes by its own choice."""


class Failed(Exception):
    """A side has ended without an answer; the text says why."""


def environment(threads: int, *packages: Path) -> dict[str, str]:
    """Of a process of its own, with these folders of packages before what is installed."""
    paths = [str(ROOT), *map(str, packages), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "PYTHONWARNINGS": "ignore",
        "OMP_NUM_THREADS": str(threads),
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
    }


class Side:
    """A process that trains when it is told to.

    Args:
        most_bytes: that it may hold on a CPU before it is ended.

    Raises:
        Failed: it did not come as far as its first step.
    """

    def __init__(self, name: str, job: GrpoJob, threads: int, most_bytes: float) -> None:
        self.name, self._most = name, most_bytes if job.device == "cpu" else float("inf")
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 (as long as the process)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.peers.grpo_contenders", name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True, cwd=ROOT,
            env=environment(threads, ROOT / "build" / "peers"),
        )  # fmt: skip
        ready = self._ask(job.as_json())
        self.prompts = ready["prompts"]
        if ready["lengths"] != [job.prompt]:
            self.end()
            raise Failed(f"its prompts have {ready['lengths']} tokens instead of {job.prompt}")

    def step(self) -> dict[str, Any]:
        """One optimizer step; see ``Turns.tell``.

        Raises:
            Failed: it took more memory than it may, or ended by itself.
        """
        return self._ask("go")

    def end(self) -> None:
        """Whatever it is doing."""
        if self._log.closed:
            return
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def __enter__(self) -> Side:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: Any, trace: TracebackType | None) -> None:
        self.end()

    def _ask(self, line: str) -> dict[str, Any]:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(line + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            raise self._failed() from None
        while not select.select([process.stdout], [], [], 0.2)[0]:
            self._watch()
        answer = process.stdout.readline()
        if not answer:
            raise self._failed()
        told: dict[str, Any] = json.loads(answer)
        return told

    def _watch(self) -> None:
        held, left = _held(self._process.pid), _left()
        if held > self._most or left < _SPARE:
            self.end()
            why = f"ended at {held / 2**30:.1f} GiB"
            raise Failed(why if held > self._most else f"{why}, when the machine had no more")

    def _failed(self) -> Failed:
        code = self._process.wait()
        self._log.seek(0)
        said = self._log.read()[-1500:].strip()
        self.end()
        return Failed(
            f"out of memory: {said[-300:]}" if "OutOfMemory" in said else f"ended with {code}: {said}"
        )


def _held(process: int) -> int:
    return _bytes_of(Path(f"/proc/{process}/status"), "VmRSS:")


def _left() -> int:
    return _bytes_of(Path("/proc/meminfo"), "MemAvailable:")


def _bytes_of(file: Path, name: str) -> int:
    lines = file.read_text().splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), 0)
