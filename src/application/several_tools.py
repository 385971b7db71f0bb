"""Several toolboxes as one, a person's own functions and a search of the memory for example."""

from __future__ import annotations

from collections.abc import Sequence

from ..domain.conversation import ToolCall, ToolSpec, tools_named
from ..domain.ports.tools import Toolbox
from ..domain.tool_use import ToolAnswer


class SeveralTools:
    """Gives a call to the box that has the tool. No two boxes have one of the same name."""

    def __init__(self, boxes: Sequence[Toolbox]) -> None:
        self._boxes = boxes

    @property
    def specs(self) -> Sequence[ToolSpec]:
        """See the port."""
        return tuple(spec for box in self._boxes for spec in box.specs)

    def run(self, call: ToolCall) -> ToolAnswer:
        """See the port."""
        return next(box for box in self._boxes if tools_named(box.specs, call.name)).run(call)
