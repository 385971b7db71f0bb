"""What must hold between the parts of a procedure, once each part has its form."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeAlias

from .condition import KEYWORDS, ConditionError, parse
from .errors import CeselloError
from .guided_run import MOST_TRIES
from .procedure import Kind, Procedure, Step
from .prompt_program import placeholders

SKILL, SOP, EVALS = "SKILL.md", "sop.yaml", "evals.jsonl"
"""The files of a procedure; whatever else lies in its folder is kept with it, and not looked into."""

NAME_FORM = r"[a-z0-9]+(-[a-z0-9]+)*"
LONGEST_NAME, LONGEST_DESCRIPTION, LONGEST_COMPATIBILITY = 64, 1_024, 500
"""Characters; these and the form of a name are those of https://agentskills.io/specification."""

RESERVED = ("auto", "off")
"""Names with a meaning where a procedure is named."""

MOST_LINES = 500
"""Of the body; the specification advises it."""
MOST_BYTES = 64 * 1_024
"""Of SKILL.md and of sop.yaml, each."""
LONGEST_PATTERN = 1_000
MOST_STEPS = 50

USUAL_TOOLS = frozenset({"bash", "edit", "fetch", "read", "search", "shell", "write"})
"""What agents have in some form. Others are those of a procedure that says so under ``allowed-tools``."""

STEP_VALUES = ("ok", "output", "exit_code")
"""What a condition can ask of an earlier step, as ``steps.ID.ok``."""

Keys: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong, or that could be better.

    Attributes:
        part: one of the files.
        keys: the way to the place within it; a line is ``("line", 7)``, from 1.
        advice: it works as it is.
    """

    part: str
    keys: Keys
    what: str
    fix: str
    got: str | None = None
    expected: str | None = None
    advice: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in the files of a procedure.

    Attributes:
        procedure: None where there are mistakes.
        mistakes, advice: in the form of errors, with their places.
    """

    procedure: Procedure | None
    mistakes: tuple[CeselloError, ...] = ()
    advice: tuple[CeselloError, ...] = ()


def check(procedure: Procedure) -> Iterator[Finding]:
    """All that is found, file by file."""
    yield from _skill(procedure)
    if procedure.triggers.examples == ():
        what = "nothing says what requests it is for but its description"
        fix = "give three or more requests, as people write them, under triggers.examples"
        yield Finding(SOP, ("triggers",), what, fix, advice=True)
    yield from _triggers(procedure)
    yield from _inputs(procedure)
    yield from _steps(procedure)
    yield from _success(procedure)
    yield from _evals(procedure)


def _skill(procedure: Procedure) -> Iterator[Finding]:
    lines = procedure.body.count("\n") + 1
    if lines > MOST_LINES:
        fix = "put what is seldom needed into files beside it, and name them"
        yield Finding(
            SKILL, (), "the body is long", fix, f"{lines} lines", f"at most {MOST_LINES}", advice=True
        )
    if not procedure.body and not procedure.steps:
        fix = "say in the body of SKILL.md what is to be done, or give steps in sop.yaml"
        yield Finding(SKILL, (), "the procedure says nothing of what to do", fix)
    if re.search(r"<[A-Za-z/!]", procedure.description):
        fix = "write it in plain words: it stands between tags in the prompts of some agents"
        yield Finding(SKILL, ("description",), "the description holds a tag", fix)
    found = re.search(r"<(script|iframe|object|embed|style)\b|<!--", procedure.body, re.IGNORECASE)
    if found:
        what = f"the body holds {found[0]}, which a page does not show and a model reads"
        yield Finding(SKILL, (), what, "write Markdown alone", advice=True)


def _triggers(procedure: Procedure) -> Iterator[Finding]:
    triggers = procedure.triggers
    seen: dict[str, str] = {}
    for key in ("examples", "negatives"):
        for at, text in enumerate(getattr(triggers, key)):
            plain = " ".join(text.lower().split())
            if plain in seen:
                what = f"the request {_short(text)} is there twice"
                where = "both for it and against it" if seen[plain] != key else f"twice under {key}"
                yield Finding(SOP, ("triggers", key, at), what, "keep one of them", got=where)
            seen[plain] = key


def _inputs(procedure: Procedure) -> Iterator[Finding]:
    names: set[str] = set()
    for at, one in enumerate(procedure.inputs):
        if one.name in names:
            yield Finding(
                SOP, ("inputs", at, "name"), f"two inputs are called {one.name}", "rename one of them"
            )
        if one.name in KEYWORDS | {"steps", "inputs"}:
            what = f"no input can be called {one.name}, which has a meaning in conditions"
            yield Finding(SOP, ("inputs", at, "name"), what, "name it otherwise")
        if one.required and one.default:
            what = f"the input {one.name} is required and has a default, which would never be used"
            yield Finding(SOP, ("inputs", at, "default"), what, "take one of the two out")
        names.add(one.name)


def _steps(procedure: Procedure) -> Iterator[Finding]:
    steps = procedure.steps
    if len(steps) > MOST_STEPS:
        fix = "make two procedures of it"
        yield Finding(
            SOP, ("steps",), "there are too many steps", fix, str(len(steps)), f"at most {MOST_STEPS}"
        )
    first: dict[str, int] = {}
    for at, step in enumerate(steps):
        if step.id in first:
            what, fix = f"two steps have the id {step.id}", "rename one of them, and what names it"
            yield Finding(SOP, ("steps", at, "id"), what, fix)
        yield from _condition(procedure, at, first)
        yield from _expectation(step, at)
        yield from _on_fail(steps, at)
        yield from _tools(procedure, at)
        yield from _placeholders(procedure, at)
        first.setdefault(step.id, at)
    if (most := most_tries(procedure)) > MOST_TRIES:
        what = "its retries and cycles can take more tries than a run has"
        fix = "lower retry and max, or leave it: the run fails there"
        yield Finding(SOP, ("steps",), what, fix, str(most), f"at most {MOST_TRIES}", advice=True)


def _condition(procedure: Procedure, at: int, before: dict[str, int]) -> Iterator[Finding]:
    step, keys = procedure.steps[at], ("steps", at, "when")
    if not step.when:
        return
    try:
        condition = parse(step.when)
    except ConditionError as cause:
        fix = 'write as in: steps.reproduce.ok and inputs.language == "python"'
        yield Finding(SOP, keys, f"the condition of {step.id} cannot be read: {cause}", fix, got=step.when)
        return
    inputs = {one.name for one in procedure.inputs}
    ids = [one.id for one in procedure.steps]
    wrong = False
    for name, column in condition.names.items():
        problem = _unknown(name, inputs, ids, before)
        if problem:
            wrong = True
            what = f"the condition of {step.id} asks for {name} at character {column}, {problem[0]}"
            yield Finding(SOP, keys, what, problem[1])
    if not wrong and not condition.can_hold():
        what, fix = (
            f"the step {step.id} is never reached: its condition never holds",
            "mend it, or take the step out",
        )
        yield Finding(SOP, keys, what, fix, got=step.when)
    for compared in () if wrong else condition.senseless():
        what = f"the condition of {step.id} compares two kinds of values: {compared}"
        fix = 'inputs and outputs are text, as in inputs.count == "3"; ok is true or false'
        yield Finding(SOP, keys, what, fix, got=step.when, advice=True)


def _unknown(
    name: str, inputs: set[str], ids: Sequence[str], before: dict[str, int]
) -> tuple[str, str] | None:
    """What is wrong with a name of a condition, and how to mend it."""
    first, *rest = name.split(".")
    if first == "steps" and len(rest) == 2:
        id_, value = rest
        if id_ not in ids:
            return "and there is no such step", _one_of(id_, list(before) or ["none: this is the first step"])
        if id_ not in before:
            return "which does not come before it", "ask for an earlier step"
        if value not in STEP_VALUES:
            return "which no step gives", _one_of(value, STEP_VALUES)
        return None
    asked = name if first != "inputs" else ".".join(rest)
    if asked in inputs:
        return None
    known = [*(f"inputs.{one}" for one in sorted(inputs)), *(f"steps.{one}.ok" for one in before)]
    return "which is neither an input nor of a step", _one_of(name, known or ["none: there are no inputs"])


def _expectation(step: Step, at: int) -> Iterator[Finding]:
    if step.expect is None:
        if step.on_fail.retry or step.on_fail.goto:
            what = f"the step {step.id} says what follows when it fails, and nothing checks whether it does"
            yield Finding(SOP, ("steps", at, "on_fail"), what, "give it an expect")
        return
    kind, value, keys = step.expect.kind, step.expect.value, ("steps", at, "expect", "value")
    forms: dict[Kind, tuple[Callable[[object], bool], str]] = {
        Kind.REGEX: (_is_text, "a regular expression between single quotes"),
        Kind.CONTAINS: (_is_text, "text"),
        Kind.EXIT_CODE: (
            lambda it: type(it) is int and 0 <= int(str(it)) <= 255,
            "a whole number from 0 to 255",
        ),
        Kind.REWARD: (
            lambda it: type(it) in (int, float) and -1 <= float(str(it)) <= 1,
            "a number from -1 to 1",
        ),
    }
    fits, form = forms[kind]
    if not fits(value):
        what = f"{kind} of step {step.id} has a value of the wrong form"
        yield Finding(SOP, keys, what, f"write {form}", got=repr(value))
    elif kind is Kind.REGEX and len(str(value)) > LONGEST_PATTERN:
        what = f"the pattern of step {step.id} is too long"
        yield Finding(
            SOP, keys, what, "ask for less", f"{len(str(value))} characters", f"at most {LONGEST_PATTERN}"
        )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _on_fail(steps: Sequence[Step], at: int) -> Iterator[Finding]:
    fail, keys = steps[at].on_fail, ("steps", at, "on_fail")
    if fail.goto is None:
        if fail.most:
            yield Finding(
                SOP, (*keys, "max"), "max is how often goto is taken, and there is none", "take it out"
            )
        return
    ids = [step.id for step in steps]
    if fail.goto not in ids:
        what = f"the step {steps[at].id} goes to {fail.goto}, which is no step"
        yield Finding(SOP, (*keys, "goto"), what, _one_of(fail.goto, ids))
    elif fail.most < 1:
        target = ids.index(fail.goto)
        way = " -> ".join([*ids[target : at + 1], fail.goto])
        loop = f"nothing ends the cycle {way}" if target <= at else f"the goto to {fail.goto} has no bound"
        fix = "say how often it is taken in a run, as max: 2 beside goto"
        yield Finding(SOP, (*keys, "goto"), loop, fix)


def _tools(procedure: Procedure, at: int) -> Iterator[Finding]:
    """A step has no more tools than its procedure; ``Bash(git:*)`` allows some of Bash."""
    allowed = procedure.allowed_tools
    known = {*allowed, *(tool.partition("(")[0] for tool in allowed)}
    for number, tool in enumerate(procedure.steps[at].tools):
        if not allowed and tool.partition("(")[0].lower() not in USUAL_TOOLS:
            what = f"the step {procedure.steps[at].id} uses {tool}, which most agents do not have"
            fix = (
                f"take one of {', '.join(sorted(USUAL_TOOLS))}, or name all that it needs under allowed-tools"
            )
            yield Finding(SOP, ("steps", at, "tools", number), what, fix, advice=True)
        if allowed and tool not in known and tool.partition("(")[0] not in allowed:
            what = f"the step {procedure.steps[at].id} uses {tool}, which the procedure does not allow"
            fix = f"add it to allowed-tools in SKILL.md, or take one of {', '.join(allowed)}"
            yield Finding(SOP, ("steps", at, "tools", number), what, fix)


def _placeholders(procedure: Procedure, at: int) -> Iterator[Finding]:
    inputs = {one.name for one in procedure.inputs}
    for name in sorted(placeholders(procedure.steps[at].do) - inputs):
        what = f"{{{name}}} is no input, and stays as it is"
        fix = "give an input of that name, or leave it if it is meant"
        yield Finding(SOP, ("steps", at, "do"), what, fix, advice=True)


def _success(procedure: Procedure) -> Iterator[Finding]:
    checked = {step.id: step.expect is not None for step in procedure.steps}
    if procedure.success and procedure.success not in checked:
        what = f"success is that of step {procedure.success}, which is none"
        yield Finding(SOP, ("success", "step"), what, _one_of(procedure.success, list(checked) or ["none"]))
    elif procedure.steps and not checked[procedure.success or procedure.steps[-1].id]:
        what = "nothing checks the step that says whether all of it worked"
        fix = "give that step an expect, or name another one under success"
        yield Finding(SOP, ("success",) if procedure.success else ("steps",), what, fix, advice=True)


def _evals(procedure: Procedure) -> Iterator[Finding]:
    seen: dict[str, bool] = {}
    for at, one in enumerate(procedure.evals):
        if seen.setdefault(one.query, one.should_trigger) != one.should_trigger:
            what = f"the request {_short(one.query)} should trigger it, and should not"
            yield Finding(EVALS, ("line", at + 1), what, "keep one of the two lines")
    missing = [str(way).lower() for way in (True, False) if way not in seen.values()]
    if missing:
        fix = 'add requests, one a line: {"query": "...", "should_trigger": true}'
        what = f"no request to test it by should_trigger: {' or '.join(missing)}"
        yield Finding(EVALS, (), what, fix, advice=True)


def most_tries(procedure: Procedure) -> int:
    """How many tries a run can take at most.

    Every step is tried once and as often again as it may; whenever a goto is taken, all of them anew.
    """
    rounds = 1 + sum(step.on_fail.most for step in procedure.steps if step.on_fail.goto)
    return rounds * sum(1 + step.on_fail.retry for step in procedure.steps)


def _one_of(word: str, options: Sequence[str]) -> str:
    near = get_close_matches(word, options, n=1)
    return f"did you mean {near[0]}?" if near else f"there is: {', '.join(options[:10])}"


def _short(text: str) -> str:
    return f'"{text[:57]}..."' if len(text) > 60 else f'"{text}"'
