"""The procedure whose text a search improves."""

from __future__ import annotations

from ..domain.errors import UsageError
from ..domain.procedure import Procedure, Version
from ..domain.run import RunSummary
from ..domain.run_checks import mapping
from .prompt_choice import first_prompt
from .requests import recipe_container
from .settings import LoadedRecipe
from .settings.prompt_texts import text_fault

Searched = tuple[Procedure, Version]


def searched_procedure(loaded: LoadedRecipe) -> Searched | None:
    """The version in use of the procedure that a recipe names; None: it names none.

    Raises:
        UsageError: C123 when there is none, or its body cannot be part of a prompt that is searched.
    """
    name = loaded.recipe.apo.procedure_of
    if name is None:
        return None
    active = recipe_container(loaded).procedure_store().active()
    found = next((one for one in active if one[1].name == name), None)
    if found is None:
        what, fix = "no version of that procedure is in use", "`cesello sop list` lists them"
        raise UsageError("C123", what, where="apo.procedure_of", got=name, fix=fix)
    _check(loaded, found)
    return found


def _check(loaded: LoadedRecipe, found: Searched) -> None:
    procedure, version = found
    known = first_prompt(loaded, procedure.body).values
    if fault := text_fault("procedure", procedure.body, known, "apo.values"):
        what, fix = fault
        where = f"{version.name} {version.sha[:8]}"
        raise UsageError("C123", f"the procedure cannot be searched: {what}", where=where, fix=fix)


def begun_procedure(loaded: LoadedRecipe, run: RunSummary) -> Searched | None:
    """The version that a search has begun with, whichever is in use now.

    Raises:
        DataError: D043 when that version is not here.
    """
    pin = mapping(mapping(run.manifest.get("search")).get("procedure"))
    if not pin:
        return None
    name, sha = str(pin.get("name")), str(pin.get("sha"))
    store = recipe_container(loaded).procedure_store()
    return store.read(name, sha), store.version(name, sha)


def body_of(found: Searched | None) -> str | None:
    """The text that is searched."""
    return found[0].body if found else None
