"""How many bytes a weight matrix takes as each quantizer stores it."""

from __future__ import annotations

_FLOAT32 = 4
_CODEBOOK = 16 * _FLOAT32
_OUTER_CODEBOOK = 256 * _FLOAT32


def four_bit_bytes(weights: int, *, double_quant: bool, block: int = 64, outer: int = 256) -> int:
    """Bytes of so many weights in 4 bits with a scale for every block of them.

    Plain, a scale is a float32: 4 + 32 / 64 = 4.5 bits a weight. With double quantisation it is a byte, and
    every 256 of those share a float32: 4 + 8 / 64 + 32 / (64 * 256) = 4.127 bits (Dettmers et al.,
    arXiv 2305.14314, section 3). Each matrix also has its codebooks, 1.1 KB that only a small one feels.
    """
    packed, blocks = _parts(weights, 2), _parts(weights, block)
    if not double_quant:
        return packed + blocks * _FLOAT32 + _CODEBOOK
    scales = blocks + _parts(blocks, outer) * _FLOAT32
    offset = _FLOAT32
    return packed + scales + offset + _CODEBOOK + _OUTER_CODEBOOK


def eight_bit_bytes(rows: int, columns: int) -> int:
    """Bytes of a matrix in 8 bits with a scale for every row."""
    return rows * columns + rows * _FLOAT32


def _parts(whole: int, size: int) -> int:
    return -(-whole // size)
