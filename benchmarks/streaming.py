"""Memory and speed of preparing a source of millions of rows, and how soon a second training can start.

A generator gives the rows; they are read, shaped, compared with each other, tokenised, written and mixed, by
the use case that every training begins with. Memory is what the process holds for itself (RssAnon), sampled
while it works, less what it held before the first row; pages of files, which the system takes back when it
needs them, are given apart.

    python benchmarks/streaming.py [ROWS]
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from dependency_injector import providers

from cesello import make_container
from cesello.adapters.data.disk_example_store import DiskExampleStore
from cesello.application.prepare_data import DataRequest, PreparedData
from cesello.domain.mixture import MixtureSpec
from cesello.domain.model_spec import ModelSpec
from cesello.domain.ports.model import Policy
from cesello.domain.schedule import TrainingPlan
from cesello.domain.source import SourceRow, SourceSpec

RESULT = Path(__file__).resolve().parent / "results" / "streaming.json"
MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
WARM = 2_000
PLAN = TrainingPlan(max_steps=1000, batch_size=8, accumulate=2)


class Generated:
    """Sums, one a row."""

    name = "sums"
    origin = "generated"

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self.identity = f"sums {rows}"

    def rows(self) -> Iterator[SourceRow]:
        for number in range(self._rows):
            left, right = number * 7919 % 1_000_003, number
            yield SourceRow(
                f"sum {number}",
                {
                    "instruction": f"How much is {left} plus {right}? Think, then answer.",
                    "response": f"{left} and {right} make {left + right}.",
                },
            )


class Memory(threading.Thread):
    """Samples what this process holds, in MB, twenty times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = self.most_of_files = 0.0
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.05):
            self.most = max(self.most, megabytes("RssAnon"))
            self.most_of_files = max(self.most_of_files, megabytes("RssFile"))


def megabytes(what: str) -> float:
    """A figure of Linux about this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{what}:"))


def first_step(folder: Path, rows: int) -> PreparedData:
    """All that a training does before it loads the model, and its first step read."""
    container = make_container()
    container.sources.override(providers.Object({"sums": Generated(rows)}))
    container.example_store.override(providers.Object(DiskExampleStore(folder)))
    request = DataRequest(ModelSpec(MODEL), (SourceSpec("sums"),), MixtureSpec(), PLAN, PLAN.max_steps)
    data = container.prepare_data()(request, no_model)
    assert data.mixed.batches[0]
    return data


def no_model() -> Policy:
    """No source here is answered by the model."""
    raise AssertionError


def again(folder: Path, rows: int) -> list[float]:
    """Seconds of the same in a new process, which finds everything prepared; and of its imports."""
    program = [sys.executable, __file__, str(rows), str(folder)]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    return [float(seconds) for seconds in done.stdout.split()]


def main() -> None:
    """Prepare, then prepare again from what is there."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000
    if len(sys.argv) > 2:
        began = time.perf_counter()
        first_step(Path(sys.argv[2]), WARM)
        imported = time.perf_counter()
        first_step(Path(sys.argv[2]), rows)
        print(time.perf_counter() - imported, imported - began)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first_step(folder, WARM)  # everything that is loaded once
        before, before_files = megabytes("RssAnon"), megabytes("RssFile")
        watch = Memory()
        watch.start()
        began = time.perf_counter()
        data = first_step(folder, rows)
        seconds = time.perf_counter() - began
        watch.ended.set()
        watch.join()
        seconds_again, seconds_of_imports = again(folder, rows)
    [source] = data.mixed.manifest.sources
    result = {
        "machine": f"{platform.machine()}, Python {platform.python_version()}, 2 shared cores, no GPU",
        "rows": rows,
        "tokens": source.tokens,
        "seconds": round(seconds, 1),
        "rows per second": round(rows / seconds),
        "memory grown by, MB": round(watch.most - before, 1),
        "of files mapped besides, MB": round(watch.most_of_files - before_files, 1),
        "seconds to the first step when prepared before": round(seconds_again, 2),
        "seconds of its imports before that": round(seconds_of_imports, 2),
    }
    for name, value in result.items():
        print(f"{name:<50}{value}")
    if rows >= 2_000_000:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
