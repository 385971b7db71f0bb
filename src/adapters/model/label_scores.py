"""What a model makes of labels: without its logits where its head allows it, else from them.

The head is stood in for during the call by one that scores the labels from the hidden states, there and
then, where engines that spread weights over devices have gathered the head's. On the first call of a model it
makes the logits of one position as well, and what the model does with them is compared with what
``vocabulary_loss`` would: whether it knows the head is tried, not assumed. Shapes: L labels, H hidden, V
vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch.nn.functional import cross_entropy, linear

from .vocabulary_loss import Head, head_of, summed_cross_entropy

Scored = TypeVar("Scored")
_known: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()
"""By the head's module, whether its logits are what ``Head`` says."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What a forward pass of rows came to.

    Attributes:
        loss: the sum of the cross-entropies of all labels, in nats; a scalar that can be differentiated.
        right: how many labels had the highest probability; a scalar of whole numbers.
    """

    loss: torch.Tensor
    right: torch.Tensor


def label_scores(
    model: Any, inputs: Mapping[str, Any], labels_L: torch.Tensor, at: tuple[torch.Tensor, ...] = ()
) -> Scores:
    """Runs the model and scores the labels.

    Args:
        inputs: of the model, with ``logits_to_keep``.
        at: rows and columns, of the positions that are kept, where the labels are predicted; without it they
            are predicted one after the other in the first row.
    """

    def of_hidden(head: Head, hidden_LH: torch.Tensor) -> Scores:
        return Scores(*summed_cross_entropy(head, hidden_LH, labels_L.to(hidden_LH.device)))

    def of_logits(logits_LV: torch.Tensor) -> Scores:
        return _of_logits(logits_LV, labels_L)

    return scored_at_labels(model, inputs, len(labels_L), at, of_hidden, of_logits)


def scored_at_labels(
    model: Any,
    inputs: Mapping[str, Any],
    labels: int,
    at: tuple[torch.Tensor, ...],
    of_hidden: Callable[[Head, torch.Tensor], Scored],
    of_logits: Callable[[torch.Tensor], Scored],
) -> Scored:
    """Runs the model once; scores what predicts the labels by hidden states, or else by logits.

    Args:
        labels: how many there are.
        at: see ``label_scores``.
        of_hidden: scores hidden states of shape [L, H].
        of_logits: gives the same from logits of shape [L, V].
    """
    module = model.get_output_embeddings()
    if labels and head_of(model) is not None and _known.get(module) is not False:
        instead = _ScoringHead(model, module, at, of_hidden)
        module.forward = instead
        try:
            logits = model(**inputs).logits
        finally:
            del module.forward
        if module not in _known:
            _known[module] = instead.agrees_with(logits)
        if _known[module]:
            assert instead.scores is not None
            return instead.scores
    return of_logits(_at(model(**inputs).logits, at))


class _ScoringHead(Generic[Scored]):
    """Called in the place of a head's forward; what it returns is of one position, or of no use."""

    def __init__(
        self,
        model: Any,
        module: Any,
        at: tuple[torch.Tensor, ...],
        of_hidden: Callable[[Head, torch.Tensor], Scored],
    ) -> None:
        self._model, self._module = model, module
        self._at, self._of_hidden = at, of_hidden
        self._expected: torch.Tensor | None = None
        self.scores: Scored | None = None

    def __call__(self, hidden: torch.Tensor) -> torch.Tensor:
        # Made here, where the weight is whole.
        head = Head.of(self._module, self._model.config)
        self.scores = self._of_hidden(head, _at(hidden, self._at))
        if self._module in _known:
            return hidden.detach()[..., :1, :1]
        with torch.no_grad():
            self._expected = head.logits(hidden[0, :1])
            return linear(hidden[..., :1, :], self._module.weight, self._module.bias)

    @torch.no_grad()
    def agrees_with(self, logits: torch.Tensor) -> bool:
        """Whether the model's logits of the first position are what was expected; see ``_known``."""
        ours = self._expected
        if ours is None or ours.device.type == "meta":
            return ours is not None
        theirs = logits[0].float()
        if ours.shape != theirs.shape:
            return False
        scale = theirs.abs().max().clamp(min=1e-6)
        return bool((ours - theirs).abs().max() / scale < (1e-5 if logits.dtype == torch.float32 else 2e-2))


def _at(values: torch.Tensor, at: tuple[torch.Tensor, ...]) -> torch.Tensor:
    return values[at] if at else values[0]


def _of_logits(logits_LV: torch.Tensor, labels_L: torch.Tensor) -> Scores:
    right = (logits_LV.detach().argmax(-1) == labels_L).sum()
    return Scores(cross_entropy(logits_LV.float(), labels_L, reduction="sum"), right)
