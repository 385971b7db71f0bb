"""An optimizer step of GRPO by cesello and by TRL, split into what it is made of.

SmolLM2-135M with LoRA of rank 16 on all linear layers, one prompt a step (`--groups`) of exactly P tokens,
eight completions of exactly L tokens, since nothing ends them; float32 and one thread on a CPU, bfloat16 on a
GPU. Both take the same prompts and rewards, the objective dapo, one update a rollout, AdamW, no dropout,
nothing computed twice. Each side is a process of its own that takes a step while the other one waits; the
first step of each is not counted. Of TRL the fastest of these settings is taken, each tried for a step: all
completions in a forward pass or as many as fit into `--gib`, half as many as long as that is faster,
and its other ways to draw. Where nothing fits, activations are computed again.

Speed is by the seconds a process had its processor; by the clock it is given too. Figures go to
`benchmarks/results/grpo-vs-trl-cpu.json`. `--device cuda` takes random weights, a 1.5B shape as well, and TRL
with vLLM where that is installed.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import math
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import click

from benchmarks.peers.grpo_job import COMPLETIONS, PHASES, GrpoJob, chat_encoder
from benchmarks.peers.grpo_side import Failed, Side
from benchmarks.sft_vs_trl import PARAMETERS, RESULTS, ROOT, SMOLLM, machine, peak_flops

BARS = {(64, 64): 2.0, (512, 64): 4.5, (1500, 128): 6.0}
"""Prompt and completion, and how many times faster than TRL a step is to be on a CPU."""
STEPS = {(1500, 128): 2}
LARGER = ("Qwen/Qwen2.5-1.5B", (512, 128))
MICRO = "per_device_train_batch_size"
AGAIN = {MICRO: 1, "gradient_checkpointing": True}
DRAWING: dict[str, list[dict[str, Any]]] = {
    "cpu": [{"cache_implementation": "static"}],
    "cuda": [{"cache_implementation": "static"}, {"use_transformers_continuous_batching": True}],
}
"""Other ways in which TRL can draw, by device."""
WARM = 1

Setting = tuple[str, tuple[int, int], float]
"""Model, shape, and the weight of the divergence."""


def prompts(encoder: Any, tokens: int, count: int) -> list[str]:
    """Different questions about real code, each of exactly so many tokens as the model is asked it."""
    from cesello.domain.conversation import user

    code = "\n".join(inspect.getsource(module) for module in (argparse, ast))
    known = encoder.tokenizer(code, verbose=False)["input_ids"]
    empty = len(encoder.prompt(user("")))
    found: list[str] = []
    for start in range(0, len(known) - tokens, 97):
        size = tokens - empty
        for _ in range(4):
            text = encoder.tokenizer.decode(known[start : start + size]).strip()
            over = len(encoder.prompt(user(text))) - tokens
            if not over:
                found.append(text)
                break
            size -= over
        if len(found) == count:
            return found
    raise ValueError(f"there are no {count} prompts of {tokens} tokens")


def tried(job: GrpoJob, threads: int, gib: float) -> Iterator[dict[str, Any]]:
    """What a step takes with each of TRL's settings; see the top of this file."""
    groups, best = len(job.steps[0]), math.inf
    for micro in dict.fromkeys((COMPLETIONS * groups, 4 * groups, 2 * groups, groups, 1)):
        yield (its := _tried(job, threads, gib, {MICRO: micro}))
        if "failed" not in its:
            if best == math.inf:
                for drawing in DRAWING[job.device]:
                    yield _tried(job, threads, gib, {MICRO: micro, **drawing})
            elif its[_clock(job.device)] > best:
                break
            best = its[_clock(job.device)]
    if best == math.inf:
        yield _tried(job, threads, gib, AGAIN)


def _clock(device: str) -> str:
    """What decides: a CPU's processors are shared with other work, and a GPU is waited for."""
    return "processor seconds" if device == "cpu" else "seconds"


def _tried(job: GrpoJob, threads: int, gib: float, options: dict[str, Any]) -> dict[str, Any]:
    try:
        with Side("trl", replace(job, steps=job.steps[:1], options=options), threads, gib * 2**30) as side:
            its = side.step()
    except Failed as failure:
        answer = {"options": options, "failed": str(failure)}
    else:
        seconds = {kind: round(its[kind]["step"], 2) for kind in ("seconds", "processor seconds")}
        answer = {"options": options, **seconds, "peak bytes": its["peak"]}
    click.echo(f"tried {answer}", err=True)
    return answer


def in_turns(jobs: dict[str, GrpoJob], threads: int, gib: float, until: float) -> dict[str, Any]:
    """The steps of all sides, one of each after the other; what fails on the way is left out from then on."""
    sides: dict[str, Side] = {}
    answers: dict[str, list[dict[str, Any]]] = {name: [] for name in jobs}
    failed: dict[str, str] = {}
    try:
        for name, job in jobs.items():
            try:
                sides[name] = Side(name, job, threads, gib * 2**30)
            except Failed as failure:
                failed[name] = str(failure)
        assert len({side.prompts for side in sides.values()}) == 1, "they are asked different things"
        for number in range(len(next(iter(jobs.values())).steps)):
            if number > WARM and time.monotonic() > until:
                break
            for name in [name for name in sides if name not in failed]:
                try:
                    its = sides[name].step()
                except Failed as failure:
                    failed[name] = str(failure)
                    continue
                assert its["completion tokens"] == jobs[name].new, its
                answers[name].append(its)
                click.echo(f"step {number}: {name}: {its['processor seconds']}", err=True)
    finally:
        for side in sides.values():
            side.end()
    measured = {name: summary(its) for name, its in answers.items() if len(its) > WARM}
    return {**measured, **{name: {"failed": why} for name, why in failed.items()}}


def summary(answers: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians over the steps after the first."""
    counted = answers[WARM:]
    kinds = {
        kind: {
            name: round(statistics.median(one[kind][name] for one in counted), 3)
            for name in (*PHASES, "step")
        }
        for kind in ("seconds", "processor seconds")
    }
    return {**kinds, "steps": len(counted), "peak bytes": max(one["peak"] for one in answers)}


def measured(
    setting: Setting, device: str, steps: int, groups: int, threads: int, gib: float, micro: int, until: float
) -> dict[str, Any]:
    """All sides in one setting, TRL as fast as it can be."""
    model, (prompt, new), beta = setting
    texts = prompts(chat_encoder(model, device), prompt, groups * (WARM + steps))
    asked = [texts[at : at + groups] for at in range(0, len(texts), groups)]
    job = GrpoJob(model, asked, prompt, new, beta, device)
    settings: list[dict[str, Any]] = (
        [{"options": {MICRO: micro}}] if micro else list(tried(job, threads, gib))
    )
    fitting = [one for one in settings if "failed" not in one]
    fitting.sort(key=lambda one: float(one.get(_clock(device), 0.0)))
    line: dict[str, Any] = {"model": model, "prompt": prompt, "new": new, "beta": beta, "groups": groups}
    sides: dict[str, Any] = {}
    for one in [*fitting, None]:
        jobs = {"cesello": job}
        if one:
            jobs["trl"] = replace(job, options=one["options"])
        if device == "cuda":
            jobs["trl vllm"] = jobs.get("trl", job)
        sides = in_turns(jobs, threads, gib, until)
        line["options of trl"] = one and one["options"]
        if not one or "failed" not in sides["trl"]:
            break
        one["failed"] = sides["trl"]["failed"]
    line |= {"tried": settings, "sides": sides, "ratios": ratios(sides)}
    if device == "cpu":
        line["roofline, seconds"] = round(_operations(prompt, new, groups) / peak_flops() / threads, 2)
    return line


def _operations(prompt: int, new: int, groups: int) -> float:
    """2 N a token that is drawn, 4 N a token that is learnt from; a prompt once for its completions."""
    return 6.0 * PARAMETERS * groups * (prompt + COMPLETIONS * new)


def ratios(sides: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Of everybody else's step to ours: times the time, and our memory as a share of theirs."""
    ours = sides.get("cesello", {})
    return {
        name: {
            **{
                kind: round(its[kind]["step"] / ours[kind]["step"], 2)
                for kind in ("processor seconds", "seconds")
            },
            "memory": round(ours["peak bytes"] / its["peak bytes"], 3),
        }
        for name, its in sides.items()
        if name != "cesello" and "seconds" in its and "seconds" in ours
    }


def told(line: dict[str, Any]) -> None:
    """A setting as a table."""
    shape = (line["prompt"], line["new"])
    click.echo(f"{line['model']} P {shape[0]} L {shape[1]} beta {line['beta']} trl: {line['options of trl']}")
    for name, its in line["sides"].items():
        if "failed" in its:
            click.echo(f"  {name:9} {its['failed']}")
            continue
        parts = "  ".join(f"{phase} {its['processor seconds'][phase]:7.2f}" for phase in (*PHASES, "step"))
        clock = f"by the clock {its['seconds']['step']:.2f} s"
        click.echo(f"  {name:9} {parts} s, {clock}, {its['peak bytes'] / 2**30:.2f} GiB")
    bar = BARS.get(shape)
    for name, its in line["ratios"].items():
        end = f"{its['seconds']:.2f} by the clock, {its['memory']:.2f}x its memory"
        asked = f" (to be {bar})" if bar and name == "trl" and "roofline, seconds" in line else ""
        click.echo(f"  {its['processor seconds']:.2f}x as fast as {name}{asked}, {end}")


def _settings(device: str, chosen: Sequence[tuple[int, int]], betas: Sequence[float]) -> Iterator[Setting]:
    for beta in betas:
        for shape in chosen or BARS:
            yield SMOLLM, shape, beta
    if device == "cuda" and not chosen:
        yield *LARGER, betas[0]


@click.command(help=__doc__)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option(
    "--settings", "shapes", multiple=True, type=(int, int), help="Prompt, completion.  [default: all]"
)
@click.option("--beta", "betas", multiple=True, type=float, default=(0.0,), show_default=True)
@click.option("--steps", type=click.IntRange(min=1), help="Counted steps.  [default: 3, of the longest 2]")
@click.option("--groups", type=click.IntRange(min=1), default=1, show_default=True, help="Prompts a step.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--gib", default=21.0, show_default=True, help="What a process may hold on a CPU.")
@click.option(
    "--micro", type=click.IntRange(min=0), default=0, help="TRL's micro-batch; 0 tries what is best."
)
@click.option("--minutes", default=600.0, show_default=True, help="Begin nothing after that.")
@click.option("--output", type=click.Path(path_type=Path))
def main(
    device: str,
    shapes: tuple[tuple[int, int], ...],
    betas: tuple[float, ...],
    steps: int | None,
    groups: int,
    threads: int,
    gib: float,
    micro: int,
    minutes: float,
    output: Path | None,
) -> None:
    if not (ROOT / "build" / "peers" / "trl").is_dir():
        sys.exit("TRL is not here: make peers")
    until = time.monotonic() + 60 * minutes
    versions = {name: metadata.version(name) for name in ("torch", "transformers", "peft")}
    result: dict[str, Any] = {
        "machine": _gpu() if device == "cuda" else machine(),
        "versions": {**versions, "trl": "1.16.0"},
        "setting": f"LoRA r 16 on all linear layers, {COMPLETIONS} completions, dapo, {threads} threads",
        "settings": [],
    }
    for setting in _settings(device, shapes, betas):
        if time.monotonic() > until:
            click.echo("the minutes are over")
            return
        count = steps or STEPS.get(setting[1], 3)
        line = measured(setting, device, count, groups, threads, gib, micro, until)
        told(line)
        result["settings"].append(line)
        (output or RESULTS / f"grpo-vs-trl-{device}.json").write_text(json.dumps(result, indent=2) + "\n")


def _gpu() -> str:
    import torch

    return torch.cuda.get_device_name()


if __name__ == "__main__":
    main()
