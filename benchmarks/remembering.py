"""Indexing a folder end to end, beside LlamaIndex and LangChain; asking at size; memory while it grows.

    indexing  files of installed packages, read, cut, embedded with all-MiniLM-L6-v2 and stored in Chroma, by
              each in a process of its own, alternating. cesello is given `exact_below=0`, so that it fills
              Chroma as the others do, beside its truth. The others cut by their splitters for code and embed
              through their classes for sentence-transformers, with the same model; the better of their batch
              sizes 10 (LlamaIndex's default) and 32 (LangChain's) is taken for both.
    again     one file of it is changed: what `remember` takes then.
    asking    50,000 chunks with made-up vectors and real text; real questions, with and without the reranker.
    growing   200,000 chunks with made-up vectors: the peak of memory on the way.

Processor seconds of all threads, because the machine is shared; seconds by the clock beside them.
Peers: `make memory-peers`.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import click

from benchmarks.peers.grpo_side import environment
from benchmarks.sft_vs_trl import RESULTS, ROOT, machine

PEERS = ROOT / "build" / "memory-peers"
CONTENDERS = ("cesello", "cesello int8", "llama-index", "langchain")
PARTS = ("indexing", "asking", "growing")


def files_of(count: int, largest: int = 40_000) -> Iterator[Path]:
    """Python files of installed packages, of 1 kB or more, the same ones every time."""
    place = Path(sysconfig.get_path("purelib"))
    found = [path for path in sorted(place.rglob("*.py")) if 1_000 <= path.stat().st_size <= largest]
    random.Random(0).shuffle(found)
    yield from sorted(found[:count])


def copied(count: int, folder: Path, largest: int = 40_000) -> int:
    """The files in a folder of their own; their bytes."""
    for number, path in enumerate(files_of(count, largest)):
        name = folder / f"part_{number % 50:02}" / f"{path.stem}_{number}.py"
        name.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, name)
    return sum(path.stat().st_size for path in folder.rglob("*.py"))


def measured(job: dict[str, Any], threads: int) -> dict[str, Any]:
    """What a process of its own says of its work."""
    packages = [PEERS] if job["side"] in ("llama-index", "langchain") else []
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.peers.remembering_sides"],
        input=json.dumps(job), stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT,
        env={**environment(threads, *packages), "ANONYMIZED_TELEMETRY": "False"},
    )  # fmt: skip
    return dict(json.loads(done.stdout.splitlines()[-1]))


def indexing(files: int, largest: int, rounds: int, threads: int, sides: tuple[str, ...]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        size = copied(files, Path(folder, "files"), largest)
        runs: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
        for number in range(rounds):
            for side in sides:
                job = {"side": side, "part": "indexing", "files": f"{folder}/files"}
                runs[side].append(measured(job | {"store": f"{folder}/{side}-{number}"}, threads))
    its = {side: _middle(found) for side, found in runs.items()}
    best = {
        measure: min(its[side][measure] for side in its if "cesello" not in side)
        for measure in ("cpu", "clock")
    }
    for side, figures in its.items():
        figures["times as fast as the best peer"] = round(best["cpu"] / figures["cpu"], 2)
        click.echo(f"{side:14} {figures}")
    return {"files": files, "largest": largest, "bytes": size, "rounds": rounds, "sides": its}


def _middle(found: list[dict[str, Any]]) -> dict[str, Any]:
    names = {name: None for run in found for name in run}
    return {name: round(median(run[name] for run in found), 3) for name in names}


@click.command(help=__doc__)
@click.option("--part", "parts", multiple=True, type=click.Choice(PARTS), default=PARTS)
@click.option("--side", "sides", multiple=True, type=click.Choice(CONTENDERS), default=CONTENDERS)
@click.option("--files", default=2_000, show_default=True)
@click.option("--largest", default=40_000, show_default=True, help="Bytes of a file at most.")
@click.option("--rounds", default=1, show_default=True)
@click.option("--chunks", default=50_000, show_default=True, help="Of the part asking.")
@click.option("--threads", default=len(os.sched_getaffinity(0)), show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=RESULTS / "remembering.json")
def main(
    parts: tuple[str, ...],
    sides: tuple[str, ...],
    files: int,
    largest: int,
    rounds: int,
    chunks: int,
    threads: int,
    output: Path,
) -> None:
    result = json.loads(output.read_text()) if output.exists() else {}
    result |= {"machine": machine(), "threads": threads}
    if "indexing" in parts:
        result["indexing"] = indexing(files, largest, rounds, threads, sides)
    for part, count in (("asking", chunks), ("growing", 200_000)):
        if part in parts:
            with tempfile.TemporaryDirectory() as folder:
                job = {"side": "cesello", "part": part, "chunks": count, "store": folder}
                result[part] = measured(job, threads)
                click.echo(f"{part:14} {result[part]}")
    output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
