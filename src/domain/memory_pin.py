"""What a run pins of the memory that it is answered from, as its identity has it."""

from __future__ import annotations

import re
from dataclasses import dataclass

FORM = 3
"""Of what is put into prompts: raised whenever the same memory begins to give another text."""

WRITTEN_OTHERWISE = "passages are chosen and written otherwise than by the cesello that began the run"

_PINNED = re.compile(r"(?P<files>\d+) files; (form (?P<form>\d+); )?[0-9a-f]{16}(?P<rest>|, .+)")


@dataclass(frozen=True, slots=True)
class MemoryPin:
    """The state of a memory that answers depend on.

    Attributes:
        generation: grows with every change, also with one that is taken back: it is told, never compared.
        digest: of the files, of what made the vectors, and of how it is asked; 16 hexadecimal digits.
    """

    generation: int
    files: int
    digest: str

    @property
    def identity(self) -> str:
        """What is the same for as long as the answers are."""
        return f"{self.files} files; form {FORM}; {self.digest}"

    def __str__(self) -> str:
        return f"generation {self.generation}, {self.identity}"


def written_otherwise(stored: str | None, now: str | None) -> bool:
    """Whether two identities differ by their form, and in nothing that can be told beside it.

    Nobody knows then whether the memory has changed: the digests differ in any case. Form 1 is not named.
    """
    before, after = _PINNED.fullmatch(stored or ""), _PINNED.fullmatch(now or "")
    if before is None or after is None or (before["form"] or "1") == (after["form"] or "1"):
        return False
    return (before["files"], before["rest"]) == (after["files"], after["rest"])
