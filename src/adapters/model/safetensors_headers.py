"""What safetensors files say of their tensors, checked before any library reads them.

Only headers are read: how much memory is taken depends on the size of the files, not on a number in them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...domain.errors import ModelError

LARGEST_HEADER = 100_000_000
"""Bytes; the format's own limit."""

_BITS = {
    **dict.fromkeys(("F4",), 4),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    **dict.fromkeys(("BOOL", "U8", "I8"), 8),
    **dict.fromkeys(("F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 16),
    **dict.fromkeys(("I32", "U32", "F32"), 32),
    **dict.fromkeys(("I64", "U64", "F64", "C64"), 64),
}
"""Of one element, by its type."""


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor as the header describes it.

    Attributes:
        begin: its first byte, counted from the end of the header.
        end: the byte behind its last one.
    """

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def read_headers(paths: Iterable[Path]) -> dict[str, StoredTensor]:
    """The tensors of files that belong together.

    Raises:
        ModelError: M045, M046 as ``read_header``; M046 when two files supply the same tensor.
        OSError: a file cannot be read.
    """
    together: dict[str, StoredTensor] = {}
    for path in paths:
        tensors = read_header(path)
        twice = sorted(together.keys() & tensors.keys())
        if twice:
            raise _misplaced(path, f"{_quoted(twice[0])}, which another file supplies too")
        together |= tensors
    return together


def read_header(path: Path) -> dict[str, StoredTensor]:
    """The tensors of a file by their names.

    Raises:
        ModelError: M045 when the header is none or too large, M046 when the tensors do not fill the rest of
            the file one behind the other.
        OSError: the file cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        room = size - 8 - length
        if size < 8:
            raise _untrusted(path, f"a file of {size} bytes")
        if length > LARGEST_HEADER or room < 0:
            raise _untrusted(path, f"a header of {length} bytes in a file of {size}")
        tensors = _tensors(path, file.read(length))
    _check_places(path, tensors, room)
    return tensors


def _tensors(path: Path, header: bytes) -> dict[str, StoredTensor]:
    try:
        if not header.startswith(b"{"):
            raise ValueError("a header that is no JSON object")
        entries = json.loads(header.decode("utf-8"), object_pairs_hook=_without_duplicates)
        metadata = entries.pop("__metadata__", {})
        if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
            raise ValueError("a __metadata__ that is no map of texts")
        return {name: _tensor(name, entry) for name, entry in entries.items()}
    except RecursionError as cause:
        raise _untrusted(path, "a header nested without end") from cause
    except ValueError as cause:
        raise _untrusted(path, str(cause)[:200]) from cause


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Readers differ in which of two values they take, so one could be shown what another does not get."""
    together: dict[str, Any] = {}
    for name, value in pairs:
        if name in together:
            raise ValueError(f"{_quoted(name)} twice in the header")
        name.encode()  # fails for what is no Unicode, as halves of a character
        together[name] = value
    return together


def _tensor(name: str, entry: Any) -> StoredTensor:
    match entry:
        case {"dtype": str(dtype), "shape": [*shape], "data_offsets": [begin, end], **rest}:
            if not rest and dtype in _BITS and all(map(_is_count, (*shape, begin, end))):
                return StoredTensor(dtype, tuple(shape), begin, end)
    raise ValueError(f"{_quoted(name)} without a known type, a shape and a place")


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _check_places(path: Path, tensors: Mapping[str, StoredTensor], room: int) -> None:
    """Every byte behind the header belongs to one tensor, as its type and shape have it."""
    filled, last = 0, ""
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)):
        if tensor.begin < filled:
            raise _misplaced(path, f"{_quoted(name)} on the bytes of {_quoted(last)}")
        if tensor.begin > filled:
            raise _misplaced(path, f"bytes before {_quoted(name)} that belong to no tensor")
        if tensor.end > room:
            raise _misplaced(path, f"{_quoted(name)} beyond the end of the file, which is cut off or forged")
        if 8 * (tensor.end - tensor.begin) != _bits(tensor, room):
            raise _misplaced(path, f"{_quoted(name)} with more or fewer bytes than its shape and type have")
        filled, last = tensor.end, name
    if filled < room:
        raise _misplaced(path, "bytes at the end that belong to no tensor")


def _bits(tensor: StoredTensor, room: int) -> int:
    """What a shape takes; counting stops where it is more than there is room for."""
    bits = 0 if 0 in tensor.shape else _BITS[tensor.dtype]
    for length in tensor.shape:
        bits *= length
        if bits > 8 * room:
            break
    return bits


def _quoted(name: str) -> str:
    return json.dumps(name if len(name) <= 80 else name[:80] + "…", ensure_ascii=False)


def _untrusted(path: Path, got: str) -> ModelError:
    return ModelError(
        "M045",
        "the header of a safetensors file cannot be trusted",
        where=str(path),
        got=got,
        expected=f"JSON of at most {LARGEST_HEADER} bytes that names each tensor once",
        fix="bring the file again from where the model comes from; if it is the same there, do not use it",
    )


def _misplaced(path: Path, got: str) -> ModelError:
    return ModelError(
        "M046",
        "the tensors of a safetensors file do not lie one behind the other",
        where=str(path),
        got=got,
        expected="tensors that fill the file, none of them twice",
        fix="bring the file again, whole; if it is the same where it comes from, do not use it",
    )
