"""The cells of a notebook, as blocks of the JSON file that it is."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from tree_sitter import Node

from ...domain.chunking import Block, Definition
from ...domain.markdown_sections import headings
from .treesitter_reader import Reader

_ESCAPE = re.compile(r"(?:\\u[0-9a-fA-F]{4})+|\\[^u]")


class Syntax(NamedTuple):
    """What is seen in a file.

    Attributes:
        blocks: its top, in order; none for a file that is cut by lines.
        language: the one that it turns out to be; empty where its name says it.
        readable: for ``cut``.
    """

    blocks: Sequence[Block] = ()
    language: str = ""
    readable: Callable[[int, int], str] | None = None


class _Source(NamedTuple):
    """A line of a cell, or all of them: the characters of the file between its quotes."""

    start: int
    end: int
    cell: int


def read_notebook(root: Node, reader: Reader) -> Syntax | None:
    """The notebook whose JSON was parsed; None if it is none."""
    members = _members(root.named_child(0) if root.named_child_count else None, reader)
    cells = members.get("cells")
    if cells is None or cells.type != "array":
        return None
    blocks: list[Block] = []
    sources: list[_Source] = []
    path: list[tuple[int, str]] = []
    for member in members.values():
        if member.id != cells.id:
            blocks.append(reader.block(member.parent or member))
            continue
        for number, cell in enumerate(cells.named_children, start=1):
            parts = _members(cell, reader)
            written = [_Source(*reader.inside_quotes(one), number) for one in _strings(parts.get("source"))]
            sources += written
            markdown = "cell_type" in parts and reader.slice(parts["cell_type"]) == '"markdown"'
            if markdown:
                path = _under(path, _readable(written, reader, 0, written[-1].end if written else 0))
            blocks.append(reader.block(cell, _definition(path, number, markdown=markdown)))
    return Syntax(blocks, _language(members, reader), partial(_readable, sources, reader))


def _definition(path: Sequence[tuple[int, str]], number: int, *, markdown: bool) -> Definition:
    titles = [title for _, title in path]
    if markdown and titles:
        return Definition("section", " > ".join(titles))
    return Definition("section" if markdown else "module", " > ".join([*titles, f"cell {number}"]))


def _under(path: list[tuple[int, str]], text: str) -> list[tuple[int, str]]:
    """The headings that are open at the end of a text, if ``path`` was at its beginning."""
    for level, title in headings(text):
        path = [*((outer, name) for outer, name in path if outer < level), (level, title)]
    return path


def _members(node: Node | None, reader: Reader) -> Mapping[str, Node]:
    """The values of an object."""
    members: dict[str, Node] = {}
    for pair in node.named_children if node and node.type == "object" else ():
        key, value = pair.child_by_field_name("key"), pair.child_by_field_name("value")
        if key and value:
            members[reader.slice(key).strip('"')] = value
    return members


def _strings(node: Node | None) -> list[Node]:
    """Source is a list of lines, or one string."""
    if node is None:
        return []
    return [one for one in ([node] if node.type == "string" else node.named_children) if one.type == "string"]


def _language(members: Mapping[str, Node], reader: Reader) -> str:
    metadata = _members(members.get("metadata"), reader)
    for place, key in (("language_info", "name"), ("kernelspec", "language")):
        named = _members(metadata.get(place), reader).get(key)
        if named and named.type == "string":
            return reader.slice(named).strip('"').lower() or "python"
    return "python"


def _readable(sources: Sequence[_Source], reader: Reader, start: int, end: int) -> str:
    """Cells with an empty line between them."""
    first = bisect_right(sources, start, key=lambda source: source.end)
    lines: list[str] = []
    cell = 0
    for source in sources[first:]:
        if source.start >= end:
            break
        if lines and source.cell != cell:
            lines.append("\n" if lines[-1].endswith("\n") else "\n\n")
        cell = source.cell
        lines.append(_unescaped(reader.characters(max(source.start, start), min(source.end, end))))
    return "".join(lines)


def _unescaped(inside: str) -> str:
    """What JSON means by the characters between two quotes, or by some of them: nothing here can fail."""
    plain = _ESCAPE.sub(_character, inside)
    return plain.encode("utf-8", "replace").decode()


def _character(escape: re.Match[str]) -> str:
    try:
        return str(json.loads(f'"{escape[0]}"'))
    except ValueError:
        return escape[0]
