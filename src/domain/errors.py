"""Every error cesello raises on purpose. The tree:

    CeselloError
    ├── UsageError          exit 2    C...  a command line or a recipe is wrong
    │   └── InvalidRecipe   exit 2          all mistakes of one recipe, together
    ├── DataError           exit 3    D...  a source, a file or a row is wrong
    │   └── InvalidProcedure  exit 3        all mistakes of one procedure, together
    ├── ModelError          exit 4    M...  a model, a tokenizer or LoRA weights are wrong
    ├── StoreError          exit 5    S...  the memory's store is wrong
    ├── SandboxError        exit 6    X...  untrusted code cannot be run safely
    ├── StorageError        exit 74   I...  a file cannot be read or written
    ├── RetryableError      exit 75   T...  the same command may work later
    └── Interrupted         exit 130 or 143: a signal asked us to stop

One form for all of them, so that a person always learns what happened, where, and what to do next:

    error[C001] unknown key "learning_ratee" at recipe.yaml:7 · did you mean "learning_rate"?

Code that sees a failure of another library translates it into one of these where it happens and keeps
the original as ``__cause__``; anything else that escapes is a bug of ours and is reported as one.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file something stands: 1-based line and column, both optional."""

    file: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)


class CeselloError(Exception):
    """A failure that is explained to a person instead of shown as a traceback.

    Args:
        code: a letter and three digits, stable across versions, to search for.
        what: what is wrong, in one sentence without a full stop.
        where: a file place, or ``source "name" row 17``.
        got: what was found.
        expected: what was wanted instead.
        fix: the next step for the person.
    """

    exit_status: ClassVar[int] = 1

    def __init__(
        self,
        code: str,
        what: str,
        *,
        where: Place | str | None = None,
        got: object = None,
        expected: object = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(code, what)
        self.code = code
        self.what = what
        self.where = where
        self.got = got
        self.expected = expected
        self.fix = fix

    def __str__(self) -> str:
        place = f" at {self.where}" if self.where is not None else ""
        parts = [f"{self.what}{place}", _comparison(self.got, self.expected), self.fix]
        return f"error[{self.code}] " + " · ".join(part for part in parts if part)


def _comparison(got: object, expected: object) -> str | None:
    if got is None and expected is None:
        return None
    if expected is None:
        return f"got {got}"
    if got is None:
        return f"expected {expected}"
    return f"got {got} -> expected {expected}"


class UsageError(CeselloError):
    """A command line or a recipe is wrong; nothing was started."""

    exit_status = 2


class InvalidRecipe(UsageError):
    """All mistakes of one recipe, so that a person mends them in one pass."""

    def __init__(self, problems: Sequence[UsageError]) -> None:
        super().__init__(problems[0].code, problems[0].what)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class DataError(CeselloError):
    """A source, a file or a row is wrong."""

    exit_status = 3


class InvalidProcedure(DataError):
    """D042: all mistakes of procedures, so that a person mends them in one pass."""

    def __init__(self, problems: Sequence[CeselloError]) -> None:
        super().__init__("D042", problems[0].what)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class ModelError(CeselloError):
    """A model, a tokenizer or LoRA weights are wrong."""

    exit_status = 4


class StoreError(CeselloError):
    """The memory's store is wrong or unreadable."""

    exit_status = 5


class SandboxError(CeselloError):
    """Untrusted code cannot be run safely here."""

    exit_status = 6


class StorageError(CeselloError):
    """A file cannot be read or written."""

    exit_status = 74


class RetryableError(CeselloError):
    """Nothing is lost and the same command may work later (disk full, a lock, a network)."""

    exit_status = 75


class Interrupted(CeselloError):
    """A signal asked the program to stop, and it did so at a safe point.

    Args:
        signal_number: SIGINT or SIGTERM.
        what: what was kept.
        fix: how to go on.
    """

    def __init__(self, signal_number: int, what: str, *, fix: str | None = None) -> None:
        super().__init__(f"T{128 + signal_number}", what, fix=fix)
        self.signal_number = signal.Signals(signal_number)

    @property
    def status(self) -> int:
        """The shell's convention: 128 + the number of the signal."""
        return 128 + self.signal_number
