"""Rows laid end to end or padded are, to the model, rows alone; and workers read them in order."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    OPTConfig,
    PretrainedConfig,
    Qwen3Config,
)

from cesello.adapters.data.disk_example_store import DiskExampleStore
from cesello.adapters.model.hub_cache import HubCache
from cesello.adapters.model.packed_loss import keeps_rows_apart, summed_loss
from cesello.application.mix_sources import MixedData, mix
from cesello.application.prepare_source import PreparedSource
from cesello.domain.batching import Batching, BatchSpec
from cesello.domain.conversation import user
from cesello.domain.example import Example
from cesello.domain.mixture import MixtureSpec
from cesello.domain.schedule import TrainingPlan
from cesello.domain.source import SourceSpec
from cesello.domain.tokens import TokenRow, token_row

MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
SIZES: dict[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "attn_implementation": "sdpa",
}
DROPOUTS: dict[str, Any] = {"attention_dropout": 0.0, "hidden_dropout": 0.0}
PACKING: dict[str, PretrainedConfig] = {
    "llama": LlamaConfig(**SIZES, intermediate_size=64, num_key_value_heads=2),
    "qwen3": Qwen3Config(**SIZES, intermediate_size=64, num_key_value_heads=2, head_dim=8),
    "gpt-neox": GPTNeoXConfig(**SIZES, intermediate_size=64),
    "gpt2": GPT2Config(vocab_size=300, n_embd=32, n_layer=2, n_head=4),
}
PADDING: dict[str, PretrainedConfig] = {
    "opt": OPTConfig(**SIZES, ffn_dim=64, word_embed_proj_dim=32),
    "bloom": BloomConfig(vocab_size=300, hidden_size=32, n_layer=2, n_head=4),
}


def random_row(length: int, vocabulary: int, seed: int) -> TokenRow:
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(3, vocabulary, (length,), generator=generator).tolist()
    return token_row(ids, [position % 3 != 0 for position in range(length)])


ROWS = [random_row(length, 300, length) for length in (37, 90, 5, 2, 64)]


def tiny(config: PretrainedConfig) -> Any:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config).eval()


@torch.no_grad()
def logits_apart(model: Any, rows: list[TokenRow]) -> tuple[float, float]:
    """The largest difference between logits of packed rows and of the same rows alone; the largest logit."""
    ids = [torch.tensor(row.ids) for row in rows]
    positions = torch.cat([torch.arange(len(row)) for row in rows])
    packed = model(input_ids=torch.cat(ids)[None], position_ids=positions[None], use_cache=False).logits[0]
    alone = torch.cat([model(input_ids=one[None], use_cache=False).logits[0] for one in ids])
    return float((packed - alone).abs().max()), float(alone.abs().max())


@pytest.mark.parametrize("name", PACKING)
def test_packed_rows_have_the_logits_they_have_alone(name: str) -> None:
    model = tiny(PACKING[name])
    assert keeps_rows_apart(model)
    difference, _ = logits_apart(model, ROWS)
    assert difference < 1e-5


@pytest.mark.slow
def test_the_same_on_a_real_model(kit_home: Path) -> None:
    """To its last digits in float64; in float32 logits of 35 are themselves only known to 2e-6 each."""
    places = HubCache(kit_home / "hub").arguments(MODEL)
    model: Any = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32, **places).eval()
    rows = [random_row(length, 40_000, length) for length in (11, 24, 5, 17)]
    difference, largest = logits_apart(model, rows)
    assert difference / largest < 1e-5
    difference, _ = logits_apart(model.double(), rows)
    assert difference < 1e-9


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "packed"), [(name, True) for name in PACKING] + [(name, False) for name in (*PACKING, *PADDING)]
)
def test_the_loss_of_a_pass_is_the_token_weighted_loss_of_its_rows(name: str, packed: bool) -> None:
    model = tiny((PACKING | PADDING)[name])
    together = float(summed_loss(model, ROWS, packed=packed))
    labels = sum(row.trained_tokens for row in ROWS)
    means = [float(summed_loss(model, [row])) / row.trained_tokens for row in ROWS]
    weighted = sum(mean * row.trained_tokens / labels for mean, row in zip(means, ROWS, strict=True))
    assert together / labels == pytest.approx(weighted, rel=1e-6)


@pytest.mark.parametrize("name", PADDING)
def test_an_architecture_that_cannot_keep_rows_apart_is_found_out(name: str) -> None:
    assert not keeps_rows_apart(tiny(PADDING[name]))


@pytest.mark.parametrize("packed", [True, False])
def test_the_gradient_of_a_pass_is_the_sum_of_its_rows(packed: bool) -> None:
    model = tiny(PACKING["llama"]).double()
    summed_loss(model, ROWS, packed=packed).backward()
    together = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    for row in ROWS:
        summed_loss(model, [row]).backward()
    for one, other in zip(together, model.parameters(), strict=True):
        torch.testing.assert_close(one, other.grad, rtol=1e-4, atol=1e-5)


# Reading


def mixed(folder: Path, method: Batching) -> MixedData:
    writer = DiskExampleStore(folder).create("rows")
    for number in range(60):
        row = token_row([number] * (3 + number % 7), [True] * (3 + number % 7))
        writer.append(Example(f"x:{number}", user("x"), row))
    examples = writer.commit({})
    prepared = [
        PreparedSource(SourceSpec("a", 0.7), "memory", examples, 60, range(1, 30), range(1)),
        PreparedSource(SourceSpec("b", 0.3), "memory", examples, 60, range(30, 60), range(0)),
    ]
    plan = TrainingPlan(max_steps=12, batch_size=2, accumulate=2)
    return mix(prepared, MixtureSpec(seed=3), plan, 12, BatchSpec(method, max_tokens=16, window=16))


@pytest.mark.filterwarnings("ignore:This DataLoader will create 3 worker processes")
@pytest.mark.parametrize("method", Batching)
@pytest.mark.parametrize("workers", [0, 1, 3])
def test_any_number_of_workers_reads_the_same_steps(tmp_path: Path, method: Batching, workers: int) -> None:
    steps = mixed(tmp_path, method).batches
    loader = DataLoader(steps, batch_size=None, collate_fn=_same, num_workers=workers)  # type: ignore[arg-type,var-annotated]
    read = [[[list(row.ids) for row in rows] for rows in step] for step in loader]
    assert read == [[[list(row.ids) for row in rows] for rows in step] for step in steps]
    assert len(list(chain(*read))) == 24


@pytest.mark.parametrize("cut", [0, 1, 5, 12])
def test_reading_can_begin_at_any_step(tmp_path: Path, cut: int) -> None:
    steps, again = mixed(tmp_path, Batching.PACKED).batches, mixed(tmp_path, Batching.PACKED).batches
    assert [*steps[:cut], *again[cut:]] == list(steps)


def _same(step: Any) -> Any:
    return step
