"""The score that the package ``reasoning-gym`` gives an answer; called in a sandboxed process."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

_AUTOMATA = "cellpylib"
_GRIDS = ("arc_agi", "rearc")


@contextmanager
def _without_automata() -> Iterator[None]:
    """An empty module stands in for one that makes tasks and scores none.

    It imports matplotlib, which wants a folder to write to, and takes longer than all the rest.
    """
    if _AUTOMATA in sys.modules:
        yield
        return
    sys.modules[_AUTOMATA] = ModuleType(_AUTOMATA)
    try:
        yield
    finally:
        del sys.modules[_AUTOMATA]


with _without_automata():
    from reasoning_gym import get_score_answer_fn


def score(task: str, answer: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """``{"score": number}``, ``{"failed": why}`` where the scorer raised, ``{"unknown_task": name}``."""
    try:
        # Its own annotation of what it gives knows of no arguments.
        scorer: Any = get_score_answer_fn(task)
    except ValueError:
        return {"unknown_task": task}
    try:
        return {"score": float(scorer(answer, _as_made(task, entry)))}
    except Exception as cause:
        # Many scorers leave it to the caller to catch what a strange answer brings about.
        return {"failed": type(cause).__name__}


def _as_made(task: str, entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """The entry before it was JSON: a grid that is compared with tuples is made of them again."""
    if task not in _GRIDS:
        return entry
    metadata = entry["metadata"]
    grid = tuple(tuple(row) for row in metadata["output"])
    return {**entry, "metadata": {**metadata, "output": grid}}
