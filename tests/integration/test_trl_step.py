"""One step is TRL's step: the same labels, loss and gradients of the same rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from benchmarks.peers.trl_python import ask_trl
from cesello.adapters.model.hf_provider import HfModelProvider
from cesello.adapters.model.hub_cache import HubCache
from cesello.adapters.model.packed_loss import scores
from cesello.adapters.model.quantizers import NoQuantizer
from cesello.domain.model_spec import LoraSpec, ModelSpec
from cesello.domain.tokens import TokenRow, token_row
from tests.tiny_architectures import make_tiny

# TRL is brought by `make peers`.
pytestmark = [pytest.mark.download, pytest.mark.usefixtures("one_thread")]


def real_looking_rows() -> list[TokenRow]:
    """Two turns each, so that labels come in two runs."""
    generator = torch.Generator().manual_seed(0)
    rows = []
    for length in (31, 12, 57, 20):
        ids = torch.randint(3, 250, (length,), generator=generator).tolist()
        rows.append(token_row(ids, [at % 10 > 5 or at >= length - 5 for at in range(length)]))
    return rows


@pytest.mark.parametrize("packing", [True, False])
@pytest.mark.parametrize("architecture", ["llama", "gemma2", "qwen3", "granite"])
def test_labels_loss_and_gradients_are_those_of_trl(architecture: str, packing: bool, tmp_path: Path) -> None:
    base = make_tiny(architecture, tmp_path / "base")
    lora = LoraSpec(r=4, dropout=0.0, target_modules="all-linear")
    spec = ModelSpec(str(base), dtype="float32")
    policy = HfModelProvider(NoQuantizer(), HubCache(None)).load(spec, lora, seed=0)
    generator = torch.Generator().manual_seed(1)
    for weight in policy.model.parameters():
        if weight.requires_grad:
            weight.data = torch.randn(weight.shape, generator=generator) / 10
    policy.save(tmp_path / "lora")
    rows = real_looking_rows()
    theirs = ask_trl(
        "trl_step.py",
        {
            "base": str(base),
            "lora": str(tmp_path / "lora"),
            "rows": [{"input_ids": row.ids.tolist(), "assistant_masks": list(row.trained)} for row in rows],
            "packing": packing,
            "gradients": str(tmp_path / "gradients.safetensors"),
        },
    )
    assert sorted(_trained(theirs)) == sorted(_ours(rows))
    policy.model.train()
    loss = scores(policy.model, rows).loss / sum(row.trained_tokens for row in rows)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(theirs["loss"], rel=1e-5)
    gradients = load_file(tmp_path / "gradients.safetensors")
    ours = {name: weight.grad for name, weight in policy.model.named_parameters() if weight.grad is not None}
    assert ours.keys() == gradients.keys()
    for name, gradient in gradients.items():
        assert float((ours[name] - gradient).norm() / gradient.norm()) < 1e-5, name


def _trained(theirs: dict[str, Any]) -> list[tuple[int, int]]:
    """Every label of TRL's batch with the token before it."""
    return [
        (ids[at - 1], label)
        for ids, labels in zip(theirs["ids"], theirs["labels"], strict=True)
        for at, label in enumerate(labels)
        if label != -100
    ]


def _ours(rows: list[TokenRow]) -> list[tuple[int, int]]:
    return [(row.ids[at - 1], row.ids[at]) for row in rows for at in range(len(row)) if row.trained[at]]
