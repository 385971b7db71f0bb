"""Loading a recipe: the file, ``--set``, the environment, then every check, and all mistakes at once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import scrypt
from pathlib import Path
from typing import Any

from ...domain.errors import InvalidRecipe, Place, UsageError
from .apo_contradictions import PROMPT_TEXTS, check_apo
from .contradictions import check_contradictions
from .document import Document, Keys, Where
from .environment import expand_environment
from .grpo_contradictions import check_grpo
from .overrides import Override, apply_override, read_override
from .paths import check_paths, resolve_root
from .problems import in_order, printable, shown
from .recipe import Recipe
from .recipe_file import empty_recipe, read_recipe_text
from .reward_contradictions import check_rewards
from .validation import validate
from .yaml_limits import Mark
from .yaml_text import read_yaml, write_yaml


@dataclass(frozen=True, slots=True)
class LoadedRecipe:
    """A valid recipe and where it comes from.

    Attributes:
        path: the file, as it was given.
        root: the folder that the recipe's paths resolve under, absolute.
        written: texts that name the environment or escape it, as they were written.
        compared: those of them whose change is to be seen, with the environment's values but secrets.
    """

    recipe: Recipe
    path: Path
    root: Path
    written: Mapping[Keys, str] = field(default_factory=dict, repr=False)
    compared: Mapping[Keys, str] = field(default_factory=dict, repr=False)

    def resolve(self, path: str) -> Path:
        """A path of the recipe (a file, a pattern, a model's folder) as an absolute one."""
        return self.root / path

    def as_written(self) -> dict[str, Any]:
        """Every key with its value, but with ``${NAME}`` where the environment's value can be a secret."""
        values = self.recipe.model_dump(mode="json")
        for keys, text in self.written.items():
            _put(values, keys, text)
        return values

    def as_compared(self) -> dict[str, Any]:
        """As written, and behind it what stands for the values that the environment has now."""
        values = self.as_written()
        for keys, text in self.compared.items():
            _put(values, keys, f"{self.written[keys]} (value {_print(text, self.written[keys])})")
        return values

    def as_yaml(self) -> str:
        """Every key with its value, to be kept beside the results; loads as the same recipe from anywhere.

        Values of environment variables are not in it: ``${NAME}`` stays as it was written.
        """
        values = self.as_written()
        if self.recipe.data.mixture.temperature is not None:
            # Weights and a temperature contradict each other, even where the weights are only defaults.
            for source in values["data"]["sources"]:
                del source["weight"]
        if self.recipe.lora.continue_from is not None:
            # These are the given weights' own.
            values["lora"] = {"continue_from": values["lora"]["continue_from"]}
        if self.recipe.data.prompt is not None:
            del values["data"]["system_prompt"]
        if self.recipe.apo.prompt is not None:
            values["apo"] = {key: value for key, value in values["apo"].items() if key not in PROMPT_TEXTS}
        values["root"] = str(self.root).replace("${", "$${")
        return write_yaml(values)


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> LoadedRecipe:
    """The recipe in a file, with values changed by ``--set``.

    Args:
        path: a YAML file; messages name it as it is given here.
        overrides: ``dotted.key=value`` each, applied in order before anything is checked.

    Raises:
        InvalidRecipe: all that is wrong with the file and the overrides.
    """
    edits, problems = read_overrides(overrides)
    try:
        document = read_document(path)
    except UsageError as problem:
        raise InvalidRecipe(in_order([problem, *problems])) from problem
    for edit in edits:
        apply_override(edit, document)
    expand_environment(document, os.environ)
    root = resolve_root(document, path)
    recipe = validate(document, Recipe)
    check_contradictions(document)
    check_rewards(document)
    check_grpo(document)
    check_apo(document)
    check_paths(document, root)
    problems += document.problems
    if problems or recipe is None:
        raise InvalidRecipe(in_order(problems))
    return LoadedRecipe(recipe, path, root, document.written, document.compared)


def read_overrides(overrides: Sequence[str]) -> tuple[list[Override], list[UsageError]]:
    """What ``--set`` changes, and what is wrong with it."""
    edits: list[Override] = []
    problems: list[UsageError] = []
    for text in overrides:
        try:
            edits.append(read_override(text))
        except UsageError as problem:
            problems.append(problem)
    return edits, problems


def read_document(path: Path) -> Document:
    """The values of a file.

    Raises:
        UsageError: when it cannot be read, or is no map of keys.
    """
    name = printable(str(path))

    def locate(mark: Mark | None) -> Where:
        return Place(name, mark.line + 1, mark.column + 1) if mark else Place(name)

    document = read_yaml(read_recipe_text(path), locate)
    if document.value is None:
        raise empty_recipe(path)
    if not isinstance(document.value, dict):
        raise UsageError(
            "C030",
            "a recipe is a map of keys",
            where=document.value_place(()),
            got=shown(document.value),
            fix="start with a line such as model:, without a hyphen before it",
        )
    return document


@lru_cache(maxsize=256)
def _print(value: str, written: str) -> str:
    """Eight hexadecimal digits of a slow hash: enough to see a change, too little to find out the value.

    scrypt of RFC 7914 with 16 MiB; the salt is the same in every process.
    """
    return scrypt(value.encode(), salt=written.encode(), n=1 << 14, r=8, p=1, dklen=4).hex()


def _put(values: Any, keys: Keys, text: str) -> None:
    for key in keys[:-1]:
        values = values[key]
    values[keys[-1]] = text
