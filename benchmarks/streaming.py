"""Memory and speed of preparing a source of millions of rows, and how soon a second training can start.

A generator gives the rows; they are read, shaped, compared with each other, tokenised and written. Memory is
what the process holds for itself (RssAnon), sampled while it works, less what it held before the first row;
pages of files, which the system takes back when it needs them, are given apart.

    python benchmarks/streaming.py [ROWS]
"""

from __future__ import annotations

import json
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from cesello import make_container
from cesello.adapters.data.disk_example_store import DiskExampleStore
from cesello.application.mix_sources import mix
from cesello.application.prepare_source import PreparedSource, PrepareSource, RowRules
from cesello.domain.mixture import MixtureSpec
from cesello.domain.model_spec import ModelSpec
from cesello.domain.schedule import TrainingPlan
from cesello.domain.source import SourceRow, SourceSpec
from cesello.entrypoints.wiring import NeverStop, SilentObserver

RESULT = Path(__file__).resolve().parent / "results" / "streaming.json"
MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
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


def main() -> None:
    """Prepare, then prepare again from what is there."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000
    encoder = make_container().model_provider().encoder(ModelSpec(MODEL))
    with tempfile.TemporaryDirectory() as folder:
        store = DiskExampleStore(Path(folder))
        prepare = PrepareSource(store, SilentObserver(), NeverStop())

        def prepared(count: int) -> PreparedSource:
            return prepare(Generated(count), SourceSpec("sums"), encoder, RowRules())

        prepared(2_000)  # everything that is loaded once
        before, before_files = megabytes("RssAnon"), megabytes("RssFile")
        watch = Memory()
        watch.start()
        began = time.perf_counter()
        first = prepared(rows)
        seconds = time.perf_counter() - began
        mix([first], MixtureSpec(), PLAN, PLAN.max_steps)
        watch.ended.set()
        began = time.perf_counter()
        data = mix([prepared(rows)], MixtureSpec(), PLAN, PLAN.max_steps)
        assert data.batches[0]
        again = time.perf_counter() - began
    result = {
        "machine": f"{platform.machine()}, Python {platform.python_version()}, 2 shared cores, no GPU",
        "rows": rows,
        "tokens": sum(first.examples.lengths),
        "seconds": round(seconds, 1),
        "rows per second": round(rows / seconds),
        "memory grown by, MB": round(watch.most - before, 1),
        "of files mapped besides, MB": round(watch.most_of_files - before_files, 1),
        "seconds to the first step when prepared before": round(again, 2),
    }
    for name, value in result.items():
        print(f"{name:<50}{value}")
    if rows >= 2_000_000:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
