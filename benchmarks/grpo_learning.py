"""What cesello and TRL 1.16 learn from the same number of rollouts: held-out success before and after.

SmolLM2-135M on a CPU in float32. `sums` is `recipes/grpo-reasoning.yaml`, with fresh LoRA weights;
`products` is the same with products of two or three digits for tasks;
`functions` is `recipes/grpo-functions.yaml`, which goes on from the quickstart's weights (made in `--folder`
where they are missing; every seed has its own, since it holds out other rows). Both sides begin with the same
LoRA weights and ask the same prompts in the same steps, with the same reward, objective, AdamW and learning
rate. Both are judged by cesello on the same held-out rows: a greedy answer and 4 drawn ones a row. A success
is a reward at its top, at least 1 - 1e-6. KL is from the start, in nats a token that the trained policy drew.

Not the same are the random numbers that draw; and what becomes of a group whose rewards are all equal. TRL
counts its tokens in the step's mean, and with `beta` (functions) learns from its divergence; cesello leaves
it out. The reference is the same: of weights that are gone on from TRL 1.16 keeps a frozen copy too.

Every run is a process of its own and is added to `benchmarks/results/grpo-learning.json`; one that is there
already, of the same steps and rows, is not run again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from fcntl import LOCK_EX, flock
from importlib import metadata
from itertools import product
from pathlib import Path
from signal import SIGTERM, signal
from typing import Any

import click

from benchmarks.peers.grpo_side import environment
from benchmarks.peers.learning_table import SIDES, table
from benchmarks.peers.learning_task import STEPS, Job
from benchmarks.sft_vs_trl import RESULTS, ROOT, machine

PEERS = ROOT / "build" / "peers"
_SET = ("task", "side", "seed", "steps", "rows")


def known(output: Path) -> list[dict[str, Any]]:
    """The runs of a file."""
    return list(json.loads(output.read_text())["runs"]) if output.exists() else []


def add(output: Path, run: dict[str, Any]) -> None:
    """Puts a run into a file to which others may be adding theirs."""
    output.parent.mkdir(parents=True, exist_ok=True)
    # The folder is locked: a file of its own would be left beside the results.
    folder = os.open(output.parent, os.O_RDONLY)
    try:
        flock(folder, LOCK_EX)
        runs = [one for one in known(output) if _is_of(one) != _is_of(run)] + [run]
        runs.sort(key=_is_of)
        whole = output.with_name(f"{output.name}.new")
        whole.write_text(json.dumps({"runs": runs}, indent=1) + "\n")
        whole.replace(output)
    finally:
        os.close(folder)


def _is_of(run: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(run[name] for name in _SET)


def trained(job: Job, threads: int) -> dict[str, Any]:
    """One run, in a process of its own."""
    if job.side == "trl" and not (PEERS / "trl").is_dir():
        sys.exit("TRL is not here: make peers")
    packages = [PEERS] if job.side == "trl" else []
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.peers.learning_sides"],
        input=json.dumps(asdict(job)), stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT,
        env=environment(threads, *packages),
    )  # fmt: skip
    versions = {name: metadata.version(name) for name in ("torch", "transformers", "peft")}
    its = {name: getattr(job, name) for name in _SET}
    made = json.loads(done.stdout.splitlines()[-1])
    return {
        **its,
        "machine": machine(),
        "threads": threads,
        "versions": {**versions, "trl": "1.16.0"},
        **made,
    }


@click.command(help=__doc__)
@click.option("--task", "tasks", multiple=True, type=click.Choice(list(STEPS)), default=list(STEPS))
@click.option("--side", "sides", multiple=True, type=click.Choice(SIDES), default=SIDES)
@click.option("--seed", "seeds", multiple=True, type=click.IntRange(min=0), default=(0, 1, 2))
@click.option("--steps", type=click.IntRange(min=1), help="[default: 24]")
@click.option("--rows", type=click.IntRange(min=4), default=96, show_default=True, help="Held out.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), default=ROOT / "build" / "grpo-learning")
@click.option("--output", type=click.Path(path_type=Path), default=RESULTS / "grpo-learning.json")
@click.option("--table", "only_table", is_flag=True, help="Run nothing, print what is there.")
def main(
    tasks: tuple[str, ...],
    sides: tuple[str, ...],
    seeds: tuple[int, ...],
    steps: int | None,
    rows: int,
    threads: int,
    folder: Path,
    output: Path,
    only_table: bool,
) -> None:
    # Told to end, it ends the run that it waits for as well.
    signal(SIGTERM, lambda *_: sys.exit(128 + SIGTERM))
    for task, seed, side in () if only_table else product(tasks, seeds, sides):
        folder.mkdir(parents=True, exist_ok=True)
        job = Job(task, side, seed, steps or STEPS[task], rows, str(folder.resolve()))
        if _is_of(asdict(job)) not in map(_is_of, known(output)):
            add(output, trained(job, threads))
    click.echo("\n".join(table(known(output))))


if __name__ == "__main__":
    main()
