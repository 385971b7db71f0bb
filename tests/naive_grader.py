"""A grader as people write them: the tests after the program, in one process, and trust in its exit code.

It is here to show that the attacks are attacks: it must lose to most of them. Limits keep the machine alive.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress

from cesello.domain.code_tests import CodeTests, Grade, Grading, SandboxTier
from cesello.domain.reward import Verdict

CASES = """
for arguments, expected in {cases!r}:
    assert {name}(*arguments) == expected
"""


class NaiveGrader:
    """A Sandbox that is none."""

    @property
    def tier(self) -> SandboxTier:
        return SandboxTier("naive")

    def grade(self, gradings: Sequence[Grading]) -> list[Grade]:
        return [self._graded(grading) for grading in gradings]

    def close(self) -> None:
        """Nothing is kept."""

    def _graded(self, grading: Grading) -> Grade:
        tests, began = grading.tests, time.monotonic()
        if not tests.exchanges:
            passed = _runs(grading.program + _appended(tests), "", grading.limits.wall) is not None
        else:
            outputs = [_runs(grading.program, one.input, grading.limits.wall) for one in tests.exchanges]
            passed = all(
                output is not None and output.split() == one.output.split()
                for output, one in zip(outputs, tests.exchanges, strict=True)
            )
        verdict = Verdict.PASSED if passed else Verdict.WRONG
        return Grade(verdict, seconds=time.monotonic() - began)


def _appended(tests: CodeTests) -> str:
    if tests.cases:
        cases = [(case.arguments, case.expected) for case in tests.cases]
        return CASES.format(cases=cases, name=tests.entry_point)
    called = f"\ncheck({tests.entry_point})\n" if tests.entry_point else ""
    return f"\n{tests.setup}\n{tests.code}{called}"


def _runs(program: str, given: str, wall: float) -> str | None:
    """What it prints; None when it fails. A shell stands between, so that it is the program's parent."""
    command = ["/bin/sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-c", program]
    with tempfile.TemporaryFile() as read, tempfile.TemporaryFile() as printed:
        read.write(given.encode())
        read.seek(0)
        started = subprocess.Popen(
            command,
            stdin=read,
            stdout=printed,
            stderr=subprocess.DEVNULL,
            close_fds=False,
            start_new_session=True,
            preexec_fn=_limited,
        )
        try:
            code = started.wait(wall)
        except subprocess.TimeoutExpired:
            code = None
        with suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        started.wait()
        printed.seek(0)
        return printed.read(2**20).decode(errors="replace") if code == 0 else None


def _limited() -> None:
    for kind, most in (
        (resource.RLIMIT_AS, 2**31),
        (resource.RLIMIT_FSIZE, 2**24),
        (resource.RLIMIT_CPU, 5),
        (resource.RLIMIT_NPROC, 64),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))
