from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.quantization import eight_bit_bytes, four_bit_bytes

LARGE = 4096 * 14336


@pytest.mark.parametrize(("double_quant", "bits"), [(True, 4.127), (False, 4.5)])
def test_a_large_matrix_has_the_bits_of_the_paper(double_quant: bool, bits: float) -> None:
    assert 8 * four_bit_bytes(LARGE, double_quant=double_quant) / LARGE == pytest.approx(bits, abs=5e-4)


def test_every_part_is_counted() -> None:
    # 130 weights: 65 bytes, three blocks of 64, one block of blocks, an offset, both codebooks.
    assert four_bit_bytes(130, double_quant=True) == 65 + 3 + 4 + 4 + 16 * 4 + 256 * 4
    assert four_bit_bytes(130, double_quant=False) == 65 + 3 * 4 + 16 * 4


@given(st.integers(1, 10**7), st.booleans())
def test_more_weights_never_take_less(weights: int, double_quant: bool) -> None:
    more = four_bit_bytes(weights + 1, double_quant=double_quant)
    assert more >= four_bit_bytes(weights, double_quant=double_quant) >= weights / 2


def test_in_8_bits_every_row_has_a_scale() -> None:
    assert eight_bit_bytes(10, 100) == 1000 + 10 * 4
