"""TRL's tokens and assistant masks of given rows, as JSON; run by ``benchmarks/masks.py`` where TRL is.

Reads ``{"tokenizer": folder, "template": name of one of TRL's files or null, "rows": [...]}`` and writes
both templates with ``"rows": [{"ids": [...], "mask": [...]}]`` or ``{"refused": why}``.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer


def main() -> None:
    asked = json.load(sys.stdin)
    # The functions that SFTTrainer prepares a dataset with.
    templates: Any = import_module("trl.chat_template_utils")
    tokenize: Any = import_module("trl.data_utils")._tokenize
    tokenizer: Any = AutoTokenizer.from_pretrained(asked["tokenizer"])
    if asked["template"]:
        folder = Path(templates.__file__).parent / "chat_templates"
        tokenizer.chat_template = (folder / asked["template"]).read_text()
    try:
        training = templates.get_training_chat_template(tokenizer)
    except ValueError as refusal:
        json.dump({"refused": str(refusal)}, sys.stdout)
        return
    rows = [
        tokenize(
            tokenizer,
            row["messages"],
            chat_template=training,
            tools=row["tools"],
            return_assistant_tokens_mask=True,
        )
        for row in asked["rows"]
    ]
    written = [{"ids": list(row["input_ids"]), "mask": list(row["assistant_masks"])} for row in rows]
    answer = {"template": tokenizer.chat_template, "training template": training, "rows": written}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
