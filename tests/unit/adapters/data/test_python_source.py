"""Rows of somebody's own function: found under the root alone, and its mistakes explained."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from cesello.adapters.data.python_source import FunctionUnderRoot, OfferedFunction, PythonSource
from cesello.domain.errors import DataError, UsageError

GOOD = """
def rows(count=2, text="x"):
    for number in range(count):
        yield {"text": f"{text}{number}"}
"""


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A root whose modules are forgotten afterwards."""
    before, path = set(sys.modules), list(sys.path)
    folder = tmp_path / "root"
    folder.mkdir()
    yield folder
    assert sys.path == path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(root: Path, text: str, file: str = "mine.py") -> None:
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text))


def source(root: Path, function: str = "mine:rows", **arguments: Any) -> PythonSource:
    return PythonSource("own", FunctionUnderRoot(root, function), arguments)


def refused(root: Path, function: str = "mine:rows", **arguments: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        list(source(root, function, **arguments).rows())
    assert 'source "own"' in str(caught.value.where)
    assert caught.value.fix
    return caught.value


def test_every_mapping_is_a_row(root: Path) -> None:
    write(root, GOOD)
    made = source(root, count=3, text="è")
    rows = [(row.place, row.values) for row in made.rows()]
    assert rows == [(f"mine:rows row {n}", {"text": f"è{n - 1}"}) for n in (1, 2, 3)]
    assert [row.values for row in made.rows()] == [values for _, values in rows]
    assert (made.name, made.origin, made.identity) == ("own", "python mine:rows", None)


@pytest.mark.parametrize(
    "body",
    [
        "return [{'text': 'x'}]",
        "return ({'text': 'x'},)",
        "yield {'text': 'x'}",
        "return iter([{'text': 'x'}])",
    ],
)
def test_any_iterable_will_do(root: Path, body: str) -> None:
    write(root, f"def rows():\n    {body}\n")
    assert [row.values for row in source(root).rows()] == [{"text": "x"}]


def test_nothing_is_loaded_before_rows_are_asked_for(root: Path) -> None:
    write(root, "raise SystemExit(3)")
    made = source(root)
    rows = made.rows()
    assert (made.origin, made.identity) == ("python mine:rows", None)
    with pytest.raises(DataError):
        next(rows)


def test_rows_come_as_they_are_asked_for(root: Path) -> None:
    write(root, "def rows():\n    yield {'text': 'x'}\n    raise RuntimeError('too far')\n")
    assert next(source(root).rows()).values == {"text": "x"}


def test_what_it_prints_is_no_output_of_the_command(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(
        root,
        """
        print("loaded")
        def generator():
            for number in range(2):
                print(f"row {number}")
                yield {"text": "x"}
        def rows():
            print("called")
            return generator()
        """,
    )
    for _ in source(root).rows():
        sys.stdout.write("mine\n")
    out, err = capsys.readouterr()
    assert out == "mine\nmine\n"
    assert err == "loaded\ncalled\nrow 0\nrow 1\n"


# Where it is looked for


def test_a_module_in_a_package_with_modules_beside_it(root: Path) -> None:
    write(
        root, "import helper\nfrom . import near\ndef rows():\n    return [helper.ROW, near.ROW]\n", "a/b.py"
    )
    write(root, "", "a/__init__.py")
    write(root, "ROW = {'text': 'near'}", "a/near.py")
    write(root, "ROW = {'text': 'helper'}", "helper.py")
    assert [row.values["text"] for row in source(root, "a.b:rows").rows()] == ["helper", "near"]


def test_a_package_and_a_folder_without_init(root: Path) -> None:
    write(root, GOOD, "pack/__init__.py")
    write(root, GOOD, "plain/mine.py")
    assert len(list(source(root, "pack:rows").rows())) == 2
    assert len(list(source(root, "plain.mine:rows").rows())) == 2


def test_a_module_takes_no_installed_ones_place(root: Path) -> None:
    import json

    write(root, GOOD, "json.py")
    assert len(list(source(root, "json:rows").rows())) == 2
    assert sys.modules["json"] is json


def test_modules_of_one_name_under_two_roots_are_two(root: Path) -> None:
    write(root, GOOD, "one/mine.py")
    write(root, GOOD.replace("text=", "text='other' or "), "two/mine.py")
    texts = [next(source(root / name).rows()).values["text"] for name in ("one", "two")]
    assert texts == ["x0", "other0"]


@pytest.mark.parametrize(
    "function", ["os:system", "subprocess:run", "nothing:rows", "a.b:rows", "pytest:exit"]
)
def test_an_installed_module_is_not_looked_for(root: Path, function: str) -> None:
    error = refused(root, function)
    assert error.code == "D001"
    assert "is under the root" in error.what


def test_a_root_that_is_a_library_offers_nothing(tmp_path: Path, root: Path) -> None:
    import subprocess

    library = Path(subprocess.__file__).parent
    assert refused(library, "subprocess:getoutput", cmd="touch x").code == "D001"
    assert refused(library.parent, f"{library.name}.subprocess:getoutput").code == "D001"
    site = Path(pytest.__file__).parents[1]
    assert refused(site, "pytest:exit", reason="x").code == "D001"
    write(tmp_path, "", "lib/python9/os.py")
    write(tmp_path, GOOD, "lib/python9/subprocess.py")
    assert refused(tmp_path / "lib" / "python9", "subprocess:rows").code == "D001"
    assert refused(tmp_path / "lib", "python9.subprocess:rows").code == "D001"


def test_a_link_out_of_the_root_leads_nowhere(tmp_path: Path, root: Path) -> None:
    write(tmp_path, GOOD, "outside/mine.py")
    (root / "mine.py").symlink_to(tmp_path / "outside" / "mine.py")
    (root / "folder").symlink_to(tmp_path / "outside")
    for function in ("mine:rows", "folder.mine:rows"):
        assert refused(root, function).code == "D001"


@pytest.mark.parametrize(
    "text",
    [
        "from os import system as rows",
        "from subprocess import getoutput as rows",
        "import functools, os\nrows = functools.partial(os.system, 'false')",
        "import os\nrows = os.system",
    ],
)
def test_what_a_module_only_imports_is_not_called(root: Path, text: str) -> None:
    write(root, text)
    error = refused(root)
    assert (error.code, error.what) == ("D001", '"mine" only imports its "rows"')


def test_a_function_of_another_file_of_the_root_is_its_own(root: Path) -> None:
    write(root, "from helper import rows")
    write(root, GOOD, "helper.py")
    assert len(list(source(root).rows())) == 2


def test_a_function_that_is_not_there(root: Path) -> None:
    write(root, GOOD)
    error = refused(root, "mine:row")
    assert (error.code, error.what) == ("D001", '"mine" has no function "row"')
    assert "mine.py" in str(error.fix)


def test_a_compiled_module_of_that_name(root: Path) -> None:
    write(root, GOOD)
    write(root, "", "mine/__init__.py")
    assert refused(root).code == "D001"


# What it gives

WRONG = {
    "no callable": ("rows = 3", "mine:rows is int, not a function"),
    "nothing": ("def rows(): pass", "a function gives no rows"),
    "a number": ("def rows(): return 3", "a function gives no rows"),
    "text": ("def rows(): return 'rows'", "a function gives no rows"),
    "one row": ("def rows(): return {'text': 'x'}", "a function gives no rows"),
    "a coroutine": ("async def rows():\n    yield {}", "a function gives no rows"),
    "a broken module": (
        "import json\n1 / 0",
        "cannot be loaded: ZeroDivisionError: division by zero (mine.py:2)",
    ),
    "no Python": ("def rows(:", "cannot be loaded: SyntaxError"),
    "a module that ends the program": ("raise SystemExit(0)", "cannot be loaded: SystemExit: 0 (mine.py:1)"),
    "an import that fails": ("import no_such_module", "cannot be loaded: ModuleNotFoundError"),
    "a key that is missing": ("{}['a']", "cannot be loaded: KeyError: 'a' (mine.py:1)"),
    "other arguments": ("def rows(path): return []", "failed: TypeError: rows() missing 1 required"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_function_that_is_wrong(root: Path, case: str) -> None:
    text, reason = WRONG[case]
    write(root, text)
    error = refused(root)
    assert error.code == "D003"
    assert reason in str(error)
    assert "python_source.py" not in str(error)


@pytest.mark.parametrize("row", ["3", "None", "'text'", "['text']", "{1: 2}"])
def test_a_row_that_is_no_mapping_is_named(root: Path, row: str) -> None:
    write(root, f"def rows():\n    yield {{'text': 'x'}}\n    yield {row}\n")
    error = refused(root)
    assert (error.code, error.where) == ("D003", 'source "own" mine:rows row 2')
    assert "not a mapping" in error.what


def test_an_error_in_the_function_is_named_with_its_row_and_its_line(root: Path) -> None:
    write(root, "def rows():\n    yield {'text': 'x'}\n    yield {'text': [][0]}\n")
    error = refused(root)
    assert (error.code, error.where) == ("D003", 'source "own" mine:rows row 2')
    assert error.what == "mine:rows failed: IndexError: list index out of range (mine.py:3)"
    assert isinstance(error.__cause__, IndexError)


def test_an_error_that_is_explained_already_stays_as_it_is(root: Path) -> None:
    write(
        root,
        "from cesello.domain.errors import UsageError\ndef rows():\n    raise UsageError('C000', 'mine')",
    )
    with pytest.raises(UsageError, match="C000"):
        list(source(root).rows())


# What packages offer


def offer(site: Path, text: str) -> None:
    information = site / "some_rows-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: some-rows\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[cesello.sources]\nsome = some_rows:rows\n")
    write(site, text, "some_rows.py")


def test_a_function_that_a_package_offers(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(tmp_path / "site", GOOD)
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(tmp_path / "site"))
        made = PythonSource("own", OfferedFunction("some"), {"count": 1})
        assert [(row.place, row.values) for row in made.rows()] == [
            ("entry point some row 1", {"text": "x0"})
        ]
        assert (made.origin, made.identity) == ("python entry point some", None)
        with pytest.raises(DataError, match=r'D001.*"other".*got.*some'):
            list(PythonSource("own", OfferedFunction("other"), {}).rows())


def test_an_offered_function_that_cannot_be_loaded(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(tmp_path / "site", "1 / 0")
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(tmp_path / "site"))
        with pytest.raises(DataError, match=r"D003.*entry point some cannot be loaded: ZeroDivisionError"):
            list(PythonSource("own", OfferedFunction("some"), {}).rows())
