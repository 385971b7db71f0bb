"""What every Sandbox owes, on the fake, on every tier of this machine, and over HTTP."""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from cesello.adapters.sandbox.local_sandbox import LocalSandbox
from cesello.adapters.sandbox.remote_sandbox import RemoteSandbox
from cesello.domain.code_tests import Case, CodeTests, Exchange, Grade, Grading, Limits
from cesello.domain.ports.sandbox import Sandbox
from cesello.domain.reward import Verdict
from cesello.entrypoints.grading_server import GradingServer
from tests.fakes.sandbox import FakeSandbox

CODE = CodeTests(code="assert add(1, 2) == 3\nassert add(2, 2) == 4")
CASES = CodeTests(entry_point="add", cases=(Case((1, 2), 3), Case((2, 2), 4)))
SETUP = CodeTests(code="assert add(1, 2) == 3", setup="1 / 0")
EXCHANGES = CodeTests(exchanges=(Exchange("1 2", "3\n"), Exchange("2 2", "4")))
RIGHT = "def add(a, b):\n    return a + b"
WRONG = "def add(a, b):\n    return 3"
PRINTS = "a, b = map(int, input().split())\nprint(a + b)"
QUICK = Limits(wall=30.0, cpu=1)
IMPATIENT = Limits(wall=1.0)


@contextmanager
def fake() -> Iterator[Sandbox]:
    yield FakeSandbox({"a + b": Grade(Verdict.PASSED, 2, 2)})


@contextmanager
def local(tier: str) -> Iterator[Sandbox]:
    made = LocalSandbox(tier, workers=2)
    yield made
    made.close()


@contextmanager
def remote() -> Iterator[Sandbox]:
    with local("auto") as there, GradingServer(there, "127.0.0.1", 0, "open sesame") as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield RemoteSandbox(f"http://127.0.0.1:{server.server_address[1]}", "open sesame")
        server.shutdown()
        thread.join()


REAL: dict[str, Callable[[], object]] = {
    "landlock": lambda: local("landlock"),
    "bubblewrap": lambda: local("bubblewrap"),
    "landlock+bubblewrap": lambda: local("landlock+bubblewrap"),
    "remote": remote,
}


QUICK_AND_SLOW = [
    name if "+" in name or name == "remote" else pytest.param(name, marks=pytest.mark.slow) for name in REAL
]


@pytest.fixture(params=["fake", *QUICK_AND_SLOW], scope="module")
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with {"fake": fake, **REAL}[request.param]() as made:  # type: ignore[attr-defined]
        yield made


@pytest.fixture(params=QUICK_AND_SLOW, scope="module")
def real(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with REAL[request.param]() as made:  # type: ignore[attr-defined]
        yield made


def test_it_says_how_it_holds_programs(sandbox: Sandbox) -> None:
    assert sandbox.tier.name
    assert sandbox.tier.stops


def test_grades_come_in_the_order_of_the_gradings(sandbox: Sandbox) -> None:
    programs = [RIGHT, WRONG, RIGHT, WRONG, WRONG, RIGHT]
    grades = sandbox.grade([Grading(program, CODE) for program in programs])
    wanted = [Verdict.PASSED if program == RIGHT else Verdict.WRONG for program in programs]
    assert [grade.verdict for grade in grades] == wanted
    assert sandbox.grade([]) == []


def test_it_can_be_used_after_it_was_closed(sandbox: Sandbox) -> None:
    sandbox.close()
    assert sandbox.grade([Grading(RIGHT, CODE)])[0].verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("program", "tests", "verdict", "reason", "passed", "total"),
    [
        (RIGHT, CODE, Verdict.PASSED, "", 2, 2),
        (RIGHT, CASES, Verdict.PASSED, "", 2, 2),
        (PRINTS, EXCHANGES, Verdict.PASSED, "", 2, 2),
        (WRONG, CODE, Verdict.WRONG, "", 1, 2),
        (WRONG, CASES, Verdict.WRONG, "", 1, 2),
        ("print(3)", EXCHANGES, Verdict.WRONG, "", 1, 2),
        ("def add(a, b)", CODE, Verdict.CRASH, "raises_when_loaded", 0, 1),
        ("1 / 0", EXCHANGES, Verdict.CRASH, "raises", 0, 1),
        (f"{PRINTS}\nexit(3)", EXCHANGES, Verdict.CRASH, "raises", 0, 1),
        (f"{PRINTS}\nimport os\nos._exit(3)", EXCHANGES, Verdict.CRASH, "ended", 0, 1),
        (f"{PRINTS}\nexit()", EXCHANGES, Verdict.PASSED, "", 2, 2),
        ("import os\nos._exit(0)", CODE, Verdict.CRASH, "ended", 0, 1),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", CODE, Verdict.CRASH, "ended", 0, 1),
        ("def add(a, b):\n    return object()", CODE, Verdict.INVALID_OUTPUT, "no_plain_value", 0, 1),
        ("import sys\nsys.stdout.buffer.write(b'\\xff')", EXCHANGES, Verdict.INVALID_OUTPUT, "no_text", 0, 1),
        ("def add(a, b):\n    return ' ' * 2**21", CODE, Verdict.LIMIT, "output", 0, 1),
        ("while True:\n    print(' ' * 9999)", EXCHANGES, Verdict.LIMIT, "output", 0, 1),
        ("def add(a, b):\n    return bytearray(2**31)", CODE, Verdict.LIMIT, "memory", 0, 1),
        (f"{RIGHT}\nx = bytearray(2**31)", CODE, Verdict.LIMIT, "memory", 0, 1),
        ("x = bytearray(2**31)", EXCHANGES, Verdict.LIMIT, "memory", 0, 1),
        ("while True:\n    pass", CODE, Verdict.LIMIT, "cpu", 0, 1),
        ("while True:\n    pass", EXCHANGES, Verdict.LIMIT, "cpu", 0, 1),
        ("import time\ntime.sleep(60)", CODE, Verdict.TIMEOUT, "", 0, 0),
        ("import time\ntime.sleep(60)", EXCHANGES, Verdict.TIMEOUT, "", 0, 1),
        (RIGHT, CodeTests(code="x = 1"), Verdict.INFRA_ERROR, "broken_tests", 0, 0),
        (RIGHT, SETUP, Verdict.INFRA_ERROR, "broken_tests", 0, 0),
        (f"{RIGHT}\nx = '\0'", CODE, Verdict.CRASH, "null_byte", 0, 1),
    ],
)  # fmt: skip
def test_a_verdict_says_what_happened(
    real: Sandbox, program: str, tests: CodeTests, verdict: Verdict, reason: str, passed: int, total: int
) -> None:
    limits = IMPATIENT if verdict is Verdict.TIMEOUT else QUICK
    (grade,) = real.grade([Grading(program, tests, limits)])
    assert (grade.verdict, grade.reason, grade.passed, grade.total) == (verdict, reason, passed, total), grade


def test_a_program_has_the_standard_library(real: Sandbox) -> None:
    program = """
import asyncio, ctypes, dataclasses, decimal, json, random, threading, wave, xml.dom.minidom, zoneinfo

@dataclasses.dataclass
class Point:
    x: int

async def slow():
    await asyncio.sleep(0.01)
    return 1

def add(a, b):
    found = []
    thread = threading.Thread(target=lambda: found.append(Point(a).x))
    thread.start()
    thread.join()
    return found[0] + b * asyncio.run(slow())
"""
    (grade,) = real.grade([Grading(program, CODE)])
    assert grade.verdict is Verdict.PASSED, grade


def test_sets_and_random_numbers_are_the_same_each_time(real: Sandbox) -> None:
    program = "import random\nprint(repr(list({'a', 'b', 'c', 'd'})), random.random())"
    seen = {shown(real, program) for _ in range(3)}
    assert len(seen) == 1


def shown(sandbox: Sandbox, program: str) -> int:
    """The first bits of the digest of what a program prints, found by asking for each bit in turn."""
    digest = (
        "import contextlib, hashlib, io\nout = io.StringIO()\nwith contextlib.redirect_stdout(out):\n"
        + "".join(f"    {line}\n" for line in program.splitlines())
        + "bits = int(hashlib.sha256(out.getvalue().encode()).hexdigest()[:4], 16)\n"
    )
    asked = [
        Grading(f"{digest}print(bits >> {bit} & 1)", CodeTests(exchanges=(Exchange("", "1"),)))
        for bit in range(16)
    ]
    return sum((grade.verdict is Verdict.PASSED) << bit for bit, grade in enumerate(sandbox.grade(asked)))


def test_what_a_program_reads_may_be_long(real: Sandbox) -> None:
    given = "x" * 300_000
    tests = CodeTests(exchanges=(Exchange(given, str(len(given))),))
    (grade,) = real.grade([Grading("import sys\nprint(len(sys.stdin.read()))", tests)])
    assert grade.verdict is Verdict.PASSED, grade


def test_a_program_need_not_read(real: Sandbox) -> None:
    tests = CodeTests(exchanges=(Exchange("x" * 300_000, "1"),))
    (grade,) = real.grade([Grading("print(1)", tests)])
    assert grade.verdict is Verdict.PASSED, grade


@pytest.mark.parametrize("tier", ["landlock", "bubblewrap", "landlock+bubblewrap"])
def test_a_program_gets_no_descriptor_of_ours_however_many_there_are(tier: str) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    program = """
import os

def held():
    found = []
    for number in range(9000):
        try:
            os.fstat(number)
        except OSError:
            continue
        found.append(number)
    return len(found)
"""
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(min(8192, hard) - 600)]
    try:
        with local(tier) as sandbox:
            (grade,) = sandbox.grade([Grading(program, CodeTests(code="assert held() == 4"))])
    finally:
        for descriptor in opened:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert grade.verdict is Verdict.PASSED, grade


def test_a_program_sees_no_installed_package(real: Sandbox) -> None:
    program = """
import os, sys

def names():
    found = []
    for folder in {*sys.path, os.path.dirname(os.__file__)}:
        for name in ("site-packages", "dist-packages"):
            try:
                found += os.listdir(os.path.join(folder, name))
            except OSError:
                pass
    return found
"""
    (grade,) = real.grade([Grading(program, CodeTests(code="assert names() == []"))])
    assert grade.verdict is Verdict.PASSED, grade


def test_trouble_of_our_own_is_no_verdict() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with local("landlock") as sandbox:
        assert sandbox.grade([Grading(RIGHT, CODE)])[0].verdict is Verdict.PASSED
        opened = []
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
            with suppress(OSError):
                while True:
                    opened.append(os.open(os.devnull, os.O_RDONLY))
            assert sandbox.grade([Grading(RIGHT, CODE)])[0].verdict is Verdict.INFRA_ERROR
        finally:
            for descriptor in opened:
                os.close(descriptor)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert sandbox.grade([Grading(RIGHT, CODE)])[0].verdict is Verdict.PASSED
