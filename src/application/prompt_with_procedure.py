"""Put a procedure into a prompt, and write down that it was there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..domain.ports.procedure import ProcedureLog
from ..domain.ports.run import Clock
from ..domain.procedure import Outcome, ProcedureRun
from ..domain.procedure_outcomes import BY_PERSON
from ..domain.procedure_prompt import Mode, with_procedure
from ..domain.prompt_program import PromptProgram
from .choose_procedure import AUTO, Choice, ChooseProcedure


@dataclass(frozen=True, slots=True)
class Instructed:
    """A prompt, with the procedure that was chosen for the request.

    Attributes:
        run_id: of what is written down; empty: nothing was chosen.
    """

    program: PromptProgram
    choice: Choice
    run_id: str = ""
    started: str = ""
    request: str = ""
    mode: Mode = Mode.OFF
    origin: str = ""


class PromptWithProcedure:
    """Chooses by ``ChooseProcedure``; nothing judges what a model makes of it, unless a person does later.

    Args:
        new_id: an id that no other run has.
    """

    def __init__(
        self, choose: ChooseProcedure, log: ProcedureLog, clock: Clock, new_id: Callable[[], str]
    ) -> None:
        self._choose = choose
        self._log = log
        self._clock = clock
        self._new_id = new_id

    def __call__(
        self, program: PromptProgram, wanted: str, request: str, mode: Mode, origin: str
    ) -> Instructed:
        """The prompt for a request.

        Args:
            wanted: ``auto``, ``off`` or a name.
            origin: as in ``ProcedureRun``, where it is matched; what a person has named is ``user``'s.

        Raises:
            CeselloError: those of ``ChooseProcedure``.
        """
        choice = self._choose(wanted, request)
        if choice.version is None:
            return Instructed(program, choice)
        if choice.used is not None:
            program = with_procedure(program, choice.used, mode)
        mode = Mode.OFF if choice.held_out else mode
        # What was named is not compared with what is held out: it was never among these.
        origin = origin if wanted == AUTO else BY_PERSON
        return Instructed(program, choice, self._new_id(), self._clock.now(), request, mode, origin)

    def record(self, instructed: Instructed, *, finished: bool) -> None:
        """Writes down what was used; ``finished``: the model came to its end.

        Raises:
            CeselloError: those of the log.
        """
        version = instructed.choice.version
        if version is None:
            return
        outcome = Outcome.UNKNOWN if finished else Outcome.ABANDONED
        run = ProcedureRun(
            instructed.run_id,
            version.name,
            version.sha,
            instructed.request,
            str(instructed.mode),
            outcome,
            instructed.started,
            self._clock.now(),
            instructed.choice.held_out,
            origin=instructed.origin,
        )
        self._log.add(run)
