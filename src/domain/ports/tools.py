"""What runs the tools that a model calls while it is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..conversation import ToolCall, ToolSpec
from ..tool_use import ToolAnswer


class Toolbox(Protocol):
    """Tools by name."""

    @property
    def specs(self) -> Sequence[ToolSpec]:
        """What the model is told of them; no two have the same name."""
        ...

    def run(self, call: ToolCall) -> ToolAnswer:
        """What a tool of these answers. Never raises for what it was called with, or for how it fails."""
        ...
