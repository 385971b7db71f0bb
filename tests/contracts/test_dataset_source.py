"""What every DatasetSource owes, on the fake and on every adapter.

A fresh pair is made of every source: what two objects of the same settings say must be the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from datasets import config

from cesello.adapters.data.file_source import FileSource
from cesello.adapters.data.hub_source import HubSource
from cesello.adapters.data.package_source import PackageSource
from cesello.adapters.data.python_code import CodeFolder, InstalledPackage, StandardLibrary
from cesello.adapters.data.python_source import FunctionUnderRoot, PythonSource
from cesello.adapters.data.reasoning_gym_source import ReasoningGymSource
from cesello.adapters.data.stdlib_source import StdlibSource
from cesello.domain.errors import DataError
from cesello.domain.ports.data import DatasetSource
from cesello.domain.row_slice import RowSlice
from tests.fakes.data import FakeDatasetSource

ROWS = [{"instruction": f"question {number}", "response": "sì"} for number in range(3)]


@dataclass
class Sources:
    """One adapter in the three states that the port speaks of.

    Attributes:
        again: as ``whole``, made anew.
        empty: None where there is no such thing.
        expected: the rows of ``whole``; None where they are code or generated.
    """

    whole: DatasetSource
    again: DatasetSource
    empty: DatasetSource | None
    missing: DatasetSource
    expected: Sequence[Mapping[str, str]] | None


def write(path: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def three(
    make: Callable[[str], DatasetSource], *arguments: str, expected: Sequence[Mapping[str, str]] | None = ROWS
) -> Sources:
    whole, empty, missing = arguments
    return Sources(make(whole), make(whole), make(empty), make(missing), expected)


def fake(folder: Path) -> Sources:
    values = {"whole": ROWS, "empty": [], "missing": None}
    return three(lambda name: FakeDatasetSource(values[name], "s"), *values)


def files(folder: Path) -> Sources:
    write(folder / "whole.jsonl", ROWS)
    write(folder / "empty.jsonl", [])
    return three(lambda name: FileSource("s", folder, name), "whole.jsonl", "empty.jsonl", "missing.jsonl")


def package(folder: Path) -> Sources:
    write(folder / "some-data" / "some_data" / "whole.json", ROWS)
    write(folder / "some-data" / "some_data" / "empty.json", [])

    def make(name: str) -> DatasetSource:
        return PackageSource("s", "some-data", [name], None, folder)

    return three(make, "whole.json", "empty.json", "missing.json")


def stdlib(folder: Path) -> Sources:
    modules = ("textwrap", "this", "no_module_of_this_name")
    return three(lambda module: StdlibSource("s", StandardLibrary([module])), *modules, expected=None)


def installed_code(folder: Path) -> Sources:
    names = ("pluggy", "iniconfig", "no-package-of-this-name")
    sources = three(lambda name: StdlibSource("s", InstalledPackage(name)), *names, expected=None)
    sources.empty = None
    return sources


def code_folder(folder: Path) -> Sources:
    for name, text in {"whole": 'def f():\n    """Says one."""\n    return 1\n', "empty": "x = 1\n"}.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "code.py").write_text(text)
    return three(
        lambda name: StdlibSource("s", CodeFolder(folder, name)), "whole", "empty", "missing", expected=None
    )


def reasoning_gym(folder: Path) -> Sources:
    def make(name: str) -> DatasetSource:
        return ReasoningGymSource("s", [{"name": name}], 3, 0)

    sources = three(make, "chain_sum", "chain_sum", "no_task_of_this_name", expected=None)
    sources.empty = None
    return sources


def python(folder: Path) -> Sources:
    folder.mkdir()
    (folder / "mine.py").write_text(f"def whole():\n    yield from {ROWS}\ndef empty():\n    return []\n")

    def make(name: str) -> DatasetSource:
        return PythonSource("s", FunctionUnderRoot(folder, f"mine:{name}"), {})

    return three(make, "whole", "empty", "missing")


def hub(folder: Path, *, streaming: bool = False) -> Sources:
    """A dataset's folder takes the place of the hub: the same library call reads it, without a network."""
    write(folder / "whole" / "train.jsonl", ROWS)
    write(folder / "empty" / "train.jsonl", [])

    def make(name: str) -> DatasetSource:
        return HubSource("s", str(folder / name), streaming=streaming)

    return three(make, "whole", "empty", "missing")


def hub_streaming(folder: Path) -> Sources:
    return hub(folder, streaming=True)


MAKERS = [
    fake,
    files,
    package,
    stdlib,
    installed_code,
    code_folder,
    reasoning_gym,
    python,
    hub,
    hub_streaming,
]


@pytest.fixture(params=MAKERS, ids=lambda make: make.__name__)
def sources(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sources:
    monkeypatch.setattr(config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(config, "HF_HUB_OFFLINE", True)
    made: Sources = request.param(tmp_path / "data")
    return made


def test_every_row_comes(sources: Sources) -> None:
    rows = [dict(row.values) for row in sources.whole.rows()]
    assert rows
    assert sources.expected is None or rows == sources.expected


def test_rows_come_in_the_same_order_every_time(sources: Sources) -> None:
    rows = list(sources.whole.rows())
    assert rows == list(sources.whole.rows())
    assert rows == list(sources.again.rows())


def test_every_row_has_a_place_of_its_own(sources: Sources) -> None:
    places = [row.place for row in sources.whole.rows()]
    assert len(set(places)) == len(places)
    assert all(any(character.isdigit() for character in place) for place in places)


def test_it_has_a_name_and_an_origin(sources: Sources) -> None:
    assert sources.whole.name == "s"
    assert sources.whole.origin


def test_one_row_can_be_had_without_the_others(sources: Sources) -> None:
    rows = sources.whole.rows()
    first = next(rows)
    del rows
    assert first == next(sources.whole.rows())


def test_its_identity_is_its_own(sources: Sources) -> None:
    identity = sources.whole.identity
    assert identity == sources.whole.identity == sources.again.identity
    assert identity is None or (identity and identity.isprintable())
    if sources.empty is not None:
        assert identity is None or identity != sources.empty.identity


def test_an_empty_source_gives_no_rows(sources: Sources) -> None:
    assert sources.empty is None or list(sources.empty.rows()) == []


def test_a_missing_source_is_an_error(sources: Sources) -> None:
    with pytest.raises(DataError) as caught:
        list(sources.missing.rows())
    assert (caught.value.code, caught.value.exit_status) == ("D001", 3)
    assert '"s"' in str(caught.value)
    assert caught.value.fix


def test_a_missing_source_is_not_taken_for_another(sources: Sources) -> None:
    with suppress(DataError):
        identity = sources.missing.identity
        assert identity is None or identity != sources.whole.identity


COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_a_pinned_dataset_of_the_hub_is_known_by_its_commit() -> None:
    def identity(repo: str = "org/data", **options: str) -> str | None:
        return HubSource("s", repo, **{"revision": COMMIT, **options}).identity  # type: ignore[arg-type]

    told = [
        identity(),
        identity("org/other"),
        identity(config="it"),
        identity(split="test"),
        identity(revision=COMMIT[::-1]),
    ]
    assert None not in told
    assert len(set(told)) == len(told)
    assert identity() == told[0]


@pytest.mark.parametrize("revision", [None, "main", "v1.0", COMMIT[:7]])
def test_a_dataset_of_the_hub_that_moves_is_not_known(revision: str | None) -> None:
    assert HubSource("s", "org/data", revision=revision).identity is None


def test_a_folder_of_this_machine_is_not_known_by_a_commit(tmp_path: Path) -> None:
    assert HubSource("s", str(tmp_path), revision=COMMIT).identity is None


@pytest.mark.parametrize("part", ["[:33%]", "[33%:66%]", "[5:]", "[-3:]", "[:2]", "[-50%:]"])
def test_slices_are_those_of_the_datasets_library(
    part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "HF_DATASETS_CACHE", tmp_path / "cache")
    write(tmp_path / "data" / "train.jsonl", [{"text": str(number)} for number in range(20)])
    rows = list(HubSource("s", str(tmp_path / "data"), split=f"train{part}").rows())
    assert [int(row.values["text"]) for row in rows] == list(RowSlice.parse(part).range(20))


@pytest.mark.parametrize("streaming", [False, True])
def test_a_broken_dataset_of_the_hub_is_an_error(
    streaming: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "HF_DATASETS_CACHE", tmp_path / "cache")
    write(tmp_path / "broken" / "train.jsonl", ROWS)
    (tmp_path / "broken" / "train.jsonl").write_text('{"text": "a"}\n{"text": \n')
    with pytest.raises(DataError, match=r'D003.*source "s"'):
        list(HubSource("s", str(tmp_path / "broken"), streaming=streaming).rows())


def test_an_unknown_split_of_the_hub_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "HF_DATASETS_CACHE", tmp_path / "cache")
    write(tmp_path / "data" / "train.jsonl", ROWS)
    with pytest.raises(DataError, match=r"D003.*check its name, config, split and revision"):
        list(HubSource("s", str(tmp_path / "data"), split="validation").rows())
