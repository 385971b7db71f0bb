"""Runs the corpus against a sandbox and writes what came of it, as JSON.

python -m tests.attack_run OUT --tier landlock [--families host reward] [--patience 3]

A process of its own, because it listens, plants secrets in its environment and adopts orphans; and so that
it can run as somebody else: see ``ordinary_user``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cesello.domain.code_tests import Grading, Limits
from cesello.domain.ports.sandbox import Sandbox
from cesello.domain.reward import Verdict
from tests.attack_corpus import Attack, attacks
from tests.attack_stage import Stage, left_over
from tests.attack_tasks import TASKS, Task, told

LIMITS = Limits(wall=2.0, cpu=1, memory=2**29)
SHORT = Limits(wall=0.8, cpu=1, memory=2**29)
"""For those that only use up what there is: most of them end by the clock."""
GRACE = 2.0
"""Seconds past the wall clock after which a grading has hung."""
HONEST = (("middle", "code"), ("middle", "exchanges"), ("evens", "cases"))
WRONG = "def middle(numbers):\n    return 42\n"


@dataclass(slots=True)
class Outcome:
    """What came of one attack.

    Attributes:
        verdicts: by kind of tests.
        faults: false passes, breaches, gradings that hung, and what else must not be.
    """

    name: str
    verdicts: dict[str, str] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Trial:
    """One sandbox on one stage."""

    def __init__(self, sandbox: Sandbox, stage: Stage, patience: float) -> None:
        self._sandbox = sandbox
        self._stage = stage
        self._patience = patience
        self._tasks = TASKS | {
            "secret": told("secret", stage.secret),
            "confess": told("confess", stage.confession),
        }
        self._turn = 0
        faults = [fault for _ in HONEST for fault in self._honest()]
        if faults:
            raise SystemExit(f"honest programs do not pass before any attack: {faults}")
        self._processes = len(stage.descendants())

    def attempt(self, attack: Attack) -> Outcome:
        """An attack against every kind of tests it names, then an honest program and a wrong one."""
        outcome, began = Outcome(attack.name), time.monotonic()
        task, preamble = self._tasks[attack.task], self._stage.preamble()
        limits = SHORT if attack.family == "resources" else LIMITS
        programs = {kind: attack.program(kind, preamble) for kind in attack.kinds}
        gradings = [Grading(program, task.tests[kind], limits) for kind, program in programs.items()]
        for kind, grade in zip(attack.kinds, self._sandbox.grade(gradings), strict=True):
            outcome.verdicts[kind] = grade.verdict.value
            outcome.details[kind] = f"{grade.reason} {grade.detail} {grade.seconds:.2f}"[:300]
            if grade.verdict is Verdict.PASSED:
                outcome.faults.append(f"{kind}: false pass")
            if grade.verdict is Verdict.INFRA_ERROR:
                outcome.faults.append(f"{kind}: the grader was broken: {grade.reason} {grade.detail}")
            if grade.seconds > limits.wall + GRACE:
                outcome.faults.append(f"{kind}: took {grade.seconds:.1f} s")
        outcome.faults += self._honest()
        outcome.faults += [f"breach: {what}" for what in self._stage.breaches()]
        if left := left_over(self._stage, self._processes, self._patience):
            outcome.faults.append(f"breach: {len(left)} processes where {self._processes} were")
            self._processes = len(left)
        outcome.seconds = round(time.monotonic() - began, 2)
        return outcome

    def _honest(self) -> list[str]:
        """An honest program passes and a wrong one does not, whatever was before."""
        task, kind = HONEST[self._turn % len(HONEST)]
        self._turn += 1
        middle: Task = TASKS["middle"]
        gradings = [
            Grading(TASKS[task].solution(kind), TASKS[task].tests[kind]),
            Grading(WRONG, middle.tests["code"]),
        ]
        honest, wrong = self._sandbox.grade(gradings)
        faults = []
        if honest.verdict is not Verdict.PASSED:
            faults.append(
                f"an honest program is {honest.verdict} ({kind}): {honest.reason} {honest.detail}"[:300]
            )
        if wrong.verdict is not Verdict.WRONG:
            faults.append(f"a wrong program is {wrong.verdict}: {wrong.reason} {wrong.detail}"[:300])
        return faults


def run(sandbox: Sandbox, corpus: Iterable[Attack], patience: float) -> Iterator[Outcome]:
    """Every attack in turn on one instance; at the end nothing of it may be left."""
    stage = Stage()
    try:
        trial = Trial(sandbox, stage, patience)
        for attack in corpus:
            yield trial.attempt(attack)
        sandbox.close()
        if left := left_over(stage, 0, patience):
            yield Outcome("close", faults=[f"breach: {len(left)} processes outlive the sandbox"])
    finally:
        stage.close()


def sandbox_of(tier: str) -> Sandbox:
    if tier == "naive":
        from tests.naive_grader import NaiveGrader

        return NaiveGrader()
    from cesello.adapters.sandbox.local_sandbox import LocalSandbox

    return LocalSandbox(tier=tier)


def main() -> None:
    """As the module says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--tier", default="auto")
    parser.add_argument("--patience", type=float, default=3.0)
    parser.add_argument("--families", nargs="*", default=())
    parser.add_argument("--only", nargs="*", default=())
    arguments = parser.parse_args()
    corpus = attacks(*arguments.families)
    corpus = [attack for attack in corpus if not arguments.only or attack.name in arguments.only]
    sandbox = sandbox_of(arguments.tier)
    outcomes: list[dict[str, Any]] = []
    for outcome in run(sandbox, corpus, arguments.patience):
        outcomes.append(asdict(outcome))
        result = {"uid": os.geteuid(), "tier": sandbox.tier.name, "outcomes": outcomes}
        arguments.out.write_text(json.dumps(result, indent=1))
    sys.exit(any(outcome["faults"] for outcome in outcomes))


if __name__ == "__main__":
    main()
