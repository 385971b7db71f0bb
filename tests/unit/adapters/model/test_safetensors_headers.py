from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import SafetensorError, deserialize

from cesello.adapters.model.safetensors_headers import (
    LARGEST_HEADER,
    StoredTensor,
    read_header,
    read_headers,
)
from cesello.domain.errors import ModelError

BYTES = {"BOOL": 1, "F8_E4M3": 1, "BF16": 2, "F32": 4, "I64": 8}

Shapes = Mapping[str, tuple[str, Sequence[int]]]

PAIR: Shapes = {"a": ("F32", (2, 3)), "b": ("BF16", (5,))}


def entries(shapes: Shapes) -> dict[str, Any]:
    """A header for tensors that lie one behind the other."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    begin = 0
    for name, (dtype, shape) in shapes.items():
        end = begin + BYTES[dtype] * prod(shape)
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
        begin = end
    return header


def file_of(header: Mapping[str, Any] | bytes, size: int, length: int | None = None) -> bytes:
    """A file with ``size`` bytes behind the header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + bytes(size)


def read(content: bytes) -> dict[str, StoredTensor]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        path.write_bytes(content)
        return read_header(path)


def size_of(shapes: Shapes) -> int:
    return sum(BYTES[dtype] * prod(shape) for dtype, shape in shapes.values())


NAMES = st.text(min_size=1, max_size=20).filter(lambda name: name != "__metadata__")
TENSORS = st.tuples(st.sampled_from(sorted(BYTES)), st.lists(st.integers(0, 6), max_size=4).map(tuple))
MODELS = st.dictionaries(NAMES, TENSORS, max_size=6)


@given(MODELS)
def test_a_sound_file_of_any_shapes_is_read(shapes: Shapes) -> None:
    tensors = read(file_of(entries(shapes), size_of(shapes)))
    assert {name: (one.dtype, one.shape) for name, one in tensors.items()} == shapes


@given(MODELS.filter(bool), st.data())
def test_what_is_let_through_of_a_changed_file_is_what_the_library_reads(
    shapes: Shapes, data: st.DataObject
) -> None:
    header = entries(shapes)
    entry = header[data.draw(st.sampled_from(sorted(shapes)))]
    field = data.draw(st.sampled_from(["dtype", "shape", "data_offsets"]))
    if field == "dtype":
        entry[field] = data.draw(st.sampled_from([*BYTES, "F4", "U16", "F128", ""]))
    else:
        place = data.draw(st.integers(0, len(entry[field])))
        entry[field][place : place + 1] = data.draw(st.lists(st.integers(-2, 2**65), max_size=2))
    agrees(file_of(header, size_of(shapes)))


@given(MODELS, st.data())
def test_what_is_let_through_with_a_changed_byte_is_what_the_library_reads(
    shapes: Shapes, data: st.DataObject
) -> None:
    content = bytearray(file_of(entries(shapes), size_of(shapes)))
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    agrees(bytes(content))


def agrees(content: bytes) -> None:
    """What neither refuses is the same to both."""
    try:
        ours = read(content)
        library: Any = deserialize(content)  # type: ignore[no-untyped-call]
    except (ModelError, SafetensorError):
        return
    theirs = {name: (one["dtype"], tuple(one["shape"])) for name, one in library}
    assert theirs == {name: (one.dtype, one.shape) for name, one in ours.items()}


def changed(name: str, **fields: object) -> dict[str, Any]:
    header = entries(PAIR)
    return header | {name: header[name] | fields}


ONCE = b'"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}'

UNTRUSTED = {
    "empty": (b"", "a file of 0 bytes"),
    "shorter than a length": (b"\x01\0\0", "a file of 3 bytes"),
    "a header beyond the file": (file_of(b"{}", 0, length=3), "a header of 3 bytes in a file of 10"),
    "the largest length": (file_of(b"{}", 0, length=2**64 - 1), f"a header of {2**64 - 1} bytes"),
    "a pickle": (b"\x80\x04\x95\x10\0\0\0\0\0\0\0}.", "a header of "),
    "no JSON": (file_of(b"{nothing", 0), "property name"),
    "no object": (file_of(b"[]", 0), "no JSON object"),
    "blanks first": (file_of(b" {}", 0), "no JSON object"),
    "not UTF-8": (file_of(b'{"\xff":1}', 0), "utf-8"),
    "nested without end": (file_of(b'{"a":' + b"[" * 50_000, 0), "nested without end"),
    "a name twice": (file_of(b"{%b,%b}" % (ONCE, ONCE), 1), '"a" twice'),
    "a long name": (file_of({"n" * 1000: 1}, 0), '"' + "n" * 80 + '…"'),
    "half a character": (file_of(b'{"\\ud800":1}', 0), "surrogates"),
    "metadata that is no text": (file_of({"__metadata__": {"a": 1}}, 0), "__metadata__"),
    "a key too many": (file_of(changed("a", file="x.bin"), 34), '"a" without'),
    "an unknown type": (file_of(changed("a", dtype="PICKLE"), 34), '"a" without'),
    "a length below zero": (file_of(changed("a", shape=[-2, -3]), 34), '"a" without'),
    "a length that is no number": (file_of(changed("a", shape=[True, 6]), 34), '"a" without'),
    "a number of many digits": (file_of(changed("a", shape=[10**4000]), 34), '"a" without'),
}
MISPLACED = {
    "the same bytes": (changed("b", shape=[12], data_offsets=[0, 24]), 24, '"b" on the bytes of "a"'),
    "a part of the same bytes": (changed("b", data_offsets=[23, 33]), 34, '"b" on the bytes of "a"'),
    "a hole": (changed("b", data_offsets=[26, 36]), 36, 'bytes before "b"'),
    "a hole at the beginning": ({"b": changed("b")["b"]}, 34, 'bytes before "b"'),
    "a tail": (entries(PAIR), 35, "bytes at the end"),
    "cut off": (entries(PAIR), 33, '"b" beyond the end'),
    "a place before its beginning": (changed("a", data_offsets=[24, 0]), 34, '"a" '),
    "a larger shape": (changed("a", shape=[3, 3]), 34, '"a" with more or fewer'),
    "a shape whose size overflows": (changed("a", shape=[2**62, 2**62, 6]), 34, '"a" with more or fewer'),
    "a type of another size": (changed("b", dtype="F32"), 34, '"b" with more or fewer'),
    "half a byte": (
        {"a": {"dtype": "F4", "shape": [3], "data_offsets": [0, 1]}},
        1,
        '"a" with more or fewer',
    ),
}


def test_the_file_that_the_cases_change_is_sound() -> None:
    first, second = StoredTensor("F32", (2, 3), 0, 24), StoredTensor("BF16", (5,), 24, 34)
    assert read(file_of(entries(PAIR), 34)) == {"a": first, "b": second}
    halves = {"a": {"dtype": "F4", "shape": [2, 3], "data_offsets": [0, 3]}}
    assert read(file_of(halves, 3))["a"].shape == (2, 3)


@pytest.mark.parametrize("case", UNTRUSTED)
def test_a_header_that_is_none_is_refused(case: str) -> None:
    content, got = UNTRUSTED[case]
    with pytest.raises(ModelError) as caught:
        read(content)
    assert (caught.value.code, caught.value.exit_status) == ("M045", 4)
    assert got in str(caught.value.got)
    assert "model.safetensors" in str(caught.value.where)
    assert caught.value.fix


@pytest.mark.parametrize("case", MISPLACED)
def test_tensors_that_do_not_fill_the_file_are_refused(case: str) -> None:
    header, size, got = MISPLACED[case]
    with pytest.raises(ModelError) as caught:
        read(file_of(header, size))
    assert caught.value.code == "M046"
    assert got in str(caught.value.got)
    assert caught.value.fix


def test_a_header_over_the_limit_is_not_even_read(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", LARGEST_HEADER + 1))
        file.truncate(8 + LARGEST_HEADER + 1)  # a hole, which takes no room on the disk
    with pytest.raises(ModelError, match=f"M045.*a header of {LARGEST_HEADER + 1} bytes"):
        read_header(path)


def test_files_that_belong_together_supply_each_tensor_once(tmp_path: Path) -> None:
    for name, tensor in {"1": "a", "2": "b", "3": "a"}.items():
        (tmp_path / name).write_bytes(file_of(entries({tensor: ("F32", (2,))}), 8))
    assert read_headers([tmp_path / "1", tmp_path / "2"]).keys() == {"a", "b"}
    with pytest.raises(ModelError, match=r'M046.*"a", which another file supplies too') as caught:
        read_headers([tmp_path / "1", tmp_path / "2", tmp_path / "3"])
    assert caught.value.where == str(tmp_path / "3")
