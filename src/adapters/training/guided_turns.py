"""A procedure given to a model step by step, in the turns of one completion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...domain.conversation import Conversation, GivenProcedure, Message, Role
from ...domain.guided_run import Ask, Finds, Gave, GuidedRun, Reply
from ...domain.procedure_prompt import Mode, step_of
from ...domain.tool_use import Episode


@dataclass(frozen=True, slots=True)
class Guide:
    """What leads a model through the procedures of its prompts.

    Attributes:
        begin: the procedure that a prompt was given, before its first step.
        finds: see ``guided_run``.
    """

    begin: Callable[[GivenProcedure], GuidedRun]
    finds: Finds

    def begun(self, prompt: Conversation) -> GuidedRun | None:
        """None: the prompt is not one that is led."""
        given = prompt.procedure
        return self.begin(given) if given is not None and given.mode == Mode.GUIDED else None

    def next(self, episode: Episode) -> Message | None:
        """The next step as a turn of the user, by what was said since the last; None: there is none.

        Nobody stands by who could be asked: what a person would be asked after has failed.
        """
        if episode.guided is None or not step_of(episode.guided):
            return None
        now = episode.guided.after(Gave(_since_the_step(episode)), self.finds)
        episode.guided = now.replied(Reply.STOP) if isinstance(now.next, Ask) else now
        text = step_of(episode.guided)
        return Message(Role.USER, text) if text else None


def _since_the_step(episode: Episode) -> str:
    """Answers, and what tools said."""
    begins = [at for at, turn in enumerate(episode.turns, 1) if turn.role is Role.USER]
    return "\n".join(turn.content for turn in episode.turns[begins[-1] if begins else 0 :])
