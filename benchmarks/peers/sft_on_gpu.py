"""``benchmarks/sft_vs_trl.py --device cuda``: the 1.5B and 7B shapes with weights of noise, made on the GPU.

Documents of mixed lengths are packed into sequences of 2,048 or 4,096 tokens, 4,096 tokens a step. All
contenders run in this process, one after the other, on a model of their own; what is left of one is freed
before the next. Every figure is printed as a line of JSON as soon as it is there, since a lease may end
before all are.
"""

from __future__ import annotations

import gc
import json
import random
import statistics
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import click

from benchmarks.peers.sft_contenders import run
from benchmarks.peers.sft_job import Job

TOKENS, STEPS, WARM = 4096, 7, 2
NAMES = ("cesello", "trl", "cesello liger", "trl liger", "plain")
# Name, parameters, vocabulary.
SHAPES = {
    "1.5B": ("Qwen/Qwen2.5-1.5B", 1_543_714_304, 151_936),
    "7B": ("mistralai/Mistral-7B-v0.3", 7_248_023_552, 32_768),
}
SETTINGS = [
    ("1.5B", "none", 4096), ("7B", "nf4", 4096), ("7B", "none", 4096), ("1.5B", "nf4", 4096),
    ("7B", "nf4", 2048), ("1.5B", "none", 2048), ("7B", "none", 2048), ("1.5B", "nf4", 2048),
]  # fmt: skip


def packed_steps(sequence: int, vocabulary: int) -> list[list[tuple[list[int], list[int]]]]:
    """Documents of 400 tokens in the middle, a few as long as a sequence; half of each is trained."""
    draw = random.Random(0)
    steps = []
    for _ in range(STEPS):
        rows, left = [], TOKENS
        while left >= 16:
            room = min(left, sequence - (TOKENS - left) % sequence)  # no document crosses a sequence's end
            length = min(room, max(16, int(draw.lognormvariate(6.0, 0.8))))
            length = room if room - length < 16 else length
            ids = [draw.randrange(100, vocabulary) for _ in range(length)]
            rows.append((ids, [int(2 * at >= length) for at in range(length)]))
            left -= length
        steps.append(rows)
    return steps


def peak_flops(size: int = 8192) -> float:
    """Operations a second of a bfloat16 matrix product, the median of twenty."""
    import torch

    left, right = (torch.randn(size, size, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    times = []
    for _ in range(25):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        torch.mm(left, right)
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end) / 1000)
    return float(2 * size**3 / statistics.median(times[5:]))


def on_gpu(output: Path, minutes: float) -> None:
    """All settings and contenders, as far as the minutes reach."""
    import torch

    until = time.monotonic() + 60 * minutes
    peak = peak_flops()
    versions = {
        name: metadata.version(name) for name in ("torch", "transformers", "peft", "trl", "bitsandbytes")
    }
    result: dict[str, Any] = {
        "machine": torch.cuda.get_device_name(),
        "versions": versions,
        "matrix product, TFLOP/s": round(peak / 1e12, 1),
        "tokens a step": TOKENS,
        "settings": [],
    }
    click.echo(json.dumps(result))
    for shape, quantizer, sequence in SETTINGS:
        model, parameters, vocabulary = SHAPES[shape]
        job = Job(model, packed_steps(sequence, vocabulary), TOKENS, "cuda", "bfloat16", quantizer)
        for name in NAMES:
            if time.monotonic() > until:
                click.echo("the minutes are over")
                return
            figures = measured(name, job, parameters, peak)
            line = {
                "shape": shape,
                "quantizer": quantizer,
                "sequence": sequence,
                "contender": name,
                **figures,
            }
            click.echo(json.dumps(line))
            result["settings"].append(line)
            output.write_text(json.dumps(result, indent=2) + "\n")


def measured(name: str, job: Job, parameters: int, peak: float) -> dict[str, Any]:
    """One contender; where its memory is not enough, with gradient checkpointing."""
    import torch

    began = time.monotonic()
    answer: dict[str, Any] = {}
    for checkpointing in (False, True):
        _free()
        try:
            with _classes_as_they_are():
                answer = run(name, replace(job, checkpointing=checkpointing))
            break
        except torch.cuda.OutOfMemoryError:
            answer = {"failed": "out of memory"}
        except Exception:  # it is somebody else's program: the others go on
            answer = {"failed": traceback.format_exc()[-1500:]}
            break
    _free()
    if "failed" in answer:
        return answer
    seconds = answer["seconds"][WARM - 1 :]
    rates = [count / took for count, took in zip(job.tokens()[WARM:], seconds, strict=True)]
    rate = statistics.median(rates)
    return {
        "tokens per second": round(rate, 1),
        "slowest": round(min(rates), 1),
        "peak GiB": round(answer["peak"] / 2**30, 2),
        "flops utilisation": round(4 * parameters * rate / peak, 3),
        "checkpointing": checkpointing,
        "losses": [round(loss, 3) for loss in answer["losses"]],
        "took": round(time.monotonic() - began, 1),
    }


@contextmanager
def _classes_as_they_are() -> Iterator[None]:
    """Liger puts its own into the modules of transformers, where the next contender would find them."""
    modules = [import_module(f"transformers.models.{name}.modeling_{name}") for name in ("qwen2", "mistral")]
    before = [dict(vars(module)) for module in modules]
    try:
        yield
    finally:
        for module, values in zip(modules, before, strict=True):
            vars(module).update(values)


def _free() -> None:
    import torch

    gc.collect()
    torch.cuda.empty_cache()
