"""Train a tiny model again and again, kill the processes at random instants, go on, and compare the ends.

Usage: python -m tests.integration.killed_training FOLDER KILLS SEED

A process that has all libraries loaded forks a child for every start of the command, so that a start takes
half a second. Each run is killed four times, by SIGKILL, then goes on to its end. Writes JSON: how many kills
there were, in what, and what differs from the run that nobody killed.
"""

from __future__ import annotations

import json
import mmap
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cesello.entrypoints.cli.main import run as command
from tests.integration.end_state import end_state

KILLS_OF_A_RUN = 4
ANYWHERE = "anywhere"
RECIPE = """
name: killed
model: {name: ./tiny, dtype: float32}
lora: {r: 4, alpha: 8, dropout: 0.1, target_modules: all-linear}
data:
  max_tokens: 200
  sources:
    - {name: chat, kind: file, path: rows.jsonl, weight: 1.0, holdout: 4}
training: {max_steps: 12, batch_size: 2, accumulate: 3, learning_rate: 1.0e-2, warmup_steps: 2}
evaluation:
  {every_steps: 3, samples: 1, max_new_tokens: 8, generate: [{source: chat, reward: words, rows: 4}]}
rewards:
  - {kind: length, name: words, shortest: 3, longest: 4}
checkpoint: {every_steps: 2}
loggers: []
"""


Places = dict[str, tuple[Any, str]]
"""What a command does, by kind: the class and the name of the method that does it."""


@dataclass(frozen=True)
class Subject:
    """A training that is killed.

    Attributes:
        recipe: its text.
        places: where it is killed, besides anywhere; at most six.
        once: of these, those that it does so rarely that it is killed in the first; ``times``: in one of the
            first so many of the others.
    """

    recipe: str
    places: Places
    once: frozenset[str] = frozenset()
    times: int = 3

    @property
    def kinds(self) -> tuple[str, ...]:
        return (ANYWHERE, *self.places)


@dataclass
class Tally:
    """Attributes:
    stops: what a start that was asked to stop ended with, by what it was doing.
    """

    kills: Counter[str] = field(default_factory=Counter)
    stops: dict[str, int] = field(default_factory=dict)
    runs: int = 0
    different: list[str] = field(default_factory=list)


class Flags:
    """What a child is doing, in memory that its parent sees."""

    def __init__(self, kinds: Sequence[str]) -> None:
        self._bytes = mmap.mmap(-1, 8)
        self._kinds = kinds

    @property
    def doing(self) -> str:
        return self._kinds[self._bytes[0]]

    def times(self, kind: str) -> int:
        """How often the child began to do that."""
        return self._bytes[1 + self._kinds.index(kind)]

    def clear(self) -> None:
        self._bytes[:] = bytes(len(self._bytes))

    def during(self, kind: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def flagged(*arguments: Any, **options: Any) -> Any:
            before = self._bytes[0]
            self._bytes[0] = self._kinds.index(kind)
            self._bytes[1 + self._kinds.index(kind)] += 1
            try:
                return call(*arguments, **options)
            finally:
                self._bytes[0] = before

        return flagged


def watch(flags: Flags, places: Places) -> None:
    """Has the command say what it does."""
    for kind, (owner, name) in places.items():
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


def wait_for(child: int, reached: Callable[[], bool]) -> int | None:
    """Waits until a child has come so far; the status it ended with, where it ended before."""
    while not reached():
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        time.sleep(0.0002)
    return None


def kill(run: str, kind: str, nth: int, flags: Flags, draw: random.Random, seconds: float) -> str | None:
    """Kills a start of the run; what it was doing, or None where it came to its end before.

    Args:
        nth: time that it does what it is to be killed in.
        seconds: that a whole run takes.
    """
    flags.clear()
    child = start(run)
    until = time.perf_counter() + draw.uniform(0.05, 0.7) * seconds
    anywhere = kind == ANYWHERE
    ended = wait_for(
        child,
        lambda: (
            time.perf_counter() >= until if anywhere else flags.doing == kind and flags.times(kind) >= nth
        ),
    )
    if ended is not None:
        check(run, ended)
        return None
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


def stop(run: str, kind: str, nth: int, flags: Flags) -> int:
    """Asks a start of the run to stop in what it does the nth time; what it ends with."""
    flags.clear()
    child = start(run)
    status = wait_for(child, lambda: flags.doing == kind and flags.times(kind) >= nth)
    if status is None:
        os.kill(child, signal.SIGTERM)
        _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def campaign(subject: Subject, kills: int, seed: int, stopped_in: Sequence[str] = ()) -> Tally:
    """Kills runs so often in all, stops one run in each of these, and compares them with one left alone."""
    import torch

    torch.set_num_threads(1)
    flags, tally, draw = Flags(subject.kinds), Tally(), random.Random(seed)
    watch(flags, subject.places)
    began = time.perf_counter()
    finish("whole")
    seconds = time.perf_counter() - began
    whole = end_state("whole")
    assert "scores.jsonl" in whole, (
        "a campaign of a recipe that grades no answers says nothing of their scores"
    )
    finish("again")
    assert end_state("again") == whole, "two runs that nobody killed differ"

    def compare(run: str) -> None:
        state = Path("runs") / run / "manifest.json"
        if not (state.exists() and json.loads(state.read_text())["status"] == "completed"):
            finish(run)
        found = end_state(run)
        tally.different += [f"{run}: {name}" for name in whole | found if found.get(name) != whole.get(name)]

    for kind in stopped_in:
        tally.stops[kind] = stop(f"stopped-{kind}", kind, 3, flags)
        assert list((Path("runs") / f"stopped-{kind}" / "checkpoints").glob("step-*")), "no checkpoint"
        compare(f"stopped-{kind}")
    while sum(tally.kills.values()) < kills:
        run, killed = f"run-{tally.runs}", list[str]()
        for number in range(KILLS_OF_A_RUN):
            kind = subject.kinds[(tally.runs + number) % len(subject.kinds)]
            nth = 1 if kind in subject.once else draw.randint(1, subject.times)
            doing = kill(run, kind, nth, flags, draw, seconds)
            if doing is None:
                break
            killed.append(doing)
        if len(killed) == KILLS_OF_A_RUN:  # others came to their end too early to count
            tally.kills.update(killed)
        tally.runs += 1
        compare(run)
    return tally


def lay_out(folder: str, recipe: str) -> None:
    """Makes all that a campaign needs, and works there."""
    from tests.tiny_model import make_tiny_model

    os.chdir(folder)
    os.environ["HF_HUB_OFFLINE"] = "1"
    make_tiny_model(Path("tiny"))
    Path("recipe.yaml").write_text(recipe)
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


if __name__ == "__main__":
    import cesello.adapters.data.file_source
    import cesello.adapters.data.minhash_copies
    import cesello.adapters.model.hf_provider
    import cesello.entrypoints.container  # noqa: F401
    from cesello.adapters.run.folder_checkpoints import FolderCheckpoints
    from cesello.adapters.training.lightning_sft import SftModule
    from cesello.application.evaluate import Evaluate

    sft = Subject(
        RECIPE,
        {
            "save": (FolderCheckpoints, "save"),
            "accumulation": (SftModule, "_accumulate"),
            "evaluation": (Evaluate, "__call__"),
        },
        once=frozenset({"evaluation"}),
    )
    lay_out(sys.argv[1], sft.recipe)
    result = campaign(sft, int(sys.argv[2]), int(sys.argv[3]))
    sys.stdout.write(json.dumps(vars(result)) + "\n")
