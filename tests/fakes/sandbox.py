"""A sandbox that runs nothing, and functions that are called in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cesello.domain.code_tests import Grade, Grading, Limits, SandboxTier
from cesello.domain.errors import SandboxError
from cesello.domain.reward import Verdict

WRONG = Grade(Verdict.WRONG, 0, 1)
LIMITS = Limits()


@dataclass
class FakeSandbox:
    """Knows programs by a piece of their text.

    Attributes:
        grades: piece -> what comes of a program that holds it; the first that fits.
        otherwise: what comes of every other.
        broken: grades nothing any more, as where no tier holds.
        graded: the batches it was given, in order.
        closed: how often it was closed.
    """

    grades: Mapping[str, Grade] = field(default_factory=dict)
    otherwise: Grade = WRONG
    broken: bool = False
    graded: list[list[Grading]] = field(default_factory=list)
    closed: int = 0

    @property
    def tier(self) -> SandboxTier:
        if self.broken:
            raise SandboxError("X001", "nothing can hold programs here")
        return SandboxTier("fake", ("everything",))

    def grade(self, gradings: Sequence[Grading]) -> list[Grade]:
        assert self.tier
        self.graded.append(list(gradings))
        return [self._grade(grading.program) for grading in gradings]

    def _grade(self, program: str) -> Grade:
        return next((grade for piece, grade in self.grades.items() if piece in program), self.otherwise)

    def close(self) -> None:
        self.closed += 1


@dataclass
class FakeIsolatedFunctions:
    """Calls functions it was given by name; one that raises has crashed.

    Attributes:
        functions: ``module:name`` -> what stands in for it.
        failing: a reason for which every call fails, through no fault of its arguments.
        calls: the names and argument lists it was given, a batch each.
    """

    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    failing: str = ""
    broken: bool = False
    calls: list[tuple[str, list[list[Any]]]] = field(default_factory=list)
    closed: int = 0

    def call(
        self, function: str, arguments: Sequence[Sequence[Any]], limits: Limits = LIMITS
    ) -> list[Any | Grade]:
        if self.broken:
            raise SandboxError("X001", "nothing can hold programs here")
        self.calls.append((function, [list(one) for one in arguments]))
        return [self._called(function, one) for one in arguments]

    def _called(self, function: str, arguments: Sequence[Any]) -> Any | Grade:
        if self.failing:
            return Grade(Verdict.INFRA_ERROR, reason=self.failing)
        try:
            return self.functions[function](*arguments)
        except MemoryError:
            return Grade(Verdict.LIMIT, reason="memory")
        except Exception as cause:
            return Grade(Verdict.CRASH, detail=type(cause).__name__)

    def close(self) -> None:
        self.closed += 1
