"""A prompt in a file: what a search writes, and what trainings and questions read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from ...domain.errors import InvalidRecipe, UsageError
from ...domain.prompt_json import program_from, program_values
from ...domain.prompt_program import COMPONENTS, QUESTION, PromptProgram, placeholders
from .document import Document, Keys
from .loader import read_document
from .problems import in_order, quoted, shown
from .prompt_texts import name_faults, text_fault, unsafe
from .section import Section, Text
from .validation import validate
from .yaml_text import write_readable_yaml

NAME = "prompt.yaml"
VERSION = 1

_NAME_ONE = "name a file that a search has written, as runs/ID/prompt.yaml"
_READ_OTHERWISE = {
    "C020": ("no such prompt file", _NAME_ONE),
    "C021": ("a prompt file is a file", _NAME_ONE),
    "C024": ("the prompt file is empty", "write schema_version: 1, and system: with a text"),
    "C025": ("the prompt file is too large", "shorten its texts, or show fewer demos"),
    "C030": ("a prompt file is a map of keys", "start with the line schema_version: 1"),
}
"""Of problems that are told of a recipe otherwise: what they are here, and what to do."""


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
    interval: tuple[float | None, ...] | None = Field(default=None, strict=False)
    p: float | None = None
    spent: dict[str, Any] = Field(default={})


class PromptFile(Section):
    """All there is in the file. Every text may hold placeholders of ``values``, and question {question}.

    Attributes:
        version: the program's id; a file that was changed by hand has another one, or none.
        parent: the id of the prompt that the search began with.
    """

    schema_version: Literal[1] = Field(examples=[1])
    name: Text | None = None
    version: str | None = None
    parent: str | None = None
    system: str = ""
    procedure: str = ""
    question: str = "{question}"
    values: dict[str, str] = Field(default={})
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
    read = list(document.problems)
    _check_form(document)
    file = validate(document, PromptFile)
    wrong = [_of_the_form(one) for one in document.problems[len(read) :]]
    if file is None or wrong:
        raise InvalidRecipe(in_order([*read, *wrong]))
    program = program_from(
        {key: value for key, value in file.model_dump(mode="json").items() if key in _PROGRAM}
    )
    problems = [*read, *_faults(program, document), *_changed(file, program, document)]
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
    what, fix = _READ_OTHERWISE.get(
        problem.code, (problem.what.replace("recipe", "prompt file"), problem.fix)
    )
    return UsageError(
        "C131", what, where=problem.where, got=problem.got, expected=problem.expected, fix=fix
    )  # fmt: skip


def _of_the_form(problem: UsageError) -> UsageError:
    return UsageError(
        "C132", f"{problem.what} in a prompt file", where=problem.where, got=problem.got,
        expected=problem.expected, fix=problem.fix,
    )  # fmt: skip


def _check_form(document: Document) -> None:
    """The version of the form is the whole number 1; true and 1.0 are equal to it, and something else."""
    keys: Keys = ("schema_version",)
    given = document.get(*keys)
    if "schema_version" not in document.value or (type(given) is int and given == VERSION):
        return
    what, got = "schema_version is of another form", shown(given)
    place, fix = document.value_place(keys), f"write schema_version: {VERSION}"
    document.report(keys, UsageError("C132", what, where=place, got=got, expected=VERSION, fix=fix))


def _faults(program: PromptProgram, document: Document) -> Iterator[UsageError]:
    """What the user asks must be asked, every placeholder must stand for something, and all can be read."""

    def fault(keys: Keys, what: str, fix: str) -> UsageError:
        return UsageError("C132", what, where=document.value_place(keys), fix=fix)

    if QUESTION not in placeholders(program.question):
        yield fault(("question",), "what the user asks would not be asked", "put {question} where it belongs")
    for name, what, fix in name_faults(program.values):
        yield fault(("values", name), what, fix)
    for component in COMPONENTS:
        if found := text_fault(component, program.text(component), program.values, "values"):
            yield fault((component,), *found)
    shown_too: list[tuple[Keys, str]] = [(("values", name), text) for name, text in program.values.items()]
    for at, demo in enumerate(program.demos):
        shown_too += [(("demos", at, "question"), demo.question), (("demos", at, "answer"), demo.answer)]
    for keys, text in shown_too:
        if found := unsafe(text):
            yield fault(keys, *found)


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
