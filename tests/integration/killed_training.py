"""Train a tiny model again and again, kill the processes at random instants, go on, and compare the ends.

Usage: python -m tests.integration.killed_training FOLDER KILLS SEED

A process that has all libraries loaded forks a child for every start of the command, so that a start takes
half a second. Each run is killed four times, by SIGKILL, then goes on to its end. Writes JSON: how many kills
there were, in what, and what differs from the run that nobody killed.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cesello.entrypoints.cli.main import run as command

KILLS_OF_A_RUN = 4
KINDS = ("anywhere", "save", "accumulation", "evaluation")
RECIPE = """
name: killed
model: {name: ./tiny, dtype: float32}
lora: {r: 4, alpha: 8, dropout: 0.1, target_modules: all-linear}
data:
  max_tokens: 200
  sources:
    - {name: chat, kind: file, path: rows.jsonl, weight: 1.0, holdout: 4}
training: {max_steps: 12, batch_size: 2, accumulate: 3, learning_rate: 1.0e-2, warmup_steps: 2}
evaluation: {every_steps: 3, samples: 1, max_new_tokens: 8}
checkpoint: {every_steps: 2}
loggers: []
"""


@dataclass
class Tally:
    kills: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    different: list[str] = field(default_factory=list)


class Flags:
    """What a child is doing, in memory that its parent sees."""

    def __init__(self) -> None:
        self._bytes = mmap.mmap(-1, 8)

    @property
    def doing(self) -> str:
        return KINDS[self._bytes[0]]

    def times(self, kind: str) -> int:
        """How often the child began to do that."""
        return self._bytes[1 + KINDS.index(kind)]

    def clear(self) -> None:
        self._bytes[:] = bytes(len(self._bytes))

    def during(self, kind: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def flagged(*arguments: Any, **options: Any) -> Any:
            before = self._bytes[0]
            self._bytes[0] = KINDS.index(kind)
            self._bytes[1 + KINDS.index(kind)] += 1
            try:
                return call(*arguments, **options)
            finally:
                self._bytes[0] = before

        return flagged


def watch(flags: Flags) -> None:
    """Has the command say what it does."""
    from cesello.adapters.run.folder_checkpoints import FolderCheckpoints
    from cesello.adapters.training.lightning_sft import SftModule
    from cesello.application.evaluate import Evaluate

    places: list[tuple[Any, str, str]] = [
        (FolderCheckpoints, "save", "save"),
        (SftModule, "_accumulate", "accumulation"),
        (Evaluate, "__call__", "evaluation"),
    ]
    for owner, name, kind in places:
        setattr(owner, name, flags.during(kind, getattr(owner, name)))


def start(run: str) -> int:
    """A child that begins a run or goes on with it; its number."""
    child = os.fork()
    if child:
        return child
    with open(f"{run}.log", "a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    status = 70
    try:
        status = command(["train", "recipe.yaml", "--run", run, "--resume", "--no-memory-check"])
    finally:
        sys.stderr.flush()
        os._exit(status)


def finish(run: str) -> None:
    """Goes on with a run to its end."""
    _, status = os.waitpid(start(run), 0)
    check(run, status)


def check(run: str, status: int) -> None:
    """Ends all with a child's words where it did not end well by itself."""
    if code := os.waitstatus_to_exitcode(status):
        raise SystemExit(f"a start of {run} ended with {code}:\n{Path(f'{run}.log').read_text()}")


def kill(run: str, kind: str, flags: Flags, draw: random.Random, seconds: float) -> str | None:
    """Kills a start of the run; what it was doing, or None where it came to its end before."""
    flags.clear()
    child = start(run)
    until = time.perf_counter() + draw.uniform(0.05, 0.7) * seconds
    nth = draw.randrange(1, 2 if kind == "evaluation" else 4)
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            check(run, status)
            return None
        if kind == "anywhere":
            reached = time.perf_counter() >= until
        else:
            reached = flags.doing == kind and flags.times(kind) >= nth
        if reached:
            break
        time.sleep(0.0002)
    time.sleep(draw.uniform(0, 0.004))
    os.kill(child, signal.SIGSTOP)  # it stands still, so that what it does is what it dies in
    _, status = os.waitpid(child, os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        check(run, status)
        return None
    doing = flags.doing
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return doing


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
        *sorted(folder.glob("samples-*.jsonl")),
    ]
    names = [f"{one.parent.name}/{one.name}" if one.parent != folder else one.name for one in files]
    sums = (hashlib.sha256(one.read_bytes()).hexdigest() for one in files)
    return dict(zip(names, sums, strict=True))


def campaign(kills: int, seed: int) -> Tally:
    import torch

    torch.set_num_threads(1)
    flags, tally, draw = Flags(), Tally(), random.Random(seed)
    watch(flags)
    began = time.perf_counter()
    finish("whole")
    seconds = time.perf_counter() - began
    whole = end_state("whole")
    finish("again")
    assert end_state("again") == whole, "two runs that nobody killed differ"
    while sum(tally.kills.values()) < kills:
        run, killed = f"run-{tally.runs}", list[str]()
        for number in range(KILLS_OF_A_RUN):
            kind = KINDS[(tally.runs + number) % len(KINDS)]
            doing = kill(run, kind, flags, draw, seconds)
            if doing is None:
                break
            killed.append(doing)
        if len(killed) == KILLS_OF_A_RUN:  # others came to their end too early to count
            tally.kills.update(killed)
        state = Path("runs") / run / "manifest.json"
        if not (state.exists() and json.loads(state.read_text())["status"] == "completed"):
            finish(run)
        tally.runs += 1
        found = end_state(run)
        tally.different += [f"{run}: {name}" for name in whole | found if found.get(name) != whole.get(name)]
    return tally


if __name__ == "__main__":
    import cesello.adapters.data.file_source
    import cesello.adapters.data.minhash_copies
    import cesello.adapters.model.hf_provider
    import cesello.adapters.training.lightning_sft
    import cesello.entrypoints.container  # noqa: F401
    from tests.tiny_model import make_tiny_model

    os.chdir(sys.argv[1])
    os.environ["HF_HUB_OFFLINE"] = "1"
    make_tiny_model(Path("tiny"))
    Path("recipe.yaml").write_text(RECIPE)
    turns = [[f"what is {n}?", f"it is the number {7 * n} of them all"] for n in range(70)]
    lines = [
        {
            "messages": [
                {"role": role, "content": text}
                for role, text in zip(("user", "assistant"), turn, strict=True)
            ]
        }
        for turn in turns
    ]
    Path("rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = campaign(int(sys.argv[2]), int(sys.argv[3]))
    sys.stdout.write(json.dumps(vars(result)) + "\n")
