"""Tokens of some completions with their log-probabilities, to be looked at: a small log of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .reinforcement import Judged, JudgedGroup

ROLLOUTS = 200
"""Of so many rollouts of a training a group is kept, however long it is: what a person looks at."""

TOKENS = 1024
"""Of a completion, the first ones."""

_PLACES = 3
"""Of a log-probability: a thousandth of a nat is less than anybody can see."""

Pieces = Callable[[Sequence[int]], Sequence[str]]
"""The text of each token; see ``Encoder.pieces``."""


def is_kept(rollout: int, rollouts: int) -> bool:
    """Whether tokens are kept of this rollout, from 0, of so many: of the first, and of every n-th."""
    return rollout % max(1, -(-rollouts // ROLLOUTS)) == 0


def told_group(groups: Sequence[JudgedGroup]) -> int | None:
    """The place of the group whose rewards differ most, the first of several; None where there is none."""
    return max(range(len(groups)), key=lambda place: (_spread(groups[place]), -place), default=None)


def token_lines(groups: Sequence[JudgedGroup], step: int, pieces: Pieces) -> list[dict[str, Any]]:
    """Lines of ``tokens.jsonl``: one for each completion of one group.

    A log-probability is in nats, by the engine that drew the token, at the temperature that it drew with;
    null for what the model did not draw.
    """
    place = told_group(groups)
    if place is None:
        return []
    return [
        {"step": step, "prompt": place, "number": number, **_tokens(one, pieces)}
        for number, one in enumerate(groups[place].completions)
    ]


def _tokens(one: Judged, pieces: Pieces) -> dict[str, Any]:
    drawn = zip(one.log_probs[:TOKENS], one.trained[:TOKENS], strict=True)
    return {
        "pieces": list(pieces(one.ids))[:TOKENS],
        "log_probs": [round(float(value), _PLACES) if trained else None for value, trained in drawn],
    }


def _spread(group: JudgedGroup) -> float:
    rewards = [one.reward for one in group.completions if one.reward is not None]
    return max(rewards) - min(rewards) if rewards else -1.0
