"""Supervised fine-tuning by cesello, by TRL, by a plain loop, and what the machine could do at most.

The same model, rows, LoRA weights, number format and tokens a step. On a CPU every contender runs in a
process of its own, on one thread, in turns, so that what else the machine does meets them all. The roofline
counts 4 N operations a token (2 N forward, 2 N for the gradient of activations; frozen weights need none) at
the speed of a large matrix product, measured in the same turns. `--device cuda` takes the 1.5B and 7B shapes
with random weights. Figures go to `benchmarks/results/sft-vs-trl-*.json`.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import metadata
from itertools import chain
from pathlib import Path
from typing import Any

import click

from benchmarks.peers.sft_job import Job, as_json

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
SMOLLM = "HuggingFaceTB/SmolLM2-135M-Instruct"
PARAMETERS = 134_515_008
CONTENDERS = ("cesello", "trl", "trl defaults", "plain")
ROWS_A_STEP, MOST_TOKENS, WARM = 4, 1024, 2


def real_steps(count: int) -> list[list[tuple[list[int], list[int]]]]:
    """Steps of four rows of function calls, code and chat at 60/20/20, about 227 tokens each."""
    from benchmarks.peers.real_rows import real_rows
    from cesello.adapters.model.hf_provider import HfModelProvider
    from cesello.adapters.model.hub_cache import HubCache
    from cesello.adapters.model.quantizers import NoQuantizer
    from cesello.domain.model_spec import ModelSpec
    from cesello.entrypoints.home import home

    each = 60
    encoder = HfModelProvider(NoQuantizer(), HubCache(home() / "hub")).encoder(ModelSpec(SMOLLM))
    rows = [(row.ids.tolist(), list(row.trained)) for row in encoder.encode(real_rows(each))]
    calls, code, chat = rows[:each], rows[each : 2 * each], rows[2 * each :]
    groups = zip(calls[::3], calls[1::3], calls[2::3], code, chat, strict=False)
    mixed = list(chain.from_iterable(groups))
    steps = [mixed[at : at + ROWS_A_STEP] for at in range(0, len(mixed), ROWS_A_STEP)]
    fitting = [step for step in steps if 800 < sum(len(ids) for ids, _ in step) <= MOST_TOKENS]
    return fitting[:count]


def peak_flops(size: int = 1024, seconds: float = 1.0) -> float:
    """Operations a second of a float32 matrix product on one thread; the best of what was seen."""
    import torch

    torch.set_num_threads(1)
    left, right = torch.randn(size, size), torch.randn(size, size)
    best, end = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.process_time()
        torch.mm(left, right)
        best = max(best, 2 * size**3 / (time.process_time() - began))
    return best


def in_its_own_process(name: str, job: Job) -> dict[str, Any]:
    """One turn of one contender, on one thread."""
    peers = ROOT / "build" / "peers"
    if not (peers / "trl").is_dir():
        sys.exit("TRL is not here: make peers")
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{peers}",
        "PYTHONWARNINGS": "ignore",
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.peers.sft_contenders", name],
        input=json.dumps(as_json(job)), capture_output=True, text=True, env=environment, cwd=ROOT,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr[-3000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def summary(turns: list[dict[str, Any]], tokens: list[int]) -> dict[str, Any]:
    """Medians over the steps of all turns; the first two of each fill the allocator's pools.

    Speed is by the seconds a process had its one processor: this machine's are shared with other work, and
    to wait for one is nobody's fault. By the clock it is given too.
    """
    rates = _rates(turns, tokens, "processor seconds")
    return {
        "tokens per second": round(statistics.median(rates), 2),
        "slowest": round(min(rates), 2),
        "by the clock": round(statistics.median(_rates(turns, tokens, "seconds")), 2),
        "steps": len(rates),
        "peak bytes": max(turn["peak"] for turn in turns),
        "losses": [round(loss, 5) for loss in turns[0]["losses"]],
    }


def _rates(turns: list[dict[str, Any]], tokens: list[int], kind: str) -> list[float]:
    return [
        count / took
        for turn in turns
        for count, took in zip(tokens[WARM:], turn[kind][WARM - 1 :], strict=True)
    ]


def on_cpu(
    rounds: int, steps: int, only: tuple[str, ...], without: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    """The figures after every round of all contenders, with the machine's peak before each."""
    rows = real_steps(steps + WARM)
    job = Job(SMOLLM, rows, MOST_TOKENS)
    tokens = job.tokens()
    named = {name: (name, job) for name in only or CONTENDERS}
    for part in without:
        parts = tuple(part.split("+"))
        named[f"cesello without {part}"] = ("cesello", Job(SMOLLM, rows, MOST_TOKENS, without=parts))
    turns: dict[str, list[dict[str, Any]]] = {name: [] for name in named}
    peaks: list[float] = []
    for number in range(rounds):
        for title, (name, its_job) in named.items():
            peaks.append(peak_flops())
            turns[title].append(in_its_own_process(name, its_job))
            click.echo(f"turn {number + 1}: {title}: {summary(turns[title][-1:], tokens)}", err=True)
        yield _result(rows, tokens, turns, statistics.median(peaks))


def _result(
    rows: list[Any], tokens: list[int], turns: dict[str, list[dict[str, Any]]], peak: float
) -> dict[str, Any]:
    roofline = peak / (4 * PARAMETERS)
    measured = {name: summary(its, tokens) for name, its in turns.items()}
    for its in measured.values():
        its["of the roofline"] = round(its["tokens per second"] / roofline, 3)
    labels = sum(sum(marks) for step in rows for _, marks in step)
    versions = {name: metadata.version(name) for name in ("torch", "transformers", "peft")}
    return {
        "machine": machine(),
        "versions": {**versions, "trl": "1.16.0"},
        "setting": "SmolLM2-135M, float32, one thread, LoRA r 16 on all linear layers, a step of four rows",
        "tokens per row": round(sum(tokens) / len(rows) / ROWS_A_STEP, 1),
        "labels per token": round(labels / sum(tokens), 3),
        "matrix product, GFLOP/s": round(peak / 1e9, 1),
        "roofline, tokens per second": round(roofline, 1),
        "contenders": measured,
    }


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "CPU")
    return f"{os.cpu_count()} shared cores of {model}, {platform.system()} {platform.machine()}"


def told(result: dict[str, Any]) -> None:
    """The figures as a table, with the ratios to TRL at its best."""
    best = result["contenders"].get("trl")
    for name, its in result["contenders"].items():
        line = f"{name:32} {its['tokens per second']:8.1f} tokens/s {its['peak bytes'] / 2**30:6.2f} GiB"
        line += f" {its['of the roofline']:6.1%} of the roofline"
        if best:
            faster = its["tokens per second"] / best["tokens per second"]
            line += f" {faster:5.2f}x TRL's speed, {its['peak bytes'] / best['peak bytes']:.2f}x its memory"
        click.echo(line)


@click.command()
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--rounds", default=2, show_default=True)
@click.option("--steps", default=3, show_default=True, help="Timed steps of a turn; two more warm up.")
@click.option("--only", multiple=True, type=click.Choice([*CONTENDERS, "engine"]))
@click.option("--without", multiple=True, help="cesello without these parts, as attention or lora+mlp.")
@click.option("--minutes", default=5.0, show_default=True, help="On a GPU: begin nothing after that.")
@click.option("--output", type=click.Path(path_type=Path))
def main(
    device: str,
    rounds: int,
    steps: int,
    only: tuple[str, ...],
    without: tuple[str, ...],
    minutes: float,
    output: Path | None,
) -> None:
    """Measures every contender and writes the figures."""
    if device == "cuda":
        from benchmarks.peers.sft_on_gpu import on_gpu

        on_gpu(output or RESULTS / "sft-vs-trl-cuda.json", minutes)
        return
    for result in on_cpu(rounds, steps, only, without):
        told(result)
        (output or RESULTS / "sft-vs-trl-cpu.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
