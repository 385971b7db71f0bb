"""A norm's output is made again for those that read it, instead of kept by each of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from cesello.adapters.model import lean_norm
from cesello.adapters.model.lean_norm import Remade
from tests.integration.test_lean import apart, tuned

pytestmark = pytest.mark.usefixtures("one_thread")
IDS = torch.arange(3, 43)[None]


def kept_bytes(model: Any) -> tuple[int, torch.Tensor]:
    """What the forward pass keeps for the backward pass, and the sum of its logits."""
    kept: dict[int, int] = {}
    alive = []

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        alive.append(storage)  # so that no other tensor gets its place
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = model(input_ids=IDS, use_cache=False).logits.logsumexp(-1).sum()
    return sum(kept.values()), loss


def gradients(model: Any) -> list[torch.Tensor]:
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    return list(torch.autograd.grad(kept_bytes(model)[1], weights))


def test_the_outputs_of_norms_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tuned("llama", tmp_path)
    less, _ = kept_bytes(model)
    monkeypatch.setattr(lean_norm, "kind_of", lambda device: "cuda")
    more, _ = kept_bytes(model)
    config = model.config
    norms = 2 * config.num_hidden_layers - 1  # nothing before the first one is trained
    assert more - less == norms * IDS.numel() * config.hidden_size * 4


def test_what_was_made_again_is_forgotten_after_its_last_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, made = tuned("llama", tmp_path), list[Remade]()

    class Noted(Remade):
        def __init__(self) -> None:
            super().__init__()
            made.append(self)

    monkeypatch.setattr(lean_norm, "Remade", Noted)
    _, loss = kept_bytes(model)
    loss.backward()
    assert (
        len(made) == 2 * model.config.num_hidden_layers
    )  # the last one before the head, none before the first
    assert all(one._made is None and not one._readers for one in made)


def test_an_output_that_is_changed_in_place_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tuned("llama", tmp_path)
    for layer in model.get_base_model().model.layers:
        layer.input_layernorm.register_forward_hook(lambda _, __, output: output.mul_(3))
    ours = gradients(model)
    monkeypatch.setattr(lean_norm, "kind_of", lambda device: "cuda")
    for one, usual in zip(ours, gradients(model), strict=True):
        assert apart(one, usual) < 1e-5
