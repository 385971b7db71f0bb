"""The keys of a procedure: those of the head of ``SKILL.md``, and those of ``sop.yaml``."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from ...domain.procedure_check import LONGEST_COMPATIBILITY, LONGEST_DESCRIPTION, LONGEST_NAME, NAME_FORM
from .section import Section, Text

STEP_ID = r"^[a-z][a-z0-9_-]*$"
_INPUT = r"^[A-Za-z_][A-Za-z0-9_]*$"
_TOOL = r"[^\s,()]+(\([^()]*\))?"


def _scalar(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise PydanticCustomError("scalar", "text or a number")
    return value


def _score(value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
    if value != "auto" and not is_number:
        raise PydanticCustomError("score", "auto, or a number from 0")
    return value


Name: TypeAlias = Annotated[str, Field(pattern=f"^{NAME_FORM}$", max_length=LONGEST_NAME)]
StepId: TypeAlias = Annotated[str, Field(pattern=STEP_ID, max_length=64)]
Texts: TypeAlias = Annotated[tuple[Text, ...], Field(strict=False)]
Tools: TypeAlias = Annotated[tuple[Annotated[str, Field(pattern=f"^{_TOOL}$")], ...], Field(strict=False)]


class SkillHead(Section):
    """The head of SKILL.md, as https://agentskills.io/specification has it."""

    name: Name = Field(description="That of the folder.", examples=["debug-a-failure"])
    description: str = Field(
        min_length=1,
        max_length=LONGEST_DESCRIPTION,
        description="What it does and when to use it.",
        examples=['"Finds the cause of a failing test. Use when a test or a command fails."'],
    )
    license: str | None = Field(default=None, description="Of the folder.")
    compatibility: str | None = Field(
        default=None, max_length=LONGEST_COMPATIBILITY, description="What it needs of its surroundings."
    )
    metadata: dict[str, str] | None = Field(default=None, description="Whatever else, text by name.")
    allowed_tools: str | None = Field(
        default=None,
        alias="allowed-tools",
        pattern=rf"^({_TOOL}([\s,]+{_TOOL})*)?$",
        description="Names of tools behind spaces; none: any.",
        examples=["shell read_file"],
    )


class TriggerSettings(Section):
    """What requests a procedure is for."""

    examples: Texts = Field(default=(), description="Requests that it is for, as people write them.")
    negatives: Texts = Field(default=(), description="Requests that sound alike, and that it is not for.")
    keywords: Texts = Field(default=(), description="Words that speak for it.")
    files: Texts = Field(
        default=(), description="Patterns such as *.py: where a request names files, one must match."
    )
    min_score: Annotated[Any, AfterValidator(_score)] = Field(
        default="auto", description="From which it applies; auto: as `cesello sop calibrate` found."
    )


class InputSettings(Section):
    """What a procedure wants to know before it begins."""

    name: str = Field(pattern=_INPUT, max_length=64, description="What {name} stands for in a step.")
    description: str = Field(default="", description="For whoever is asked.")
    required: bool = Field(default=False, description="Whether it cannot begin without.")
    default: str = Field(default="", description="What it is where nobody says.")


class ExpectSettings(Section):
    """A check of what a step gave."""

    kind: Literal["regex", "contains", "exit_code", "reward"] = Field(
        description="regex and contains look into the output, exit_code at the command's, reward at a score."
    )
    value: Annotated[Any, AfterValidator(_scalar)] = Field(
        description="The pattern, text, code or least score."
    )


class OnFailSettings(Section):
    """What follows a failed step."""

    retry: int = Field(default=0, ge=0, le=10, description="Times that it is tried again first.")
    goto: StepId | None = Field(default=None, description="The step to go on with, max times in a run.")
    max: int = Field(default=0, ge=0, le=10, description="Times that goto is taken in a run.")
    then: Literal["stop", "ask_user", "next"] = Field(
        default="stop", description="What comes after all that."
    )


class StepSettings(Section):
    """One thing to do."""

    id: StepId = Field(description="Small letters, digits, - and _.", examples=["reproduce"])
    do: Text = Field(
        description="What to do; {name} stands for an input.", examples=["Run the failing test."]
    )
    when: str = Field(default="", description="A condition, such as steps.reproduce.ok; none: always.")
    tools: Tools = Field(default=(), description="That it may use; none: those of the procedure.")
    expect: ExpectSettings | None = Field(default=None, description="How it is checked.")
    on_fail: OnFailSettings = OnFailSettings()


class SuccessSettings(Section):
    """What success is."""

    step: StepId = Field(
        description="The step whose check says it; else it is the last.", examples=["verify"]
    )


class SopFile(Section):
    """``sop.yaml``."""

    schema_version: int = Field(ge=1, le=1, description="The form of this file.", examples=[1])
    triggers: TriggerSettings = TriggerSettings()
    inputs: Annotated[tuple[InputSettings, ...], Field(strict=False)] = Field(
        default=(), description="What it wants to know before it begins."
    )
    steps: Annotated[tuple[StepSettings, ...], Field(strict=False, min_length=1)] = Field(
        default=(), description="What is done, one after the other; none: the body of SKILL.md says it."
    )
    success: SuccessSettings | None = Field(default=None, description="The step that decides.")
