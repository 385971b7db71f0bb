"""The tests' side and the program's, each in a thread: what they say to each other, without a sandbox."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from cesello.adapters.sandbox.inside import checks, program
from cesello.adapters.sandbox.inside.frames import Frames


@pytest.fixture(autouse=True)
def modules_of_this_process() -> Iterator[None]:
    """In a sandbox the tests' and the program's modules go with their process."""
    before: dict[str, ModuleType] = {
        name: sys.modules[name] for name in ("tests", "__main__") if name in sys.modules
    }
    yield
    sys.modules.update(before)


def report(
    source: str, code: str = "", setup: str = "", entry_point: str | None = None, cases: Any = ()
) -> Any:
    (job_far, job), (tests_far, tests), (ours, theirs) = (socket.socketpair() for _ in range(3))
    job_frames, tests_frames = Frames(job), Frames(tests)

    def serve() -> None:
        try:
            program.serve(job_far, ours)
        except (EOFError, OSError):
            ours.close()

    def run() -> None:
        checks.run_tests(tests_far, theirs)
        theirs.close()

    threads = [threading.Thread(target=serve), threading.Thread(target=run)]
    for thread in threads:
        thread.start()
    job_frames.send({"program": source})
    tests_frames.send(
        {"code": code, "setup": setup, "entry_point": entry_point, "cases": cases, "longest": 10_000}
    )
    said = tests_frames.receive()
    for thread in threads:
        thread.join(5)
    for end in (job, tests, tests_far, ours):
        end.close()
    return said


ADD = "def add(a, b):\n    return a + b"
MINE = "class Mine(Exception): pass\ndef f():\n    raise Mine"
METHOD = "class P:\n    def x(self):\n        pass\ndef make():\n    return P()\ndef use(x):\n    return 3"
DEEP = """
def f(n):
    x = 1
    for _ in range(98):
        x = [x]
    return x
def h(x):
    return 5
"""
UNITTEST = """
import unittest

class T(unittest.TestCase):
    def test_a(self):
        self.assertEqual(add(1, 1), 2)

    def test_b(self):
        self.assertEqual(add(1, 1), 3)
"""


@pytest.mark.parametrize(
    ("source", "code", "passed", "total"),
    [
        (ADD, "assert add(1, 2) == 3\nassert add(1, 2) == 4", 1, 2),
        (ADD, "for n in range(3):\n    assert add(n, n) == 2 * n", 3, 3),
        (
            ADD,
            "def test_one():\n    assert add(1, 1) == 2\n\ndef test_two():\n    assert add(1, 1) == 3",
            1,
            2,
        ),
        (ADD, UNITTEST, 3, 4),
        (ADD, "import unittest\nunittest.TestCase().assertEqual(add(1, 1), 2)", 1, 1),
        (ADD, "import unittest\nunittest.TestCase().assertEqual(add(1, 1), 3)", 0, 1),
        ("def f():\n    raise KeyError('k')", "try:\n    f()\nexcept KeyError:\n    assert True", 1, 1),
        ("def f():\n    raise KeyError('k')", "assert f() == 1\nassert True", 1, 2),
        (MINE, "try:\n    f()\nexcept ValueError:\n    pass\nassert True", 0, 1),
        ("LIMIT = 3\ndef f():\n    return LIMIT", "assert f() == LIMIT", 1, 1),
        ("def f(*, a):\n    return a", "assert f(a=(1, 2)) == (1, 2)", 1, 1),
        ("def f():\n    return 1.0", "assert math.isclose(f(), 1)\nassert isclose(f(), 1)", 2, 2),
        ("def f():\n    yield from range(3)", "assert list(f()) == [0, 1, 2]", 1, 1),
        ("", "assert missing(1) == 1", 0, 1),
        ("", "x = missing(1)\nassert x == 1", 0, 1),
        (
            "def f():\n    raise ValueError",
            "try:\n    f()\n    assert False\nexcept ValueError:\n    pass",
            1,
            1,
        ),
        ("def f():\n    pass", "try:\n    f()\n    assert False\nexcept ValueError:\n    pass", 0, 1),
        (ADD, "async def test_a():\n    assert add(1, 1) == 2", 1, 1),
        (
            "class S:\n    @staticmethod\n    def mk():\n        return 3\n    N = 4",
            "assert S.mk() == 3 and S.N == 4",
            1,
            1,
        ),
        ("def a(x):\n    return [x]\ndef b(x):\n    return x[0]", "assert b(a(3)) == 3", 1, 1),
        (ADD, "raise RuntimeError\nassert True", 0, 1),
    ],
)
def test_every_assert_is_counted(source: str, code: str, passed: int, total: int) -> None:
    said = report(source, code)
    assert (said["passed"], said["total"], said["ended"], said["broken"]) == (passed, total, None, "")


def test_a_check_function_is_given_the_entry_point() -> None:
    said = report(ADD, "def check(candidate):\n    assert candidate(1, 2) == 3", entry_point="add")
    assert (said["passed"], said["total"]) == (1, 1)


def test_with_an_entry_point_no_other_name_is_the_programs() -> None:
    said = report(f"{ADD}\ndef right(x):\n    return True", "assert right(add(1, 1))", entry_point="add")
    assert (said["passed"], said["total"]) == (0, 1)


def test_helpers_of_the_setup_are_not_the_programs() -> None:
    source = "def double(x):\n    return 0\ndef f(x):\n    return 0"
    said = report(source, "assert f(2) == double(2)", setup="def double(x):\n    return 2 * x")
    assert (said["passed"], said["total"]) == (0, 1)


STACK = """
class Stack:
    def __init__(self):
        self.items = []
    def push(self, item):
        self.items.append(item)
        return self
    def pop(self):
        return self.items.pop()
    def __len__(self):
        return len(self.items)
    def __iter__(self):
        return iter(self.items)
    def __contains__(self, item):
        return True
    def __eq__(self, other):
        return True
    def __hash__(self):
        return 0
"""


def test_objects_of_the_programs_classes_can_be_used() -> None:
    code = """
s = Stack()
assert s.push(1).push("two") == s
assert len(s) == 2 and "two" in s and "three" not in s
assert s.items == [1, "two"]
s.items = [5]
assert s.pop() == 5
"""
    said = report(STACK, code)
    assert (said["passed"], said["total"], said["ended"]) == (4, 4, None)


@pytest.mark.parametrize(
    "code", ["assert Stack() == 3", "assert Stack()", "assert not Stack()", "assert 3 == Stack()"]
)
def test_they_are_neither_true_nor_equal_to_anything(code: str) -> None:
    said = report(STACK, code)
    assert said["passed"] == 0
    assert said["ended"][0] == "invalid_output"


@pytest.mark.parametrize(
    ("source", "how"),
    [
        ("def f():\n    return object()", "invalid_output"),
        ("def f():\n    return 'x' * 20_000", "output"),
        ("def f():\n    return [[0] * 600_000]", "output"),
        ("def f():\n    raise MemoryError", "memory"),
        ("raise ValueError('at once')", "raised"),
        ("def f(:", "raised"),
    ],
)
@pytest.mark.parametrize(
    "code", ["assert f() == 1", "try:\n    assert f() == 1\nexcept:\n    pass\nassert True"]
)
def test_a_program_that_gives_no_value_is_ended_whatever_the_tests_catch(
    source: str, how: str, code: str
) -> None:
    assert report(source, code)["ended"][0] == how


def test_cases_are_compared_with_their_types() -> None:
    cases = [([1, 2], 3), ([True, 0], 1), (["a", "b"], "ab"), ([1, "a"], 0)]
    assert report(ADD, entry_point="add", cases=cases)["passed"] == 3
    said = report("def add(a, b):\n    return True", entry_point="add", cases=[([1, 0], 1)])
    assert (said["passed"], said["total"]) == (0, 1)


def test_tests_that_check_nothing_are_no_verdict() -> None:
    assert report(ADD, "x = 1")["broken"] == "the tests check nothing"
    assert report(ADD, "assert add(1, 1) == 2", setup="1 / 0")["broken"].startswith("the setup fails")


@pytest.mark.parametrize(
    "code",
    [
        "import no_such_package\nassert add(1, 1) == 2",
        "assert True\nimport sys\nsys.exit(0)",
        "if add(1, 1) != 2:\n    raise ValueError",
        "def test_a():\n    import no_such_package\n    assert add(1, 1) == 2",
    ],
)
def test_tests_that_cannot_run_here_are_no_verdict_on_any_program(code: str) -> None:
    assert report(ADD, code)["broken"]
    assert report("def add(a, b):\n    return 0", code)["broken"]


def test_a_name_that_the_tests_lack_is_theirs_where_the_entry_point_is_known() -> None:
    assert "NameError" in report(ADD, "x = helper(1)\nassert x", entry_point="add")["broken"]


@pytest.mark.parametrize(
    ("source", "code"),
    [(METHOD, "p = make()\nassert use(p.x) == 3"), (DEEP, "assert h([[[f(1)]]]) == 5")],
)
def test_what_cannot_be_given_back_is_the_programs_fault(source: str, code: str) -> None:
    assert report(source, code)["ended"][0] == "invalid_output"


def test_checks_that_the_program_avoids_do_not_pass() -> None:
    said = report("def f():\n    return []", "for x in f():\n    assert x == 1")
    assert (said["passed"], said["total"], said["broken"]) == (0, 0, "")


def test_arguments_that_the_program_changes_are_not_the_tests() -> None:
    said = report(
        "def f(x):\n    x.clear()\n    return []", "given = [2, 1]\nassert f(given) == sorted(given)"
    )
    assert said["passed"] == 0
