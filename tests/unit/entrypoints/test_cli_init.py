"""``cesello init`` and ``cesello schema``: what they write, and what they leave alone."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from cesello.domain.errors import StorageError, UsageError
from cesello.entrypoints.cli.init import init
from cesello.entrypoints.cli.schema import schema
from cesello.entrypoints.settings import load_recipe
from cesello.entrypoints.settings.schema import recipe_schema


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> str:
    result = CliRunner().invoke(init, arguments, catch_exceptions=False, standalone_mode=False)
    return result.output


def written() -> set[str]:
    return {str(path) for path in Path().rglob("*") if path.is_file()}


@pytest.mark.parametrize("template", ["quickstart", "mistral-7b-qlora", "minimal"])
def test_what_is_written_is_a_valid_recipe_that_names_its_schema(template: str) -> None:
    run("mine.yaml", "--template", template)
    loaded = load_recipe(Path("mine.yaml"))
    for source in loaded.recipe.data.sources:
        assert source.kind != "file" or loaded.resolve(source.path).is_file()
    first = Path("mine.yaml").read_text().splitlines()[0]
    named = first.removeprefix("# yaml-language-server: $schema=")
    assert json.loads(Path(named).read_text()) == recipe_schema()


def test_quickstart_is_the_default_and_brings_its_data() -> None:
    output = run()
    assert written() == {"recipe.yaml", "recipe.schema.json", "data/conversations.jsonl"}
    assert "wrote recipe.yaml" in output
    assert "next: cesello train recipe.yaml" in output


def test_a_folder_gets_a_recipe_in_it() -> None:
    Path("project").mkdir()
    run("project", "--template", "minimal")
    assert written() == {"project/recipe.yaml", "project/recipe.schema.json"}


def test_folders_that_are_missing_are_made() -> None:
    run("new/one.yaml", "--template", "minimal")
    assert load_recipe(Path("new/one.yaml")).root == Path("new").resolve()


@pytest.mark.parametrize("taken", ["recipe.yaml", "data/conversations.jsonl", "recipe.schema.json"])
def test_nothing_is_overwritten_unasked(taken: str) -> None:
    Path(taken).parent.mkdir(exist_ok=True)
    Path(taken).write_text("mine")
    with pytest.raises(UsageError) as caught:
        run()
    assert (caught.value.code, caught.value.where, caught.value.exit_status) == ("C050", taken, 2)
    assert "--force" in str(caught.value)
    assert written() == {taken}
    assert Path(taken).read_text() == "mine"


def test_force_overwrites() -> None:
    Path("recipe.yaml").write_text("mine")
    run("--force")
    assert load_recipe(Path("recipe.yaml")).recipe.name == "quickstart"


def test_a_second_recipe_shares_the_files_beside_the_first() -> None:
    run("one.yaml")
    run("two.yaml")
    assert written() == {"one.yaml", "two.yaml", "recipe.schema.json", "data/conversations.jsonl"}


def test_data_is_private_and_nothing_half_written_is_left() -> None:
    run()
    assert stat.S_IMODE(Path("data/conversations.jsonl").stat().st_mode) == 0o600
    assert list(Path().rglob(".*")) == []


def test_a_folder_in_the_way_is_told() -> None:
    Path("recipe.schema.json").mkdir()
    with pytest.raises(StorageError) as caught:
        run("--force", "--template", "minimal")
    assert (caught.value.code, caught.value.exit_status) == ("I010", 74)
    assert written() == set()


def test_a_file_where_a_folder_should_be_is_told() -> None:
    Path("file").write_text("mine")
    with pytest.raises(StorageError) as caught:
        run("file/recipe.yaml")
    assert caught.value.where == "file/data/conversations.jsonl"
    assert Path("file").read_text() == "mine"


def test_schema_is_printed_or_written() -> None:
    printed = CliRunner().invoke(schema, catch_exceptions=False, standalone_mode=False).output
    CliRunner().invoke(schema, ["--output", "s.json"], catch_exceptions=False, standalone_mode=False)
    assert json.loads(printed) == json.loads(Path("s.json").read_text()) == recipe_schema()
