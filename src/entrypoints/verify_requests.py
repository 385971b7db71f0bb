"""From a run's folder to what verifying it is asked: its recipe read anew, and what it would pin now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from ..application.prepare_again import VerifyRunRequest
from ..application.prepare_data import DataRequest
from ..application.same_training import named
from ..domain.checkpoint import GENERATION
from ..domain.errors import CeselloError, DataError
from ..domain.run import RunSummary
from ..domain.run_checks import identity, mapping
from ..domain.run_verification import Part, part_of, sentence
from .apo_requests import task_limits
from .container import Container, make_container
from .export_requests import run_recipe, trained_model
from .requests import (
    library_versions,
    memory_print,
    own_code_prints,
    procedures_print,
    recipe_container,
    settings_of_steps,
)
from .settings import LoadedRecipe
from .settings.prompt_file import NAME, LoadedPrompt, load_prompt

Prints = Callable[[LoadedRecipe], Mapping[str, str]]

_PINS: tuple[tuple[Part, Prints], ...] = (
    (Part.RECIPE, own_code_prints),
    (Part.MEMORY, memory_print),
    (Part.PROCEDURES, procedures_print),
)
"""What a training pins besides its recipe's values."""

_OTHERS = ("D073", "S010")
"""Errors of a memory that is not the one that was pinned: it is empty, or made by another embedder."""


def verify_request(run: RunSummary, *, quick: bool) -> tuple[VerifyRunRequest, Container]:
    """What ``VerifyRun`` is asked about a run, and the container that answers it.

    Nothing here fails by what the folder holds: what is wrong with it is to be told with all the rest.
    """
    searched = run.manifest.get("algorithm") == "apo"
    try:
        loaded = run_recipe(run)
        container = recipe_container(loaded)
    except CeselloError as none:
        return VerifyRunRequest(run, none, prompt=_prompt(run, searched), quick=quick), make_container()
    now = named(settings_of_steps(loaded))
    now |= {f"library {name}": version for name, version in library_versions().items()}
    pinned, unknown = _pins(loaded, run)
    request = VerifyRunRequest(
        run,
        _data(loaded, run),
        now | pinned,
        unknown,
        task_limits(loaded.recipe) if searched else None,
        _prompt(run, searched or bool(loaded.recipe.data.prompt)),
        quick,
        str(loaded.root),
        Path(run.path).resolve().is_relative_to(loaded.root.resolve()),
    )
    return request, container


def _pins(loaded: LoadedRecipe, run: RunSummary) -> tuple[dict[str, str], dict[Part, str]]:
    """What the recipe would pin now, by name; and of what cannot be told, why."""
    now: dict[str, str] = {}
    unknown: dict[Part, str] = {}
    for part, prints in _PINS:
        try:
            now |= named(prints(loaded))
        except CeselloError as gone:
            if gone.code in _OTHERS:
                pinned = (name for name in identity(run) if part_of(name) is part and name != GENERATION)
                now |= dict.fromkeys(pinned, sentence(gone))
            else:
                unknown[part] = sentence(gone)
    return now, unknown


def _data(loaded: LoadedRecipe, run: RunSummary) -> DataRequest | CeselloError:
    """What the recipe asks of its sources; around the rows is the prompt that the run has kept."""
    recipe = loaded.recipe
    if recipe.data.prompt:
        kept = str((Path(run.path) / NAME).resolve())
        data = recipe.data.model_copy(update={"prompt": kept})
        loaded = replace(loaded, recipe=recipe.model_copy(update={"data": data}))
    try:
        return trained_model(loaded, run).data
    except CeselloError as wrong:
        return wrong


def _prompt(run: RunSummary, has_one: bool) -> str | CeselloError | None:
    """The id of the prompt in a run's folder; None where none is to be there."""
    search = mapping(run.manifest.get("search"))
    if not has_one or (run.manifest.get("algorithm") == "apo" and "winner" not in search):
        return None
    try:
        loaded = load_prompt(Path(run.path) / NAME)
    except CeselloError as wrong:
        return wrong
    return (_told_otherwise(loaded, run, search) if search else None) or loaded.program.id


def _told_otherwise(loaded: LoadedPrompt, run: RunSummary, search: Mapping[str, object]) -> DataError | None:
    """What the file of a search says of itself, by the run's manifest; None where it is the same."""
    file, come = loaded.file, loaded.file.provenance
    said = {"name": file.name, "parent": file.parent, "run": come.run}
    expected: dict[str, object] = {"name": run.name, "parent": search.get("seed"), "run": run.id}
    for key in ("verdict", "gain", "p"):
        said[key], expected[key] = getattr(come, key), search.get(key)
    for key, value in said.items():
        if value != expected[key]:
            got = f"{key} {value}, the manifest {expected[key]}"
            return DataError("D091", f"{NAME} says otherwise than the search", got=got)
    return None
