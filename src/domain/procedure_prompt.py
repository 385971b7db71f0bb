"""A procedure as a model reads it: instructions of the person's own, between lines that nothing in them ends.

What procedures say may have been imported from anywhere. It is shown without control characters and without
the tokens that templates write between turns, so that it stays one text within one turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from .guided_run import Do, GuidedRun, begin_unattended, expectation, steps_of
from .judging import harmless
from .procedure import Procedure
from .prompt_program import PromptProgram
from .text_quality import request_id


class Mode(StrEnum):
    """How a procedure comes into a prompt."""

    OFF = "off"
    CATALOG = "catalog"
    """Name and description."""
    FULL = "full"
    """All of it."""
    GUIDED = "guided"
    """One step at a time; the next when the one before gave what it should."""


def with_procedure(program: PromptProgram, procedure: Procedure, mode: Mode) -> PromptProgram:
    """The prompt with a procedure in its place for procedures, after what stands there already."""
    text = procedure_text(procedure, mode)
    return program.with_text("procedure", "\n\n".join(part for part in (program.procedure, text) if part))


def procedure_text(procedure: Procedure, mode: Mode) -> str:
    """What is put into a prompt before the request; empty where nothing is."""
    if mode is Mode.OFF:
        return ""
    if mode is Mode.CATALOG:
        return catalog_text([procedure])
    if mode is Mode.GUIDED:
        said = "You follow a procedure. You are given its steps one at a time: do that step, and no other."
        first = step_of(begin_unattended(procedure))
        return f"{said}\n\n{_fenced(procedure.name, _line(procedure.description))}\n\n{first}".strip()
    said = "Follow this procedure as far as it fits the request."
    return f"{said}\n\n{_fenced(procedure.name, _body(procedure))}"


def catalog_text(procedures: Sequence[Procedure]) -> str:
    """Names and descriptions; empty where there is none."""
    if not procedures:
        return ""
    lines = [f"- {one.name}: {_line(one.description)}" for one in procedures]
    return f"Procedures for this request:\n\n{_fenced('catalog', chr(10).join(lines))}"


def step_of(run: GuidedRun) -> str:
    """What a run says is to be done; empty where it is over, or a person is asked."""
    if not isinstance(run.next, Do):
        return ""
    ids = [step.id for step in steps_of(run.procedure)]
    return step_text(run.next, ids.index(run.next.step.id) + 1, len(ids))


def step_text(step: Do, number: int, steps: int) -> str:
    """A step as a turn of the user."""
    again = f" (try {step.attempt}: the check has failed)" if step.attempt > 1 else ""
    expected = f"\nIt is checked that {expectation(step.step.expect)}." if step.step.expect else ""
    return harmless(f"Step {number} of {steps}, {step.step.id}{again}: {step.text}{expected}", None)


def _body(procedure: Procedure) -> str:
    body = procedure.body.strip() or procedure.description
    if not procedure.steps:
        return body
    steps = [f"{number}. {step.id}: {_line(step.do)}" for number, step in enumerate(steps_of(procedure), 1)]
    return "\n".join((body, "", "Steps:", *steps))


def _fenced(name: str, text: str) -> str:
    """Between two lines with an id that comes from the text, so that it cannot hold it."""
    text = harmless(text.replace("\r\n", "\n"), None)  # whoever reads the files bounds them
    fence = request_id(name, text)
    return f"<procedure {fence} {name}>\n{text}\n</procedure {fence}>"


def _line(text: str) -> str:
    return " ".join(text.split())
