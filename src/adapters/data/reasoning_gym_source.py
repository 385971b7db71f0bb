"""Tasks of the ``reasoning-gym`` package, made as they are asked for, with answers that can be verified."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import metadata
from typing import Any

from ...domain.errors import DataError
from ...domain.source import SourceRow, identity_of

_PACKAGE = "reasoning-gym"
_MOST_LISTED = 20


class ReasoningGymSource:
    """Prompt, completion and what a reward needs to score another answer; one row of every task in turn.

    The few tasks that have no single right answer give no completion.

    Args:
        tasks: each with its ``name`` and its own settings, of which ``size`` and ``seed`` are possible too.
        size: rows of every task.
        seed: another seed gives other rows.
    """

    def __init__(self, name: str, tasks: Sequence[Mapping[str, Any]], size: int, seed: int) -> None:
        self._name = name
        self._tasks = [dict(task) for task in tasks]
        self._size = size
        self._seed = seed

    @property
    def name(self) -> str:
        return self._name

    @property
    def origin(self) -> str:
        return f"{_PACKAGE} {self._version()}: {', '.join(task['name'] for task in self._tasks)}"

    @property
    def identity(self) -> str:
        """The version of the package and all settings."""
        return identity_of(_PACKAGE, self._version(), self._tasks, self._size, self._seed)

    def rows(self) -> Iterator[SourceRow]:
        """Every task's rows; D003 also for settings that a task refuses."""
        self._version()
        counts: dict[str, int] = {}
        for answer in self._answers():
            if "task" not in answer:
                raise self._refused(answer)
            task, entry = answer["task"], answer["entry"]
            counts[task] = counts.get(task, 0) + 1
            completion = {} if entry["answer"] is None else {"completion": entry["answer"]}
            reference = {"reasoning_gym": {"task": task, "entry": entry}}
            yield SourceRow(
                f"{_PACKAGE} {task} row {counts[task]}",
                {"prompt": entry["question"], **completion, "reference": reference},
            )

    def _version(self) -> str:
        try:
            return metadata.version(_PACKAGE)
        except metadata.PackageNotFoundError as cause:
            raise DataError(
                "D001",
                f"the package {_PACKAGE} is not installed",
                where=f'source "{self._name}"',
                fix='run `pip install "cesello[reasoning]"`',
            ) from cause

    def _answers(self) -> Iterator[dict[str, Any]]:
        with subprocess.Popen(
            [sys.executable, "-P", "-W", "ignore", "-m", f"{__package__}.reasoning_gym_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONHASHSEED": "0"},
            encoding="utf-8",
            # A signal from the keyboard is for us, who end the worker when we stop reading.
            start_new_session=True,
        ) as worker:
            try:
                yield from self._talk(worker)
            finally:
                worker.kill()

    def _talk(self, worker: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
        assert worker.stdin is not None
        assert worker.stdout is not None
        # One that ended has left its status, and no whole last line.
        with suppress(BrokenPipeError), worker.stdin as request:
            json.dump({"tasks": self._tasks, "size": self._size, "seed": self._seed}, request)
        yield from (json.loads(line) for line in worker.stdout if line.endswith("\n"))
        if status := worker.wait():
            yield {"error": f"its process ended with status {status}"}

    def _refused(self, answer: Mapping[str, Any]) -> DataError:
        where = f'source "{self._name}"'
        if "unknown" in answer:
            near = answer["near"]
            names = f"choose one of its {len(near)}: {', '.join(near[:_MOST_LISTED])}, ..."
            fix = f'did you mean "{near[0]}"?' if len(near) == 1 else names
            what = f'{_PACKAGE} has no task "{answer["unknown"]}"'
            return DataError("D001", what, where=where, fix=fix)
        if "wrong" in answer:
            what = f'the task "{answer["wrong"]}" cannot be made: {answer["reason"]}'
            return DataError("D003", what, where=where, fix="correct the settings of the task")
        what = f"{_PACKAGE} failed: {answer['error']}"
        return DataError("D003", what, where=where, fix="leave the task out, or change its settings")
