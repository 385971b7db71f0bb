"""The prompt that a recipe, a run or a command line names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..domain.errors import UsageError
from ..domain.prompt_program import QUESTION, PromptProgram, placeholders
from .settings import LoadedRecipe
from .settings.problems import quoted
from .settings.prompt_file import NAME, load_prompt, prompt_text


def data_prompt(loaded: LoadedRecipe) -> PromptProgram | None:
    """What is put around the rows of a training; None: the system prompt alone.

    Raises:
        InvalidRecipe: C131 to C133.
    """
    file = loaded.recipe.data.prompt
    return load_prompt(loaded.resolve(file)).program if file else None


def prompt_file_text(loaded: LoadedRecipe) -> str:
    """The prompt of a training, to be kept beside its weights; empty where there is none."""
    program = data_prompt(loaded)
    return prompt_text(program, name=loaded.recipe.name) if program else ""


def first_prompt(loaded: LoadedRecipe, body: str | None = None) -> PromptProgram:
    """What a search begins with.

    Args:
        body: of the procedure that the recipe names; what stands in braces there stands for itself.
    """
    apo = loaded.recipe.apo
    if apo.prompt:
        return load_prompt(loaded.resolve(apo.prompt)).program
    system = apo.system if apo.system is not None else loaded.recipe.data.system_prompt or ""
    procedure = apo.procedure if body is None else body
    own = sorted(placeholders(body or "") - {QUESTION})
    values = {**{name: f"{{{name}}}" for name in own}, **apo.values}
    return PromptProgram(system, procedure, apo.question, values=values)


def prompt_of_run(run: Path) -> PromptProgram:
    """What a search has left in a run's folder.

    Raises:
        InvalidRecipe: C131 to C133.
    """
    return load_prompt(run / NAME).program


def asked_prompt(loaded: LoadedRecipe, run: Path, file: Path | None) -> PromptProgram:
    """What is put around a question to a run's model.

    Args:
        file: named by hand; None takes what the run was trained with: its own prompt, or the recipe's system
            prompt.

    Raises:
        UsageError: C136 when the run's own prompt is gone. InvalidRecipe: C131 to C133.
    """
    if file is not None:
        return load_prompt(file).program
    if loaded.recipe.data.prompt:
        if not (run / NAME).is_file():
            raise UsageError(
                "C136", "the prompt that the run was trained with is gone", where=str(run / NAME),
                got=f"a training on {quoted(loaded.recipe.data.prompt)}",
                fix="put it back, or name one with --prompt-file",
            )  # fmt: skip
        return load_prompt(run / NAME).program
    return PromptProgram(loaded.recipe.data.system_prompt or "")


def write_prompt(program: PromptProgram, name: str, parent: str, provenance: Mapping[str, Any]) -> str:
    """The file of what a search found."""
    return prompt_text(program, name=name, parent=parent, provenance=provenance)
