"""Special tokens inside the data: their names stay text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from .chat_template import Turn, mapped

BLOCKS = (0x10F000, 0xF0000, 0xE000)
"""Where characters for private use are looked for that a text does not have, the rarest first."""


@dataclass(frozen=True, slots=True)
class Guarded:
    """Turns and tools in which the names of special tokens are broken.

    Attributes:
        marks: what each mark in the texts stands for; empty where nothing had to be broken.
    """

    turns: Sequence[Turn]
    tools: Sequence[Turn] | None
    marks: Mapping[str, str]


class ControlTokens:
    """Breaks the names of special tokens in data by a mark in the place of their first character.

    A text keeps its length. The mark is one character for private use, so that a tokenizer gives it tokens
    of its own; those are then exchanged for the tokens of the character it stands for.

    Tokens that a tokenizer adds to its vocabulary without calling them special, as ``<think>`` and
    ``<tool_call>``, belong to what a model writes: they are left in the text of an answer, and broken
    everywhere else where they look like a mark-up of turns or where the chat template writes them.

    Attributes:
        special: matches the name of any special token.
        firsts: every character that a mark may stand for.
    """

    def __init__(self, tokenizer: Any, template: str) -> None:
        added = tokenizer.added_tokens_decoder.values()
        special = {token.content for token in added if token.special} | set(tokenizer.all_special_tokens)
        control = special | {token.content for token in added if _is_markup(token.content, template)}
        self.special = _any_of(special)
        self._control = _any_of(control)
        self.firsts = "".join(sorted({name[0] for name in control}))

    def guarded(self, turns: Sequence[Turn], tools: Sequence[Turn] | None, block: int) -> Guarded:
        """The same turns and tools with every name broken; ``block`` is where marks are looked for."""
        texts = "\n".join(chain(_strings(turns), _strings(tools)))
        if not self._control.search(texts):
            return Guarded(turns, tools, {})
        marks = self._marks(texts, block)
        table = {character: mark for mark, character in marks.items()}

        def broken(pattern: re.Pattern[str], value: Any) -> Any:
            return mapped(value, lambda text: pattern.sub(lambda name: table[name[0][0]] + name[0][1:], text))

        new_turns = [
            {key: broken(self._pattern(turn, key), value) for key, value in turn.items()} for turn in turns
        ]
        return Guarded(new_turns, broken(self._control, tools), marks)

    def _marks(self, texts: str, block: int) -> dict[str, str]:
        width = len(self.firsts)
        start = next(
            start
            for start in range(block, block + 0x800, width)
            if not any(chr(start + offset) in texts for offset in range(width))
        )
        return {chr(start + offset): character for offset, character in enumerate(self.firsts)}

    def _pattern(self, turn: Turn, key: str) -> re.Pattern[str]:
        return self.special if key == "content" and turn["role"] == "assistant" else self._control


def _is_markup(name: str, template: str) -> bool:
    return len(name.strip()) > 1 and (name in template or re.fullmatch(r"<[|｜].*[|｜]>", name) is not None)


def _any_of(names: set[str]) -> re.Pattern[str]:
    """Matches the longest of the names; nothing where there are none."""
    longest_first = sorted(filter(None, names), key=lambda name: (-len(name), name))
    return re.compile("|".join(map(re.escape, longest_first)) or "(?!)")


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _strings(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _strings(item)
