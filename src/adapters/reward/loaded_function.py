"""A function of somebody's own in a process of its own, which is started anew where it had to be killed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...domain.errors import UsageError
from .function_process import LineProcess, Unanswered

_WORKER = f"{__package__}.function_worker"


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a function is spoken of that cannot be loaded.

    Attributes:
        code: of the error.
        kind: of function, as "own reward function".
        where: it is named.
    """

    code: str
    kind: str
    where: str

    def error(
        self, what: str, *, got: str | None = None, expected: str | None = None, fix: str | None = None
    ) -> UsageError:
        """For the person who wrote it."""
        fix = fix or "correct its code; see what it prints"
        return UsageError(
            self.code, f"{self.kind}: {what}", where=self.where, got=got, expected=expected, fix=fix
        )


class LoadedFunction:
    """Asks the function, in a process that is killed when it takes too long.

    Args:
        loader: ``module:name`` of a function of ours that gives the person's function in that process.
        loading: what that one is called with, by name; plain values.
        arguments: given with every call, by name; plain values.
        is_tool: it is called by a model, and otherwise as a reward.
        timeout_seconds: for one call; ``start_seconds`` for loading.
    """

    def __init__(
        self,
        refusal: Refusal,
        loader: str,
        loading: Mapping[str, Any],
        *,
        arguments: Mapping[str, Any] | None = None,
        is_tool: bool = False,
        timeout_seconds: float = 10.0,
        start_seconds: float = 60.0,
    ) -> None:
        self._refusal = refusal
        self._hello = {
            "loader": loader,
            "loading": dict(loading),
            "arguments": dict(arguments or {}),
            "is_tool": is_tool,
            "patience": timeout_seconds,
            "start_patience": start_seconds,
        }
        self._timeout = timeout_seconds
        self._start = start_seconds
        self._process: LineProcess | None = None
        self._was_loaded = False

    def start(self) -> None:
        """Loads it, unless it is loaded; done by the first ``ask`` as well.

        Raises:
            UsageError: when it cannot be loaded.
        """
        if self._process is not None and self._process.end.alive:
            return
        self._process = LineProcess(_WORKER)
        try:
            answer = self._process.ask(self._hello, self._start)
        except Unanswered as cause:
            raise self._refusal.error("it cannot be loaded", got=str(cause)) from cause
        if "refused" in answer:
            self.close()
            raise self._refusal.error(**answer["refused"])
        self._was_loaded = True

    def ask(self, request: Mapping[str, Any]) -> Any:
        """The answer to one call, both plain values.

        Raises:
            UsageError: when it cannot be loaded the first time.
            Unanswered: with ``timeout``, ``crashed:`` and what ended it, or ``reload:`` and what hinders it.
            ValueError, RecursionError: when the request cannot be written as JSON.
        """
        try:
            self.start()
        except UsageError as cause:
            if not self._was_loaded:
                raise
            raise Unanswered(f"reload:{cause.got}") from cause
        assert self._process is not None
        return self._process.ask(request, self._timeout)

    def close(self) -> None:
        """Ends its process; it can be used again."""
        if self._process is not None:
            self._process.end()
