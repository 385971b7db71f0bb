"""A prompt in a file: what a search writes, and what trainings and questions read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from ...domain.errors import InvalidRecipe, UsageError
from ...domain.prompt_json import program_from, program_values
from ...domain.prompt_program import QUESTION, PromptProgram, placeholders
from .document import Document, Keys
from .loader import read_document
from .problems import in_order, nearest, printable, quoted, shown
from .section import Section, Text
from .yaml_text import write_readable_yaml

NAME = "prompt.yaml"
VERSION = 1

_READ_OTHERWISE = {"C020": "no such prompt file", "C024": "the prompt file is empty"}


class DemoText(Section):
    """A solved task."""

    question: str
    answer: str


class Provenance(Section):
    """Where a prompt comes from.

    Attributes:
        run: that searched it.
        verdict: proven, promising, or that the prompt of the beginning is kept.
        gain: in mean reward on held-out tasks, with its interval and the p of no gain.
        spent: rollouts, optimizer calls and tokens of the search.
    """

    run: str | None = None
    verdict: str | None = None
    gain: float | None = None
    interval: tuple[float | None, float | None] | None = Field(default=None, strict=False)
    p: float | None = None
    spent: dict[str, Any] = Field(default={})


class PromptFile(Section):
    """All there is in the file. Every text may hold placeholders of ``values``, and question {question}.

    Attributes:
        version: the program's id; a file that was changed by hand has another one, or none.
        parent: the id of the prompt that the search began with.
    """

    schema_version: Literal[1]
    name: Text | None = None
    version: str | None = None
    parent: str | None = None
    system: str = ""
    procedure: str = ""
    question: str = "{question}"
    values: dict[Text, str] = Field(default={})
    demos: tuple[DemoText, ...] = Field(default=(), strict=False)
    provenance: Provenance = Provenance()


@dataclass(frozen=True, slots=True)
class LoadedPrompt:
    """A prompt and what is said of it."""

    program: PromptProgram
    file: PromptFile
    path: Path


def load_prompt(path: Path) -> LoadedPrompt:
    """The prompt in a file.

    Raises:
        InvalidRecipe: C131 to C133, or those of reading YAML: all that is wrong.
    """
    try:
        document = read_document(path)
    except UsageError as problem:
        raise InvalidRecipe([_of_a_prompt(problem)]) from problem
    try:
        file = PromptFile.model_validate(document.value)
    except ValidationError as error:
        problems = [_problem(detail, document) for detail in error.errors(include_url=False)]
        raise InvalidRecipe(in_order([*document.problems, *problems])) from error
    program = program_from(
        {key: value for key, value in file.model_dump(mode="json").items() if key in _PROGRAM}
    )
    problems = [*document.problems, *_lost(program, document), *_changed(file, program, document)]
    if problems:
        raise InvalidRecipe(in_order(problems))
    return LoadedPrompt(program, file, path)


_PROGRAM = frozenset(program_values(PromptProgram()))


def prompt_text(
    program: PromptProgram,
    *,
    name: str | None = None,
    parent: str | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> str:
    """The file of a prompt; ``load_prompt`` reads it as the same."""
    values = {
        "schema_version": VERSION,
        "name": name,
        "version": program.id,
        "parent": parent,
        **program_values(program),
        "provenance": _plain(provenance or {}),
    }
    return write_readable_yaml(values)


def _plain(value: Any) -> Any:
    """As YAML has it: what is no finite number is none."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _of_a_prompt(problem: UsageError) -> UsageError:
    """The same problem, of a prompt file and not of a recipe."""
    return UsageError(
        "C131",
        _READ_OTHERWISE.get(problem.code, problem.what.replace("recipe", "prompt file")),
        where=problem.where,
        got=problem.got,
        expected=problem.expected,
        fix="name a file that a search has written, as runs/ID/prompt.yaml",
    )


def _problem(detail: Any, document: Document) -> UsageError:
    keys: Keys = tuple(detail["loc"])
    if detail["type"] == "extra_forbidden":
        near = nearest(str(keys[-1]), _keys_at(keys[:-1]))
        return UsageError(
            "C132",
            f"unknown key {quoted(str(keys[-1]))} in a prompt file",
            where=document.key_place(keys),
            fix=f"did you mean {quoted(near)}?"
            if near
            else f"the keys are: {', '.join(_keys_at(keys[:-1]))}",
        )
    what = (
        f"{printable(document.dotted(keys))} of a prompt file: {detail['msg'][:1].lower()}{detail['msg'][1:]}"
    )
    got = None if detail["type"] == "missing" else shown(document.get(*keys))
    fix = f"write schema_version: {VERSION}" if keys == ("schema_version",) else "correct it"
    return UsageError("C132", what, where=document.value_place(keys), got=got, fix=fix)


def _keys_at(keys: Keys) -> list[str]:
    models: dict[str, type[Section]] = {"demos": DemoText, "provenance": Provenance}
    return list(models.get(str(keys[0]) if keys else "", PromptFile).model_fields)


def _lost(program: PromptProgram, document: Document) -> Iterator[UsageError]:
    """What the user asks must be asked, and every placeholder must stand for something."""
    if QUESTION not in placeholders(program.question):
        what, fix = "what the user asks would not be asked", "put {question} where it belongs"
        yield UsageError("C132", what, where=document.value_place(("question",)), fix=fix)


def _changed(file: PromptFile, program: PromptProgram, document: Document) -> Iterator[UsageError]:
    if file.version not in (None, program.id):
        yield UsageError(
            "C133",
            "the prompt was changed since its version was written",
            where=document.value_place(("version",)),
            got=quoted(str(file.version)),
            expected=program.id,
            fix=f"write version: {program.id}, or remove the line",
        )
