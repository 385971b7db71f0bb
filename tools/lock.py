"""Write requirements/lock*.txt: every package at one version, with the hashes of its files.

    lock.txt        everything but torch, development tools included
    lock-cuda.txt   torch as the package index has it, and the CUDA libraries its Linux build needs
    lock-cpu.txt    torch's CPU build, where pip is told of a place that offers it
    lock-built.txt  packages that exist as source alone; they are built on installation
    extras.txt      what the extras need that `make venv` leaves out: loggers, Liger's kernels

Two files for torch, because pip would take the index's build (3 GB with its libraries) as soon as the
hashes of both stood in one. Pins that still satisfy pyproject.toml stay; ``--upgrade`` looks for newer.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "requirements"
LOCK, CUDA, CPU, BUILT, LOGGERS = (
    FOLDER / name for name in ("lock.txt", "lock-cuda.txt", "lock-cpu.txt", "lock-built.txt", "extras.txt")
)
EXTRAS = ("dev", "docs", "gepa", "pgvector", "reasoning", "torchao")
APART = ("liger", "mlflow", "trackio", "wandb")
"""Extras that `make venv` leaves out; `make loggers` puts them into a folder of their own."""

SOURCE_ALONE = {"cellpylib", "pycosat", "zss"}
"""What reasoning-gym needs and nobody offers as a wheel."""

LEFT_OUT = {"lark", "rfc3987-syntax"}
"""What cyclonedx asks jsonschema for and neither needs: grammars that are made on import, which takes every
process that has jsonschema, and so every one that has chromadb, 1.5 s. What others ask for stays."""

CUDA_LIBRARY = re.compile(r"(cuda|nvidia)-|triton$")
NAME_AND_VERSION = re.compile(r"(?P<name>[a-z0-9.-]+)==(?P<version>\S+)")
ONLY_ON_LINUX = '; platform_system == "Linux"'

HEADERS = {
    LOCK: "Every package but torch, for CPython 3.11. Written by `make lock`.",
    CUDA: "torch as the package index has it: on Linux with CUDA. Written by `make lock`.",
    BUILT: "Packages that are built on installation. Written by `make lock`.",
    CPU: "torch's own CPU build, for Linux on x86-64. Written by `make lock`.",
    LOGGERS: "Extras that are not installed with the others. Written by `make lock`.",
}


def main(options: list[str]) -> None:
    """Resolve pyproject.toml and write the files."""
    pins = _resolve(options, EXTRAS, [LOCK, CUDA, BUILT])
    version = pins["torch"][0].removeprefix("torch==").split()[0]
    _write(BUILT, (pins.pop(name) for name in sorted(SOURCE_ALONE)))
    _write(LOCK, (lines for name, lines in pins.items() if not _belongs_to_torch(name)))
    _write(CUDA, (_for_linux(lines) for name, lines in pins.items() if _belongs_to_torch(name)))
    _write(CPU, [[f"torch=={version}+cpu \\", f"    --hash=sha256:{_cpu_build(version)}"]])
    _lock_loggers(options)


def _lock_loggers(options: list[str]) -> None:
    """On top of what was just locked, of which only what a logger refuses is changed."""
    locked = _read("".join(path.read_text() for path in (LOCK, CUDA, BUILT)))
    pins = _resolve(options, [*EXTRAS, *APART], [LOCK, CUDA, BUILT, LOGGERS])
    known = {lines[0].split()[0] for lines in locked.values()}
    _write(LOGGERS, (lines for lines in pins.values() if lines[0].split()[0] not in known))


def needless(pins: dict[str, list[str]]) -> set[str]:
    """Of ``LEFT_OUT`` what nobody asks for but jsonschema, and what is itself left out."""
    left = LEFT_OUT & pins.keys()
    while wanted := {name for name in left if not _asked_by(pins[name]) <= {"jsonschema", *left}}:
        left -= wanted
    return left


def _belongs_to_torch(name: str) -> bool:
    return name == "torch" or CUDA_LIBRARY.match(name) is not None


def _for_linux(lines: list[str]) -> list[str]:
    """The CUDA libraries exist for Linux alone; torch's other builds do without them."""
    if lines[0].startswith("torch=="):
        return lines
    return [lines[0].replace(" \\", f" {ONLY_ON_LINUX} \\"), *lines[1:]]


def _resolve(options: list[str], extras: Iterable[str], begin: Iterable[Path]) -> dict[str, list[str]]:
    """Ask pip-compile; the answer depends on the package index alone, not on this machine's pip.

    Args:
        begin: files whose pins stay where they can.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "lock.txt"
        output.write_text("".join(path.read_text() for path in begin if path.exists()))
        quiet_about = ("index-url", "trusted-host", "find-links")
        subprocess.run(
            [sys.executable, "-m", "piptools", "compile", "--quiet", "--generate-hashes"]
            + [f"--extra={extra}" for extra in extras]
            + ["--allow-unsafe", "--strip-extras", "--no-header", "--annotation-style=line"]
            + [f"--no-emit-{what}" for what in quiet_about]
            + [*options, f"--output-file={output}", "pyproject.toml"],
            cwd=ROOT,
            env={**os.environ, "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""},
            check=True,
        )
        pins = _read(output.read_text())
        left_out = needless(pins)
        return {name: lines for name, lines in pins.items() if name not in left_out}


def _asked_by(lines: list[str]) -> set[str]:
    return set(lines[-1].strip().removeprefix("# via ").split(", "))


def _read(text: str) -> dict[str, list[str]]:
    """Name -> its lines (requirement, hashes, who asks for it)."""
    pins: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if found := NAME_AND_VERSION.match(line):
            pins[found["name"]] = lines = [line]
        elif line.startswith("    "):
            lines.append(line)
    return pins


def _cpu_build(version: str) -> str:
    """The sha256 of torch's CPU build: of the one pip offers here, else the one already locked."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", f"--dest={folder}"]
        if subprocess.run([*pip, f"torch=={version}+cpu"], capture_output=True).returncode == 0:
            return hashlib.sha256(next(Path(folder).iterdir()).read_bytes()).hexdigest()
    locked = re.search(rf"torch=={re.escape(version)}\+cpu[\s\\]+--hash=sha256:(\w+)", CPU.read_text())
    if locked is None:
        sys.exit(f"pip finds no CPU build of torch {version}: set PIP_FIND_LINKS to where PyTorch offers it")
    return locked[1]


def _write(path: Path, pins: Iterable[list[str]]) -> None:
    body = "\n".join(line for lines in pins for line in lines)
    path.write_text(f"# {HEADERS[path]}\n# Install with --require-hashes --no-deps.\n{body}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
