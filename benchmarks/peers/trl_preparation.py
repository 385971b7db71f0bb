"""Seconds, of the clock and of processors, that TRL's own preparation takes of given rows.

Run by ``benchmarks/preparation.py`` where TRL is.

Reads ``{"tokenizer": folder, "rows": file of JSON lines, "max_tokens": n, "processes": n or null}``.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import datasets
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

TALK = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]


def main() -> None:
    asked = json.load(sys.stdin)
    datasets.disable_caching()
    datasets.disable_progress_bars()
    trl: Any = import_module("trl")
    tokenizer: Any = AutoTokenizer.from_pretrained(asked["tokenizer"])
    rows = [json.loads(line) for line in Path(asked["rows"]).read_text().splitlines()]
    with TemporaryDirectory() as folder:
        trainer = _trainer(trl, tokenizer, folder, asked)
        dataset: Any = datasets.Dataset.from_list(rows, on_mixed_types="use_json")
        began, worked = time.perf_counter(), _processor_seconds()
        prepared = trainer._prepare_dataset(dataset, tokenizer, trainer.args, False, None, "train")
        tokenised, worked = time.perf_counter(), _processor_seconds() - worked
        columns = prepared.select_columns(["input_ids", "labels"])
        packed = trl.pack_dataset(columns, asked["max_tokens"], "bfd", {"num_proc": asked["processes"]})
        done = time.perf_counter()
        tokens = sum(map(len, prepared["input_ids"]))
    answer = {"tokenising": tokenised - began, "tokenising, processors": worked, "packing": done - tokenised}
    json.dump({**answer, "tokens": tokens, "sequences": len(packed)}, sys.stdout)


def _processor_seconds() -> float:
    """Of this process and of those it has started and ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _trainer(trl: Any, tokenizer: Any, folder: str, asked: dict[str, Any]) -> Any:
    """A trainer of a model of nothing, for the sake of its preparation."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
    )
    arguments = trl.SFTConfig(
        output_dir=folder,
        assistant_only_loss=True,
        max_length=asked["max_tokens"],
        dataset_num_proc=asked["processes"],
        use_cpu=True,
        bf16=False,
        report_to=[],
    )
    rows = datasets.Dataset.from_list([{"messages": TALK}] * 2)
    return trl.SFTTrainer(LlamaForCausalLM(config), arguments, train_dataset=rows, processing_class=tokenizer)


if __name__ == "__main__":
    main()
