"""Keep what each graded row scored: a gain is told best by both answers to the same row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from ..domain.answer_pairs import AFTER, BEFORE, SCORES
from ..domain.ports.run import RunFolder
from ..domain.run import RowScore


def keep_scores(run: RunFolder, when: str, scores: Sequence[RowScore]) -> None:
    """A line of ``scores.jsonl`` a row, before and after the training; those on its way are paired with none.

    Raises:
        StorageError: I003. RetryableError: T075 when the disk is full.
    """
    if when in (BEFORE, AFTER):
        for one in scores:
            run.append(SCORES, {"when": when} | asdict(one))
