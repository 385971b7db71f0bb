"""What a prompt search that has not come to its end has found so far, in the form of its report."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from .prompt_json import program_from
from .recorded_run import Line, figure, part, text, whole

_LATER = "choosing and testing"


def unfinished_search(
    manifest: Line, candidates: Sequence[Line], trials: Iterable[Line], tasks: Collection[str]
) -> Mapping[str, Any]:
    """As ``search.json`` will have it, as far as that is known; nothing where no candidate is.

    Args:
        candidates, trials: of the ledger; those of a former engine were paid for, but tell nothing of how
            good a candidate is now.
        tasks: ids of those that are searched on; the others choose and test.
    """
    if not candidates:
        return {}
    scores: dict[str, dict[str, list[float]]] = {}
    spent: dict[str, dict[str, float]] = {}
    for one in trials:
        searching = text(one, "task") in tasks
        phase = "search" if searching else _LATER
        its = spent.setdefault(phase, {"rollouts": 0, "tokens": 0, "seconds": 0.0})
        its["rollouts"] += 1
        its["tokens"] += whole(one, "tokens")
        its["seconds"] += figure(one, "seconds") or 0.0
        if searching and not one.get("former") and (score := figure(one, "reward")) is not None:
            scores.setdefault(text(one, "candidate"), {}).setdefault(text(one, "task"), []).append(score)
    return {
        "unfinished": True,
        "candidates": list(_tried(candidates, scores)),
        "plan": part(part(manifest, "search"), "plan"),
        "spent": [{"phase": phase, **its} for phase, its in spent.items()],
    }


def _tried(
    candidates: Sequence[Line], scores: Mapping[str, Mapping[str, Sequence[float]]]
) -> Iterator[dict[str, Any]]:
    """Each with the mean of its tasks' means, as the report has it."""
    seen: set[str] = set()
    for one in candidates:
        try:
            its = program_from(part(one, "program")).id
        except (ValueError, TypeError):
            continue
        if its in seen and not text(one, "rejected"):
            continue
        seen.add(its)
        means = [fmean(values) for values in scores.get(its, {}).values()]
        tried = bool(means) and not text(one, "rejected")
        yield {**one, "trials": len(means) if tried else 0, "mean": fmean(means) if tried else None}
