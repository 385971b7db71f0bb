"""What every Quantizer owes, on the fake and on every adapter."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from cesello.adapters.model.quantizers import FourBitQuantizer, Int8Quantizer, NoQuantizer
from cesello.adapters.model.torchao_quantizer import TorchaoInt8Quantizer
from cesello.domain.ports.model import Quantizer
from tests.fakes.model import FakeQuantizer

ALL = [
    FakeQuantizer("none"),
    NoQuantizer(),
    FourBitQuantizer("nf4"),
    FourBitQuantizer("fp4"),
    Int8Quantizer(),
    TorchaoInt8Quantizer(),
]


@pytest.fixture(params=ALL, ids=lambda quantizer: f"{type(quantizer).__name__}-{quantizer.name}")
def quantizer(request: pytest.FixtureRequest) -> Quantizer:
    made: Quantizer = request.param
    return made


def config_of(quantizer: Quantizer) -> Any:
    return quantizer.load_options("float32")["quantization_config"]


def test_its_name_is_one_of_the_recipe(quantizer: Quantizer) -> None:
    assert quantizer.name in {"none", "nf4", "fp4", "int8", "torchao_int8"}


def test_options_are_empty_where_nothing_is_quantised(quantizer: Quantizer) -> None:
    expected = set() if quantizer.name == "none" else {"quantization_config"}
    assert set(quantizer.load_options("float32")) == expected


def test_the_same_question_gets_an_answer_of_its_own(quantizer: Quantizer) -> None:
    first, second = (quantizer.load_options("float32") for _ in range(2))
    assert repr(first) == repr(second)
    first["changed"] = True
    assert "changed" not in quantizer.load_options("float32")


def test_what_is_quantised_takes_fewer_bytes_than_in_16_bits(quantizer: Quantizer) -> None:
    stored = quantizer.stored_bytes((1024, 4096), "bfloat16")
    assert (stored is None) == (quantizer.name == "none")
    assert stored is None or 0.25 < stored / (2 * 1024 * 4096) < 0.52


@pytest.mark.parametrize(
    ("quantizer", "expected"),
    [
        (FourBitQuantizer(), torch.float32),
        (FourBitQuantizer(compute_dtype="bfloat16"), torch.bfloat16),
    ],
    ids=["auto", "named"],
)
def test_4_bits_are_computed_in_what_the_recipe_says(quantizer: Quantizer, expected: torch.dtype) -> None:
    config = config_of(quantizer)
    assert config.bnb_4bit_compute_dtype == expected
    assert config.load_in_4bit is True


@pytest.mark.parametrize("name", ["nf4", "fp4"])
@pytest.mark.parametrize("double", [True, False])
def test_4_bits_are_stored_as_the_recipe_says(name: str, double: bool) -> None:
    config = config_of(FourBitQuantizer(name, double_quant=double, storage="bfloat16"))
    assert config.bnb_4bit_quant_type == name
    assert config.bnb_4bit_use_double_quant is double
    assert config.bnb_4bit_quant_storage == torch.bfloat16
