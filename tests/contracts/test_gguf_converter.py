"""What every GgufExporter owes, on the fake and on one that runs a script as llama.cpp's."""

from __future__ import annotations

from pathlib import Path

import pytest

from cesello.adapters.model.llama_cpp_gguf import LlamaCppGguf
from cesello.domain.errors import Interrupted, ModelError, UsageError
from cesello.domain.ports.export import GgufExporter
from tests.fakes.export import FakeGgufExporter
from tests.fakes.run import FakeStop
from tests.gguf_script import write_gguf_script


@pytest.fixture(params=["fake", "script"])
def converter(request: pytest.FixtureRequest, tmp_path: Path) -> GgufExporter:
    if request.param == "fake":
        return FakeGgufExporter()
    return LlamaCppGguf(str(write_gguf_script(tmp_path / "tools" / "convert_hf_to_gguf.py")))


@pytest.fixture(params=["fake", "script"])
def missing(request: pytest.FixtureRequest, tmp_path: Path) -> GgufExporter:
    if request.param == "fake":
        return FakeGgufExporter(installed=False)
    return LlamaCppGguf(str(tmp_path / "convert_hf_to_gguf.py"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "out"
    place.mkdir()
    (place / "model.safetensors").write_bytes(b"weights")
    return place


def test_a_file_is_made_with_a_modelfile_beside_it(
    converter: GgufExporter, folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "demo.gguf"
    converter.check(file)
    assert converter.convert(folder, file, "bfloat16", "", FakeStop()) == tmp_path / "Modelfile"
    assert file.read_bytes() == b"GGUFweights"
    assert (tmp_path / "Modelfile").read_text().startswith("FROM ./demo.gguf\n")


@pytest.mark.parametrize("name", ["demo.gguf", "Modelfile"])
def test_what_is_there_is_not_replaced_unasked(converter: GgufExporter, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError) as caught:
        converter.check(tmp_path / "demo.gguf")
    assert (caught.value.code, caught.value.where) == ("C061", str(tmp_path / name))
    converter.check(tmp_path / "demo.gguf", overwrite=True)


def test_a_converter_that_is_not_installed_is_told(missing: GgufExporter, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        missing.check(tmp_path / "demo.gguf")
    assert caught.value.code == "M034"
    assert caught.value.fix


def test_what_it_cannot_convert_leaves_no_file(converter: GgufExporter, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="M035"):
        converter.convert(tmp_path / "empty", tmp_path / "demo.gguf", "bfloat16", "", FakeStop())
    assert not list(tmp_path.glob("*demo.gguf*"))
    assert not (tmp_path / "Modelfile").exists()


def test_a_stop_leaves_no_file(converter: GgufExporter, folder: Path, tmp_path: Path) -> None:
    (folder / "slow").write_text("a minute")
    with pytest.raises(Interrupted):
        converter.convert(folder, tmp_path / "demo.gguf", "float16", "", FakeStop(at_check=1))
    assert not list(tmp_path.glob("*demo.gguf*"))
