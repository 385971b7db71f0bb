"""Files of every kind, whole and broken."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import socket
from collections.abc import Callable
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


def zstd(content: bytes) -> bytes:
    packed = arrow.BufferOutputStream()
    with arrow.CompressedOutputStream(packed, "zstd") as stream:
        stream.write(content)
    made: bytes = packed.getvalue().to_pybytes()
    return made


PACKERS: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "zst": zstd}


@pytest.mark.parametrize("end", PACKERS)
def test_compressed_files(tmp_path: Path, end: str) -> None:
    pack = PACKERS[end]
    (tmp_path / f"a.jsonl.{end}").write_bytes(pack(LINES.encode()))
    (tmp_path / f"a.json.{end}").write_bytes(pack(json.dumps(ROWS).encode()))
    (tmp_path / f"a.csv.{end}").write_bytes(pack(b'\xef\xbb\xbftext\r\n"a\r\nb"\r\n'))
    (tmp_path / f"two.jsonl.{end}").write_bytes(pack(LINES.encode()) + pack(LINES.encode()))
    assert read(tmp_path, f"a.jsonl.{end}") == [(f"a.jsonl.{end}:{n}", row) for n, row in enumerate(ROWS, 1)]
    assert values(tmp_path, f"a.json.{end}") == ROWS
    assert values(tmp_path, f"a.csv.{end}") == [{"text": "a\r\nb"}]
    assert values(tmp_path, f"two.jsonl.{end}") == ROWS * 2


def test_tables_of_arrow(tmp_path: Path) -> None:
    table = arrow.Table.from_pylist(ROWS)
    parquet.write_table(table, tmp_path / "a.parquet")
    feather.write_feather(table, tmp_path / "a.arrow")
    for name in ("a.parquet", "a.arrow"):
        assert read(tmp_path, name) == [(f"{name} row {n}", row) for n, row in enumerate(ROWS, start=1)]


def test_arrow_as_the_datasets_library_streams_it(tmp_path: Path) -> None:
    table = arrow.Table.from_pylist(ROWS)
    with (
        arrow.OSFile(str(tmp_path / "a.arrow"), "wb") as file,
        arrow.ipc.new_stream(file, table.schema) as out,
    ):
        for batch in table.to_batches(max_chunksize=2):
            out.write_batch(batch)
    assert read(tmp_path, "a.arrow") == [(f"a.arrow row {n}", row) for n, row in enumerate(ROWS, start=1)]


def test_a_table_of_many_rows(tmp_path: Path) -> None:
    rows = [{"n": n, "list": [n], "map": {"a": None}} for n in range(2500)]
    table = arrow.Table.from_pylist(rows)
    parquet.write_table(table, tmp_path / "a.parquet", row_group_size=1700)
    feather.write_feather(table, tmp_path / "a.arrow")
    for name in ("a.parquet", "a.arrow"):
        assert values(tmp_path, name) == rows


UNTELLABLE: dict[str, Callable[[int], Any]] = {
    "a moment in the year 10000": lambda at: arrow.array(
        [253402300800 if n == at else n for n in range(2500)], arrow.timestamp("s")
    ),
    "a day in the year 10000": lambda at: arrow.array(
        [2932897 if n == at else n for n in range(2500)], arrow.int32()
    ).cast(arrow.date32()),
    "a duration of a million years": lambda at: arrow.array(
        [10**14 if n == at else n for n in range(2500)], arrow.duration("s")
    ),
}


@pytest.mark.parametrize("case", UNTELLABLE)
def test_a_value_that_python_has_not_is_named_with_its_row(tmp_path: Path, case: str) -> None:
    feather.write_feather(arrow.table({"value": UNTELLABLE[case](1234)}), tmp_path / "a.arrow")
    parquet.write_table(arrow.table({"value": UNTELLABLE[case](1234)}), tmp_path / "a.parquet")
    for name in ("a.arrow", "a.parquet"):
        rows = FileSource("chat", tmp_path, name).rows()
        assert [next(rows).place for _ in range(1234)][-1] == f"{name} row 1234"
        with pytest.raises(DataError) as caught:
            next(rows)
        assert (caught.value.code, caught.value.where) == ("D003", f"{name} row 1235")


def test_a_time_zone_that_is_nowhere_is_named(tmp_path: Path) -> None:
    times = arrow.array([1], arrow.timestamp("us", "Nowhere/City"))
    feather.write_feather(arrow.table({"value": times}), tmp_path / "a.arrow")
    error = refused(tmp_path, "a.arrow")
    assert (error.code, error.where) == ("D003", "a.arrow row 1")


def test_two_fields_of_one_name_in_a_table(tmp_path: Path) -> None:
    field = arrow.StructArray.from_arrays([arrow.array([1]), arrow.array([2])], names=["a", "a"])
    feather.write_feather(arrow.table({"value": field}), tmp_path / "a.arrow")
    error = refused(tmp_path, "a.arrow")
    assert (error.code, error.where) == ("D003", "a.arrow row 1")
    assert "duplicate field names" in error.what


def test_two_columns_of_one_name_in_a_table(tmp_path: Path) -> None:
    table = arrow.Table.from_arrays([arrow.array(["x"]), arrow.array(["y"])], names=["text", "text"])
    parquet.write_table(table, tmp_path / "a.parquet")
    with (
        arrow.OSFile(str(tmp_path / "a.arrow"), "wb") as file,
        arrow.ipc.new_file(file, table.schema) as out,
    ):
        out.write_table(table)
    for name in ("a.parquet", "a.arrow"):
        error = refused(tmp_path, name)
        assert (error.code, error.where) == ("D003", name)
        assert "two columns have the same name" in error.what


def test_a_field_of_csv_longer_than_the_modules_own_limit(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"text\n{'x' * 200_000}\n")
    assert [len(row["text"]) for row in values(tmp_path, "a.csv")] == [200_000]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.jsonl.gz", "a.jsonl.zst"])
def test_lines_are_read_as_they_are_asked_for(tmp_path: Path, name: str) -> None:
    content = LINES.encode() + b"broken\n"
    (tmp_path / name).write_bytes(PACKERS.get(name.rsplit(".")[-1], bytes)(content))
    rows = FileSource("chat", tmp_path, name).rows()
    assert [next(rows).values for _ in ROWS] == ROWS
    with pytest.raises(DataError, match=rf"{name}:4"):
        next(rows)


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


def test_a_folder_of_mixed_kinds(tree: Path) -> None:
    (tree / "data" / "d.csv").write_text("text\nd\n")
    (tree / "data" / "e.json.gz").write_bytes(gzip.compress(b'[{"text": "e"}]'))
    (tree / "data" / "f.jsonl.zst").write_bytes(zstd(b'{"text": "f"}'))
    parquet.write_table(arrow.table({"text": ["g"]}), tree / "data" / "g.parquet")
    found = read(tree, "data")
    assert [row["text"] for _, row in found] == ["a", "b", "d", "c", "e", "f", "g"]
    assert [place for place, _ in found][2:4] == ["data/d.csv:2", "data/deep/c.jsonl:1"]


def test_a_folder_that_the_datasets_library_saved(tree: Path) -> None:
    for name in ("dataset_info.json", "state.json", "dataset_dict.json"):
        (tree / "data" / name).write_text('{"text": "not a row"}')
    feather.write_feather(arrow.table({"text": ["row"]}), tree / "data" / "data-00000-of-00001.arrow")
    assert [row["text"] for row in values(tree, "data")] == ["a", "b", "row", "c"]
    assert values(tree, "data/state.json") == [{"text": "not a row"}]


def test_hidden_files_of_a_folder_are_passed_over(tree: Path) -> None:
    (tree / "data" / ".hidden").mkdir()
    for name in (".x.jsonl", ".hidden/x.jsonl"):
        (tree / "data" / name).write_text('{"text": "hidden"}')
    assert [row["text"] for row in values(tree, "data")] == ["a", "b", "c"]


def test_links_inside_the_root_are_followed_once(tree: Path) -> None:
    (tree / "data" / "link").symlink_to(tree / "data" / "deep")
    (tree / "data" / "loop").symlink_to(tree / "data")
    (tree / "data" / "z.jsonl").symlink_to(tree / "other.jsonl")
    for pattern in ("data", "data/**/*.jsonl"):
        assert [row["text"] for row in values(tree, pattern)] == ["a", "b", "c", "other"]


@pytest.mark.parametrize("pattern", ["data", "data/*.jsonl", "data/x.jsonl"])
def test_a_link_to_a_file_outside_the_root_is_refused(tree: Path, pattern: str) -> None:
    outside = tree.parent / "outside.jsonl"
    outside.write_text('{"text": "secret"}')
    (tree / "data" / "x.jsonl").symlink_to(outside)
    error = refused(tree, pattern)
    assert (error.code, error.what) == ("D003", "a path leads out of the root")
    assert error.where == "data/x.jsonl"


@pytest.mark.parametrize("pattern", ["data", "data/x", "data/x/*.jsonl", "**/*.jsonl", "data/x/a.jsonl"])
def test_a_link_to_a_folder_outside_the_root_is_refused(tree: Path, pattern: str) -> None:
    outside = tree.parent / f"outside of {tree.name}"
    shutil.copytree(tree / "data", outside)
    (tree / "data" / "x").symlink_to(outside)
    assert refused(tree, pattern).what == "a path leads out of the root"


def test_a_path_outside_the_root_is_refused(tree: Path) -> None:
    (tree / "inner").mkdir()
    assert refused(tree / "inner", "../other.jsonl").what == "a path leads out of the root"
    assert refused(tree / "inner", str(tree / "other.jsonl")).what == "a path leads out of the root"


@pytest.mark.parametrize("pattern", ["data", "data/x*", "data/x.jsonl"])
def test_what_is_no_regular_file_is_not_read(tree: Path, pattern: str) -> None:
    os.mkfifo(tree / "data" / "x.jsonl")
    error = refused(tree, pattern)
    assert (error.code, error.where, error.got) == ("D003", "data/x.jsonl", "a pipe or a device")


def test_a_socket_and_a_link_to_nothing_are_not_read(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("x.jsonl")
    assert refused(tree, "x.jsonl").got == "a pipe or a device"
    (tree / "data" / "y.jsonl").symlink_to("nothing")
    assert refused(tree, "data").got == "a link to nothing"


def test_a_pipe_of_another_name_is_nobodys_business(tree: Path) -> None:
    os.mkfifo(tree / "data" / "control")
    assert [row["text"] for row in values(tree, "data")] == ["a", "b", "c"]


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


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.jsonl.gz", "a.jsonl.zst"])
@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_a_file_without_rows_gives_none(tmp_path: Path, name: str, content: bytes) -> None:
    content = b"text\n" if name == "a.csv" and content else content
    (tmp_path / name).write_bytes(PACKERS.get(name.rsplit(".")[-1], bytes)(content))
    assert values(tmp_path, name) == []


BROKEN = {
    "broken line 17": ("a.jsonl", '{"text": "a"}\n' * 16 + '{"text": \n', "a.jsonl:17", "broken JSON"),
    "an array in a line": ("a.jsonl", '{"text": "a"}\n[1]\n', "a.jsonl:2", "a row is not an object"),
    "a number in a list": ("a.json", '[{"text": "a"}, 3]', "a.json row 2", "a row is not an object"),
    "JSON cut off": ("a.json", '[{"text": "a"}', "a.json", "broken JSON"),
    "a broken line under the name of json": ("a.json", '{"a": 1}\n{"b"\n', "a.json:2", "broken JSON"),
    "too deep": ("a.jsonl", "[" * 100_000, "a.jsonl:1", "broken JSON"),
    "a quote left open": ("a.csv", 'text\n"abc\n', "a.csv:2", "broken CSV"),
    "more fields than headings": ("a.csv", "text\na\nb,c\n", "a.csv:3", "more fields than headings"),
    "two headings alike": ("a.csv", "text,text\na,b\n", "a.csv:1", "two columns have the same heading"),
    "not zstd": ("a.jsonl.zst", "text", "a.jsonl.zst", "cannot be read"),
    "a compressed table": ("a.parquet.gz", "text", "a.parquet.gz", "the kind of a file is not known"),
    "not parquet": ("a.parquet", "text", "a.parquet", "broken parquet file"),
    "not arrow": ("a.arrow", "text", "a.arrow", "broken arrow file"),
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


@pytest.mark.parametrize("end", PACKERS)
@pytest.mark.parametrize("cut", [5, 30, -4])
def test_a_compressed_file_that_is_cut_off_or_damaged(tmp_path: Path, cut: int, end: str) -> None:
    packed = PACKERS[end](LINES.encode() * 50)
    (tmp_path / f"a.jsonl.{end}").write_bytes(packed[:cut])
    assert refused(tmp_path, f"a.jsonl.{end}").code == "D003"
    (tmp_path / f"a.jsonl.{end}").write_bytes(packed[:40] + b"\xff" * 8 + packed[48:])
    assert refused(tmp_path, f"a.jsonl.{end}").code == "D003"


@pytest.mark.parametrize("write", [feather.write_feather, parquet.write_table])
def test_a_table_that_is_cut_off(tmp_path: Path, write: Any) -> None:
    name = "a.parquet" if write is parquet.write_table else "a.arrow"
    write(arrow.Table.from_pylist(ROWS * 1000), tmp_path / name)
    packed = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(packed[: len(packed) // 2])
    assert refused(tmp_path, name).code == "D003"


def test_a_table_that_lies_about_itself(tmp_path: Path) -> None:
    """Where its texts begin and end is taken from the file: outside of it, if nobody looked."""
    table = arrow.table({"text": ["abc", "def"]})
    with (
        arrow.OSFile(str(tmp_path / "a.arrow"), "wb") as file,
        arrow.ipc.new_stream(file, table.schema) as out,
    ):
        out.write_table(table)
    ends, lies = (b"".join(n.to_bytes(4, "little") for n in (0, 3, last)) for last in (6, 999_999))
    packed = (tmp_path / "a.arrow").read_bytes()
    assert packed.count(ends) == 1
    (tmp_path / "a.arrow").write_bytes(packed.replace(ends, lies))
    error = refused(tmp_path, "a.arrow")
    assert (error.code, error.where) == ("D003", "a.arrow")


def test_a_folder_that_cannot_be_listed(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(path: Path) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", deny)
    error = refused(tree, "data")
    assert (error.code, error.where) == ("D003", "data")
    assert "Permission denied" in error.what


@pytest.mark.parametrize("codec", ["utf-16", "latin-1"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv"])
def test_a_file_that_is_not_utf_8(tmp_path: Path, name: str, codec: str) -> None:
    (tmp_path / name).write_bytes('{"text": "perché"}\n'.encode(codec))
    error = refused(tmp_path, name)
    assert (error.code, error.what, error.where) == ("D003", "a file is not UTF-8", name)


def test_the_origin_names_the_files() -> None:
    source = FileSource("chat", Path(), "data/*.jsonl")
    assert (source.name, source.origin) == ("chat", "file data/*.jsonl")


def test_the_identity_follows_the_files(tree: Path) -> None:
    def identity(pattern: str = "data") -> str:
        return FileSource("chat", tree, pattern).identity

    before = identity()
    assert before == identity()
    assert before == FileSource("other", tree, "data").identity
    assert before != identity("data/*.jsonl")
    path = tree / "data" / "a.jsonl"
    content, state = path.read_bytes(), path.stat()
    path.write_bytes(content + content)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    longer = identity()
    path.write_bytes(content)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    later = identity()
    (tree / "data" / "new.csv").touch()
    assert len({before, longer, later, identity()}) == 4
