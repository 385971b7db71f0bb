"""How fast run folders are brought into the run store, asked and exported.

    index     RUNS folders of STEPS steps with 21 figures in ``metrics.jsonl`` and 8 in ``timings.jsonl``, and
              ROLLOUTS answers in ``completions.jsonl`` of one of them, into a new database; then again, where
              nothing has changed; then with a line more in ten of them.
    query     the mean of the last figure over all runs, read through all rows of the metrics.
    export    SPANS spans as OTLP JSON lines, and all tables as Parquet.

The machine is shared: seconds of the processor are told beside those of the clock. Nothing waits for the disk
but what SQLite brings there.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from benchmarks.sft_vs_trl import RESULTS, machine
from cesello.application.export_traces import ExportRequest, ExportTraces
from cesello.domain.genai_names import INPUT_TOKENS, OPERATION, REQUEST_MODEL
from cesello.domain.trace import Span, Value
from cesello.entrypoints.redaction import redact
from cesello.entrypoints.trace_wiring import otlp_file, parquet_tables, span_sink, trace_store

RUNS, STEPS, ROLLOUTS, SPANS = 100, 1_000, 10_000, 50_000


def write_run(folder: Path, steps: int, rollouts: int) -> None:
    """A completed reinforcement."""
    folder.mkdir(parents=True)
    manifest = {
        "id": folder.name, "name": "made", "algorithm": "grpo", "status": "completed", "seed": 0,
        "started": "2026-01-02T03:04:05+00:00", "finished": "2026-01-02T03:14:05+00:00", "steps": steps,
        "planned_steps": steps, "seconds": 600.0, "model": {"name": "tiny"}, "error": None,
        "identity": {f"recipe key.{number}": '"value"' for number in range(150)},
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest))
    for log, figures in (("metrics", 21), ("timings", 8)):
        with (folder / f"{log}.jsonl").open("w") as file:
            for step in range(1, steps + 1):
                line = {f"{log}_{number}": step / (number + 3) for number in range(figures)}
                file.write(json.dumps({"step": step, **line}) + "\n")
    with (folder / "completions.jsonl").open("w") as file:
        for number in range(rollouts):
            answer = {
                "step": 1 + number // 32, "prompt": number // 8 % 4, "replaced": False, "procedure": None,
                "question": f"What is {number} times seven?", "completion": f"It is {7 * number}. " * 12,
                "tokens": 60, "finished": True, "reward": 0.5, "parts": {"right": 0.0, "short": 1.0},
                "reasons": ["right:wrong"], "verdict": None, "advantage": 0.1, "kl": 0.01,
            }  # fmt: skip
            file.write(json.dumps(answer) + "\n")


def timed(work: Callable[[], object]) -> dict[str, float]:
    """Seconds of the clock and of the processor."""
    began, used = time.perf_counter(), time.process_time()
    work()
    return {
        "seconds": round(time.perf_counter() - began, 3),
        "processor": round(time.process_time() - used, 3),
    }


def record(folder: Path, spans: int) -> None:
    """Slowly enough that none is dropped."""
    sink = span_sink(folder, click.echo)
    attributes: dict[str, Value] = {OPERATION: "chat", REQUEST_MODEL: "tiny", INPUT_TOKENS: 7}
    for number in range(1, spans + 1):
        name = f"{number:016x}"
        sink.put(
            Span("a" * 32, name, None, "chat tiny", number, number + 5, attributes=attributes, run="run-000")
        )
        if number % 10_000 == 0:
            time.sleep(1)
    sink.close()
    assert sink.dropped == 0


def measured(folder: Path) -> dict[str, Any]:
    """All figures."""
    runs = folder / "runs"
    for number in range(RUNS):
        write_run(runs / f"run-{number:03d}", STEPS, ROLLOUTS if number == 0 else 0)
    store = trace_store(str(runs), str(folder))
    found: dict[str, Any] = {"machine": machine(), "index": timed(store.refresh)}
    found["rows"] = dict(store.counts())
    found["megabytes"] = round((runs / "runs.sqlite").stat().st_size / 1e6, 1)
    time.sleep(2.5)  # files that were written just now are looked at twice
    store.refresh()
    found["unchanged"] = timed(store.refresh)
    for number in range(10):
        with (runs / f"run-{number:03d}" / "metrics.jsonl").open("a") as log:
            log.write('{"step": 1001, "metrics_0": 1.0}\n')
    found["ten changed"] = timed(store.refresh)
    query = "SELECT avg(value) FROM metrics WHERE name = 'metrics_20' AND step > 900"
    found["query"] = timed(lambda: store.query(query))
    record(runs, SPANS)
    export = ExportTraces(store, redact())
    request = ExportRequest(content=True)
    to_file = otlp_file(str(folder / "spans.jsonl"), overwrite=False)
    found["otlp"] = timed(lambda: export.spans(request, to_file)) | {"spans": SPANS}
    to_folder = parquet_tables(str(folder / "tables"), overwrite=False)
    found["parquet"] = timed(lambda: export.tables(request, to_folder))
    return found


@click.command()
def main() -> None:
    """Measure, and keep the figures."""
    with tempfile.TemporaryDirectory() as folder:
        found = measured(Path(folder))
    (RESULTS / "run-store.json").write_text(json.dumps(found, indent=1) + "\n")
    click.echo(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
