"""A process that logs a run by one logger, or reads back what was logged: see test_loggers.py.

logging_process.py NAME FOLDER first     logs steps 1 to 6 and is killed
logging_process.py NAME FOLDER again     goes on after step 4 and logs 5 to 8
logging_process.py NAME FOLDER read      prints as JSON what is there
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cesello.adapters.logs.named_logs import check_logs, named_logs
from cesello.domain.ports.logs import LoggedRun, MetricsLog
from tests.logged_figures import Series

ID = "20260101-000000-demo"
asked: list[str] = []
"""Hosts that this process wanted to reach."""


def note_hosts(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: a host is looked up by name, or an address is connected to."""
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        asked.append(str(arguments[0]))
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        asked.append(str(arguments[1][0]))


def logged_run(folder: Path, *, resumed: bool) -> LoggedRun:
    settings = {"training.max_steps": 8, "name": "demo", "quantizer.double_quant": True, "nothing": None}
    return LoggedRun(ID, "demo", folder, settings, resumed)


def steps(log: MetricsLog, first: int, last: int) -> None:
    for step in range(first, last + 1):
        log.log(step, {"train/loss": 3 / step, "train/perplexity": float("inf")})


def first(name: str, folder: Path) -> None:
    log = named_logs([name], sys.exit)
    log.begin(logged_run(folder, resumed=False), 0)
    steps(log, 1, 5)
    # W&B and Trackio write once in a second, and W&B a step when the next one is there.
    time.sleep(3)
    steps(log, 6, 6)
    log.log(6, {"eval/function calls/loss": 0.5})
    os.kill(os.getpid(), signal.SIGKILL)


def again(name: str, folder: Path) -> None:
    log = named_logs([name], sys.exit)
    log.begin(logged_run(folder, resumed=True), 4)
    steps(log, 5, 6)
    log.log(6, {"eval/function calls/loss": 0.5})
    steps(log, 7, 8)
    log.end("completed")
    assert not asked, asked


def in_mlflow(folder: Path) -> dict[str, Any]:
    from mlflow.tracking import MlflowClient  # pyright: ignore[reportMissingImports]

    client = MlflowClient()
    experiment = client.get_experiment_by_name("cesello")
    [run] = client.search_runs([experiment.experiment_id])
    series = {
        name: [(metric.step, metric.value) for metric in client.get_metric_history(run.info.run_id, name)]
        for name in run.data.metrics
    }
    return {
        "series": series,
        "status": run.info.status,
        "settings": run.data.params,
        "name": run.info.run_name,
    }


def in_trackio(folder: Path) -> dict[str, Any]:
    from trackio.sqlite_storage import SQLiteStorage  # pyright: ignore[reportMissingImports]

    [run] = SQLiteStorage.get_run_records("cesello")
    series: Series = {}
    for row in SQLiteStorage.get_logs("cesello", run_id=run["id"]):
        for name in row.keys() - {"step", "timestamp"}:
            series.setdefault(name, []).append((row["step"], row[name]))
    settings = SQLiteStorage.get_run_config("cesello", run_id=run["id"])
    return {"series": series, "name": run["name"], "settings": settings}


def in_wandb(folder: Path) -> dict[str, Any]:
    """What `wandb sync` would send, process by process."""
    from wandb.proto.wandb_internal_pb2 import Record  # pyright: ignore[reportMissingImports]

    parts = []
    for file in sorted(folder.glob(f"wandb/offline-run-*/run-{ID}.wandb")):
        series: Series = {}
        settings: dict[str, Any] = {}
        for record in map(Record.FromString, wandb_records(file.read_bytes())):
            items = record.history.item
            row = {item.key or item.nested_key[0]: json.loads(item.value_json) for item in items}
            for name in row.keys() - {"_step", "_runtime", "_timestamp"}:
                series.setdefault(name, []).append((row["_step"], row[name]))
            settings |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
        parts.append({"series": series, "settings": settings})
    files = sorted({path.name for path in folder.glob("wandb/**/*") if path.is_file()})
    return {"parts": parts, "files": files}


def wandb_records(content: bytes) -> Iterator[bytes]:
    """A log of LevelDB's form: after a mark of 7 bytes, pieces in blocks of 32 KiB.

    A piece is a checksum in 4 bytes, its length in 2, and in 1 whether it is whole, or the first, a middle or
    the last of several.
    """
    at, record = 7, b""
    while at + 7 <= len(content):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        length, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        record += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            yield record
            record = b""


def read(name: str, folder: Path) -> None:
    readers = {"mlflow": in_mlflow, "trackio": in_trackio, "wandb": in_wandb}
    json.dump(readers[name](folder), sys.stdout)


if __name__ == "__main__":
    sys.addaudithook(note_hosts)
    check_logs([sys.argv[1]])
    {"first": first, "again": again, "read": read}[sys.argv[3]](sys.argv[1], Path(sys.argv[2]))
