"""What rerankers of all engines have in common: how much they read, and what makes a model one."""

from __future__ import annotations

from collections.abc import Sequence

from ...domain.errors import ModelError

READ_TOKENS = 128
"""Of a question and a text together. ms-marco models learnt on passages as short, and a chunk begins with its
name and its signature: with 256 the right chunk came no higher, and twenty took half as long again."""


def check_head(name: str, architectures: Sequence[str], labels: int, *, other_head: bool = False) -> None:
    """A model without a trained head gets a random one, and its scores would mean nothing.

    Args:
        name: the model's.
        architectures: those its configuration names.
        labels: how many scores it gives.
        other_head: whether the score comes from another part, as of a language model that answers yes or no.

    Raises:
        ModelError: M030 it is not made to rerank.
    """
    own_head = any(architecture.endswith("ForSequenceClassification") for architecture in architectures)
    if labels != 1 or not (own_head or other_head):
        raise ModelError(
            "M030",
            "a model is not made to rerank",
            where=name,
            got=f"{', '.join(architectures) or 'no architecture'} with {labels} labels",
            expected="a sequence classifier with one label",
            fix="take a cross-encoder, for example cross-encoder/ms-marco-MiniLM-L-12-v2",
        )
