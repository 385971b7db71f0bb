"""Texts as tokens: up to what a model reads, and never one of its marks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Encoding, Tokenizer

from .model_folder import encodable, first_line

_CHARACTERS = 16
"""So many a token, at most, are looked at: a megabyte on one line would take a second."""


class TextTokens:
    """A tokenizer of a model's own, which cuts what is too long and fills nothing up.

    ``[SEP]`` in a text is text. A text that is longer than the model reads is cut there, and counted. Chunks
    begin with their name and their signature, and where the rest was read as well, in windows whose vectors
    were averaged, the right chunk was found no more often.

    Args:
        tokenizer: which is copied.
        maximum: how many tokens the model reads, its own marks included.
    """

    def __init__(self, tokenizer: Tokenizer, maximum: int) -> None:
        copy = Tokenizer.from_str(tokenizer.to_str())
        copy.no_padding()
        copy.enable_truncation(maximum)
        copy.encode_special_tokens = True
        self._tokenizer = copy
        self._characters = maximum * _CHARACTERS

    def read(self, texts: Sequence[str]) -> list[Encoding]:
        """Each text's tokens; ``overflowing`` holds those that are not read."""
        encodings: list[Encoding] = self._tokenizer.encode_batch([self._cut(text) for text in texts])
        return encodings

    def read_pairs(self, query: str, texts: Sequence[str]) -> list[Encoding]:
        """The tokens of a question beside each text; the longer one is cut first."""
        asked = self._cut(query)
        encodings: list[Encoding] = self._tokenizer.encode_batch([(asked, self._cut(text)) for text in texts])
        return encodings

    def _cut(self, text: str) -> str:
        return encodable(text[: self._characters])


def folder_tokens(folder: Path, maximum: int) -> TextTokens:
    """The tokenizer of a model's folder.

    Raises:
        ValueError: there is none, or it is broken.
    """
    try:
        return TextTokens(Tokenizer.from_file(str(folder / "tokenizer.json")), maximum)
    except Exception as cause:  # the library has no class of its own
        raise ValueError(f"tokenizer.json: {first_line(cause)}") from cause


def overlong(encodings: Sequence[Encoding]) -> int:
    """How many texts were cut."""
    return sum(bool(encoding.overflowing) for encoding in encodings)
