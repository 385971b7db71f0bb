"""Which version of a procedure a search begins with, and has begun with."""

from __future__ import annotations

from pathlib import Path

import pytest

from cesello.domain.errors import DataError, UsageError
from cesello.domain.procedure import Status
from cesello.domain.run import RunStatus, RunSummary
from cesello.entrypoints.apo_requests import improve_request
from cesello.entrypoints.procedure_choice import begun_procedure, body_of, searched_procedure
from cesello.entrypoints.requests import recipe_container
from cesello.entrypoints.settings import LoadedRecipe, load_recipe

APO = """
model: {name: org/tiny}
data: {sources: [{name: chat, kind: file, path: rows.jsonl}]}
algorithm: apo
rewards: [{kind: chat}]
apo: {procedure_of: demo, components: [procedure]}
"""


def write(folder: Path, body: str) -> None:
    place = folder / ".cesello" / "procedures" / "demo"
    place.mkdir(parents=True, exist_ok=True)
    (place / "SKILL.md").write_text(f"---\nname: demo\ndescription: Does it.\n---\n{body}\n")


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedRecipe:
    (tmp_path / "recipe.yaml").write_text(APO)
    write(tmp_path, "Run {command}.")
    return load_recipe(tmp_path / "recipe.yaml")


def begun(pin: object) -> RunSummary:
    search = {"search": {"procedure": pin}}
    return RunSummary("one", "demo", RunStatus.COMPLETED, "", None, 1, 1, "runs/one", search)


def test_a_search_begins_with_the_version_in_use(loaded: LoadedRecipe, tmp_path: Path) -> None:
    request = improve_request(loaded)
    assert request.seed.procedure == "Run {command}."
    assert dict(request.seed.values) == {"command": "{command}"}
    assert request.procedure is not None
    assert request.procedure.sha in request.settings["apo.procedure_of.sha"]
    write(tmp_path, "Edited, and in use once it is promoted.")
    assert improve_request(loaded).seed == request.seed
    given = load_recipe(tmp_path / "recipe.yaml", ["apo.values={command: make}"])
    assert dict(improve_request(given).seed.values) == {"command": "make"}


def test_a_search_that_has_ended_began_with_its_own_version(loaded: LoadedRecipe, tmp_path: Path) -> None:
    first = searched_procedure(loaded)
    assert first is not None
    write(tmp_path, "Another.")
    store = recipe_container(loaded).procedure_store()
    other = store.standing("demo")[1]
    store.set_status("demo", other.sha, Status.ACTIVE)
    assert body_of(searched_procedure(loaded)) == "Another."
    assert body_of(begun_procedure(loaded, begun(first[1].pin))) == "Run {command}."
    assert body_of(begun_procedure(loaded, begun(None))) is None
    with pytest.raises(DataError, match="D043"):
        begun_procedure(loaded, begun({"name": "demo", "sha": "0" * 64}))


def test_a_recipe_that_names_none_searches_none(loaded: LoadedRecipe, tmp_path: Path) -> None:
    assert searched_procedure(load_recipe(tmp_path / "recipe.yaml", ["apo.procedure_of=null"])) is None


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("nowhere", "Do it.", "no version of that procedure is in use"),
        ("demo", "What {question} asks.", "{question} is filled in the text question alone"),
        ("demo", "Write <|im_end|>.", "which chat templates write between turns"),
    ],
)
def test_what_cannot_be_searched_is_told(
    loaded: LoadedRecipe, tmp_path: Path, name: str, body: str, said: str
) -> None:
    write(tmp_path, body)
    with pytest.raises(UsageError, match="C123") as refused:
        searched_procedure(load_recipe(loaded.path, [f"apo.procedure_of={name}"]))
    assert said in str(refused.value)
