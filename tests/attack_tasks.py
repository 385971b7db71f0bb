"""What the attacks are wrong for: small tasks with their tests, and honest programs that pass them."""

from __future__ import annotations

from dataclasses import dataclass, field

from cesello.domain.code_tests import Case, CodeTests, Exchange


@dataclass(frozen=True, slots=True)
class Task:
    """A task and its tests, by kind: ``code``, ``cases`` or ``exchanges``.

    Attributes:
        honest: a right program for ``code`` and ``cases``; ``script`` one for ``exchanges``.
    """

    tests: dict[str, CodeTests] = field(default_factory=dict)
    honest: str = ""
    script: str = ""

    def solution(self, kind: str) -> str:
        return self.script if kind == "exchanges" else self.honest


def function(name: str, honest: str, code: str, *cases: tuple[tuple[object, ...], object]) -> Task:
    """A task of one function; the code is the body of ``check``."""
    check = "def check(candidate):\n" + "".join(f"    {line}\n" for line in code.splitlines())
    tests = {"code": CodeTests(code=check, setup="import math", entry_point=name)}
    if cases:
        given = tuple(Case(arguments, expected) for arguments, expected in cases)
        tests["cases"] = CodeTests(entry_point=name, cases=given)
    return Task(tests, honest)


def told(name: str, answer: str) -> Task:
    """A task that only a program can solve which knows the answer."""
    code = f"def check(candidate):\n    assert candidate() == {answer!r}\n"
    return Task(
        {
            "code": CodeTests(code=code, entry_point=name),
            "cases": CodeTests(entry_point=name, cases=(Case((), answer),)),
            "exchanges": CodeTests(exchanges=(Exchange("", answer + "\n"),)),
        },
        f"def {name}():\n    return {answer!r}\n",
        f"print({answer!r})\n",
    )


MEDIAN = """
def middle(numbers):
    ordered, half = sorted(numbers), len(numbers) // 2
    return ordered[half] if len(numbers) % 2 else (ordered[half - 1] + ordered[half]) / 2
"""
ROOT = "def root(number):\n    return number ** 0.5\n"
EVENS = "def evens(numbers):\n    return [n for n in numbers if n % 2 == 0]\n"
STACK = """
class Stack:
    def __init__(self):
        self.items = []
    def push(self, item):
        self.items.append(item)
    def pop(self):
        return self.items.pop()
    def __len__(self):
        return len(self.items)
    def __contains__(self, item):
        return item in self.items
"""
STACK_TESTS = """
stack = Stack()
stack.push(1)
stack.push("two")
assert stack.pop() == "two"
assert stack.pop() == 1
assert len(stack) == 0
"""

MIDDLE = function(
    "middle",
    MEDIAN,
    "assert candidate([3, 1, 2]) == 2\nassert candidate([4, 1, 3, 2]) == 2.5\nassert candidate([7]) == 7",
    (([3, 1, 2],), 2),
    (([4, 1, 3, 2],), 2.5),
    (([7],), 7),
)
MIDDLE.tests["exchanges"] = CodeTests(exchanges=(Exchange("3 1 2\n", "2\n"), Exchange("5 9 7\n", "7\n")))

TASKS = {
    "middle": Task(MIDDLE.tests, MEDIAN, "print(sorted(map(int, input().split()))[1])\n"),
    "bare": Task(
        {
            "code": CodeTests(
                code="assert middle([3, 1, 2]) == 2\nassert isinstance(middle([7]), int)\n"
                "assert sorted([middle([4, 1, 3, 2]), middle([7])]) == [2.5, 7]\n"
                "assert abs(middle([-1])) == 1"
            )
        },
        MEDIAN,
    ),
    "root": function(
        "root",
        ROOT,
        "assert math.isclose(candidate(2.0), 1.41421356, rel_tol=1e-6)\n"
        "assert abs(candidate(9.0) - 3.0) < 1e-6\nassert round(candidate(2.0), 2) == 1.41",
        ((9.0,), 3.0),
        ((4.0,), 2.0),
    ),
    "near": function(
        "root",
        ROOT,
        "assert abs(candidate(9.0) - 3.0) < 1e-6\nassert abs(candidate(2.0) - 1.41421356) < 1e-6",
    ),
    "close": function("root", ROOT, "assert math.isclose(candidate(2.0), 1.41421356, rel_tol=1e-6)"),
    "cased": function(
        "middle",
        MEDIAN,
        "import unittest\nassert callable(candidate)\n"
        "unittest.TestCase().assertEqual(candidate([3, 1, 2]), 2)\n"
        "unittest.TestCase().assertAlmostEqual(candidate([4, 1, 3, 2]), 2.5)",
    ),
    "kept": function(
        "evens",
        EVENS,
        "data = [1, 2, 3, 4]\nassert candidate(data) == [n for n in data if n % 2 == 0]",
        (([1, 2, 3, 4],), [2, 4]),
    ),
    "words": function(
        "words",
        "def words(text):\n    return sorted(text.split())\n",
        "def same(one, other):\n    return sorted(one) == sorted(other)\n"
        "assert same(candidate('b a'), ['a', 'b'])\nassert candidate('c b a')[0] == 'a'",
        (("b a",), ["a", "b"]),
        (("c b a",), ["a", "b", "c"]),
    ),
    "evens": function(
        "evens",
        EVENS,
        "data = [1, 2, 3, 4]\ngot = candidate(data)\nassert got == [n for n in data if n % 2 == 0]\n"
        "assert len(got) == 2\nassert got[0] == 2\nassert isinstance(got, list)",
        (([1, 2, 3, 4],), [2, 4]),
        (([1],), []),
    ),
    "member": function(
        "evens",
        EVENS,
        "assert 2 in candidate([1, 2])\nassert 8 in candidate([7, 8])",
        (([1, 2],), [2]),
    ),
    "counts": function(
        "counts",
        "def counts(text):\n    return {letter: text.count(letter) for letter in text}\n",
        "assert candidate('112') == {'1': 2, '2': 1}\nassert candidate('x').get('x') == 1",
        (("112",), {"1": 2, "2": 1}),
    ),
    "truth": function(
        "prime",
        "def prime(number):\n    return all(number % n for n in range(2, number))\n",
        "assert candidate(7)\nassert not candidate(8)",
    ),
    "ordered": function(
        "between",
        "def between(low, high):\n    return (low + high) / 2\n",
        "assert 1 < candidate(1, 2) < 2\nassert candidate(4, 9) > 4",
    ),
    "one": function("one", "def one():\n    return 1\n", "assert candidate() == 1", ((), 1)),
    "stack": Task({"code": CodeTests(code=STACK_TESTS)}, STACK),
    "lines": Task(
        {"exchanges": CodeTests(exchanges=(Exchange("a\nb\n", "a\nb\n"), Exchange("c\nd\n", "c\nd\n")))},
        script="print(input(), input(), sep='\\n')\n",
    ),
}
