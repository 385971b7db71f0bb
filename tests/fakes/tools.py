"""Tools that answer from a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cesello.domain.conversation import ToolCall, ToolSpec
from cesello.domain.tool_use import ToolAnswer


@dataclass
class FakeToolbox:
    """Every tool gives the answer that it has, whatever it is called with.

    Attributes:
        answers: by the tool's name; one that begins with ``error:`` has failed.
        ran: every call, in order.
    """

    answers: Mapping[str, str]
    ran: list[ToolCall] = field(default_factory=list)

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        return tuple(ToolSpec(name, f"Does {name}.", {"type": "object"}) for name in self.answers)

    def run(self, call: ToolCall) -> ToolAnswer:
        self.ran.append(call)
        text = self.answers[call.name]
        return ToolAnswer(text, text.startswith("error:"))
