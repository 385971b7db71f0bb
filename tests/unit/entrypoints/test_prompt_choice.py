"""Which prompt a recipe, a run and a command line mean."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cesello.domain.conversation import Conversation, Message, Role
from cesello.domain.errors import UsageError
from cesello.domain.prompt_program import PromptProgram
from cesello.entrypoints.apo_requests import grading, improve_request
from cesello.entrypoints.prompt_choice import asked_prompt, data_prompt, first_prompt, prompt_file_text
from cesello.entrypoints.requests import data_request, finetune_request
from cesello.entrypoints.settings import LoadedRecipe, load_recipe

SFT = """
model: {name: org/tiny}
data: {sources: [{name: chat, kind: file, path: rows.jsonl}]}
training: {max_steps: 1}
"""
APO = SFT + "algorithm: apo\nrewards: [{kind: chat}]\n"
FILE = "schema_version: 1\nsystem: From a file.\ndemos: [{question: a, answer: b}]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "prompt.yaml").write_text(FILE)
    return tmp_path


def recipe(folder: Path, text: str, *overrides: str) -> LoadedRecipe:
    (folder / "recipe.yaml").write_text(text)
    return load_recipe(folder / "recipe.yaml", overrides)


def test_rows_of_a_training_have_its_system_prompt_or_its_prompt(folder: Path) -> None:
    plain = recipe(folder, SFT, "data.system_prompt=Be brief.")
    assert data_prompt(plain) is None
    assert prompt_file_text(plain) == ""
    rules = data_request(plain).rules
    assert (rules.system_prompt, rules.prompt, rules.shown) == ("Be brief.", None, 0)
    prompted = recipe(folder, SFT, "data.prompt=prompt.yaml")
    rules = data_request(prompted).rules
    assert rules.prompt is not None
    assert (rules.system_prompt, rules.prompt.system, rules.shown) == ("", "From a file.", 2)
    assert data_request(prompted).copies.shown == 2
    request = finetune_request(prompted)
    assert "From a file." in request.prompt_file
    assert rules.prompt.id in request.settings["data.prompt"]


def test_a_search_begins_with_a_file_or_with_the_texts_of_the_recipe(folder: Path) -> None:
    assert first_prompt(recipe(folder, APO, "data.system_prompt=Be brief.")) == PromptProgram("Be brief.")
    assert first_prompt(recipe(folder, APO, "data.system_prompt=null")) == PromptProgram("")
    texts = ("apo.system=", "apo.procedure=Do {it}.", "apo.question='Q {question}'", "apo.values={it: x}")
    assert first_prompt(recipe(folder, APO, *texts[1:])).procedure == "Do {it}."
    assert first_prompt(recipe(folder, APO, "apo.system='Be {it}.'", *texts[1:])) == PromptProgram(
        "Be {it}.", "Do {it}.", "Q {question}", values={"it": "x"}
    )
    assert first_prompt(recipe(folder, APO, "apo.prompt=prompt.yaml")).system == "From a file."


def test_what_stands_in_braces_in_a_procedure_stands_for_itself_where_the_recipe_says_nothing(
    folder: Path,
) -> None:
    body = 'Run {command} on {file}: {"ok": true}.'
    begun = first_prompt(recipe(folder, APO, "data.system_prompt=null", "apo.values={file: a.py}"), body)
    assert (begun.procedure, dict(begun.values)) == (body, {"command": "{command}", "file": "a.py"})
    system = begun.around(Conversation((Message(Role.USER, "q"),))).messages[0].content
    assert system == 'Run {command} on a.py: {"ok": true}.'


def test_a_question_has_the_prompt_named_by_hand_or_that_of_the_run(folder: Path) -> None:
    plain = recipe(folder, SFT, "data.system_prompt=Be brief.")
    run = folder / "run"
    run.mkdir()
    assert asked_prompt(plain, run, None) == PromptProgram("Be brief.")
    assert asked_prompt(plain, run, folder / "prompt.yaml").system == "From a file."
    prompted = recipe(folder, SFT, "data.prompt=prompt.yaml")
    (run / "prompt.yaml").write_text(FILE.replace("a file", "the run"))
    assert asked_prompt(prompted, run, None).system == "From the run."
    # A search's run has such a file too, and it is not what its model was trained with.
    assert asked_prompt(plain, run, None) == PromptProgram("Be brief.")


def test_the_prompt_of_a_training_that_is_gone_is_told(folder: Path) -> None:
    prompted = recipe(folder, SFT, "data.prompt=prompt.yaml")
    with pytest.raises(UsageError) as refused:
        asked_prompt(prompted, folder / "run", None)
    assert refused.value.code == "C136"
    assert refused.value.where == str(folder / "run" / "prompt.yaml")
    assert "--prompt-file" in str(refused.value)
    assert asked_prompt(prompted, folder / "run", folder / "prompt.yaml").system == "From a file."


def test_a_plan_that_cannot_be_carried_out_names_its_key(folder: Path) -> None:
    for code, change, key in (
        ("C120", "apo.budget.rollouts=20", "apo.budget.rollouts"),
        ("C120", "apo.budget.tokens=300", "apo.budget.tokens"),
        ("C121", "apo.tasks.search=1", "apo.tasks.search"),
        ("C121", "apo.tasks.selection=1", "apo.tasks.selection"),
        ("C121", "apo.tasks.test=2", "apo.tasks.test"),
    ):
        with pytest.raises(UsageError) as refused:
            improve_request(recipe(folder, APO, change))
        assert (refused.value.code, refused.value.where) == (code, key)


def test_a_package_that_a_proposer_needs_is_missed_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = (
        "apo.proposers=[gepa]", "apo.optimizer={kind: policy}", "apo.budget.optimizer_calls=4"
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "gepa", None)
    with pytest.raises(UsageError) as refused:
        improve_request(recipe(folder, APO, *asking))
    assert (refused.value.code, refused.value.where) == ("C130", "apo.proposers")


def test_resolved_recipes_load_again(folder: Path) -> None:
    for text, override in (
        (SFT, "data.prompt=prompt.yaml"),
        (APO, "apo.prompt=prompt.yaml"),
        (APO, "seed=1"),
    ):
        loaded = recipe(folder, text, override)
        (folder / "again.yaml").write_text(loaded.as_yaml())
        again = load_recipe(folder / "again.yaml").recipe
        assert again.apo == loaded.recipe.apo
        assert again.data.prompt == loaded.recipe.data.prompt


def test_what_decides_a_score_and_nothing_else_is_grading(folder: Path) -> None:
    settings = dict(improve_request(recipe(folder, APO)).settings)
    assert set(grading(settings)) >= {"rewards[0].kind", "blend"}
    assert not [name for name in grading(settings) if name.startswith(("apo", "data", "model"))]


def test_a_search_is_not_shared_by_processes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError) as refused:
        improve_request(recipe(folder, APO))
    assert refused.value.code == "C134"


def test_a_search_is_no_training(folder: Path) -> None:
    with pytest.raises(UsageError) as refused:
        finetune_request(recipe(folder, APO))
    assert refused.value.code == "C135"
