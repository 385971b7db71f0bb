"""The policy update of a group of eight completions: its prompt computed once, or with every completion.

SmolLM2-135M, float32, LoRA r 16 on all linear layers, one thread; forward pass, log-probabilities of all
completion tokens, a policy gradient of them, backward pass. Every measurement has a process of its own, which
warms up on a tiny group; contenders take turns. Speed is by the seconds in which a process had its processor.

- shared: cesello, [prompt, c1, ..., c8] as one row.
- packed: cesello, a row for every completion, end to end, without padding.
- padded: transformers and PEFT as they come, one padded batch, logits of all completion tokens.

A contender that would take more memory than `--gib` takes the completions in several passes, which costs one
that shares nothing next to nothing. Figures go to `benchmarks/results/shared-prefix-cpu.json`.
"""

from __future__ import annotations

import json
import math
import os
import random
import statistics
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import click

from benchmarks.peers.sft_job import LINEAR, LORA, Job, base_model, forget_peak, peak_bytes
from benchmarks.sft_vs_trl import RESULTS, ROOT, SMOLLM, machine, peak_flops

SHAPES = ((64, 64), (512, 64), (1500, 128))
COMPLETIONS = 8
CONTENDERS = ("shared", "packed", "padded")
_BYTES, _BYTES_A_TOKEN = 1.3e9, {"shared": 1.1e6, "packed": 1.1e6, "padded": 2.5e6}
"""About: of the process with the model, and of every token that goes through the layers."""

Group = tuple[list[int], list[list[int]]]


def passes(contender: str, prompt: int, completion: int, gib: float) -> int:
    """In how many the completions must be taken."""
    many = COMPLETIONS * (prompt + completion)
    tokens = prompt + COMPLETIONS * completion if contender == "shared" else many
    return math.ceil(_BYTES_A_TOKEN[contender] * tokens / (gib * 2**30 - _BYTES))


def turn(contender: str, prompt: int, completion: int, steps: int, parts: int) -> dict[str, Any]:
    """In this process: seconds of each step and the most memory of all."""
    import torch

    torch.set_num_threads(1)
    model = _model(lean=contender != "padded")
    _step(model, contender, _group(16, 8), 1)
    forget_peak("cpu")
    took, losses = [], []
    for number in range(steps):
        group = _group(prompt, completion, number)
        model.zero_grad()
        began = time.process_time()
        losses.append(_step(model, contender, group, parts))
        took.append(time.process_time() - began)
    norm = sum(float(w.grad.square().sum()) for w in model.parameters() if w.grad is not None) ** 0.5
    return {"seconds": took, "losses": losses, "norm of the last gradient": norm, "peak": peak_bytes("cpu")}


def _model(*, lean: bool) -> Any:
    import torch
    from peft import LoraConfig, get_peft_model

    from cesello.adapters.model.lean_model import make_lean

    base = base_model(Job(SMOLLM, [], 0))
    torch.manual_seed(0)
    model: Any = get_peft_model(base, LoraConfig(**LORA, target_modules=LINEAR, task_type="CAUSAL_LM"))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.02)
    if lean:
        make_lean(model)
    return model.train()


def _group(prompt: int, completion: int, seed: int = 0) -> Group:
    draw = random.Random(seed)
    ids = [[draw.randrange(100, 40_000) for _ in range(completion)] for _ in range(COMPLETIONS)]
    return [draw.randrange(100, 40_000) for _ in range(prompt)], ids


def _step(model: Any, contender: str, group: Group, parts: int) -> float:
    """The loss of a policy gradient with advantages from -1 to 1, and its backward pass."""
    import torch

    prompt, completions = group
    size, loss = math.ceil(COMPLETIONS / parts), 0.0
    for at in range(0, COMPLETIONS, size):
        its = completions[at : at + size]
        log_probs = _log_probs(model, contender, (prompt, its))
        weights = torch.linspace(-1, 1, COMPLETIONS)[at : at + size].repeat_interleave(len(its[0]))
        ratios = (log_probs - log_probs.detach()).exp()
        of_part = (0.04 * log_probs - weights * ratios).sum() / (COMPLETIONS * len(its[0]))
        of_part.backward()
        loss += float(of_part.detach())
    return loss


def _log_probs(model: Any, contender: str, group: Group) -> Any:
    if contender == "padded":
        return _of_a_padded_batch(model, *group)
    from cesello.adapters.model.label_log_probs import label_log_probs
    from cesello.adapters.model.shared_prefix import PromptGroup, Way, completion_scores

    return completion_scores(model, [PromptGroup(*group)], label_log_probs, way=Way(contender)).log_probs_L


def _of_a_padded_batch(model: Any, prompt: list[int], completions: list[list[int]]) -> Any:
    import torch

    ids = torch.tensor([[*prompt, *one] for one in completions])
    kept = len(completions[0]) + 1
    logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), logits_to_keep=kept).logits[:, :-1]
    logs = torch.log_softmax(logits.float(), -1)
    return logs.gather(-1, ids[:, 1 - kept :, None]).flatten()


def in_its_own_process(contender: str, shape: tuple[int, int], steps: int, parts: int) -> dict[str, Any]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
    }
    asked = json.dumps([contender, *shape, steps, parts])
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.shared_prefix", "--turn", asked],
        capture_output=True, text=True, env=environment, cwd=ROOT,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{contender} failed:\n{done.stderr[-3000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def measured(shape: tuple[int, int], rounds: int, steps: int, gib: float) -> dict[str, Any]:
    turns: dict[str, list[dict[str, Any]]] = {name: [] for name in CONTENDERS}
    parts = {name: passes(name, *shape, gib) for name in CONTENDERS}
    peaks = []
    for number in range(rounds):
        for name in CONTENDERS:
            peaks.append(peak_flops())
            turns[name].append(in_its_own_process(name, shape, steps, parts[name]))
            click.echo(f"{shape} turn {number + 1}: {name}: {turns[name][-1]}", err=True)
    result: dict[str, Any] = {"matrix product, GFLOP/s": round(statistics.median(peaks) / 1e9, 1)}
    return result | {name: {"passes": parts[name], **_summary(turns[name])} for name in CONTENDERS}


def _summary(turns: list[dict[str, Any]]) -> dict[str, Any]:
    seconds = [took for one in turns for took in one["seconds"]]
    return {
        "seconds a step": round(statistics.median(seconds), 2),
        "slowest": round(max(seconds), 2),
        "steps": len(seconds),
        "peak bytes": max(one["peak"] for one in turns),
        "losses": [round(loss, 6) for loss in turns[0]["losses"]],
        "norm of the last gradient": round(turns[0]["norm of the last gradient"], 6),
    }


def told(name: str, its: dict[str, Any]) -> None:
    for contender in CONTENDERS:
        one = its[contender]
        slower = one["seconds a step"] / its["shared"]["seconds a step"]
        memory = one["peak bytes"] / its["shared"]["peak bytes"]
        line = f"{name:10} {contender:8} {one['seconds a step']:8.2f} s {one['peak bytes'] / 2**30:6.2f} GiB"
        line += f" in {one['passes']} passes"
        click.echo(f"{line}   {slower:5.2f}x the time of shared, {memory:.2f}x its memory")


@click.command()
@click.option("--rounds", default=2, show_default=True)
@click.option("--steps", default=1, show_default=True, help="Timed steps of a turn.")
@click.option("--gib", default=14.0, show_default=True, help="What a process may take.")
@click.option("--shape", "shapes", multiple=True, type=(int, int), default=SHAPES, help="Prompt, completion.")
@click.option("--output", type=click.Path(path_type=Path), default=RESULTS / "shared-prefix-cpu.json")
@click.option("--turn", "asked", hidden=True)
def main(
    rounds: int, steps: int, gib: float, shapes: tuple[tuple[int, int], ...], output: Path, asked: str | None
) -> None:
    """Measures every contender and writes the figures."""
    if asked is not None:
        click.echo(json.dumps(turn(*json.loads(asked))))
        return
    versions = {name: metadata.version(name) for name in ("torch", "transformers", "peft")}
    result: dict[str, Any] = {
        "machine": machine(),
        "versions": versions,
        "setting": "SmolLM2-135M, float32, one thread, LoRA r 16 on all linear layers, 8 completions",
        "shapes": {},
    }
    for shape in shapes:
        name = f"{shape[0]} + {shape[1]}"
        result["shapes"][name] = measured(shape, rounds, steps, gib)
        told(name, result["shapes"][name])
        output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
