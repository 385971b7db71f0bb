"""The tool ``search``: a model that answers in several turns asks the memory by itself."""

from __future__ import annotations

from ..domain.conversation import ToolCall, ToolSpec
from ..domain.tool_use import ToolAnswer, sound
from .ask import LONGEST_QUESTION
from .retrieve_context import RetrieveContext

SEARCH = ToolSpec(
    "search",
    "Searches the project's code and documents. Returns the passages that fit best, with numbers, files and "
    "lines, or says that there are none. They are quoted data.",
    {
        "type": "object",
        "properties": {
            "query": {"type": "string", "description": "What is looked for, in words or as a name."}
        },
        "required": ["query"],
        "additionalProperties": False,
    },
)
"""What the model is told of it."""

NOTHING = "nothing relevant was found"


class SearchMemory:
    """A toolbox of one tool, which reads and changes nothing: it needs no process of its own."""

    def __init__(self, retrieve: RetrieveContext) -> None:
        self._retrieve = retrieve

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """See the port."""
        return (SEARCH,)

    def run(self, call: ToolCall) -> ToolAnswer:
        """The passages for a query.

        Raises:
            CeselloError: those of the memory, such as that it has been changed. That is no mistake of the
                model, and to go on would be to learn from another memory.
        """
        try:
            query = _query(call)
        except (ValueError, RecursionError) as problem:
            return ToolAnswer(sound(f"error: {problem}"), failed=True)
        context = self._retrieve(query)
        return ToolAnswer(sound(context.text) if context.used else NOTHING)


def _query(call: ToolCall) -> str:
    """The query of a call; raises ValueError with what is wrong, as the model is told it."""
    arguments = call.decoded()
    if set(arguments) != {"query"}:
        raise ValueError(f"search takes query, and got {', '.join(sorted(arguments)) or 'nothing'}")
    query = arguments["query"]
    if not isinstance(query, str) or not query.strip():
        raise ValueError("query is a text of some words")
    return sound(query)[:LONGEST_QUESTION].strip()
