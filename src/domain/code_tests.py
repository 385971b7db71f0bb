"""A program a model wrote, what it is tested with, and what came of it.

The tests of a row, in its ``reference``:

    tests: "assert add(1, 2) == 3"                      Python; names it does not define are the program's
    tests: ["assert add(1, 2) == 3", ...]               the same, in pieces (MBPP)
    tests: "def check(candidate): ..." , entry_point    Python with one function to call (HumanEval)
    tests: [{args: [1, 2], expected: 3}], entry_point   calls and what they give
    tests: [{input: "1 2", output: "3"}]                what the program reads and prints
    tests: {inputs: ["1 2"], outputs: ["3"]}            the same (APPS)
    setup: "import math"                                Python that runs before the tests, in their process

JSON may stand as text, as tables have it.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .reward import Verdict


@dataclass(frozen=True, slots=True)
class Case:
    """A call of the entry point, and the value it must give: of the same type, and equal."""

    arguments: tuple[Any, ...]
    expected: Any


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a program reads from its standard input, and what it must print."""

    input: str
    output: str


@dataclass(frozen=True, slots=True)
class CodeTests:
    """What a program is tested with: one of ``code``, ``cases`` and ``exchanges``.

    Attributes:
        code: Python that asserts. It runs in a process of its own, never in the program's.
        setup: Python that runs before ``code``, in the same process.
        entry_point: the function that ``cases`` call, and that ``check`` in ``code`` is given.
    """

    code: str = ""
    setup: str = ""
    entry_point: str | None = None
    cases: tuple[Case, ...] = ()
    exchanges: tuple[Exchange, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """What a program may use. Times are seconds, sizes bytes.

    Attributes:
        wall: for all of a program's tests together.
        cpu: of the program's own process.
        memory: address space of the program's own process.
        output: what it may send or print.
    """

    wall: float = 10.0
    cpu: int = 5
    memory: int = 2**30
    output: int = 2**20


@dataclass(frozen=True, slots=True)
class Grading:
    """A program to be tested."""

    program: str
    tests: CodeTests
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class Grade:
    """What came of the tests.

    Attributes:
        passed, total: checks that held, and those that were made; a program that ends early is not asked
            the rest, and what is not asked counts once in ``total``.
        reason: a short code: for LIMIT ``memory``, ``output`` or ``cpu``.
        detail: one line for a person.
        seconds: of wall clock.
    """

    verdict: Verdict
    passed: int = 0
    total: int = 0
    reason: str = ""
    detail: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class SandboxTier:
    """How untrusted code is held.

    Attributes:
        name: ``landlock``, ``bubblewrap``, ``landlock+bubblewrap``, ``remote`` or ``unsafe``.
        stops: what its self-test saw refused, in words.
        missing: what else could hold it and why it does not here.
    """

    name: str
    stops: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def tests_of(reference: Mapping[str, Any]) -> CodeTests | None:
    """The tests of a row's reference; None where it has none.

    Raises:
        ValueError: saying what is malformed.
    """
    given = reference.get("tests")
    if not given:
        return None
    setup, entry_point = reference.get("setup") or "", reference.get("entry_point")
    if not isinstance(setup, str):
        raise ValueError(f"setup is {type(setup).__name__}, not text")
    if entry_point is not None and not (isinstance(entry_point, str) and entry_point.isidentifier()):
        raise ValueError("entry_point is no function's name")
    given = _decoded(given)
    if isinstance(given, str):
        return _checked(CodeTests(code=given, setup=setup, entry_point=entry_point))
    if not isinstance(given, Sequence):
        raise ValueError(f"tests are {type(given).__name__}, not text or a list")
    if all(isinstance(one, str) for one in given):
        return _checked(CodeTests(code="\n".join(given), setup=setup, entry_point=entry_point))
    if all(isinstance(one, Mapping) and set(one) == {"input", "output"} for one in given):
        texts = [text for one in given for text in (one["input"], one["output"])]
        if not all(isinstance(text, str) for text in texts):
            raise ValueError("input and output of a test are text")
        return CodeTests(exchanges=tuple(Exchange(one["input"], one["output"]) for one in given))
    if all(isinstance(one, Mapping) and set(one) == {"args", "expected"} for one in given):
        if entry_point is None:
            raise ValueError("tests with args need an entry_point")
        if not all(isinstance(one["args"], Sequence) and not isinstance(one["args"], str) for one in given):
            raise ValueError("args of a test are a list")
        cases = tuple(Case(tuple(one["args"]), one["expected"]) for one in given)
        return CodeTests(entry_point=entry_point, cases=cases)
    raise ValueError("tests are text, a list of texts, or a list of {args, expected} or {input, output}")


def _decoded(given: Any) -> Any:
    """JSON that a table holds as text; ``{inputs: [...], outputs: [...]}`` becomes a list (APPS)."""
    if isinstance(given, str) and given.lstrip()[:1] in ("[", "{"):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            return given
    if isinstance(given, Mapping) and {"inputs", "outputs"} <= set(given) and not given.get("fn_name"):
        if len(given["inputs"]) != len(given["outputs"]):
            raise ValueError("there are not as many outputs as inputs")
        return [{"input": a, "output": b} for a, b in zip(given["inputs"], given["outputs"], strict=True)]
    return given


def _checked(tests: CodeTests) -> CodeTests:
    for part in (tests.setup, tests.code):
        try:
            ast.parse(part)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as cause:
            raise ValueError(f"the tests are not Python: {cause}") from cause
    return tests
