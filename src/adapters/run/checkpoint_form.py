"""A checkpoint's folder: how it is sealed, and how it is read when every byte of it is as it was.

lora.safetensors  optimizer.safetensors  state.json  MANIFEST.json

MANIFEST.json tells size and sha256 of every other file and, as ``checksum``, the sha256 of itself without it.
There is but one text that says what it says, so that any change of it is seen.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from types import NoneType
from typing import Any

from ...domain.checkpoint import Checkpoint, CheckpointState, LogMark
from . import plain_json
from .run_logs import is_log
from .whole_files import sealed, sha256_of, sync, write_through

MANIFEST = "MANIFEST.json"
STATE = "state.json"
FORM = 1
"""To be raised when a reader of before cannot read what is written."""


class Damaged(Exception):
    """A checkpoint is not as it was written; says which file, what was got and what expected."""


def seal(folder: Path, state: CheckpointState) -> None:
    """Adds the state and the manifest to the tensors in a folder, and brings all of it to the disk.

    The manifest is last: what has none was never finished.
    """
    write_through(folder / STATE, plain_json.dumps(_values(state), indent=1))
    files = {
        file.name: {"sha256": sealed(file), "size": file.stat().st_size} for file in sorted(folder.iterdir())
    }
    body = {"files": files, "form": FORM, "step": state.step}
    write_through(folder / MANIFEST, plain_json.canonical({**body, "checksum": _checksum(body)}))
    sync(folder)


def read(folder: Path, step: int, *, tensors: bool = True) -> Checkpoint:
    """The checkpoint of that step.

    Args:
        tensors: look at every byte of them; otherwise at their sizes alone.

    Raises:
        Damaged: when anything is not as it was written. OSError: when the disk does not tell.
    """
    present = _regular_files(folder)
    files = _manifest(folder, step)
    _same("the files", ", ".join(sorted(present - {MANIFEST})), ", ".join(sorted(files)))
    for name, file in files.items():
        _same(f"{name}: size", (folder / name).stat().st_size, file["size"])
        if tensors or name == STATE:
            _same(f"{name}: sha256", sha256_of(folder / name), file["sha256"])
    state = _state(_parsed(STATE, (folder / STATE).read_bytes()))
    _same(f"{STATE}: step", state.step, step)
    return Checkpoint(folder, state)


def _regular_files(folder: Path) -> set[str]:
    """The names of all that is there; a link or a pipe is never followed."""
    paths = list(folder.iterdir())
    for path in paths:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise Damaged(f"{path.name} is no regular file")
    return {path.name for path in paths}


def _manifest(folder: Path, step: int) -> Mapping[str, Any]:
    """What the manifest says of every file."""
    try:
        content = (folder / MANIFEST).read_bytes()
    except FileNotFoundError as cause:
        raise Damaged(f"{MANIFEST} is missing") from cause
    values = _parsed(MANIFEST, content)
    _typed(MANIFEST, values, {"checksum": (str,), "files": (dict,), "form": (int,), "step": (int,)})
    body = {name: value for name, value in values.items() if name != "checksum"}
    _same(f"{MANIFEST}: checksum", _checksum(body), values["checksum"])
    if plain_json.canonical(values) != content:
        raise Damaged(f"{MANIFEST} is not as it was written")
    _same(f"{MANIFEST}: form", values["form"], FORM)
    _same(f"{MANIFEST}: step", values["step"], step)
    for name, file in values["files"].items():
        _typed(f"{MANIFEST}: {name}", file, {"sha256": (str,), "size": (int,)})
    if STATE not in values["files"]:
        raise Damaged(f"{MANIFEST} tells of no {STATE}")
    return dict(values["files"])


def _checksum(body: object) -> str:
    return sha256(plain_json.canonical(body)).hexdigest()


def _values(state: CheckpointState) -> Mapping[str, Any]:
    return {
        "step": state.step,
        "held_out": None if state.held_out is None else float(state.held_out),
        "optimizer": state.optimizer,
        "identity": state.identity,
        "logs": {name: {"size": mark.size, "sha256": mark.sha256} for name, mark in state.logs.items()},
        "progress": state.progress,
    }


_STATE = {
    "step": (int,),
    "held_out": (float, NoneType),
    "optimizer": (dict,),
    "identity": (dict,),
    "logs": (dict,),
    "progress": (dict,),
}
_SHA256 = re.compile("[0-9a-f]{64}")


def _state(values: Any) -> CheckpointState:
    _typed(STATE, values, _STATE)
    _typed(f"{STATE}: identity", values["identity"], dict.fromkeys(values["identity"], (str,)))
    return CheckpointState(
        **{**values, "logs": {name: _mark(name, at) for name, at in values["logs"].items()}}
    )


def _mark(name: str, values: Any) -> LogMark:
    _typed(f"{STATE}: {name}", values, {"sha256": (str,), "size": (int,)})
    if not is_log(name) or values["size"] < 0 or not _SHA256.fullmatch(values["sha256"]):
        raise Damaged(f"{STATE}: the mark of {name} is none")
    return LogMark(**values)


def _parsed(name: str, content: bytes) -> Any:
    try:
        return plain_json.loads(content)
    except ValueError as cause:
        raise Damaged(f"{name} is no JSON of ours: {cause}"[:200]) from cause


def _typed(where: str, values: Any, kinds: Mapping[str, tuple[type, ...]]) -> None:
    """That it is an object of exactly these fields; a bool is no int."""
    if not isinstance(values, dict):
        raise Damaged(f"{where} is {type(values).__name__}, expected an object")
    _same(f"{where}: the fields", ", ".join(sorted(values)), ", ".join(sorted(kinds)))
    for name, allowed in kinds.items():
        if type(values[name]) not in allowed:
            names = " or ".join(kind.__name__ for kind in allowed)
            raise Damaged(f"{where}: {name} is {type(values[name]).__name__}, expected {names}")


def _same(what: str, got: object, expected: object) -> None:
    if got != expected:
        raise Damaged(f"{what}: got {_short(got)}, expected {_short(expected)}")


def _short(value: object) -> str:
    text = str(value) or "none"
    return text if len(text) <= 80 else f"{text[:77]}..."
