"""TRL's advantages, losses and gradients of GRPO, run by ``tests/integration/test_trl_grpo.py`` where TRL is.

Reads ``{"base": folder, "lora": folder or null, "options": of GRPOConfig, "steps": [...], "rewards": [...],
"drawn": [...], "texts": [...]}`` and writes what TRL's own trainer makes of each. Only what it is given in
place of generating, scoring and, but for ``texts``, of the model, is ours.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from tempfile import TemporaryDirectory
from typing import Any

import datasets
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer


def main() -> None:
    datasets.disable_progress_bars()
    with TemporaryDirectory() as folder:
        answers = [_answer(asked, folder) for asked in json.load(sys.stdin)]
    json.dump(answers, sys.stdout)


def _answer(asked: dict[str, Any], folder: str) -> dict[str, Any]:
    trainer = _trainer(asked, folder)
    return {
        "texts": [_of_a_text(trainer, text) for text in asked.get("texts", [])],
        "steps": [_of_a_step(trainer, passes) for passes in asked.get("steps", [])],
        "rewards": [_advantages(trainer, rewards) for rewards in asked.get("rewards", [])],
        "drawn": [_weights(trainer, one) for one in asked.get("drawn", [])],
    }


def _trainer(asked: dict[str, Any], folder: str) -> Any:
    trl: Any = import_module("trl")
    model: Any = AutoModelForCausalLM.from_pretrained(asked["base"], dtype=torch.float32)
    if asked.get("lora"):
        model = PeftModel.from_pretrained(model, asked["lora"], is_trainable=True)
    options = {"num_generations": 2, "per_device_train_batch_size": 2, **asked["options"]}
    arguments = trl.GRPOConfig(
        output_dir=folder, use_cpu=True, bf16=False, report_to=[], gradient_checkpointing=False, **options
    )
    trainer = trl.GRPOTrainer(
        model,
        reward_funcs=lambda completions, **_: [0.0] * len(completions),
        args=arguments,
        train_dataset=datasets.Dataset.from_list([{"prompt": "a"}] * 8),
        processing_class=AutoTokenizer.from_pretrained(asked["base"]),
    )
    trainer.model.train()
    return trainer


def _of_a_step(trainer: Any, passes: list[dict[str, Any]]) -> dict[str, Any]:
    """Loss of an optimizer step and the gradient of each pass's log-probabilities."""
    tokens = sum(sum(map(sum, one["mask"])) for one in passes)
    trainer.current_gradient_accumulation_steps = trainer.args.steps_per_generation = len(passes)
    losses, gradients = [], []
    for one in passes:
        inputs = {name: torch.tensor(value) for name, value in one.items() if value is not None}
        log_probs = inputs.pop("log_probs").requires_grad_()
        mask = inputs.pop("mask")
        ids = torch.zeros(mask.shape, dtype=torch.long)
        inputs.update(
            prompt_ids=ids[:, :1], prompt_mask=ids[:, :1] + 1, completion_ids=ids, completion_mask=mask
        )
        inputs["num_items_in_batch"] = torch.tensor(tokens)
        trainer.use_vllm = "importance_sampling_ratio" in inputs
        loss = _with(trainer, _scores(log_probs), partial(trainer._compute_loss, trainer.model, inputs))
        (gradient,) = torch.autograd.grad(loss, log_probs)
        losses.append(float(loss.detach()))
        gradients.append(gradient.tolist())
    return {"loss": sum(losses), "gradients": gradients, "figures": _figures(trainer)}


def _figures(trainer: Any) -> dict[str, float]:
    made = {name: values[-1] for name, values in trainer._metrics["train"].items() if values}
    trainer._metrics["train"].clear()
    return made


def _advantages(trainer: Any, rewards: list[float | None]) -> list[float]:
    known = torch.tensor([[float("nan") if reward is None else reward] for reward in rewards])
    trainer._calculate_rewards = lambda *_: known
    return list(_generated(trainer, len(rewards), None)["advantages"].tolist())


def _weights(trainer: Any, one: dict[str, Any]) -> Any:
    """Of tokens that another engine drew, each with a probability of its own."""
    old, drawn = torch.tensor(one["old"]), one["drawn"]
    trainer.use_vllm = True
    trainer._calculate_rewards = lambda *_: torch.zeros(len(drawn), 1)
    made = _with(trainer, _scores(old), lambda: _generated(trainer, len(drawn), drawn))
    trainer.use_vllm = False
    return made["importance_sampling_ratio"].tolist()


def _generated(trainer: Any, count: int, drawn: list[list[float]] | None) -> Any:
    """What becomes of completions whose tokens do not matter."""
    length = len(drawn[0]) if drawn else 1
    made: Any = [[5]] * count, [[5] * length] * count, None, ["a"] * count, drawn, {}, None, None
    trainer._generate = lambda prompts: made
    return trainer._generate_and_score_completions([{"prompt": "a"}] * count)


def _scores(log_probs: torch.Tensor) -> Callable[..., Any]:
    return lambda *_, **__: (log_probs, torch.zeros_like(log_probs), None)


def _with(trainer: Any, scores: Callable[..., Any], ask: Callable[[], Any]) -> Any:
    """While TRL asks its model for log-probabilities it is given these."""
    trainer._get_per_token_logps_and_entropies = scores
    try:
        return ask()
    finally:
        del trainer._get_per_token_logps_and_entropies


def _of_a_text(trainer: Any, text: dict[str, Any]) -> dict[str, Any]:
    """With the model itself: log-probabilities, entropies, loss and the norm of each weight's gradient."""
    inputs = {name: torch.tensor(value) for name, value in text.items()}
    inputs["num_items_in_batch"] = inputs["completion_mask"].sum()
    trainer.current_gradient_accumulation_steps = trainer.args.steps_per_generation = 1
    whole = [
        torch.cat([inputs[f"prompt_{part}"], inputs[f"completion_{part}"]], 1) for part in ("ids", "mask")
    ]
    width = inputs["completion_ids"].shape[1]
    log_probs, entropies, _ = trainer._get_per_token_logps_and_entropies(
        trainer.model, *whole, width, compute_entropy=True
    )
    trainer.model.zero_grad()
    loss = trainer._compute_loss(trainer.model, inputs)
    loss.backward()
    gradients = {
        name: weight.grad.tolist()
        for name, weight in trainer.model.named_parameters()
        if weight.grad is not None
    }
    return {
        "log_probs": log_probs.tolist(),
        "entropies": entropies.tolist(),
        "loss": float(loss.detach()),
        "gradients": gradients,
    }


if __name__ == "__main__":
    main()
