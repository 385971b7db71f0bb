"""Where programs run that nobody has read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ..code_tests import Grade, Grading, Limits, SandboxTier


class Sandbox(Protocol):
    """Runs programs against tests, several at a time, and lets nothing out of either.

    The program never shares a process with its tests, nor sees what they expect.
    """

    @property
    def tier(self) -> SandboxTier:
        """How programs are held here; found out by a self-test when it is first asked for.

        Raises:
            SandboxError: X001 when nothing can hold them here.
        """
        ...

    def grade(self, gradings: Sequence[Grading]) -> list[Grade]:
        """What came of each, in order. A sandbox that fails gives ``Verdict.INFRA_ERROR``.

        Raises:
            SandboxError: X001 when nothing can hold programs here.
        """
        ...

    def close(self) -> None:
        """Ends all its processes; it can be used again."""
        ...


class IsolatedFunctions(Protocol):
    """Calls functions of ours on text nobody has read, each call in a sandboxed process of its own."""

    def call(
        self, function: str, arguments: Sequence[Sequence[Any]], limits: Limits = ...
    ) -> list[Any | Grade]:
        """What the function gives for each list of arguments, in order; a Grade where the call failed.

        Args:
            function: ``module:name`` of an installed module. Its module is imported once, before privileges
                are dropped. Arguments and results are plain JSON values.

        Raises:
            SandboxError: X001 when nothing can hold them here.
        """
        ...

    def close(self) -> None:
        """Ends all its processes; it can be used again."""
        ...
