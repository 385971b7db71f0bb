"""What a person who looks at a run would ask first, each answered in a sentence.

A check looks at what the run has kept and at nothing else. It either finds something, and then says what may
be behind it and what to do, or finds nothing, or has nothing to look at. Limits are rules of thumb; beside
each stands why it is where it is. They are meant to be crossed seldom by a training that went well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import health_loss, health_reward, health_run, health_speed
from .health_advice import ADVICE
from .health_figures import FINE, Level, Said, Verdict
from .recorded_run import RecordedRun


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Attributes:
        check: its name.
        says: what is so, with its figures.
        cause: what is mostly behind it.
        fix: what to do.
    """

    check: str
    level: Level
    says: str
    cause: str
    fix: str


@dataclass(frozen=True, slots=True)
class Health:
    """All checks of a run.

    Attributes:
        findings: the worst first.
        fine: names of the checks that found nothing.
    """

    findings: tuple[Finding, ...]
    fine: tuple[str, ...]


CHECKS: dict[str, Callable[[RecordedRun], Verdict]] = {
    "the run is whole": health_run.is_whole,
    "files can be read": health_run.files_are_read,
    "every step was taken": health_loss.every_step,
    "loss falls": health_loss.loss_falls,
    "held-out loss falls": health_loss.held_out_falls,
    "no spikes of the loss": health_loss.no_spikes,
    "gradients stay bounded": health_loss.gradients,
    "groups differ": health_reward.groups_differ,
    "answers end": health_reward.answers_end,
    "answers stay varied": health_reward.answers_vary,
    "answers keep their length": health_reward.answers_keep_length,
    "the policy stays near": health_reward.policy_stays_near,
    "the reward carries over": health_reward.reward_carries_over,
    "answers can be judged": health_reward.answers_are_judged,
    "enough held-out rows": health_reward.enough_held_out,
    "the mixture is as planned": health_run.mixture_as_planned,
    "rows are used well": health_run.rows_are_used,
    "the memory sufficed": health_run.memory_sufficed,
    "the speed holds": health_speed.speed_holds,
}
"""By the name of what is hoped for."""


def health(run: RecordedRun) -> Health:
    """Every check of the run."""
    said = {name: check(run) for name, check in CHECKS.items()}
    found = [_finding(name, one) for name, one in said.items() if isinstance(one, Said)]
    found.sort(key=lambda one: one.level is not Level.WRONG)
    return Health(tuple(found), tuple(name for name, one in said.items() if one is FINE))


def _finding(check: str, said: Said) -> Finding:
    cause, fix = ADVICE[check]
    return Finding(check, said.level, said.text, cause, said.fix or fix)
