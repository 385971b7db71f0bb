"""Tools that are functions of somebody's own, each in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...domain.conversation import ToolCall, ToolSpec
from ...domain.tool_use import ToolAnswer, sound
from .function_process import Unanswered
from .loaded_function import LoadedFunction, Refusal

_LONGEST = 100_000
"""Characters of an answer: far more than a completion has room for."""


class OwnTools:
    """Calls ``function(**arguments)`` for every call, with the arguments as the model gave them.

    A text that the function returns is the answer; plain data become JSON. An exception, a crash, a call that
    takes too long and what is no plain data are told to the model, and the process is started anew where
    needed.

    Args:
        loader: ``module:name`` of a function of ours that gives a person's function in its process.
        loadings: by a tool's name, what that one is called with; plain values.
        timeout_seconds: for one call.
    """

    def __init__(
        self, loader: str, loadings: Mapping[str, Mapping[str, Any]], timeout_seconds: float = 10.0
    ) -> None:
        self._timeout = timeout_seconds
        self._specs: tuple[ToolSpec, ...] | None = None
        self._tools = {
            name: LoadedFunction(
                Refusal("C075", "own tool", f'tool "{name}"'),
                loader,
                loading,
                is_tool=True,
                timeout_seconds=timeout_seconds,
            )
            for name, loading in loadings.items()
        }

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """See the port; raises as ``start`` does."""
        if self._specs is None:
            told = {name: tool.ask({}) for name, tool in self._tools.items()}
            self._specs = tuple(ToolSpec(name, **its) for name, its in told.items())
        return self._specs

    def start(self) -> None:
        """Loads them, unless they are loaded; ``specs`` and ``run`` do so as well.

        Raises:
            UsageError: C075 when one cannot be loaded.
        """
        for tool in self._tools.values():
            tool.start()

    def run(self, call: ToolCall) -> ToolAnswer:
        """See the port."""
        try:
            answer = self._tools[call.name].ask({"arguments": call.arguments})
        except Unanswered as cause:
            return _failed(self._reason(str(cause)))
        if "failed" in answer:
            return _failed(answer["failed"])
        if len(answer["text"]) > _LONGEST:
            return _failed(f"the answer is longer than {_LONGEST:,} characters")
        return ToolAnswer(sound(answer["text"]))

    def close(self) -> None:
        """Ends the processes; they can be used again."""
        for tool in self._tools.values():
            tool.close()

    def _reason(self, code: str) -> str:
        timeout = f"no answer after {self._timeout:g} seconds"
        return timeout if code == "timeout" else "the tool has crashed"


def _failed(reason: str) -> ToolAnswer:
    return ToolAnswer(sound(f"error: {reason}"), failed=True)
