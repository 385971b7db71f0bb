"""Cross-entropy of several rows in one forward pass, end to end or padded to one width.

End to end, rows are one sequence whose position ids restart at every row. Attention then goes row by row, or
where an architecture does not know how, transformers builds the mask that keeps each row to itself. The
vocabulary is projected at label positions only, and where the projection is a plain one, a few of them at a
time. Shapes: R rows, T tokens (of all rows together, or of the longest), L labels, C columns in
which any row has a label, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ...domain.tokens import TokenRow
from .document_attention import attends_by_document, document_mask
from .label_scores import Scores as Scores
from .label_scores import label_scores


@dataclass(frozen=True, slots=True)
class LabelInputs:
    """What a model is asked about labels; ``label_scores`` says what each of them is."""

    inputs: Mapping[str, Any]
    labels_L: torch.Tensor
    at: tuple[torch.Tensor, ...] = ()


def scores(model: Any, rows: Sequence[TokenRow], *, packed: bool = True) -> Scores:
    """Loss and right labels of rows; see ``summed_loss``."""
    asked = packed_inputs(model, rows) if packed or len(rows) == 1 else padded_inputs(model, rows)
    return label_scores(model, asked.inputs, asked.labels_L, asked.at)


def summed_loss(model: Any, rows: Sequence[TokenRow], *, packed: bool = True) -> torch.Tensor:
    """The sum of the cross-entropies of all labels of all rows, in nats; a scalar that can be differentiated.

    Args:
        model: a causal language model of transformers, wrapped by PEFT or not.
        packed: False pads the rows to one width, for architectures that cannot keep them apart.
    """
    return scores(model, rows, packed=packed).loss


def packed_inputs(model: Any, rows: Sequence[TokenRow]) -> LabelInputs:
    """Rows end to end."""
    ids_T = torch.cat([torch.frombuffer(row.ids, dtype=torch.int32) for row in rows]).long().to(model.device)
    positions_T = torch.cat([torch.arange(len(row)) for row in rows]).to(model.device)
    trained_T = torch.frombuffer(bytearray(b"".join(row.trained for row in rows)), dtype=torch.bool)
    labels_L = trained_T.nonzero().squeeze(1).to(model.device)
    # A label is predicted from the token before it. A row's first token is never a label, so that is its own.
    restart: dict[str, Any] = {"position_ids": positions_T[None]} if len(rows) > 1 else {}
    lengths = [len(row) for row in rows]
    if len(rows) > 1 and attends_by_document(model, max(lengths)):
        restart["attention_mask"] = document_mask(lengths, model.device)
    inputs = {"input_ids": ids_T[None], **restart, "logits_to_keep": labels_L - 1, "use_cache": False}
    return LabelInputs(inputs, ids_T[labels_L])


def padded_inputs(model: Any, rows: Sequence[TokenRow]) -> LabelInputs:
    """Rows one below the other."""
    ids_RT = _padded([torch.frombuffer(row.ids, dtype=torch.int32).long() for row in rows])
    mask_RT = _padded([torch.ones(len(row), dtype=torch.long) for row in rows])
    trained_RT = _padded([torch.frombuffer(bytearray(row.trained), dtype=torch.bool) for row in rows])
    columns_C = trained_RT.any(0).nonzero().squeeze(1)  # where any row has a label
    # Where the labels are is worked out before anything goes to a GPU, which would have to be waited for.
    rows_L, places_L = trained_RT[:, columns_C].nonzero(as_tuple=True)
    labels_L = ids_RT[rows_L, columns_C[places_L]]
    device = model.device
    inputs = {
        "input_ids": ids_RT.to(device),
        "attention_mask": mask_RT.to(device),
        "logits_to_keep": columns_C.to(device) - 1,
        "use_cache": False,
    }
    return LabelInputs(inputs, labels_L.to(device), (rows_L.to(device), places_L.to(device)))


def _padded(parts: list[torch.Tensor]) -> torch.Tensor:
    """One line a row, shape [R, T], with zeros on the right, which no token before them can see."""
    return torch.nn.utils.rnn.pad_sequence(parts, batch_first=True)


@torch.no_grad()
def keeps_rows_apart(model: Any) -> bool:
    """Whether packed rows get the logits they get alone; not every architecture restarts at position 0."""
    vocabulary = int(model.config.get_text_config().vocab_size)
    first, second = (torch.arange(n, device=model.device).add(n) % vocabulary for n in (5, 7))
    positions = torch.cat([torch.arange(5), torch.arange(7)]).to(model.device)
    was_training = model.training
    model.eval()
    try:
        packed = model(
            input_ids=torch.cat([first, second])[None],
            position_ids=positions[None],
            use_cache=False,
        )
        alone = model(input_ids=second[None], position_ids=positions[None, 5:], use_cache=False)
    finally:
        model.train(was_training)
    difference = (packed.logits[0, 5:].float() - alone.logits[0].float()).abs().max()
    scale = alone.logits.float().abs().max().clamp(min=1.0)
    return bool(difference / scale < (1e-4 if model.dtype == torch.float32 else 5e-2))
