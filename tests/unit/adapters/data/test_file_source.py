"""Files of every kind, whole and broken."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pyarrow.feather as feather
import pyarrow.parquet as parquet
import pytest

from cesello.adapters.data.file_source import FileSource
from cesello.domain.errors import DataError

ROWS = [{"text": "uno"}, {"text": "perché\u2028no"}, {"text": "tre"}]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)


def read(root: Path, pattern: str) -> list[tuple[str, Any]]:
    return [(row.place, dict(row.values)) for row in FileSource("chat", root, pattern).rows()]


def values(root: Path, pattern: str) -> list[Any]:
    return [row for _, row in read(root, pattern)]


def refused(root: Path, pattern: str) -> DataError:
    with pytest.raises(DataError) as caught:
        read(root, pattern)
    assert caught.value.exit_status == 3
    assert caught.value.fix
    return caught.value


# Kinds


def test_json_lines_are_found_at_their_lines(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(LINES.replace("\n", "\n\n", 1), encoding="utf-8")
    assert read(tmp_path, "a.jsonl") == [
        ("a.jsonl:1", ROWS[0]),
        ("a.jsonl:3", ROWS[1]),
        ("a.jsonl:4", ROWS[2]),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_byte_order_marks_of_any_system(tmp_path: Path, end: str, mark: str) -> None:
    (tmp_path / "a.jsonl").write_bytes((mark + LINES.replace("\n", end)).encode())
    (tmp_path / "a.csv").write_bytes((mark + f"text,n{end}uno,1{end}").encode())
    assert values(tmp_path, "a.jsonl") == ROWS
    assert values(tmp_path, "a.csv") == [{"text": "uno", "n": "1"}]


def test_json_holds_a_list_or_one_row(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(ROWS, indent=2))
    (tmp_path / "b.json").write_text(json.dumps(ROWS[0], indent=2))
    assert read(tmp_path, "a.json") == [(f"a.json row {n}", row) for n, row in enumerate(ROWS, start=1)]
    assert values(tmp_path, "b.json") == ROWS[:1]


def test_json_lines_under_the_name_of_json(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(LINES, encoding="utf-8")
    assert read(tmp_path, "a.json") == [(f"a.json:{n}", row) for n, row in enumerate(ROWS, start=1)]


def test_csv_with_quoted_line_ends(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('text,n\n"a\nb, c",1\nd,2\n')
    assert read(tmp_path, "a.csv") == [
        ("a.csv:3", {"text": "a\nb, c", "n": "1"}),
        ("a.csv:4", {"text": "d", "n": "2"}),
    ]


def test_compressed_files(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(LINES.encode()))
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b'text\r\n"a\r\nb"\r\n'))
    assert values(tmp_path, "a.jsonl.gz") == ROWS
    assert values(tmp_path, "a.csv.gz") == [{"text": "a\r\nb"}]


def test_tables_of_arrow(tmp_path: Path) -> None:
    table = arrow.Table.from_pylist(ROWS)
    parquet.write_table(table, tmp_path / "a.parquet")
    feather.write_feather(table, tmp_path / "a.arrow")
    for name in ("a.parquet", "a.arrow"):
        assert read(tmp_path, name) == [(f"{name} row {n}", row) for n, row in enumerate(ROWS, start=1)]


# Which files


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("data/b.jsonl", "data/a.jsonl", "data/deep/c.jsonl", "data/notes.txt", "other.jsonl"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"text": path.stem}) + "\n")
    (tmp_path / "data" / "folder.json").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("data", ["a", "b", "c"]),
        ("data/", ["a", "b", "c"]),
        ("data/*.jsonl", ["a", "b"]),
        ("**/*.jsonl", ["a", "b", "c", "other"]),
        ("data/[bc].jsonl", ["b"]),
        ("data/?.jsonl", ["a", "b"]),
        ("data/**/c*", ["c"]),
    ],
)
def test_a_file_a_folder_or_a_pattern(tree: Path, pattern: str, found: list[str]) -> None:
    assert [row["text"] for row in values(tree, pattern)] == found


def test_an_absolute_pattern(tree: Path) -> None:
    assert [row["text"] for row in values(tree, str(tree / "data" / "*.jsonl"))] == ["a", "b"]


def test_a_file_whose_name_looks_like_a_pattern(tree: Path) -> None:
    (tree / "data" / "x[1].jsonl").write_text('{"text": "x"}')
    assert values(tree, "data/x[1].jsonl") == [{"text": "x"}]


@pytest.mark.parametrize("pattern", ["nothing.jsonl", "nothing/*.jsonl", "data/notes", "a**b"])
def test_files_that_are_not_there(tree: Path, pattern: str) -> None:
    error = refused(tree, pattern)
    assert (error.code, error.where) == ("D001", pattern)
    assert '"chat"' in error.what


def test_a_folder_without_data_is_as_if_not_there(tree: Path) -> None:
    (tree / "empty").mkdir()
    (tree / "empty" / "notes.txt").write_text("x")
    assert refused(tree, "empty").code == "D001"


# What is broken


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.jsonl.gz"])
@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_a_file_without_rows(tmp_path: Path, name: str, content: bytes) -> None:
    content = b"text\n" if name == "a.csv" and content else content
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    error = refused(tmp_path, name)
    assert (error.code, error.where) == ("D002", f'source "chat" ({name})')


BROKEN = {
    "broken line 17": ("a.jsonl", '{"text": "a"}\n' * 16 + '{"text": \n', "a.jsonl:17", "broken JSON"),
    "an array in a line": ("a.jsonl", '{"text": "a"}\n[1]\n', "a.jsonl:2", "a row is not an object"),
    "a number in a list": ("a.json", '[{"text": "a"}, 3]', "a.json row 2", "a row is not an object"),
    "JSON cut off": ("a.json", '[{"text": "a"}', "a.json", "broken JSON"),
    "a broken line under the name of json": ("a.json", '{"a": 1}\n{"b"\n', "a.json:2", "broken JSON"),
    "too deep": ("a.jsonl", "[" * 100_000, "a.jsonl:1", "broken JSON"),
    "a quote left open": ("a.csv", 'text\n"abc\n', "a.csv:2", "broken CSV"),
    "more fields than headings": ("a.csv", "text\na\nb,c\n", "a.csv:3", "more fields than headings"),
    "not parquet": ("a.parquet", "text", "a.parquet", "broken parquet file"),
    "not arrow": ("a.arrow", "text", "a.arrow", "broken ipc file"),
    "not gzip": ("a.jsonl.gz", "text", "a.jsonl.gz", "cannot be read"),
    "an unknown kind": ("a.xlsx", "text", "a.xlsx", "the kind of a file is not known"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_named_with_its_line(tmp_path: Path, case: str) -> None:
    name, content, place, reason = BROKEN[case]
    (tmp_path / name).write_text(content)
    error = refused(tmp_path, name)
    assert (error.code, error.where) == ("D003", place)
    assert reason in error.what


@pytest.mark.parametrize("cut", [5, 30, -4])
def test_a_compressed_file_that_is_cut_off_or_damaged(tmp_path: Path, cut: int) -> None:
    packed = gzip.compress(LINES.encode() * 50)
    (tmp_path / "a.jsonl.gz").write_bytes(packed[:cut])
    assert refused(tmp_path, "a.jsonl.gz").code == "D003"
    (tmp_path / "a.jsonl.gz").write_bytes(packed[:40] + b"\xff" * 8 + packed[48:])
    assert refused(tmp_path, "a.jsonl.gz").code == "D003"


@pytest.mark.parametrize("codec", ["utf-16", "latin-1"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv"])
def test_a_file_that_is_not_utf_8(tmp_path: Path, name: str, codec: str) -> None:
    (tmp_path / name).write_bytes('{"text": "perché"}\n'.encode(codec))
    error = refused(tmp_path, name)
    assert (error.code, error.what, error.where) == ("D003", "a file is not UTF-8", name)


def test_the_origin_names_the_files() -> None:
    source = FileSource("chat", Path(), "data/*.jsonl")
    assert (source.name, source.origin) == ("chat", "file data/*.jsonl")
