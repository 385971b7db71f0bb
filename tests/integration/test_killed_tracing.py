"""An agent that is killed while it traces loses what was queued, and no more; the database stays whole."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from cesello.adapters.trace.run_database import connected

AGENT = """
import sys, time
from cesello import tracing

with tracing.run("killed", folder=sys.argv[1]) as run:
    for number in range(10**9):
        with run.rollout(f"task {number}") as rollout, rollout.attempt():
            with tracing.span("think", {"n": number}):
                tracing.reward("right", number % 2)
        if number % 20 == 0:
            time.sleep(0.02)
            print(number, time.time(), flush=True)
"""
QUEUED = 3.0
"""Seconds: a half from a span's end to its writing, and what a busy machine takes for that."""


def killed(folder: Path, after: float) -> list[tuple[int, float]]:
    """Tasks that were done, and when."""
    command = [sys.executable, "-c", AGENT, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as agent:
        assert agent.stdout
        done = [agent.stdout.readline()]
        time.sleep(after)
        agent.send_signal(signal.SIGKILL)
        done += agent.stdout.read().splitlines()
    assert agent.returncode == -signal.SIGKILL
    lines = [line.split() for line in done]
    return [(int(line[0]), float(line[1])) for line in lines if len(line) == 2]


def test_what_was_queued_is_lost_and_nothing_else(tmp_path: Path) -> None:
    chance = random.Random(1)
    for number in range(4):
        folder = tmp_path / str(number)
        done = killed(folder, QUEUED + 0.5 + chance.random() / 2)
        with closing(connected(folder / "runs.sqlite")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            tasks = [
                int(task.removeprefix("task "))
                for (task,) in connection.execute("SELECT task FROM rollouts WHERE status = 'completed'")
            ]
            assert sorted(tasks) == list(range(len(tasks)))
            _, killed_at = done[-1]
            safe = [task for task, at in done if at < killed_at - QUEUED]
            assert safe
            assert len(tasks) > safe[-1]
            attempts = connection.execute(
                "SELECT count(*) FROM attempts WHERE reward IS NOT NULL"
            ).fetchone()[0]
            assert attempts >= len(tasks)
            assert connection.execute("SELECT status FROM runs").fetchall() == [("running",)]
            assert connection.execute("SELECT count(*) FROM spans").fetchone()[0] >= 3 * len(tasks)
