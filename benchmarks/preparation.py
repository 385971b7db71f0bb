"""How fast 20,000 conversations become tokens with labels and packed sequences, against TRL's preparation.

Both begin with the same rows, as plain data, and end with tokens and labels on the disk: ours as arrays in a
file, TRL's by its own ``SFTTrainer._prepare_dataset`` with ``assistant_only_loss``, once as it is by default
and once with two processes. TRL also drops what exceeds ``max_length``; no row here does. They take turns;
the best of several rounds counts, because the machine has other work, and seconds of the processors are
given beside those of the clock, which such work lengthens less. TRL's packing also copies the rows,
cesello's only decides which go together and leaves them where they are.

"The tokenizer alone" is the tokenizers library on the finished texts: no preparation that asks it for the
places of its tokens takes less of a processor.

TRL has no training template for SmolLM2, so both give that tokenizer Qwen2.5's template.

    python benchmarks/preparation.py
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from transformers import AutoTokenizer

from benchmarks.peers.real_rows import as_rows, real_rows
from benchmarks.peers.trl_python import ask_trl
from cesello.adapters.model.chat_encoder import ChatEncoder
from cesello.adapters.model.hub_cache import HubCache
from cesello.domain.batching import Batching, BatchSpec, micro_batches
from cesello.domain.row_shapes import to_conversation
from cesello.domain.source import SourceRow
from cesello.entrypoints.home import home
from tests.real_tokenizers import real_tokenizer

RESULTS = Path(__file__).resolve().parent / "results" / "preparation.json"
ROWS = 20_000
ROUNDS = 2
BATCH = 256
MAX_TOKENS = 4096
SMOLLM2 = "HuggingFaceTB/SmolLM2-135M-Instruct"

Row = dict[str, Any]


def main() -> None:
    tokenizers = {"SmolLM2": smollm2(), "Qwen2.5": real_tokenizer("qwen2.5")}
    rows = varied(as_rows(real_rows(100)), ROWS)
    results = {name: measured(folder, rows) for name, folder in tokenizers.items()}
    versions = {name: metadata.version(name) for name in ("transformers", "tokenizers", "datasets")}
    written = {
        "machine": f"{platform.machine()}, two shared cores with other work on them, no GPU",
        "versions": {"python": platform.python_version(), **versions, "trl": "1.16.0"},
        "rows": ROWS,
        "rounds": ROUNDS,
        "figures": results,
    }
    RESULTS.write_text(json.dumps(written, indent=2) + "\n")
    print(json.dumps(written, indent=2))


def smollm2() -> Path:
    """The kit's tokenizer as a folder, with Qwen2.5's template."""
    found: Any = AutoTokenizer.from_pretrained(SMOLLM2, **HubCache(home() / "hub").arguments(SMOLLM2))
    found.chat_template = AutoTokenizer.from_pretrained(real_tokenizer("qwen2.5")).chat_template
    folder = home().with_name("cesello-tests") / "smollm2"
    found.save_pretrained(folder)
    return folder


def varied(rows: Sequence[Row], count: int) -> list[Row]:
    """Real rows again and again, each time with another number in the first question."""
    return [_numbered(rows[number % len(rows)], number) for number in range(count)]


def _numbered(row: Row, number: int) -> Row:
    turns = [dict(turn) for turn in row["messages"]]
    first = next(turn for turn in turns if turn["role"] == "user")
    first["content"] = f"{first['content']} ({number})"
    return {**row, "messages": turns}


def measured(folder: Path, rows: Sequence[Row]) -> dict[str, Any]:
    with TemporaryDirectory() as temporary:
        file = Path(temporary) / "rows.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        question = {
            "tokenizer": str(folder),
            "rows": str(file),
            "max_tokens": MAX_TOKENS,
        }
        ways: dict[str, Callable[[], dict[str, float]]] = {
            "cesello": lambda: ours(folder, rows, Path(temporary)),
            "TRL": lambda: ask_trl("trl_preparation.py", {**question, "processes": None}),
            "TRL, two processes": lambda: ask_trl("trl_preparation.py", {**question, "processes": 2}),
        }
        rounds = [{name: way() for name, way in ways.items()} for _ in range(ROUNDS)]
    assert len({one["tokens"] for way in rounds for one in way.values()}) == 1, "not the same tokens"
    best = {name: {key: min(one[name][key] for one in rounds) for key in rounds[0][name]} for name in ways}
    mine = best["cesello"]
    return {
        "tokens": mine["tokens"],
        "best of all rounds, seconds": {name: _seconds(one) for name, one in best.items()},
        "tokenising, rows per second": {
            name: round(len(rows) / one["tokenising"]) for name, one in best.items()
        },
        "cesello, times as fast": {
            f"{what}, {name}": round(best[name][what] / mine[what], 2)
            for name in ("TRL", "TRL, two processes")
            for what in ("tokenising", "tokenising, processors")
        }
        | {"packing, TRL": round(best["TRL"]["packing"] / mine["packing"], 1)},
        "the tokenizer alone, share of cesello's processor seconds": round(
            mine["tokenizer alone"] / mine["tokenising, processors"], 2
        ),
    }


def _seconds(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in figures.items() if name not in ("tokens", "sequences")}


def ours(folder: Path, rows: Sequence[Row], temporary: Path) -> dict[str, float]:
    encoder = ChatEncoder(AutoTokenizer.from_pretrained(folder))
    lengths: list[int] = []
    began, worked = time.perf_counter(), time.process_time()
    with (temporary / "tokens.bin").open("wb") as output:
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            for row in encoder.encode([to_conversation(SourceRow("", one), "messages", {}) for one in part]):
                output.write(row.ids.tobytes() + row.trained)
                lengths.append(len(row))
    tokenised, worked = time.perf_counter(), time.process_time() - worked
    sequences = len(packed(lengths))
    done = time.perf_counter()
    return {
        "tokenising": tokenised - began,
        "tokenising, processors": worked,
        "packing": done - tokenised,
        "tokens": sum(lengths),
        "sequences": sequences,
        "tokenizer alone": alone(encoder, rows),
    }


def packed(lengths: Sequence[int]) -> list[list[int]]:
    spec = BatchSpec(Batching.PACKED, batch_size=1, max_tokens=MAX_TOKENS)
    windows = range(0, len(lengths), spec.window)
    return list(
        chain.from_iterable(
            micro_batches(lengths[start : start + spec.window], spec, index)
            for index, start in enumerate(windows)
        )
    )


def alone(encoder: ChatEncoder, rows: Sequence[Row]) -> float:
    """Processor seconds of the tokenizers library on the texts of the rows."""
    tokenizer = encoder.tokenizer
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    texts = [
        tokenizer.apply_chat_template(row["messages"], tools=row["tools"], tokenize=False) for row in rows
    ]
    began = time.process_time()
    for start in range(0, len(texts), BATCH):
        tokenizer.backend_tokenizer.encode_batch(texts[start : start + BATCH], add_special_tokens=False)
    return time.process_time() - began


if __name__ == "__main__":
    main()
