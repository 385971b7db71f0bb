from __future__ import annotations

from pathlib import Path

import pytest

from cesello.domain.errors import InvalidRecipe
from cesello.entrypoints.settings.memory_file import LoadedMemory, load_memory, memory_of
from cesello.entrypoints.settings.memory_settings import MemorySettings


def written(folder: Path, text: str) -> Path:
    file = folder / "cesello.yaml"
    file.write_text(text)
    return file


def refused(file: Path | None, *overrides: str, at: Path) -> str:
    with pytest.raises(InvalidRecipe) as problem:
        load_memory(file, overrides, at)
    return str(problem.value)


def test_without_a_file_all_is_as_it_is_by_default(tmp_path: Path) -> None:
    loaded = load_memory(None, at=tmp_path)
    assert loaded == LoadedMemory(MemorySettings(), tmp_path)
    assert loaded.folder == tmp_path / ".cesello" / "memory"
    assert list(tmp_path.iterdir()) == []


def test_a_file_says_otherwise_and_an_override_has_the_last_word(tmp_path: Path) -> None:
    file = written(
        tmp_path, "memory:\n  store: numpy\n  keep: 5\n  embedder:\n    engine: onnx\n    precision: int8\n"
    )
    settings = load_memory(file, ["memory.keep=7", "memory.threshold=0.25"]).settings
    assert (settings.store, settings.keep, settings.threshold) == ("numpy", 7, 0.25)
    assert (settings.embedder.precision, settings.recall) == ("int8", 20)


def test_the_nearest_folder_with_settings_or_a_memory_is_the_root(tmp_path: Path) -> None:
    deep = tmp_path / "project" / "src" / "deep"
    deep.mkdir(parents=True)
    assert load_memory(None, at=deep).root == deep
    (tmp_path / "project" / ".cesello" / "memory").mkdir(parents=True)
    assert load_memory(None, at=deep).root == tmp_path / "project"
    written(tmp_path / "project" / "src", "memory: {keep: 9}\n")
    assert load_memory(None, at=deep).root == tmp_path / "project" / "src"
    assert load_memory(None, at=deep).settings.keep == 9


def test_the_search_ends_at_the_top_of_a_repository(tmp_path: Path) -> None:
    written(tmp_path, "memory: {keep: 9}\n")
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    (tmp_path / "repo" / "src").mkdir()
    assert load_memory(None, at=tmp_path / "repo" / "src").root == tmp_path / "repo" / "src"
    assert load_memory(None, at=tmp_path / "repo").settings.keep == 3


def test_the_search_ends_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "notes").mkdir(parents=True)
    written(tmp_path, "memory: {keep: 9}\n")
    assert load_memory(None, at=tmp_path / "home" / "notes").settings.keep == 3


def test_a_named_file_is_beside_its_memory(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    file = written(tmp_path / "other", "memory: {folder: kept/here}\n")
    loaded = load_memory(file, at=tmp_path)
    assert (loaded.root, loaded.folder) == (tmp_path / "other", tmp_path / "other" / "kept" / "here")


def test_the_environment_can_hold_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CESELLO_DATABASE", "postgresql://me:secret@host/code")
    file = written(tmp_path, "memory:\n  store: pgvector\n  server: ${CESELLO_DATABASE}\n")
    assert load_memory(file).settings.server == "postgresql://me:secret@host/code"
    monkeypatch.delenv("CESELLO_DATABASE")
    assert "CESELLO_DATABASE" in refused(file, at=tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("memory:\n  kep: 3\n", ["C001", "cesello.yaml:2", '"keep"']),
        ("memory:\n  store: nowhere\n", ["cesello.yaml:2", "chroma"]),
        ("memory:\n  keep: 0\n", ["cesello.yaml:2", "keep"]),
        ("memory:\n  keep: three\n", ["cesello.yaml:2", "keep"]),
        ("memory:\n  threshold: .nan\n", ["cesello.yaml:2", "not a finite number"]),
        ("memory:\n  words: 1.5\n", ["cesello.yaml:2", "words"]),
        ("memory:\n  collection: 'A b'\n", ["cesello.yaml:2", "collection"]),
        ("memory:\n  keep: 3\n  keep: 4\n", ["cesello.yaml:3", "keep"]),
        ("memory:\n  embedder:\n    engin: onnx\n", ["cesello.yaml:3", '"engine"']),
        ("model: {name: org/model}\n", ["C001", "cesello.yaml:1", "one section, memory"]),
        ("memory: [\n", ["cesello.yaml:"]),
        ("- memory\n", ["cesello.yaml"]),
        ("memory: 3\n", ["cesello.yaml:1"]),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, said: list[str]) -> None:
    message = refused(written(tmp_path, text), at=tmp_path)
    assert all(part in message for part in said), message


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    file = written(tmp_path, "memory:\n  kep: 3\n  recall: 0\nother: 1\n")
    message = refused(file, "memory.stor=numpy", at=tmp_path)
    assert all(part in message for part in ('"kep"', "recall", '"other"', '"stor"'))


@pytest.mark.parametrize(
    "override",
    ["memory.kep=3", "keep=3", "memory.keep", "memory.keep=0", "memory.embedder.engine=x"]
    + [f"memory.{one}=99999999999999999999" for one in ("chunk_characters", "largest_file")],
)
def test_a_wrong_override_is_refused(tmp_path: Path, override: str) -> None:
    assert "--set" in refused(None, override, at=tmp_path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert "nowhere.yaml" in refused(tmp_path / "nowhere.yaml", at=tmp_path)


@pytest.mark.parametrize("folder", ["/elsewhere", "../above", "a/../../above", "."])
def test_a_memory_stays_under_its_folder(tmp_path: Path, folder: str) -> None:
    with pytest.raises(InvalidRecipe, match="C011"):
        load_memory(None, [f"memory.folder={folder}"], at=tmp_path)


@pytest.mark.parametrize("link", [".cesello", ".cesello/memory"])
def test_a_link_leads_a_memory_elsewhere_only_where_somebody_names_it(tmp_path: Path, link: str) -> None:
    """The folder may have come with a repository, and a writer would follow its links."""
    (tmp_path / "elsewhere").mkdir()
    place = tmp_path / "project" / link
    place.parent.mkdir(parents=True)
    place.symlink_to(tmp_path / "elsewhere")
    project = tmp_path / "project"
    said = refused(None, at=project)
    assert "C011" in said
    assert "--set memory.folder=.cesello/memory" in said
    file = written(project, "memory: {keep: 2}\n")
    assert "C011" in refused(None, "memory.keep=3", at=project)
    assert load_memory(None, ["memory.folder=.cesello/memory"], project).settings.keep == 2
    assert load_memory(file).root == project


def test_a_link_on_the_way_to_the_project_leads_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "real" / ".cesello" / "memory").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    assert load_memory(None, at=tmp_path / "link").root == tmp_path / "link"


ELSEWHERE = [
    ("store: pgvector", "server: postgresql://me@db.example.com/x"),
    ("store: pgvector", "server: host=db.example.com dbname=x"),
    ("recall: 20", "embedder: {engine: openai, url: https://example.com/v1}"),
    ("recall: 20", "answer: {url: https://example.com/v1}"),
    ("recall: 20", "answer: {url: 'HTTP://example.com/v1'}"),
    ("store: pgvector", "server: 'postgresql://localhost?@db.example.com/x'"),
]
HERE = [
    ("store: pgvector", "server: postgresql:///x"),
    ("store: chroma_server", "server: http://localhost:8000"),
    ("recall: 20", "answer: {url: http://127.0.0.1:1/v1}"),
]


@pytest.mark.parametrize("lines", ELSEWHERE)
def test_code_is_sent_elsewhere_only_where_the_file_is_named(tmp_path: Path, lines: tuple[str, str]) -> None:
    file = written(tmp_path, "memory:\n" + "".join(f"  {line}\n" for line in lines))
    with pytest.raises(InvalidRecipe, match="C104"):
        load_memory(None, at=tmp_path)
    assert load_memory(file, at=tmp_path).root == tmp_path


@pytest.mark.parametrize("lines", HERE)
def test_a_server_on_this_machine_needs_no_name(tmp_path: Path, lines: tuple[str, str]) -> None:
    written(tmp_path, "memory:\n" + "".join(f"  {line}\n" for line in lines))
    load_memory(None, at=tmp_path)


def test_a_key_that_was_not_meant_for_cesello_is_refused(tmp_path: Path) -> None:
    written(tmp_path, "memory:\n  answer: {url: http://localhost:1/v1, api_key_env: AWS_SECRET_ACCESS_KEY}\n")
    with pytest.raises(InvalidRecipe, match="api_key_env"):
        load_memory(None, at=tmp_path)


def test_a_recipe_s_memory_is_below_its_root_or_in_the_nearest_folder_above(tmp_path: Path) -> None:
    inner = tmp_path / "project" / "recipes" / "small"
    inner.mkdir(parents=True)
    assert memory_of(inner, ".cesello/memory") == inner / ".cesello/memory"  # where there is none
    above = tmp_path / "project" / ".cesello" / "memory"
    above.mkdir(parents=True)
    assert memory_of(inner, ".cesello/memory") == above
    (tmp_path / "project" / "recipes" / ".git").mkdir()
    assert memory_of(inner, ".cesello/memory") == inner / ".cesello/memory"  # another repository's is none
    (inner / ".cesello" / "memory").mkdir(parents=True)
    assert memory_of(inner, ".cesello/memory") == inner / ".cesello/memory"
