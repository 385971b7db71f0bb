"""Keep some rows of a training as the model sees them: tokens, what is trained, what was found for each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from ..domain.ports.model import Policy
from ..domain.ports.run import RunFolder
from ..domain.reinforcement import memory_record, procedure_record
from .mix_sources import Steps

ROWS = "rows.json"

OF_A_SOURCE, SOURCES, TOKENS = 2, 8, 1024
"""Rows of each source, sources, and tokens of a row at most: enough to see a wrong mask."""


def keep_rows(run: RunFolder, policy: Policy, steps: Steps) -> None:
    """Those that are drawn first, in ``rows.json``; a list of rows in their order.

    A run that is gone on with draws the same ones first: what it has kept stays as it was.
    """
    if (run.path / ROWS).exists():
        return
    rows = list(_rows(policy, steps))
    run.write_text(ROWS, json.dumps(rows) + "\n")


def _rows(policy: Policy, steps: Steps) -> Iterator[dict[str, Any]]:
    taken: Counter[int] = Counter()
    wanted = min(len(steps.prepared), SOURCES)
    for source, row in zip(steps.sources, steps.rows, strict=True):
        if taken[source] == OF_A_SOURCE or (source not in taken and len(taken) == wanted):
            continue
        taken[source] += 1
        its = steps.prepared[source]
        example = its.examples.example(its.train[row])
        tokens = example.tokens
        yield {
            "source": its.spec.name,
            "place": example.place,
            "tokens": len(tokens),
            "trained_tokens": tokens.trained_tokens,
            "truncated": tokens.truncated,
            "pieces": policy.pieces(tokens.ids.tolist())[:TOKENS],
            "trained": [*map(int, tokens.trained[:TOKENS])],
            "procedure": procedure_record(example.conversation),
            **memory_record(example.conversation.context),
        }
        if sum(taken.values()) == wanted * OF_A_SOURCE:
            return
