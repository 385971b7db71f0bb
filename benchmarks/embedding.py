"""How fast each engine embeds chunks and reranks twenty texts, beside plain sentence-transformers.

Real chunks of the standard library, 900 characters at most, with their headers, all engines in turn in one
process, the best of the rounds. On a shared machine seconds of processors are what can be compared; seconds
of the clock are what a person waits. Torch's threads wait for each other by spinning, which on a busy machine
counts for much: one thread is the fair measure there. ``plain`` is what the peers call:
``SentenceTransformer(name).encode(texts)`` and ``CrossEncoder(name).predict(pairs)``, with their defaults.

    OMP_NUM_THREADS=1 python benchmarks/embedding.py
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sysconfig
import time
from collections.abc import Callable, Mapping
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import CrossEncoder, SentenceTransformer

from cesello.adapters.memory.cross_encoder_reranker import CrossEncoderReranker
from cesello.adapters.memory.onnx_embedder import OnnxEmbedder
from cesello.adapters.memory.onnx_reranker import OnnxReranker
from cesello.adapters.memory.onnx_session import default_threads
from cesello.adapters.memory.sentence_transformer_embedder import SentenceTransformerEmbedder, load_options
from cesello.adapters.memory.treesitter_chunker import TreeSitterChunker
from cesello.adapters.model.hub_cache import HubCache
from cesello.domain.chunk_text import code_words, embedding_text
from cesello.domain.document import SourceFile
from cesello.entrypoints.home import home

RESULTS = Path(__file__).resolve().parent / "results" / "embedding.json"
EMBEDDER = "sentence-transformers/all-MiniLM-L6-v2"
RERANKER = "cross-encoder/ms-marco-MiniLM-L-12-v2"
QUERY = "How can the lines of a file be read one by one, without loading all of it?"
LISTED = 20
TESTS = {"site-packages", "test", "tests", "idlelib", "lib2to3", "turtledemo"}

Embed = Callable[[list[str]], Any]
Score = Callable[[str, list[str]], Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--chunks", type=int, default=240)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    texts = chunks(options.chunks)
    files = HubCache(home() / "hub")
    written = {
        "machine": "two shared cores, no GPU",
        "threads": default_threads(),
        "versions": {
            name: metadata.version(name) for name in ("torch", "sentence-transformers", "onnxruntime")
        },
        "embedding": embedding(texts, embedders(files), options.rounds),
        "reranking": reranking(texts[: 3 * LISTED], rerankers(files), options.rounds),
    }
    RESULTS.write_text(json.dumps(written, indent=2) + "\n")
    print(json.dumps(written, indent=2))


def chunks(count: int) -> list[str]:
    """What an embedder reads of some chunks, drawn from all files."""
    root = Path(sysconfig.get_path("stdlib"))
    paths = [path for path in root.rglob("*.py") if not TESTS & set(path.relative_to(root).parts)]
    draw = random.Random(0)
    chunker = TreeSitterChunker(900)
    texts = [
        code_words(embedding_text(chunk))
        for path in draw.sample(sorted(paths), 100)
        for chunk in chunker.chunk(SourceFile(path.relative_to(root).as_posix(), path.read_bytes()))
    ]
    return draw.sample(texts, count)


def embedders(files: HubCache) -> dict[str, Embed]:
    kept = home() / "onnx"
    plain: SentenceTransformer = SentenceTransformer(EMBEDDER, **load_options(EMBEDDER, files))
    return {
        "plain": lambda texts: plain.encode(texts, show_progress_bar=False),
        "sentence-transformers": SentenceTransformerEmbedder(EMBEDDER, files).embed,
        "onnx float32": OnnxEmbedder(EMBEDDER, files, kept).embed,
        "onnx int8": OnnxEmbedder(EMBEDDER, files, kept, precision="int8").embed,
    }


def rerankers(files: HubCache) -> dict[str, Score]:
    kept = home() / "onnx"
    plain: CrossEncoder = CrossEncoder(RERANKER, **load_options(RERANKER, files))
    sigmoid = torch.nn.Sigmoid()
    made: dict[str, Score] = {
        "plain": lambda query, texts: plain.predict(
            [(query, text) for text in texts], activation_fn=sigmoid, show_progress_bar=False
        ),
        "sentence-transformers": CrossEncoderReranker(RERANKER, files).score,
        "onnx float32": OnnxReranker(RERANKER, files, kept).score,
    }
    for tokens in (256, 192, 128):
        made[f"onnx int8, {tokens} tokens"] = OnnxReranker(
            RERANKER, files, kept, precision="int8", tokens=tokens
        ).score
    return made


def embedding(texts: list[str], engines: Mapping[str, Embed], rounds: int) -> dict[str, Any]:
    calls = {name: partial(engine, texts) for name, engine in engines.items()}
    best, vectors = alternated(calls, rounds)
    return {
        name: {
            "chunks per processor second": round(len(texts) / cpu, 1),
            "chunks per second": round(len(texts) / wall, 1),
            "least cosine with plain": round(float((vectors[name] * vectors["plain"]).sum(axis=1).min()), 5),
        }
        for name, (cpu, wall) in best.items()
    }


def reranking(texts: list[str], engines: Mapping[str, Score], rounds: int) -> dict[str, Any]:
    """Twenty texts at a time, as they come; several lists, so that no list's lengths decide."""
    lists = [texts[start : start + LISTED] for start in range(0, len(texts), LISTED)]
    calls: dict[str, Callable[[], Any]] = {
        name: partial(_all_lists, engine, lists) for name, engine in engines.items()
    }
    best, scores = alternated(calls, rounds)
    return {
        name: {
            "processor seconds for 20": round(cpu / len(lists), 3),
            "seconds for 20": round(wall / len(lists), 3),
            "greatest difference from plain": round(float(np.abs(scores[name] - scores["plain"]).max()), 4),
        }
        for name, (cpu, wall) in best.items()
    }


def _all_lists(score: Score, lists: list[list[str]]) -> list[Any]:
    return [score(QUERY, one) for one in lists]


def alternated(
    calls: Mapping[str, Callable[[], Any]], rounds: int
) -> tuple[dict[str, tuple[float, float]], dict[str, NDArray[np.float64]]]:
    """The least processor seconds and seconds of each, and what it gave in a round that is not timed."""
    given = {name: np.array(call(), dtype=np.float64) for name, call in calls.items()}
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            cpu, wall = time.process_time(), time.perf_counter()
            call()
            taken[name].append((time.process_time() - cpu, time.perf_counter() - wall))
    best = {name: (min(cpu for cpu, _ in one), min(wall for _, wall in one)) for name, one in taken.items()}
    return best, given


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main()
