"""What every Quantizer owes, on the fake and on every adapter."""

from __future__ import annotations

import pytest
import torch

from cesello.adapters.model.quantizers import Int8Quantizer, Nf4Quantizer, NoQuantizer
from cesello.domain.ports.model import Quantizer
from tests.fakes.model import FakeQuantizer

ALL = [FakeQuantizer("none"), NoQuantizer(), Nf4Quantizer(), Int8Quantizer()]


@pytest.fixture(params=ALL, ids=lambda quantizer: type(quantizer).__name__)
def quantizer(request: pytest.FixtureRequest) -> Quantizer:
    made: Quantizer = request.param
    return made


def test_its_name_is_one_of_the_recipe(quantizer: Quantizer) -> None:
    assert quantizer.name in {"none", "nf4", "int8"}


def test_options_are_empty_where_nothing_is_quantised_and_name_the_device_elsewhere(
    quantizer: Quantizer,
) -> None:
    options = quantizer.load_options("cpu", "float32")
    if quantizer.name == "none":
        assert options == {}
    else:
        assert set(options) == {"quantization_config", "device_map"}
        assert options["device_map"] == {"": "cpu"}


def test_the_same_question_gets_an_answer_of_its_own(quantizer: Quantizer) -> None:
    first, second = (quantizer.load_options("cpu", "float32") for _ in range(2))
    assert repr(first) == repr(second)
    first["changed"] = True
    assert "changed" not in quantizer.load_options("cpu", "float32")


@pytest.mark.parametrize(
    ("quantizer", "expected"),
    [
        (Nf4Quantizer(), torch.float32),
        (Nf4Quantizer(compute_dtype="bfloat16"), torch.bfloat16),
    ],
    ids=["auto", "named"],
)
def test_nf4_computes_in_what_the_recipe_says(quantizer: Nf4Quantizer, expected: torch.dtype) -> None:
    config = quantizer.load_options("cpu", "float32")["quantization_config"]
    assert getattr(config, "bnb_4bit_compute_dtype") == expected  # noqa: B009 - an object to the type checker
    assert getattr(config, "bnb_4bit_quant_type") == "nf4"  # noqa: B009
    assert getattr(config, "load_in_4bit") is True  # noqa: B009


@pytest.mark.parametrize("double", [True, False])
def test_nf4_quantises_its_scales_where_asked(double: bool) -> None:
    config = Nf4Quantizer(double_quant=double).load_options("cpu", "float32")["quantization_config"]
    assert getattr(config, "bnb_4bit_use_double_quant") is double  # noqa: B009
