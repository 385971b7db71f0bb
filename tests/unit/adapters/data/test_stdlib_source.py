"""Real functions of the standard library as question and answer."""

from __future__ import annotations

import ast
import sys
from itertools import groupby
from pathlib import Path

import pytest

from cesello.adapters.data.python_code import CodeFolder, InstalledPackage, PythonCode, StandardLibrary
from cesello.adapters.data.stdlib_source import StdlibSource
from cesello.domain.errors import DataError
from cesello.domain.source import SourceRow

MODULES = ["textwrap", "json", "email.utils", "bisect", "statistics", "configparser"]


@pytest.fixture(scope="module")
def rows() -> list[SourceRow]:
    return list(StdlibSource("coding", StandardLibrary(MODULES)).rows())


def code(row: SourceRow) -> str:
    text = str(row.values["response"])
    assert text.startswith("```python\n")
    assert text.endswith("\n```")
    return text.removeprefix("```python\n").removesuffix("```")


def test_every_answer_is_one_function_of_the_name_that_was_asked_for(rows: list[SourceRow]) -> None:
    assert len(rows) > 50
    for row in rows:
        [function] = ast.parse(code(row)).body
        assert isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)), row.place
        assert f"`{function.name}(" in str(row.values["instruction"])
        assert not function.name.startswith("_")


def test_the_documentation_asks_and_is_not_in_the_answer(rows: list[SourceRow]) -> None:
    by_name = {str(row.values["instruction"]): row for row in rows}
    [(question, row)] = [(asked, row) for asked, row in by_name.items() if "`dedent(text)`" in asked]
    assert "Remove any common leading whitespace from every line" in question
    assert "Remove any common leading whitespace" not in code(row)
    for row in rows:
        [function] = ast.parse(code(row)).body
        assert isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        assert ast.get_docstring(function) is None


def test_rows_come_by_module_and_then_by_line(rows: list[SourceRow]) -> None:
    files = [row.place.split(":")[0] for row in rows]
    modules = [file for index, file in enumerate(files) if file not in files[:index]]
    assert modules[0] == "textwrap.py"
    assert [file for file, _ in groupby(files)] == modules
    for file in set(files):
        numbers = [int(row.place.split(":")[1]) for row in rows if row.place.startswith(f"{file}:")]
        assert numbers == sorted(numbers)


def test_a_place_is_where_the_function_stands(rows: list[SourceRow]) -> None:
    import textwrap

    lines = Path(str(textwrap.__file__)).read_text(encoding="utf-8").splitlines()
    mine = [row for row in rows if row.place.startswith("textwrap.py:")]
    assert all(lines[int(row.place.split(":")[1]) - 1].lstrip().startswith("def ") for row in mine)


def test_the_same_rows_come_every_time(rows: list[SourceRow]) -> None:
    source = StdlibSource("coding", StandardLibrary(MODULES))
    assert list(source.rows()) == rows
    assert source.name == "coding"
    assert source.origin == f"standard library of Python {sys.version.split()[0]}"


@pytest.mark.parametrize("module", ["nothing", "json.nothing", "sys", ""])
def test_a_module_without_source_is_named(module: str) -> None:
    with pytest.raises(DataError) as caught:
        list(StdlibSource("coding", StandardLibrary(["json", module])).rows())
    assert (caught.value.code, caught.value.where) == ("D001", 'source "coding"')
    assert f'"{module}"' in caught.value.what


@pytest.mark.parametrize("module", ["..", "...email", "/etc", "../x"])
def test_a_module_is_inside_the_library(module: str) -> None:
    with pytest.raises(DataError, match="D001"):
        list(StdlibSource("coding", StandardLibrary([module])).rows())


def test_modules_without_documented_functions_give_no_rows() -> None:
    assert list(StdlibSource("coding", StandardLibrary(["this"])).rows()) == []


def test_a_module_brings_what_is_in_it_once() -> None:
    rows = list(StdlibSource("coding", StandardLibrary(["xml", "xml.sax"])).rows())
    folders = {row.place.rsplit("/", 1)[0] for row in rows}
    assert {"xml/etree", "xml/dom", "xml/sax"} <= folders
    assert len({row.place for row in rows}) == len(rows)


# Packages


def names(code: PythonCode) -> list[str]:
    """Place and function of every row."""
    return [
        f"{row.place} {str(row.values['instruction']).split('`')[1].split('(')[0]}"
        for row in StdlibSource("coding", code).rows()
    ]


def function(name: str, how: str = "def") -> str:
    return f'{how} {name}(x):\n    """Says {name}."""\n    return x\n'


def write(folder: Path, *files: str) -> None:
    for file in files:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(function(f"from_{path.stem}"))


@pytest.mark.parametrize("name", ["pluggy", "PyYAML", "yaml"])
def test_an_installed_package_by_any_name_of_it(name: str) -> None:
    assert len(names(InstalledPackage(name))) > 10


def test_a_package_is_not_imported_and_its_tests_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "some_code/a.py", "some_code/deep/b.py", "some_code/tests/c.py", "lonely_code.py")
    (tmp_path / "some_code" / "__init__.py").write_text("raise SystemExit")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = ["some_code/a.py:1 from_a", "some_code/deep/b.py:1 from_b"]
    assert names(InstalledPackage("some_code")) == found
    assert names(InstalledPackage("some-code")) == found
    assert names(InstalledPackage("lonely_code")) == ["lonely_code.py:1 from_lonely_code"]
    assert "some_code" not in sys.modules


def test_a_distribution_brings_what_it_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "one/a.py", "two.py", "two_of_another.py")
    information = tmp_path / "many_tops-1.5.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: many-tops\nVersion: 1.5\n")
    (information / "RECORD").write_text("one/a.py,,\ntwo.py,,\n../bin/x.py,,\none/gone.py,,\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert names(InstalledPackage("many-tops")) == ["one/a.py:1 from_a", "two.py:1 from_two"]
    assert InstalledPackage("many-tops").origin == "package many-tops 1.5"


@pytest.mark.parametrize("name", ["no-such-package", "sys", "os.path", "..", ""])
def test_a_package_without_source_is_named(name: str) -> None:
    with pytest.raises(DataError) as caught:
        names(InstalledPackage(name))
    assert (caught.value.code, caught.value.where) == ("D001", 'source "coding"')
    assert f'"{name}"' in caught.value.what


# Folders


def test_a_folder_of_code(tmp_path: Path) -> None:
    write(tmp_path, "src/b.py", "src/deep/a.py", "src/tests/c.py", "other.py")
    assert names(CodeFolder(tmp_path, "src")) == [
        "src/b.py:1 from_b",
        "src/deep/a.py:1 from_a",
        "src/tests/c.py:1 from_c",
    ]
    assert len(names(CodeFolder(tmp_path, "."))) == 4
    assert CodeFolder(tmp_path, "src").origin == "folder src"


def test_what_is_not_ones_own_code_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "a.py", ".git/b.py", "node_modules/x/c.py", "__pycache__/d.py", "env/lib/e.py", ".f.py")
    (tmp_path / "env" / "pyvenv.cfg").touch()
    (tmp_path / "notes.txt").write_text("x")
    assert names(CodeFolder(tmp_path, ".")) == ["a.py:1 from_a"]


def test_methods_and_async_functions_are_functions(tmp_path: Path) -> None:
    method = "".join(f"    {line}\n" for line in function("method").splitlines())
    text = function("late", "async def") + "class C:\n" + method + function("_private")
    (tmp_path / "a.py").write_text(text)
    assert names(CodeFolder(tmp_path, ".")) == ["a.py:1 late", "a.py:5 method"]
    [late, _] = StdlibSource("coding", CodeFolder(tmp_path, ".")).rows()
    assert code(late) == "async def late(x):\n    return x\n"


BROKEN = {
    "syntax error": (b"x = 1\ndef f(:\n", ":2"),
    "NUL": (b"x = 1\0", ""),
    "latin-1": (b"# 1\r\n# 2\r\n# 3\r\nx = " + '"perché"\r\n'.encode("latin-1"), ":4"),
    "unknown encoding": (b"# coding: klingon\n", ""),
    "an encoding of no text": (b"# coding: hex\n", ""),
    "nested too deeply": (b"(" * 5000 + b")" * 5000, ":1"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_file_of_ones_own_that_is_no_python_is_named(tmp_path: Path, case: str) -> None:
    content, line = BROKEN[case]
    (tmp_path / "b.py").write_bytes(content)
    write(tmp_path, "a.py")
    rows = StdlibSource("coding", CodeFolder(tmp_path, ".")).rows()
    assert next(rows).place == "a.py:1"
    with pytest.raises(DataError) as caught:
        next(rows)
    assert (caught.value.code, caught.value.where) == ("D003", f"b.py{line}")
    assert not caught.value.what.endswith(": ")
    assert "narrow folder" in str(caught.value.fix)


@pytest.mark.parametrize("case", BROKEN)
def test_a_file_of_a_package_that_is_no_python_is_passed_over(
    tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "broken_code/b.py")
    (tmp_path / "broken_code" / "a.py").write_bytes(BROKEN[case][0])
    monkeypatch.syspath_prepend(str(tmp_path))
    assert names(InstalledPackage("broken_code")) == ["broken_code/b.py:1 from_b"]


def test_an_empty_file_has_no_functions(tmp_path: Path) -> None:
    write(tmp_path, "b.py")
    (tmp_path / "a.py").touch()
    assert names(CodeFolder(tmp_path, ".")) == ["b.py:1 from_b"]


def only(tmp_path: Path, text: str) -> SourceRow:
    (tmp_path / "a.py").write_text(text)
    [row] = StdlibSource("coding", CodeFolder(tmp_path, ".")).rows()
    return row


@pytest.mark.parametrize("end", ["\x0c", "\x1c", "\x85", "\u2028"])
def test_line_ends_that_are_none_to_python_stay_in_a_string(tmp_path: Path, end: str) -> None:
    text = f'class C:\n    def f(x):\n        """Says."""\n        return "a{end}    b"\n'
    assert code(only(tmp_path, text)) == f'def f(x):\n    return "a{end}    b"\n'


@pytest.mark.parametrize("decorators", ["@one\n@two(1)\n", "@(\n    one\n)\n", "@one(\n    1,\n)\n\n# why\n"])
def test_decorators_belong_to_the_code(tmp_path: Path, decorators: str) -> None:
    row = only(tmp_path, f"x = 1\n{decorators}{function('f')}")
    assert code(row) == f"{decorators}def f(x):\n    return x\n"
    assert row.place == f"a.py:{decorators.count(chr(10)) + 2}"


def test_an_encoding_that_a_file_declares_and_a_warning_it_causes(tmp_path: Path) -> None:
    text = '# coding: latin-1\ndef f(x):\n    """Perché."""\n    return "\\d perché"\n'
    (tmp_path / "a.py").write_bytes(text.encode("latin-1"))
    [row] = StdlibSource("coding", CodeFolder(tmp_path, ".")).rows()
    assert "Perché." in str(row.values["instruction"])
    assert "perché" in code(row)


def test_a_link_out_of_the_root_is_refused_and_a_loop_ends(tmp_path: Path) -> None:
    write(tmp_path, "root/src/a.py", "outside/b.py")
    (tmp_path / "root" / "src" / "loop").symlink_to(tmp_path / "root")
    assert names(CodeFolder(tmp_path / "root", "src")) == ["src/a.py:1 from_a"]
    (tmp_path / "root" / "src" / "c.py").symlink_to(tmp_path / "outside" / "b.py")
    with pytest.raises(DataError, match=r"D003.*leads out of the root.*src/c\.py"):
        names(CodeFolder(tmp_path / "root", "src"))
    with pytest.raises(DataError, match=r"D003.*leads out of the root"):
        names(CodeFolder(tmp_path / "root", "../outside"))


@pytest.mark.parametrize("folder", ["nothing", "empty", "a.py"])
def test_a_folder_without_code_is_named(tmp_path: Path, folder: str) -> None:
    (tmp_path / "empty").mkdir()
    write(tmp_path, "a.py")
    with pytest.raises(DataError, match=rf'D001.*"{folder}".*source "coding"'):
        names(CodeFolder(tmp_path, folder))


def test_a_file_that_goes_away_is_named(tmp_path: Path) -> None:
    write(tmp_path, "a.py", "b.py")
    rows = StdlibSource("coding", CodeFolder(tmp_path, ".")).rows()
    assert next(rows).place == "a.py:1"
    (tmp_path / "b.py").unlink()
    with pytest.raises(DataError, match=r"D003.*at b\.py"):
        next(rows)


def test_the_identity_follows_the_files(tmp_path: Path) -> None:
    write(tmp_path, "a.py")
    source = StdlibSource("coding", CodeFolder(tmp_path, "."))
    before = source.identity
    assert before == source.identity
    write(tmp_path, "b.py")
    assert before != source.identity
    whole, part = (StdlibSource("coding", StandardLibrary(each)).identity for each in (None, ["json"]))
    assert whole != part
