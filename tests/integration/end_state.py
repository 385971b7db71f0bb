"""What a training leaves: equal of two that came to the same."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def end_state(run: str) -> dict[str, str]:
    """sha256 of all that a training leaves and that does not tell the time."""
    folder = Path("runs") / run
    last = sorted((folder / "checkpoints").glob("step-*"))[-1]
    files = [
        folder / "lora" / "adapter_model.safetensors",
        last / "lora.safetensors",
        last / "optimizer.safetensors",
        folder / "metrics.jsonl",
        folder / "evaluations.jsonl",
        *folder.glob("completions.jsonl"),
        *folder.glob("tokens.jsonl"),
        *folder.glob("alarms.jsonl"),
        *folder.glob("scores.jsonl"),
        *folder.glob("rows.json"),
        *sorted(folder.glob("samples-*.jsonl")),
    ]
    names = [f"{one.parent.name}/{one.name}" if one.parent != folder else one.name for one in files]
    sums = (hashlib.sha256(one.read_bytes()).hexdigest() for one in files)
    return dict(zip(names, sums, strict=True)) | {"state.json": _state(last / "state.json")}


def _state(file: Path) -> str:
    """Without how long it took, the logs, which are compared whole but for that, and where the model is."""
    state = json.loads(file.read_text())
    del state["logs"], state["progress"]["seconds"], state["identity"]
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()
