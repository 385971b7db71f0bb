"""Follow a procedure step by step, and write down what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ..domain.guided_run import Ask, Do, Finds, Finished, Gave, GuidedRun, Reply, begin
from ..domain.ports.procedure import ProcedureLog
from ..domain.ports.run import Clock
from ..domain.procedure import Procedure, ProcedureRun, Version


class Follower(Protocol):
    """Who does the steps: a person at a terminal, or a model."""

    def do(self, step: Do) -> Gave:
        """Does a step, and says what it gave."""
        ...

    def choose(self, step: Ask) -> Reply:
        """Says what comes after a step that has failed as often as it may."""
        ...


class FollowProcedure:
    """Runs a procedure with somebody who does its steps.

    Args:
        finds: looks for patterns, and gives up in time.
    """

    def __init__(self, log: ProcedureLog, finds: Finds, clock: Clock) -> None:
        self._log = log
        self._finds = finds
        self._clock = clock

    def __call__(
        self,
        procedure: Procedure,
        version: Version,
        inputs: Mapping[str, str],
        follower: Follower,
        *,
        run_id: str,
        request: str = "",
        origin: str = "user",
    ) -> ProcedureRun:
        """What came of it, which is in the log. Whatever ends it is written down first, as abandoned.

        Raises:
            UsageError: C115 for wrong inputs. CeselloError: those of the log.
        """
        state = begin(procedure, inputs)
        self._log.add()  # a log that cannot be written is told before anything is done
        started = self._clock.now()

        def record() -> ProcedureRun:
            assert isinstance(state.next, Finished)
            run = ProcedureRun(
                run_id, procedure.name, version.sha, request, "guided", state.next.outcome, started,
                self._clock.now(), origin=origin, steps=state.tries,
            )  # fmt: skip
            self._log.add(run)
            return run

        try:
            while not isinstance(state.next, Finished):
                state = self._moved(state, follower)
        except BaseException:
            state = state.abandoned()
            record()
            raise
        return record()

    def _moved(self, state: GuidedRun, follower: Follower) -> GuidedRun:
        if isinstance(state.next, Do):
            return state.after(follower.do(state.next), self._finds)
        assert isinstance(state.next, Ask)
        return state.replied(follower.choose(state.next))
