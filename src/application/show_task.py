"""Put together what a model is asked: a task, the prompt around it, and what is known that helps with it."""

from __future__ import annotations

from dataclasses import dataclass

from ..domain.conversation import Conversation
from ..domain.ports.model import Policy
from ..domain.prompt_program import PromptProgram
from .ground_rows import GroundRows
from .instruct_rows import InstructRows
from .prepare_source import without_room


@dataclass(frozen=True, slots=True)
class Helps:
    """What a recipe puts into prompts besides its own texts.

    Attributes:
        max_tokens: of a prompt; one that passages make longer goes without them, as in a training.
        instruct: puts procedures there, ``ground`` passages; None: there are none.
    """

    max_tokens: int
    instruct: InstructRows | None = None
    ground: GroundRows | None = None

    @property
    def identity(self) -> tuple[int, str, str]:
        """The same for recipes that help alike.

        Raises:
            CeselloError: those of the procedures and of the memory.
        """
        instructs = self.instruct.identity if self.instruct else ""
        return self.max_tokens, instructs, self.ground.identity if self.ground else ""


def shown_task(
    task: Conversation, program: PromptProgram, helps: Helps | None, policy: Policy
) -> Conversation:
    """The task as ``PrepareSource`` puts a row together.

    Args:
        task: with nothing put around it yet.

    Raises:
        CeselloError: those of the procedures and of the memory.
    """
    shown = program.around(task)
    if helps is None:
        return shown
    if helps.instruct is not None:
        shown = helps.instruct(task, shown)
    if helps.ground is not None:
        shown = helps.ground(task, shown)
    given = shown.context
    if given is None or not given.text or len(policy.encode(shown)) <= helps.max_tokens:
        return shown
    return without_room(shown)
