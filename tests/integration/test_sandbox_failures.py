"""A sandbox that fails says so, gives no score, and works again afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks.sandbox import descendants
from cesello.adapters.sandbox.local_sandbox import LocalSandbox
from cesello.domain.code_tests import CodeTests, Grade, Grading, Limits
from cesello.domain.errors import SandboxError
from cesello.domain.reward import Verdict

TIERS = [
    pytest.param("landlock", marks=pytest.mark.slow),
    pytest.param("bubblewrap", marks=pytest.mark.slow),
    "landlock+bubblewrap",
]
TESTS = CodeTests(code="assert one() == 1")
HONEST = Grading("def one():\n    return 1\n", TESTS)
BRIEF = Grading("import time\ntime.sleep(0.2)\ndef one():\n    return 1\n", TESTS)
SLOW = Grading("import time\ntime.sleep(1)\ndef one():\n    return 1\n", TESTS, Limits(wall=3.0))


USER = """
import sys
from cesello.adapters.sandbox.local_sandbox import LocalSandbox
from cesello.domain.code_tests import CodeTests, Grading, Limits

sandbox, tests = LocalSandbox(tier=sys.argv[1]), CodeTests(code="assert True")
sandbox.grade([Grading("", tests)])
print("ready", flush=True)
sandbox.grade([Grading("while True: pass", tests, Limits(wall=60, cpu=60))] * 2)
"""


@pytest.fixture
def others() -> set[int]:
    """Processes of this one that are no sandbox's: those that other tests keep have to outlive these."""
    return {pid for pid, _ in descendants()}


@pytest.fixture(params=TIERS)
def sandbox(request: pytest.FixtureRequest, others: set[int]) -> Iterator[LocalSandbox]:
    made = LocalSandbox(tier=request.param)
    yield made
    made.close()


def interrupted(
    sandbox: LocalSandbox, number: signal.Signals, others: set[int], *, programs_alone: bool = False
) -> list[Grade]:
    """Grades during which the sandbox's processes, or those that run a program, are sent a signal."""
    grades: list[Grade] = []
    # Two at a time, so that every worker is there and none is about to start.
    sandbox.grade([BRIEF] * 4)
    before = {pid for pid, _ in descendants()}
    grading = threading.Thread(target=lambda: grades.extend(sandbox.grade([SLOW] * 4)))
    grading.start()
    until = time.monotonic() + 10
    while {pid for pid, _ in descendants()} <= before:
        assert time.monotonic() < until, "no program was begun"
        time.sleep(0.02)
    time.sleep(0.5)
    now = {pid for pid, _ in descendants()}
    for pid in now - before if programs_alone else now - others:
        with suppress(ProcessLookupError):  # it may have ended with the one before
            os.kill(pid, number)
    grading.join(50)
    assert not grading.is_alive()
    return grades


@pytest.mark.parametrize("programs_alone", [False, True], ids=["all", "programs"])
def test_a_killed_sandbox_gives_no_score_and_works_again(
    others: set[int], sandbox: LocalSandbox, programs_alone: bool
) -> None:
    grades = interrupted(sandbox, signal.SIGKILL, others, programs_alone=programs_alone)
    assert {grade.verdict for grade in grades} <= {Verdict.INFRA_ERROR, Verdict.PASSED}
    assert Verdict.INFRA_ERROR in {grade.verdict for grade in grades}
    assert all(grade.reason for grade in grades if grade.verdict is Verdict.INFRA_ERROR)
    assert {grade.verdict for grade in sandbox.grade([HONEST] * 6)} == {Verdict.PASSED}


@pytest.mark.slow
def test_a_sandbox_that_stands_still_does_not_hang_its_user(others: set[int], sandbox: LocalSandbox) -> None:
    grades = interrupted(sandbox, signal.SIGSTOP, others)
    first, *_, last = grades
    assert first.verdict in (Verdict.INFRA_ERROR, Verdict.TIMEOUT)
    assert last.verdict is Verdict.PASSED
    assert {grade.verdict for grade in sandbox.grade([HONEST] * 6)} == {Verdict.PASSED}


@pytest.mark.parametrize("tier", TIERS)
def test_nothing_is_left_of_a_sandbox_whose_user_was_killed(tier: str) -> None:
    user = subprocess.Popen([sys.executable, "-c", USER, tier], stdout=subprocess.PIPE)
    assert user.stdout is not None
    assert user.stdout.readline() == b"ready\n"
    time.sleep(0.5)
    left = {pid for pid, _ in descendants(user.pid)}
    assert left
    user.kill()
    user.communicate()
    until = time.monotonic() + 5
    while any(map(_runs, left)):
        assert time.monotonic() < until, "processes are left"
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_nothing_is_left_after_it_is_closed(sandbox: LocalSandbox) -> None:
    before = {pid for pid, _ in descendants()}
    sandbox.grade([HONEST] * 4)
    sandbox.close()
    assert {pid for pid, _ in descendants()} <= before
    assert sandbox.grade([HONEST])[0].verdict is Verdict.PASSED


def test_no_folder_for_temporary_files_is_needed(
    sandbox: LocalSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    assert sandbox.grade([HONEST])[0].verdict is Verdict.PASSED


def test_without_a_tier_nothing_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxError) as caught:
        LocalSandbox(tier="bubblewrap").grade([HONEST])
    assert caught.value.code == "X001"
