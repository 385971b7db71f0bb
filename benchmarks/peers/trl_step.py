"""Loss, labels and gradients of one step of TRL, run by ``tests/integration/test_trl_step.py`` where TRL is.

Reads ``{"base": folder, "lora": folder, "rows": [{"input_ids": ..., "assistant_masks": ...}],
"packing": bool, "gradients": file}``; writes gradients to that file and the rest as JSON.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from tempfile import TemporaryDirectory
from typing import Any

import datasets
import torch
from peft import PeftModel
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer


def main() -> None:
    asked = json.load(sys.stdin)
    datasets.disable_caching()
    datasets.disable_progress_bars()
    base = AutoModelForCausalLM.from_pretrained(asked["base"], dtype=torch.float32)
    model = PeftModel.from_pretrained(base, asked["lora"], is_trainable=True)
    with TemporaryDirectory() as folder:
        trainer = _trainer(model, asked, folder)
        batch = next(iter(trainer.get_train_dataloader()))
        labels = batch["labels"]
        # As Trainer does for every step: the mean is over the labels of all its passes.
        count = (labels != -100).sum()
        trainer.model.train()
        loss = trainer.compute_loss(trainer.model, batch, num_items_in_batch=count)
        loss.backward()
    gradients = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    save_file(gradients, asked["gradients"])
    answer = {"loss": float(loss.detach()), "ids": batch["input_ids"].tolist(), "labels": labels.tolist()}
    json.dump(answer, sys.stdout)


def _trainer(model: Any, asked: dict[str, Any], folder: str) -> Any:
    trl: Any = import_module("trl")
    arguments = trl.SFTConfig(
        output_dir=folder,
        max_length=1024,
        packing=asked["packing"],
        per_device_train_batch_size=1 if asked["packing"] else len(asked["rows"]),
        train_sampling_strategy="sequential",
        gradient_checkpointing=False,
        bf16=False,
        use_cpu=True,
        report_to=[],
    )
    tokenizer: Any = AutoTokenizer.from_pretrained(asked["base"])
    rows = datasets.Dataset.from_list(asked["rows"])
    return trl.SFTTrainer(model, arguments, train_dataset=rows, processing_class=tokenizer)


if __name__ == "__main__":
    main()
