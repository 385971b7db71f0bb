"""Runs modules of the tests as an ordinary user, whose files and powers are nobody else's.

The interpreter of a checkout may lie where only its owner can read; then a copy of it, of ``src`` and of
``tests`` is made in a folder that everybody can read. Nothing but the standard library is needed there.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.repository import ROOT, SRC

LEFT_OUT = (
    "site-packages",
    "test",
    "tests",
    "idlelib",
    "lib2to3",
    "ensurepip",
    "tkinter",
    "__pycache__",
    "*.a",
)


class OrdinaryUser:
    """Somebody who owns nothing here but the folder ``home``."""

    def __init__(self, folder: Path) -> None:
        self.uid = 60_000 + os.getpid() % 5_000
        self.home = folder / "home"
        self.home.mkdir()
        os.chown(self.home, self.uid, self.uid)
        self._code = folder / "code"
        shutil.copytree(SRC, self._code / "cesello", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "tests", self._code / "tests", ignore=shutil.ignore_patterns("__pycache__"))
        self._python = readable_interpreter(folder)

    def run(self, module: str, *arguments: str, timeout: float = 250) -> subprocess.CompletedProcess[str]:
        """A module, until it ends."""
        return subprocess.run(
            [str(self._python), "-B", "-m", module, *arguments],
            cwd=self.home,
            env={"PATH": os.defpath, "HOME": str(self.home), "PYTHONPATH": str(self._code)},
            user=self.uid,
            group=self.uid,
            extra_groups=(),
            start_new_session=True,
            capture_output=True,
            text=True,
            timeout=timeout,
        )


@contextmanager
def ordinary_user() -> Iterator[OrdinaryUser]:
    """For as long as it is needed; only root can become somebody else."""
    with tempfile.TemporaryDirectory(prefix="cesello-user-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        user = OrdinaryUser(folder)
        try:
            yield user
        finally:
            _end_all(user.uid)


def _end_all(uid: int) -> None:
    """Ends whatever still runs as somebody who is about to be nobody."""
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and entry.stat().st_uid == uid:
                os.kill(int(entry.name), signal.SIGKILL)


def readable_interpreter(folder: Path) -> Path:
    """This interpreter where everybody can run it, or a copy of it in a folder."""
    real = Path(os.path.realpath(sys.executable))
    if all(parent.stat().st_mode & 0o005 == 0o005 for parent in real.parents):
        return real
    copy = folder / "python"
    library = Path(
        sysconfig.get_path("stdlib", vars={"base": sys.base_prefix, "installed_base": sys.base_prefix})
    )
    (copy / "bin").mkdir(parents=True)
    _copy_program(real, copy / "bin" / real.name)
    shutil.copytree(
        library, copy / library.relative_to(sys.base_prefix), ignore=shutil.ignore_patterns(*LEFT_OUT)
    )
    for shared in Path(sys.base_prefix, "lib").glob("libpython*.so*"):
        shutil.copy(shared, copy / "lib" / shared.name)
    return copy / "bin" / real.name


def _copy_program(real: Path, copy: Path) -> None:
    """With the folder where it looks for its library, if it names one, said relative to itself."""
    there, here = os.fsencode(Path(sys.base_prefix, "lib")), b"$ORIGIN/../lib"
    program = real.read_bytes().replace(there + b"\0", here.ljust(len(there), b"\0") + b"\0")
    copy.write_bytes(program)
    copy.chmod(0o755)
