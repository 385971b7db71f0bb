from __future__ import annotations

from dataclasses import replace

import pytest

from cesello.domain.errors import ModelError
from cesello.domain.footprint import (
    DeviceMemory,
    Footprint,
    ForwardPass,
    ModelShape,
    RowSize,
    fits,
    is_tight,
)

FOOTPRINT = Footprint(
    parameters=1000, trainable=10, quantised_parameters=800, weights=600, quantised=413,
    lora=10, gradients=10, optimizer=20, activations=300, logits=50, step=355, cache=0,
)  # fmt: skip
LAYER = "model.layers.0"
MIXTRAL = ModelShape(
    name="m",
    architecture="mixtral",
    dtype="bfloat16",
    parameters=0,
    layers=1,
    linear={f"{LAYER}.self_attn.{name}": (8, 4) for name in ("q_proj", "k_proj", "v_proj", "o_proj")},
    experts={f"{LAYER}.mlp.experts.gate_up_proj": (2, 6, 3), f"{LAYER}.mlp.experts.down_proj": (2, 3, 6)},
    cache_bytes=1,
)


def device(free: int | None, kind: str = "cpu") -> DeviceMemory:
    return DeviceMemory(kind, "a device", free, free)


def test_a_step_comes_on_top_of_what_rests() -> None:
    assert FOOTPRINT.resting == 600 + 10 + 20
    assert FOOTPRINT.training == FOOTPRINT.resting + 355
    assert FOOTPRINT.peak == FOOTPRINT.training


def test_answers_can_take_more_than_a_step() -> None:
    assert replace(FOOTPRINT, evaluation=400).peak == FOOTPRINT.resting + 400
    assert replace(FOOTPRINT, evaluation=300).peak == FOOTPRINT.training


def test_so_can_the_beginning() -> None:
    assert replace(FOOTPRINT, beginning=5000).peak == 600 + 10 + 5000


def test_what_is_not_quantised_stays_whole() -> None:
    assert FOOTPRINT.whole == 600 - 413


def test_bits_are_of_what_is_quantised() -> None:
    assert FOOTPRINT.bits == 8 * 413 / 800
    assert replace(FOOTPRINT, quantised_parameters=0, quantised=0).bits is None


def test_it_fits_up_to_the_last_byte() -> None:
    assert fits(FOOTPRINT, device(FOOTPRINT.peak))
    assert not fits(FOOTPRINT, device(FOOTPRINT.peak - 1))
    assert fits(FOOTPRINT, device(None)), "where nobody knows, it is tried"


@pytest.mark.parametrize(
    ("memory", "tight"),
    [
        (device(FOOTPRINT.peak), True),
        (device(2 * FOOTPRINT.peak), False),
        (device(FOOTPRINT.peak, "cuda"), False),
        (device(None), False),
    ],
)
def test_only_a_cpu_is_tight(memory: DeviceMemory, tight: bool) -> None:
    assert is_tight(FOOTPRINT, memory) is tight


def test_padding_is_computed_too() -> None:
    rows = (RowSize(10, 5), RowSize(4, 2))
    assert (ForwardPass(rows).tokens, ForwardPass(rows).labels) == (14, 7)
    padded = ForwardPass(rows, padded=True)
    assert (padded.tokens, padded.labels) == (20, 10)


def test_lora_has_a_row_and_a_column_of_rank_r_for_every_matrix() -> None:
    assert MIXTRAL.lora_parameters("attention", 16) == 16 * 4 * (8 + 4)
    assert MIXTRAL.lora_parameters("mlp", 2) == 2 * 2 * 2 * (6 + 3), "of each expert"
    with pytest.raises(ModelError, match="M011"):
        replace(MIXTRAL, architecture="rwkv").lora_parameters("mlp", 2)
