from __future__ import annotations

from hashlib import sha256

import pytest

from cesello.domain.context import write_context
from cesello.domain.document import Chunk
from cesello.domain.memory_pin import FORM, MemoryPin, written_otherwise
from cesello.domain.retrieval import Passage

DIGEST, OTHER = "0123456789abcdef", "fedcba9876543210"


def test_a_pin_names_its_form_and_not_its_generation() -> None:
    pin = MemoryPin(7, 3, DIGEST)
    assert pin.identity == f"3 files; form {FORM}; {DIGEST}"
    assert str(pin) == f"generation 7, {pin.identity}"
    assert not written_otherwise(pin.identity, MemoryPin(9, 3, OTHER).identity)


@pytest.mark.parametrize("rest", ["", ", 0.2 held out"])
def test_another_form_is_told_from_another_memory(rest: str) -> None:
    now = f"3 files; form {FORM}; {OTHER}{rest}"
    assert written_otherwise(f"3 files; {DIGEST}{rest}", now)
    assert written_otherwise(f"3 files; form {FORM + 1}; {DIGEST}{rest}", now)
    assert not written_otherwise(f"3 files; form {FORM}; {DIGEST}{rest}", now)


@pytest.mark.parametrize(
    "stored",
    [f"2 files; {DIGEST}", f"3 files; {DIGEST}, 0.2 held out", "3 files", "nothing is remembered", "", None],
)
def test_what_differs_otherwise_is_not_put_on_the_form(stored: str | None) -> None:
    assert not written_otherwise(stored, f"3 files; form {FORM}; {OTHER}")


def test_a_form_is_of_one_way_of_writing() -> None:
    """Where this fails, contexts are written otherwise: raise the form with the digest."""
    lines = "".join(f"line {number}\n" for number in range(1, 7))
    chunks = [
        Chunk(f"{name}.md", 0, len(lines), 1, 6, lines, language="md", kind="section", name=name)
        for name in "abcde"
    ]
    text = write_context([Passage(chunk, 0.5) for chunk in chunks], "ab" * 8, tokens=200).text
    assert (FORM, sha256(text.encode()).hexdigest()[:16]) == (3, "77704352299ca06a")
