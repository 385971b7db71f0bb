"""The process in which rows of ``reasoning_gym`` are made: a request on its input, a JSON text a line out.

Some of its tasks go through sets, whose order hangs on the hash seed that Python draws anew for every
process. In a process of its own that seed can be fixed, and the same settings give the same rows.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, TextIO


def main() -> None:
    """Answers one request; whatever the library prints goes where it disturbs nobody."""
    answers, sys.stdout = sys.stdout, sys.stderr
    request = json.load(sys.stdin)
    try:
        for row in _rows(**request):
            _write(row, answers)
    except Exception as cause:
        _write({"error": f"{type(cause).__name__}: {cause}"}, answers)


def _write(answer: Mapping[str, Any], answers: TextIO) -> None:
    answers.write(json.dumps(answer, default=str) + "\n")


def _rows(tasks: list[dict[str, Any]], size: int, seed: int) -> Iterator[dict[str, Any]]:
    """One row of every task in turn, or one that says which task is unknown or wrongly set."""
    from reasoning_gym.factory import DATASETS, create_dataset

    datasets = []
    for task in tasks:
        name = task["name"]
        if name not in DATASETS:
            yield {"unknown": name, "near": get_close_matches(name, DATASETS, n=1) or sorted(DATASETS)}
            return
        settings = {"size": size, "seed": _own_seed(seed, name)} | task
        del settings["name"]
        try:
            datasets.append((name, create_dataset(name, **settings)))
        except (AssertionError, TypeError, ValueError) as cause:
            yield {"wrong": name, "reason": str(cause)}
            return
    for index in range(max(len(dataset) for _, dataset in datasets)):
        for name, dataset in datasets:
            if index < len(dataset):
                yield {"task": name, "entry": dataset[index]}


def _own_seed(seed: int, name: str) -> int:
    """Far from the next seed's: the library adds the row's number, so neighbours would share their rows."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:4], "big")


if __name__ == "__main__":
    main()
