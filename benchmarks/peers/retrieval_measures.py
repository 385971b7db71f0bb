"""How good a ranking is, and how sure that is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.retrieval_questions import Question
from benchmarks.peers.retrieval_units import Unit
from cesello.domain.context import MARK, WHOLE, beginning

BUDGET = 3_000
DRAWS = 2_000

Values = NDArray[np.float64]


def answers(units: Sequence[Unit], questions: Sequence[Question]) -> list[set[int]]:
    """The units that answer each question: with the line of its ``def``, or with more than half its lines."""
    of_file: dict[str, list[int]] = defaultdict(list)
    for number, unit in enumerate(units):
        of_file[unit.path].append(number)
    return [
        {number for number in of_file[one.path] if _answers(one, units[number].first, units[number].last)}
        for one in questions
    ]


def _answers(question: Question, first: int, last: int) -> bool:
    inside = min(last, question.last) - max(first, question.first) + 1
    return first <= question.first <= last or 2 * inside > question.last - question.first + 1


def reciprocal_rank(ranking: Sequence[int], right: set[int]) -> float:
    return next((1 / rank for rank, number in enumerate(ranking[:10], start=1) if number in right), 0.0)


def in_context(
    ranking: Sequence[int], units: Sequence[Unit], question: Question, whole: int = WHOLE
) -> tuple[float, float]:
    """Whether the answer is in a context of ``BUDGET`` characters, and how much of its lines.

    The context holds the best units as they are printed: a peer's whole, of the product's those after the
    first ones by their first lines. One that does not fit is passed over.
    """
    left = BUDGET
    shown: set[int] = set()
    used = 0
    for number in ranking:
        unit = units[number]
        text = unit.text.rstrip()
        if unit.chunk and used >= whole:
            text = beginning(text)
        if (size := len(unit.heading) + len(text) + len("\n\n\n")) > left:
            continue
        left -= size
        used += 1
        if unit.path == question.path:
            cut = text.endswith(MARK) and not unit.text.rstrip().endswith(MARK)
            last = unit.first + text.count("\n") - 1 if cut else unit.last
            shown.update(range(unit.first, last + 1))
    own = set(range(question.first, question.last + 1))
    return float(question.first in shown or 2 * len(own & shown) > len(own)), len(own & shown) / len(own)


def first_half(questions: Sequence[Question]) -> NDArray[np.bool_]:
    """One of two halves: what is a gain in both is more than luck."""
    keys = (f"{question.path}{question.text}".encode() for question in questions)
    return np.array([int(sha256(key).hexdigest(), 16) % 2 == 0 for key in keys])


def interval(values: Values) -> tuple[float, float]:
    """Of the mean, 95 %, by bootstrap over the questions."""
    drawn = np.random.default_rng(1).integers(0, len(values), (DRAWS, len(values)))
    low, high = np.percentile(values[drawn].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def summary(values: Mapping[str, Values], half: Any) -> dict[str, Any]:
    low, high = interval(values["MRR@10"])
    return {
        **{name: round(float(each.mean()), 3) for name, each in values.items()},
        "MRR@10, 95 %": [round(low, 3), round(high, 3)],
        "first half": round(float(values["MRR@10"][half].mean()), 3),
        "other half": round(float(values["MRR@10"][~half].mean()), 3),
    }


def show(name: str, result: Mapping[str, Any]) -> None:
    low, high = result["MRR@10, 95 %"]
    print(
        f"{name:44} {result['MRR@10']:.3f} [{low:.3f}, {high:.3f}]  halves {result['first half']:.3f}"
        f" {result['other half']:.3f}  recall {result['recall@20']:.3f}  inside {result['inside']:.3f}"
        f"  lines {result['lines inside']:.3f}"
        + (f"  change {result['change']:+.3f} {result['change, 95 %']}" if "change" in result else ""),
        flush=True,
    )


def change(values: Mapping[str, Values], product: Mapping[str, Values]) -> dict[str, Any]:
    difference = values["MRR@10"] - product["MRR@10"]
    low, high = interval(difference)
    return {"change": round(float(difference.mean()), 3), "change, 95 %": [round(low, 3), round(high, 3)]}
