"""The fenced blocks of a Markdown page, and the commands in them.

A ``console`` block shows a session: commands follow ``$ ``, what they print stands without. A ``bash`` or
``sh`` block is commands alone. A line that ends in a backslash goes on in the next.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r'(?P<indent> *)```(?P<language>\w*)(?: title="(?P<file>[\w.-]+)")?')
SCRIPTS = ("bash", "sh")


@dataclass(frozen=True, slots=True)
class Block:
    """What stands between two fences.

    Attributes:
        line: of its first, counted from 1.
        file: that it is the content of, as its title says; empty, where it has none.
    """

    page: Path
    line: int
    language: str
    lines: tuple[str, ...]
    file: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """One command as it is typed, and where."""

    page: Path
    line: int
    text: str

    def words(self) -> list[list[str]]:
        """The words of each simple command, split at pipes and ``&&``; comments left out."""
        lexer = shlex.shlex(self.text, posix=True, punctuation_chars=True)
        parts: list[list[str]] = [[]]
        for word in lexer:
            if set(word) <= set("|&;"):
                parts.append([])
            else:
                parts[-1].append(word)
        return [part for part in parts if part]


def blocks(page: Path) -> Iterator[Block]:
    """Every fenced block of a page, in order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    number = 0
    while number < len(lines):
        opening = FENCE.match(lines[number])
        number += 1
        if opening is None:
            continue
        start = number
        while lines[number].strip() != "```":
            number += 1
        indent = len(opening["indent"])
        inside = tuple(line[indent:] for line in lines[start:number])
        yield Block(page, start + 1, opening["language"], inside, opening["file"] or "")
        number += 1


def commands(block: Block) -> Iterator[Command]:
    """The commands of a block; none, where it holds something else."""
    if block.language not in (*SCRIPTS, "console"):
        return
    ahead = iter(enumerate(block.lines, block.line))
    for number, line in ahead:
        text = line if block.language in SCRIPTS else line.removeprefix("$ ")
        if (
            not text.strip()
            or text.lstrip().startswith("#")
            or (block.language == "console" and text == line)
        ):
            continue
        while text.endswith("\\"):
            text = text[:-1] + next(ahead)[1].removeprefix("> ").lstrip()
        yield Command(block.page, number, text.strip())
