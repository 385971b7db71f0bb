"""Where llama.cpp's converter is found, what runs it, and what it is told to do."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from cesello.adapters.model.llama_cpp_gguf import LlamaCppGguf
from cesello.domain.errors import ModelError, StorageError
from tests.fakes.run import FakeStop
from tests.gguf_script import write_gguf_script

TELLS = """
import sys
from pathlib import Path
Path(sys.argv[sys.argv.index("--outfile") + 1]).write_text(repr([sys.executable, *sys.argv[1:]]))
"""


def told(script: Path, tmp_path: Path, dtype: str = "bfloat16") -> list[str]:
    """What a script says that it was called with, its interpreter first."""
    file = tmp_path / "demo.gguf"
    LlamaCppGguf(str(script)).convert(tmp_path / "out", file, dtype, "", FakeStop())
    return file.read_text().strip("[]'").split("', '")


def test_it_is_found_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(ModelError, match="none on the PATH"):
        LlamaCppGguf().check(tmp_path / "demo.gguf")
    write_gguf_script(tmp_path / "bin" / "convert_hf_to_gguf.py")
    LlamaCppGguf().check(tmp_path / "demo.gguf")


def test_a_script_without_an_interpreter_of_its_own_gets_ours(tmp_path: Path) -> None:
    script = tmp_path / "convert.py"
    for first in ("#!/usr/bin/env python3", "", "#!/no/such/python"):
        script.write_text(first + TELLS)
        assert told(script, tmp_path)[0] == sys.executable


def test_a_script_is_run_by_the_interpreter_that_it_names(tmp_path: Path) -> None:
    own = tmp_path / "python"
    own.symlink_to(sys.executable)
    script = tmp_path / "convert.py"
    script.write_text(f"#!{own}{TELLS}")
    assert told(script, tmp_path)[0] == str(own)


def test_a_script_is_run_by_the_environment_beside_it(tmp_path: Path) -> None:
    own = tmp_path / ".venv" / "bin" / "python"
    own.parent.mkdir(parents=True)
    own.symlink_to(sys.executable)
    script = tmp_path / "convert.py"
    script.write_text(TELLS)
    assert told(script, tmp_path)[0] == str(own)


@pytest.mark.parametrize(("dtype", "kind"), [("bfloat16", "bf16"), ("float16", "f16"), ("float32", "f32")])
def test_the_file_has_the_format_of_the_weights(tmp_path: Path, dtype: str, kind: str) -> None:
    script = tmp_path / "convert.py"
    script.write_text(TELLS)
    arguments = told(script, tmp_path, dtype)[1:]
    assert arguments == [
        str(tmp_path / "out"), "--outtype", kind, "--outfile", str(tmp_path / ".demo.gguf.partial"),
    ]  # fmt: skip


def test_its_last_words_are_shown_when_it_fails(tmp_path: Path) -> None:
    script = tmp_path / "convert.py"
    script.write_text("print('a long story')\nraise SystemExit('it does not know this architecture')\n")
    with pytest.raises(ModelError) as caught:
        told(script, tmp_path)
    assert (caught.value.code, caught.value.where) == ("M035", str(script))
    assert "a long story\nit does not know this architecture" in str(caught.value.got)
    assert str(caught.value.fix).endswith(
        f"{script} {tmp_path}/out --outtype bf16 --outfile {tmp_path}/demo.gguf"
    )
    script.write_text("")
    with pytest.raises(ModelError, match="no file was written"):
        told(script, tmp_path)


def test_the_files_are_private(tmp_path: Path) -> None:
    script = tmp_path / "convert.py"
    script.write_text(TELLS)
    told(script, tmp_path)
    for name in ("demo.gguf", "Modelfile"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_a_place_that_takes_no_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    script = write_gguf_script(tmp_path / "convert.py")
    with pytest.raises(StorageError, match="I005"):
        LlamaCppGguf(str(script)).convert(
            tmp_path, tmp_path / "file" / "demo.gguf", "float16", "", FakeStop()
        )
