"""Drawing a group's completions: cesello's local engine against ``generate`` of transformers, in turns.

SmolLM2 with LoRA weights of rank 16, float32, one thread; eight completions of each prompt, all of the same
length. Seconds are the process's own processor time, so that what else the machine does matters less. Both
draw at temperature 1 from the whole vocabulary. `--prompts` asks for several at a time, which ``generate``
gets as one batch. The figures go to standard output as JSON.
"""

from __future__ import annotations

import json
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

import click

from benchmarks.sft_vs_trl import SMOLLM

K = 8
WARM = 2
"""Tokens that are drawn before anything is measured."""


def policy() -> Any:
    """The model, as training has it."""
    import torch

    from cesello.adapters.model.hf_provider import HfModelProvider
    from cesello.adapters.model.hub_cache import HubCache
    from cesello.adapters.model.quantizers import NoQuantizer
    from cesello.domain.model_spec import LoraSpec, ModelSpec
    from cesello.entrypoints.home import home

    torch.set_num_threads(1)
    lora = LoraSpec(r=16, dropout=0.0, target_modules="all-linear")
    spec = ModelSpec(SMOLLM, dtype="float32")
    model: Any = HfModelProvider(NoQuantizer(), HubCache(home() / "hub")).load(spec, lora, seed=0).model
    return model.eval()


def contenders(model: Any) -> dict[str, Callable[[list[list[int]], int], int]]:
    """What draws so many tokens for prompts, by name; each returns how many it has drawn."""
    import torch

    from cesello.adapters.model.local_rollout import LocalRollout
    from cesello.domain.generation import Sampling

    engine = LocalRollout(model, ends=[])

    def cesello(prompts: list[list[int]], new: int) -> int:
        drawn = engine.generate(prompts, [range(K)] * len(prompts), Sampling(new, 1.0))
        return sum(len(one) for group in drawn for one in group)

    @torch.inference_mode()
    def generate(prompts: list[list[int]], new: int) -> int:
        ids = torch.tensor(prompts)
        torch.manual_seed(0)
        written = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=True, temperature=1.0, top_k=0,
            num_return_sequences=K, max_new_tokens=new, min_new_tokens=new, pad_token_id=2,
        )  # fmt: skip
        return int(written[:, ids.shape[1] :].numel())

    return {"cesello": cesello, "generate": generate}


def measured(model: Any, shape: tuple[int, int], prompts: int, rounds: int) -> dict[str, Any]:
    """Tokens per processor second of each, the median over the rounds, and how they compare in each."""
    length, new = shape
    draw = random.Random(length)
    asked = [[draw.randrange(100, 40_000) for _ in range(length)] for _ in range(prompts)]
    rates: dict[str, list[float]] = {}
    for name, contender in (its := contenders(model)).items():
        contender(asked[:1], WARM)
        rates[name] = []
    for _ in range(rounds):
        for name, contender in its.items():
            began = time.process_time()
            tokens = contender(asked, new)
            rates[name].append(tokens / (time.process_time() - began))
    ratios = [ours / theirs for ours, theirs in zip(rates["cesello"], rates["generate"], strict=True)]
    return {
        "prompt": length,
        "new": new,
        "prompts": prompts,
        "tokens per second": {name: round(statistics.median(its), 1) for name, its in rates.items()},
        "ratio": round(statistics.median(ratios), 2),
        "ratios": [round(ratio, 2) for ratio in ratios],
    }


@click.command(help=__doc__)
@click.option("--shape", "shapes", type=(int, int), multiple=True, default=((64, 64), (512, 64)))
@click.option("--prompts", type=click.IntRange(min=1), default=1)
@click.option("--rounds", type=click.IntRange(min=1), default=3)
def main(shapes: tuple[tuple[int, int], ...], prompts: int, rounds: int) -> None:
    model = policy()
    for shape in shapes:
        click.echo(json.dumps(measured(model, shape, prompts, rounds)))


if __name__ == "__main__":
    main()
