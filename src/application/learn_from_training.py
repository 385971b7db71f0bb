"""Write down, when a training is over, what came of the procedures in its prompts.

It is one run a request, with the mean reward of all answers to it: answers to one request are no trials that
know nothing of each other. And it is written at the end, in an order of its own: a model becomes better while
it is trained, so that by time the last ones would say how far it has come, and not whether a procedure helps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from json import dumps
from statistics import fmean

from ..domain.errors import CeselloError
from ..domain.ports.run import Clock, Observer
from ..domain.procedure import ProcedureRun
from ..domain.procedure_outcomes import outcome_of
from ..domain.procedure_prompt import Mode
from .learn_from_outcomes import LearnFromOutcomes

Rewarded = tuple[Mapping[str, str], float | None]
"""The procedure that matched, as ``procedure_record`` has it, and the reward of an answer."""


class LearnFromTraining:
    """Told the same twice, it has learnt it once: a run that is gone on with may come to its end again."""

    def __init__(self, learn: LearnFromOutcomes, observer: Observer, clock: Clock) -> None:
        self._learn = learn
        self._observer = observer
        self._clock = clock

    def __call__(self, origin: str, started: str, answers: Iterable[Rewarded]) -> None:
        """Nothing of it keeps a training from its end: a log that cannot be written is told.

        Args:
            origin: the id of the training's run; ``started`` when it began.
        """
        try:
            runs = _runs(origin, started, self._clock.now(), answers)
            for found in self._learn.together(runs) if runs else ():
                version = found.version
                self._observer.note(f"{version.name} {version.sha[:8]} is {found.status}: {found.reason}")
        except CeselloError as problem:
            self._observer.note(f"what came of the procedures is not in their log: {problem}")


def _runs(origin: str, started: str, now: str, answers: Iterable[Rewarded]) -> list[ProcedureRun]:
    rewards: dict[tuple[tuple[str, str], ...], list[float | None]] = {}
    for procedure, reward in answers:
        rewards.setdefault(tuple(sorted(procedure.items())), []).append(reward)
    runs = (_run(origin, started, now, dict(given), its) for given, its in rewards.items())
    return sorted(runs, key=lambda run: run.id)


def _run(
    origin: str, started: str, now: str, given: Mapping[str, str], rewards: list[float | None]
) -> ProcedureRun:
    known = [reward for reward in rewards if reward is not None]
    reward = fmean(known) if known else None
    name, sha, mode, request = (given[key] for key in ("name", "sha", "mode", "request"))
    identity = sha256(dumps([origin, name, sha, mode, request]).encode()).hexdigest()[:12]
    return ProcedureRun(
        identity, name, sha, request, mode, outcome_of(reward), started, now, mode == Mode.OFF, reward, origin
    )
