"""Files as a memory holds them, and what they are called."""

from __future__ import annotations

from cesello.domain.document import Chunk
from cesello.domain.remembered import FileMark
from cesello.domain.remembered_file import (
    IndexedFile,
    generation_of,
    indexed_files,
    module_of,
    names_of_path,
    shown_paths,
)


def chunk(path: str, text: str, start: int = 0) -> Chunk:
    return Chunk(path, start, start + len(text), 1, 1, text, "python", "module")


def test_a_file_is_its_chunks() -> None:
    chunks = [
        ("1", chunk("a.py", "x = 1\n")),
        ("2", chunk("a.py", "y = 2\n", 6)),
        ("3", chunk("b.md", "# B")),
    ]
    marks = {path: FileMark(path, 1, 1, f"sha of {path}") for path in ("a.py", "b.md")}
    first, second = indexed_files(chunks, marks, {"a.py": "a.py", "b.md": "b.md"})
    assert (first.text, first.sha, first.is_python) == ("x = 1\ny = 2\n", "sha of a.py", True)
    assert (second.text, second.is_python) == ("# B", False)


def test_a_generation_is_of_paths_and_bytes_alone() -> None:
    marks = {"a": FileMark("a", 1, 5, "1"), "b": FileMark("b", 1, 5, "2")}
    touched = {path: FileMark(path, 1, 99, marks[path].digest) for path in ("b", "a")}
    assert generation_of(marks) == generation_of(touched)
    assert generation_of(marks) != generation_of({**marks, "b": FileMark("b", 1, 5, "3")})
    assert generation_of(marks) != generation_of({"a": marks["a"], "c": FileMark("c", 1, 5, "2")})


def test_a_path_begins_at_the_folder_that_was_remembered() -> None:
    paths = [".venv/lib/gepa/api.py", "src/a.py", "notes.md", "../other/x.py"]
    roots = [".venv/lib/gepa", ".", "../other"]
    assert list(shown_paths(paths, roots).values()) == ["gepa/api.py", "src/a.py", "notes.md", "other/x.py"]


def test_two_files_never_share_a_name() -> None:
    paths = ["one/pack/a.py", "two/pack/a.py", "two/pack/b.py"]
    assert shown_paths(paths, ["one/pack", "two/pack"]) == {
        "one/pack/a.py": "one/pack/a.py",
        "two/pack/a.py": "two/pack/a.py",
        "two/pack/b.py": "pack/b.py",
    }


def test_what_is_outside_the_project_is_not_called_by_its_way_there() -> None:
    paths = ["../../work/one/pack/a.py", "two/pack/a.py", "../c.py"]
    roots = ["../../work/one/pack", "two/pack", ".."]
    assert list(shown_paths(paths, roots).values()) == ["work/one/pack/a.py", "two/pack/a.py", "c.py"]
    assert list(shown_paths(["../c.py", "c.py"], ["..", "."]).values()) == ["../c.py", "c.py"]


def test_what_a_file_may_be_called() -> None:
    file = IndexedFile("lib/pack/core/a.py", "pack/core/a.py", "", ())
    names = ("pack/core/a.py", "lib/pack/core/a.py", "a.py", "pack.core.a")
    assert names_of_path(file, {"a.py": 1}) == names
    assert "a.py" not in names_of_path(file, {"a.py": 2})
    assert module_of("pack/__init__.py") == "pack"
