"""Wheels by pip: downloaded and checked by it, never installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from ...domain.errors import CeselloError, RetryableError, StorageError
from ...domain.kit import PackagePin
from ...domain.kit_state import INSTALL, Damage, DamageKind
from .disk_errors import explained, no_room

_PAUSE = 0.1
_GOT = re.compile(r"\bGot\s+([0-9a-f]{64})\b")


class PipDownloader:
    """Runs ``pip download`` with one pin and one hash; pip's own settings say which index it asks.

    Args:
        python: the interpreter whose pip is run.
    """

    def __init__(self, python: str = sys.executable) -> None:
        self._python = python

    def download(self, pin: PackagePin, to: Path, advance: Callable[[int], None]) -> None:
        """See the port."""
        work = to.parent / f"{to.name}.pip"
        with explained(to):
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            try:
                self._run(pin, work, advance)
                os.replace(work / pin.filename, to)
            finally:
                shutil.rmtree(work, ignore_errors=True)
        advance(pin.size)

    def _run(self, pin: PackagePin, work: Path, advance: Callable[[int], None]) -> None:
        log = work / "pip.log"
        # pip's own temporary files come here too: their growth is the progress, and none is left elsewhere.
        environment = {**os.environ, "TMPDIR": str(work), "TEMP": str(work), "TMP": str(work)}
        with (
            log.open("wb") as output,
            subprocess.Popen(
                self._command(pin, work),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
            ) as process,
        ):
            try:
                while _runs(process):
                    advance(min(_size(work), pin.size))
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            raise _failure(pin, log.read_text(encoding="utf-8", errors="replace"))

    def _command(self, pin: PackagePin, work: Path) -> list[str]:
        requirements = work / "requirements.txt"
        requirements.write_text(pin.requirement + "\n", encoding="utf-8")
        return [
            self._python,
            "-P",  # a pip.py in the current folder is not pip
            *("-m", "pip", "download"),
            *("--no-deps", "--only-binary=:all:", "--require-hashes", "--no-cache-dir"),
            *("--no-input", "--disable-pip-version-check", "--progress-bar=off"),
            *("--dest", str(work), "--requirement", str(requirements)),
        ]


def _runs(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(_PAUSE)
    except subprocess.TimeoutExpired:
        return True
    return False


def _size(folder: Path) -> int:
    """Bytes in the folder; files may vanish while they are counted."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(root, name)).st_size
            except FileNotFoundError:
                continue
    return total


def _failure(pin: PackagePin, log: str) -> CeselloError:
    if "DO NOT MATCH THE HASHES" in log:
        got = _GOT.search(log)
        found = f"sha256 {got[1]}" if got else "another sha256"
        wrong = Damage(pin.name, DamageKind.DOWNLOAD, pin.filename, found, f"sha256 {pin.sha256}")
        return wrong.as_error()
    if "No module named pip" in log:
        return StorageError(
            "I087",
            "pip, which brings the offline kit, is not here",
            fix="run `python -m ensurepip`, then `cesello kit install`",
        )
    if "No space left on device" in log:
        return no_room(pin.filename, "no room left")
    return RetryableError(
        "T082",
        f"pip could not download {pin}",
        got=_last_error(log),
        fix=f"check the network and pip's index, then {INSTALL}",
    )


def _last_error(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    line = (errors or lines or ["no message"])[-1]
    return "".join(character for character in line if character.isprintable())[:200]
