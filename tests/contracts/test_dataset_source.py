"""What every DatasetSource owes, on the fake and on every adapter."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from datasets import config

from cesello.adapters.data.file_source import FileSource
from cesello.adapters.data.hub_source import HubSource
from cesello.adapters.data.package_source import PackageSource
from cesello.adapters.data.stdlib_source import StdlibSource
from cesello.domain.errors import DataError
from cesello.domain.ports.data import DatasetSource
from tests.fakes.data import FakeDatasetSource

ROWS = [{"instruction": f"question {number}", "response": "sì"} for number in range(3)]


@dataclass
class Sources:
    """One adapter in the three states that the port speaks of.

    Attributes:
        expected: the rows of ``whole``; None where they are the interpreter's own.
    """

    whole: DatasetSource
    empty: DatasetSource
    missing: DatasetSource
    expected: Sequence[Mapping[str, str]] | None


def write(path: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def three(
    make: Callable[[str], DatasetSource], *arguments: str, expected: Sequence[Mapping[str, str]] | None = ROWS
) -> Sources:
    whole, empty, missing = map(make, arguments)
    return Sources(whole, empty, missing, expected)


def fake(folder: Path) -> Sources:
    return Sources(
        FakeDatasetSource(ROWS, "s"), FakeDatasetSource([], "s"), FakeDatasetSource(None, "s"), ROWS
    )


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
    return three(lambda module: StdlibSource("s", [module]), *modules, expected=None)


def hub(folder: Path, *, streaming: bool = False) -> Sources:
    """A dataset's folder takes the place of the hub: the same library call reads it, without a network."""
    write(folder / "whole" / "train.jsonl", ROWS)
    write(folder / "empty" / "train.jsonl", [])

    def make(name: str) -> DatasetSource:
        return HubSource("s", str(folder / name), streaming=streaming)

    return three(make, "whole", "empty", "missing")


def hub_streaming(folder: Path) -> Sources:
    return hub(folder, streaming=True)


MAKERS = [fake, files, package, stdlib, hub, hub_streaming]


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
    assert list(sources.whole.rows()) == list(sources.whole.rows())


def test_every_row_has_a_place_of_its_own(sources: Sources) -> None:
    places = [row.place for row in sources.whole.rows()]
    assert len(set(places)) == len(places)
    assert all(any(character.isdigit() for character in place) for place in places)


def test_it_has_a_name_and_an_origin(sources: Sources) -> None:
    assert sources.whole.name == "s"
    assert sources.whole.origin


def test_an_empty_source_is_an_error(sources: Sources) -> None:
    with pytest.raises(DataError) as caught:
        list(sources.empty.rows())
    assert (caught.value.code, caught.value.exit_status) == ("D002", 3)
    assert '"s"' in str(caught.value)
    assert caught.value.fix


def test_a_missing_source_is_an_error(sources: Sources) -> None:
    with pytest.raises(DataError) as caught:
        list(sources.missing.rows())
    assert caught.value.code == "D001"
    assert '"s"' in str(caught.value)
    assert caught.value.fix


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
