"""The sections of a Markdown text, one in another as their headings say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from .chunking import Block, Definition
from .document import one_line

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))??(?:[ \t]+#+)?[ \t]*$")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_FENCE = re.compile(r"[ \t]*(`{3,}(?=[^`]*$)|~{3,})")
_NO_PARAGRAPH = re.compile(r" {0,3}(?:[-+*>|]|\d+[.)])|\t| {4}")
_FRONT = re.compile(
    r"\ufeff?---[ \t]*(?:\r\n|\r|\n)(?:.*?(?:\r\n|\r|\n))??(?:---|\.\.\.)[ \t]*(?=[\r\n]|\Z)", re.DOTALL
)
_TITLE = 100
"""Characters of a heading that are repeated in the names of what is below it."""


class _Part(NamedTuple):
    """A heading (level 1 to 6), or anything else between blank lines (level 0), without its last line end."""

    start: int
    end: int
    level: int = 0
    title: str = ""


@dataclass(slots=True)
class _Section:
    """A section whose end is not reached."""

    start: int
    level: int
    definition: Definition | None
    inside: list[Block] = field(default_factory=list)

    def block(self, end: int) -> Block:
        return Block(self.start, end, self.definition, False, partial(list, self.inside))


def markdown_blocks(text: str) -> list[Block]:
    """Sections as definitions that are called by the path of their headings, and what is before the first.

    Fenced code and front matter are blocks that cannot be opened; inside them nothing is a heading.
    """
    open_sections = [_Section(0, 0, None)]
    end = 0
    for part in _parts(text):
        if part.level:
            while open_sections[-1].level >= part.level:
                closed = open_sections.pop()
                open_sections[-1].inside.append(closed.block(end))
            open_sections.append(_Section(part.start, part.level, _definition(open_sections[-1], part)))
        open_sections[-1].inside.append(Block(part.start, part.end))
        end = part.end
    while len(open_sections) > 1:
        closed = open_sections.pop()
        open_sections[-1].inside.append(closed.block(end))
    return open_sections[0].inside


def headings(text: str) -> Iterator[tuple[int, str]]:
    """Level and title of every heading, in order."""
    return ((part.level, one_line(part.title)[:_TITLE]) for part in _parts(text) if part.level)


def _definition(outer: _Section, part: _Part) -> Definition:
    title = one_line(part.title)[:_TITLE]
    path = f"{outer.definition.name} > {title}" if outer.definition else title
    return Definition("section", path, f"{'#' * part.level} {title}")


def _parts(text: str) -> Iterator[_Part]:
    front = _FRONT.match(text)
    first = front.end() if front else 0
    if first:
        yield _Part(0, first)
    start, fence = -1, ""
    end = first
    for found in _LINE.finditer(text, first):
        line = found[0].rstrip("\r\n")
        at, stop = found.start(), found.start() + len(line)
        if fence:
            end = stop
            if line.strip() and set(line.strip()) == {fence[0]} and len(line.strip()) >= len(fence):
                yield _Part(start, end)
                start, fence = -1, ""
            continue
        heading, opening = _HEADING.match(line), _FENCE.match(line)
        underline = _UNDERLINE.match(line) if start >= 0 else None
        if underline and not _NO_PARAGRAPH.match(text, start):
            yield _Part(start, stop, 1 if underline[1][0] == "=" else 2, text[start:end])
            start = -1
        elif heading or opening or not line.strip():
            if start >= 0:
                yield _Part(start, end)
            start = at if opening else -1
            fence = opening[1] if opening else ""
            if heading:
                yield _Part(at, stop, len(heading[1]), heading[2] or "")
        elif start < 0:
            start = at
        end = stop
    if start >= 0:
        yield _Part(start, end)
