"""Checkpoints to save, and the proof that one that is read is one of them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from cesello.adapters.run.folder_checkpoints import FolderCheckpoints
from cesello.domain.checkpoint import Checkpoint, CheckpointPlan, CheckpointState, LogMark

LAST = CheckpointPlan(keep_last=1, keep_best=0)
FILES = ["MANIFEST.json", "lora.safetensors", "optimizer.safetensors", "state.json"]
TWO = CheckpointPlan(keep_last=2, keep_best=0)


def state(step: int, held_out: float | None = None, version: int = 0) -> CheckpointState:
    return CheckpointState(
        step=step,
        held_out=held_out,
        optimizer={"betas": [0.9, 0.999], "lr": 0.1 + 0.2, "names": {"a": 1, "b": None, "c": True}},
        identity={"model": "perché", "recipe": "abc"},
        logs={"metrics.jsonl": LogMark(7 * step, "ab" * 32)},
        progress={"tokens": 10**18 + step, "version": version, "perplexity": float("inf")},
    )


def tensors(step: int, version: int = 0) -> dict[str, bytes]:
    random = Random(f"{step} {version}")
    return {f"{name}.safetensors": random.randbytes(2000) for name in ("lora", "optimizer")}


def writes(step: int, version: int = 0) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        for name, content in tensors(step, version).items():
            (folder / name).write_bytes(content)

    return write


def save(
    checkpoints: FolderCheckpoints,
    step: int,
    plan: CheckpointPlan = TWO,
    *,
    held_out: float | None = None,
    version: int = 0,
) -> None:
    checkpoints.save(state(step, held_out, version), writes(step, version), plan)


def is_saved(found: Checkpoint, step: int, version: int = 0) -> bool:
    """Whether it is that one, to the last bit."""
    files = {name: (found.path / name).read_bytes() for name in tensors(step, version)}
    return found.state == state(step, found.state.held_out, version) and files == tensors(step, version)


def manifest_of(whole: dict[str, bytes], /, **more: Any) -> str:
    """What MANIFEST.json has to say of such files."""
    told = {name: {"sha256": sha256(text).hexdigest(), "size": len(text)} for name, text in whole.items()}
    body = {"files": told, "form": 1, "step": 2, **more}
    checksum = sha256(json.dumps(body, sort_keys=True, indent=1).encode()).hexdigest()
    return json.dumps({**body, "checksum": checksum}, sort_keys=True, indent=1)


def cut(path: Path) -> None:
    """The last byte is lost."""
    os.truncate(path, path.stat().st_size - 1)
