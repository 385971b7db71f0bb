"""A procedure followed step by step: what is to be done next, by what the steps so far have given.

A value of its own for every moment: whoever runs it asks ``next``, does what it says, and goes on with the
state that ``after`` gives. It always ends: a step is tried at most ``1 + retry`` times before its fallback, a
``goto`` is taken at most ``most`` times, and a run has at most ``MOST_TRIES`` tries in all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from .condition import Condition, Value, parse
from .errors import DataError, UsageError
from .procedure import Expect, Fallback, Input, Kind, Outcome, Procedure, Step, StepRun
from .prompt_program import filled

MOST_TRIES = 50
"""Of all steps of one run together."""

LONGEST_EVIDENCE = 4_000

_SAID = (Kind.REGEX, Kind.CONTAINS)
"""Checks of what was said."""

Finds = Callable[[str, str], bool]
"""Whether a pattern is found in a text. The pattern may come from a stranger, and the text from a program:
what looks must give up in time, which the standard library's ``re`` does not."""


@dataclass(frozen=True, slots=True)
class Gave:
    """What a step gave.

    Attributes:
        text: what was said or printed.
        exit_code: of a command; None where there was none.
        reward: the score of a reward; None where none was asked.
    """

    text: str = ""
    exit_code: int | None = None
    reward: float | None = None
    seconds: float = 0.0


class Reply(StrEnum):
    """What a person says to a step that has failed."""

    RETRY = "retry"
    NEXT = "next"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Do:
    """A step is to be done.

    Attributes:
        text: what to do, with the values of inputs in it.
        attempt: from 1.
    """

    step: Step
    text: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Ask:
    """A step has failed as often as it may, and a person says what comes next."""

    step: Step


@dataclass(frozen=True, slots=True)
class Finished:
    """The run is over; ``reason`` is for a person."""

    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class GuidedRun:
    """Where a run stands.

    Attributes:
        inputs: every input of the procedure by name.
        tries: all so far.
        next: what is to be done.
    """

    procedure: Procedure
    inputs: Mapping[str, str]
    next: Do | Ask | Finished
    tries: tuple[StepRun, ...] = ()
    jumps: Mapping[str, int] = field(default_factory=dict)
    _seen: Mapping[str, Value] = field(default_factory=dict)

    def after(self, gave: Gave, finds: Finds) -> GuidedRun:
        """The state when the step has been done.

        Raises:
            ValueError: when no step is to be done.
        """
        if not isinstance(self.next, Do):
            raise ValueError("no step is to be done")
        step, attempt = self.next.step, self.next.attempt
        passed = None if step.expect is None else check(step.expect, gave, finds)
        evidence = gave.text[-LONGEST_EVIDENCE:]
        tried = StepRun(step.id, attempt, passed, evidence, gave.seconds)
        seen = dict(self._seen) | {
            f"steps.{step.id}.ok": passed is not False,
            f"steps.{step.id}.output": evidence,
        }
        if gave.exit_code is not None:
            seen[f"steps.{step.id}.exit_code"] = gave.exit_code
        now = replace(self, tries=(*self.tries, tried), _seen=seen)
        if passed is not False:
            return now._from(_place(self.procedure, step.id) + 1)
        return now._failed(step, attempt)

    def replied(self, reply: Reply) -> GuidedRun:
        """The state when a person has said what comes after a failed step.

        Raises:
            ValueError: when nobody is asked.
        """
        if not isinstance(self.next, Ask):
            raise ValueError("nobody is asked")
        step = self.next.step
        if reply is Reply.STOP:
            return self._ended(Outcome.FAILURE, f"step {step.id} failed")
        at = _place(self.procedure, step.id)
        return self._at(step, self.tries[-1].attempt + 1) if reply is Reply.RETRY else self._from(at + 1)

    def abandoned(self) -> GuidedRun:
        """The state when whoever ran it has gone."""
        return self._ended(Outcome.ABANDONED, "it was stopped")

    def _failed(self, step: Step, attempt: int) -> GuidedRun:
        fail = step.on_fail
        if attempt <= fail.retry:
            return self._at(step, attempt + 1)
        taken = self.jumps.get(step.id, 0)
        if fail.goto is not None and taken < fail.most:
            now = replace(self, jumps={**self.jumps, step.id: taken + 1})
            return now._from(_place(self.procedure, fail.goto))
        if fail.then is Fallback.NEXT:
            return self._from(_place(self.procedure, step.id) + 1)
        if fail.then is Fallback.ASK_USER:
            return replace(self, next=Ask(step))
        return self._ended(Outcome.FAILURE, f"step {step.id} failed")

    def _from(self, at: int) -> GuidedRun:
        """The first step from there whose condition holds."""
        for step in steps_of(self.procedure)[at:]:
            if not step.when or _condition(step.when).holds(self._values()):
                return self._at(step, 1)
        return self._ended(*self._outcome())

    def _at(self, step: Step, attempt: int) -> GuidedRun:
        if len(self.tries) >= MOST_TRIES:
            return self._ended(Outcome.FAILURE, f"{MOST_TRIES} tries were made, and no more are")
        return replace(self, next=Do(step, filled(step.do, self.inputs), attempt))

    def _ended(self, outcome: Outcome, reason: str) -> GuidedRun:
        return replace(self, next=Finished(outcome, reason))

    def _values(self) -> dict[str, Value]:
        return {
            **self.inputs,
            **{f"inputs.{name}": value for name, value in self.inputs.items()},
            **self._seen,
        }

    def _outcome(self) -> tuple[Outcome, str]:
        """Of a run that has come to its end: what the last try of the step that decides came to."""
        steps = steps_of(self.procedure)
        deciding = self.procedure.success or steps[-1].id
        last = {tried.step: tried.passed for tried in self.tries}
        if deciding not in last:
            return Outcome.PARTIAL, f"step {deciding}, which decides, was not needed"
        if last[deciding] is False:
            return Outcome.FAILURE, f"step {deciding}, which decides, failed"
        failed = [step for step, passed in last.items() if passed is False]
        if last[deciding] is None and failed:
            return Outcome.PARTIAL, f"{', '.join(failed)} failed, and nothing checks {deciding}"
        if last[deciding] is None and not any(last.values()):
            return Outcome.UNKNOWN, "all steps were done, and nothing was checked"
        return Outcome.SUCCESS, f"step {deciding} passed" if last[deciding] else "all checks passed"


def begin(procedure: Procedure, inputs: Mapping[str, str]) -> GuidedRun:
    """The state before the first step.

    Raises:
        UsageError: C115 for an input that is missing, or that the procedure does not have.
        DataError: D047 for a condition that cannot be read.
    """
    known = {one.name: one for one in procedure.inputs}
    strange = [name for name in inputs if name not in known]
    missing = [one.name for one in procedure.inputs if one.required and not inputs.get(one.name)]
    if strange or missing:
        raise _wrong_inputs(procedure, strange, missing)
    values = {name: inputs.get(name, one.default) for name, one in known.items()}
    for step in steps_of(procedure):
        if step.when:
            _condition(step.when)
    start = GuidedRun(procedure, values, Finished(Outcome.UNKNOWN, ""))
    return start._from(0)


def begin_unattended(procedure: Procedure) -> GuidedRun:
    """The state before the first step, where a model follows it and nobody stands by.

    What only a command's exit code or a reward could tell is not checked. Inputs that it wants to know keep
    their placeholders: the request says what they stand for.

    Raises:
        DataError: D047 for a condition that cannot be read.
    """
    steps = tuple(
        replace(step, expect=None) if step.expect and step.expect.kind not in _SAID else step
        for step in procedure.steps
    )
    wanted = {one.name: f"{{{one.name}}}" for one in procedure.inputs if one.required}
    return begin(replace(procedure, steps=steps), wanted)


def steps_of(procedure: Procedure) -> Sequence[Step]:
    """Its steps; one that is prose alone is a single one."""
    return procedure.steps or (Step("follow", procedure.body.strip() or procedure.description),)


def check(expect: Expect, gave: Gave, finds: Finds) -> bool:
    """Whether a step gave what was expected; what was not measured was not reached."""
    value = expect.value
    if expect.kind is Kind.REGEX:
        return finds(str(value), gave.text)
    if expect.kind is Kind.CONTAINS:
        return str(value) in gave.text
    if expect.kind is Kind.EXIT_CODE:
        return gave.exit_code is not None and gave.exit_code == value
    return gave.reward is not None and gave.reward >= float(value)


def expectation(expect: Expect) -> str:
    """A check in words."""
    if expect.kind is Kind.REGEX:
        return f"the output matches {expect.value}"
    if expect.kind is Kind.CONTAINS:
        return f"the output contains {expect.value}"
    if expect.kind is Kind.EXIT_CODE:
        return f"the exit code is {expect.value}"
    return f"the reward is at least {expect.value}"


def _place(procedure: Procedure, step: str) -> int:
    return next(at for at, one in enumerate(steps_of(procedure)) if one.id == step)


def _condition(text: str) -> Condition:
    try:
        return parse(text)
    except ValueError as cause:
        fix = "mend it; `cesello sop lint` names its place"
        what = "a step's condition cannot be read"
        raise DataError("D047", what, where="when", got=text, expected=str(cause), fix=fix) from cause


def _wrong_inputs(procedure: Procedure, strange: Sequence[str], missing: Sequence[str]) -> UsageError:
    names = ", ".join(_written(one) for one in procedure.inputs) or "none"
    what = [f"{name} is missing" for name in missing] + [f"there is no {name}" for name in strange]
    return UsageError(
        "C115",
        "the inputs are not those of the procedure",
        where=procedure.name,
        got="; ".join(what),
        expected=names,
        fix="give each as --inputs NAME=VALUE",
    )


def _written(one: Input) -> str:
    return f"{one.name} (required)" if one.required else one.name
