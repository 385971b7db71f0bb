"""GGUF files by llama.cpp's own converter, ``convert_hf_to_gguf.py``, which its authors maintain."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ...domain.errors import ModelError, StorageError, UsageError
from ...domain.load_commands import modelfile
from ...domain.ports.run import Stop

SCRIPT = "convert_hf_to_gguf.py"
MODELFILE = "Modelfile"

_FORMATS: Mapping[str, str] = {"bfloat16": "bf16", "float16": "f16", "float32": "f32"}
_SECONDS_BETWEEN_LOOKS = 0.2
_LINES_SHOWN = 12


class LlamaCppGguf:
    """Runs the converter on a folder that transformers reads.

    Args:
        script: where the converter is; None looks for it on the PATH.
    """

    def __init__(self, script: str | None = None) -> None:
        self._named = script

    def check(self, file: Path, *, overwrite: bool = False) -> None:
        self._script()
        for path in (file, file.with_name(MODELFILE)):
            if path.exists() and not overwrite:
                raise UsageError(
                    "C061",
                    "a file is already there",
                    where=str(path),
                    fix="name another FILE in another folder, or add --overwrite",
                )

    def convert(self, folder: Path, file: Path, dtype: str, system_prompt: str, stop: Stop) -> Path:
        partial, recipe = file.with_name(f".{file.name}.partial"), file.with_name(MODELFILE)
        script = self._script()
        command = [*_interpreter(script), str(script), str(folder)]
        command += ["--outtype", _FORMATS[dtype], "--outfile"]
        by_hand = shlex.join([*command, str(file)])
        with _writing(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            try:
                status, output = _run([*command, str(partial)], stop)
                if status or not partial.is_file():
                    raise _failed(script, output, by_hand)
                partial.chmod(0o600)
                partial.replace(file)
            finally:
                partial.unlink(missing_ok=True)
            recipe.write_text(modelfile(file.name, system_prompt), encoding="utf-8")
            recipe.chmod(0o600)
        return recipe

    def _script(self) -> Path:
        found = self._named or shutil.which(SCRIPT)
        if found and Path(found).is_file():
            return Path(found).absolute()
        raise ModelError(
            "M034",
            f"llama.cpp's converter {SCRIPT} is not here",
            got=f"no file {self._named}" if self._named else "none on the PATH",
            fix="get llama.cpp's repository, of which it is a part, and name it with --gguf-converter or in "
            "CESELLO_GGUF_CONVERTER; docs/export.md tells how with pip alone",
        )


def _run(command: list[str], stop: Stop) -> tuple[int, str]:
    """The exit status of a command, and what it wrote."""
    with tempfile.TemporaryFile() as output:
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        ) as process:
            try:
                _wait(process, stop)
            except BaseException:
                process.kill()
                raise
        output.seek(0)
        return process.returncode, output.read().decode("utf-8", "replace")


def _interpreter(script: Path) -> list[str]:
    """The script's own interpreter: of an environment beside it, or named by a path in its first line.

    Without one of its own it gets ours, which has most of what it imports.
    """
    beside = script.parent / ".venv" / "bin" / "python"
    if beside.is_file():
        return [str(beside)]
    with script.open("rb") as file:
        first = file.readline(4096).decode("utf-8", "replace").strip()
    named = first.removeprefix("#!").split()
    if not first.startswith("#!") or not named or named[0].endswith("/env"):
        return [sys.executable]
    return named if os.access(named[0], os.X_OK) else [sys.executable]


@contextmanager
def _writing(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as cause:
        raise StorageError(
            "I005", "a GGUF file cannot be written", where=str(file), got=cause,
            fix="name a FILE that can be written",
        ) from cause  # fmt: skip


def _wait(process: subprocess.Popen[bytes], stop: Stop) -> None:
    while True:
        try:
            process.wait(_SECONDS_BETWEEN_LOOKS)
        except subprocess.TimeoutExpired:
            stop.check()
        else:
            return


def _failed(script: Path, output: str, by_hand: str) -> ModelError:
    last = "\n".join(output.strip().splitlines()[-_LINES_SHOWN:]) or "no file was written"
    return ModelError(
        "M035",
        "llama.cpp's converter failed",
        where=str(script),
        got=f"\n{last}\n",
        fix=f"the merged folder is whole: once what the converter lacks is there, run {by_hand}",
    )
