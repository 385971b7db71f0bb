"""The order of what a search has found: everything that speaks for a passage, in one score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .document import Chunk
from .fusion import looks_like_code, with_file, with_more
from .name_match import name_scores
from .question_form import asks_for_action, kind_scores


@dataclass(frozen=True, slots=True)
class OrderWeights:
    """How much is said by what is not in the passage's text.

    The numbers come from packages that ``benchmarks/retrieval.py`` does not ask about: see
    ``benchmarks/order_weights.py``.

    Attributes:
        file: what else is found in the file.
        names: of what the passage defines.
        kind: of the passage, where the question asks for an action.
    """

    file: float = 0.3
    names: float = 0.35
    kind: float = 0.15


def in_order(
    question: str,
    scores: Mapping[str, float],
    chunks: Mapping[str, Chunk],
    weights: OrderWeights | None = None,
) -> dict[str, float]:
    """Scores of the fused search, with what files, names and kinds of the passages say, best first.

    Who asks with a name, code or an error message asks for its words: of those the file alone speaks.

    Args:
        scores: in [0, 1], by id.
        chunks: one of each id.

    Returns:
        In [0, 1], by id.
    """
    weights = weights or OrderWeights()
    found = with_file(scores, {known: chunks[known].path for known in scores}, weights.file)
    if looks_like_code(question):
        return found
    its = {known: chunks[known] for known in scores}
    found = with_more(found, name_scores(question, its), weights.names)
    return with_more(found, kind_scores(its), weights.kind) if asks_for_action(question) else found
