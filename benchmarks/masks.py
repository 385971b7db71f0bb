"""Our labels against those of TRL's ``assistant_only_loss``, token by token, on 300 real rows.

TRL marks answers in training variants of a few templates. They are compared with what cesello makes of the
original template, where it finds the answers itself, and of TRL's variant, where it obeys the marks: for
Qwen2.5, Qwen3, Qwen3-Instruct-2507 and Llama-3. TRL refuses the templates of Llama-3.2 and Mistral-Nemo.
Every difference is counted under one of these reasons; the program fails where one is left over.

Labels, where the tokens are the same:

- newline after the end: TRL trains the newline that the Qwen templates write after ``<|im_end|>``. A model
  stops at ``<|im_end|>`` and never writes it; cesello trains up to the end of the turn.
- newline of the header: TRL's Qwen2.5 template trains the newline after ``<|im_start|>assistant``. It is
  part of what the model is given when an answer is asked; cesello trains what follows.

Tokens:

- thought added: TRL's Qwen3 template puts an empty ``<think></think>`` into every answer. The original, with
  which the model was trained and is asked, has one in the last answer alone; so has cesello.
- calls left out: Llama-3's template knows no tools, and TRL drops specs and calls without a word, so that
  the answer is empty and only its end is trained. cesello writes them as text.

    python benchmarks/masks.py
"""

from __future__ import annotations

import json
import platform
import re
import sys
from collections import Counter
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from benchmarks.peers.real_rows import as_rows, real_rows
from benchmarks.peers.trl_python import ask_trl
from cesello.adapters.model.chat_encoder import ChatEncoder
from cesello.domain.conversation import Conversation
from cesello.domain.tokens import TokenRow
from tests.real_tokenizers import real_tokenizer

RESULTS = Path(__file__).resolve().parent / "results" / "masks.json"
EACH = 100
# Name, tokenizer, TRL's copy of the original template (None: the tokenizer's own).
TEMPLATES = (
    ("Qwen2.5", "qwen2.5", None),
    ("Qwen3", "qwen3", "qwen3.jinja"),
    ("Qwen3-Instruct-2507", "qwen3", "qwen3_instruct_2507.jinja"),
    ("Llama-3", "llama3.2", "llama3.jinja"),
    ("Llama-3.2", "llama3.2", None),
    ("Mistral-Nemo", "mistral", None),
)
THOUGHT = "<think>\n\n</think>\n\n"


def main() -> None:
    conversations = real_rows(EACH)
    results = {name: compare(tokenizer, file, conversations) for name, tokenizer, file in TEMPLATES}
    versions = {name: metadata.version(name) for name in ("transformers", "tokenizers")}
    kinds = {"function calls": EACH, "code": EACH, "chat": EACH}
    written = {
        "machine": f"{platform.machine()}, two shared cores, no GPU",
        "versions": {**versions, "trl": "1.16.0"},
        "rows": kinds,
        "templates": results,
    }
    RESULTS.write_text(json.dumps(written, indent=2) + "\n")
    print(json.dumps(results, indent=2))


def compare(tokenizer_name: str, file: str | None, conversations: Sequence[Conversation]) -> dict[str, Any]:
    folder = real_tokenizer(tokenizer_name)
    question = {"tokenizer": str(folder), "template": file, "rows": as_rows(conversations)}
    theirs = ask_trl("trl_masks.py", question)
    if "refused" in theirs:
        return {"refused by TRL": theirs["refused"]}
    originals = theirs["template"], theirs["training template"]
    ours = (_encoder(folder, template) for template in originals)
    original, training = (_compared(encoder, conversations, theirs["rows"]) for encoder in ours)
    return {"original template": original, "TRL's training template": training}


def _encoder(folder: Path, template: str) -> ChatEncoder:
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = template
    return ChatEncoder(tokenizer)


def _compared(
    encoder: ChatEncoder, conversations: Sequence[Conversation], their_rows: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    labels, tokens = Counter[str](), Counter[str]()
    compared = agreed = 0
    our_rows = encoder.encode(conversations)
    for conversation, ours, theirs in zip(conversations, our_rows, their_rows, strict=True):
        if ours.ids.tolist() != theirs["ids"]:
            tokens[other_tokens(encoder, conversation, ours, theirs)] += 1
            continue
        reasons = other_labels(encoder, ours, theirs["mask"])
        compared += len(ours)
        agreed += len(ours) - len(reasons)
        labels.update(reasons)
    if "?" in labels or "?" in tokens:
        sys.exit(f"a difference is not explained: {labels}, {tokens}")
    return {
        "rows": len(conversations),
        "rows with the same tokens": len(conversations) - tokens.total(),
        "rows with other tokens": dict(tokens),
        "tokens compared": compared,
        "labels alike": agreed,
        "labels not alike": dict(labels),
    }


def other_labels(encoder: ChatEncoder, ours: TokenRow, mask: Sequence[int]) -> list[str]:
    """Why each label differs that does."""
    pieces = encoder.pieces(ours.ids)
    return [
        _reason(pieces, index) if theirs and not our else "?"
        for index, (our, theirs) in enumerate(zip(ours.trained, mask, strict=True))
        if our != theirs
    ]


def _reason(pieces: Sequence[str], index: int) -> str:
    if pieces[index] == "\n" and pieces[index - 1] == "<|im_end|>":
        return "newline after the end"
    if pieces[index] == "\n" and pieces[index - 2 : index] == ["<|im_start|>", "assistant"]:
        return "newline of the header"
    return "?"


def other_tokens(encoder: ChatEncoder, one: Conversation, ours: TokenRow, theirs: dict[str, Any]) -> str:
    """Why the tokens of a row differ; the rest of the row must be alike, labels too."""
    our_text, our_trained = _texts(encoder, ours.ids, ours.trained)
    their_text, their_trained = _texts(encoder, theirs["ids"], theirs["mask"])
    if THOUGHT in their_text and our_text.replace(THOUGHT, "") == their_text.replace(THOUGHT, ""):
        alike = our_trained.replace(THOUGHT, "") == re.sub(
            r"(<\|im_end\|>)\n", r"\1", their_trained.replace(THOUGHT, "")
        )
        return "thought added" if alike else "?"
    if one.tools and not any(tool.description in their_text for tool in one.tools):
        return "calls left out"
    return "?"


def _texts(encoder: ChatEncoder, ids: Sequence[int], mask: Sequence[int]) -> tuple[str, str]:
    """All of the text, and what is trained of it."""
    pieces = encoder.pieces(ids)
    return "".join(pieces), "".join(piece for piece, label in zip(pieces, mask, strict=True) if label)


if __name__ == "__main__":
    main()
