"""The blocks of a YAML text, as its indentation says."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial

from .chunking import Block

_LINE = re.compile(r"([ ]*)([^\r\n]*)(?:\r\n|\r|\n|\Z)")
_MARKS = ("---", "...")


@dataclass(slots=True)
class _Node:
    """A line with all that is indented deeper below it."""

    depth: int
    start: int
    end: int
    inside: list[Block] = field(default_factory=list)

    def block(self) -> Block:
        return Block(
            self.start, self.end, opened=partial(list, self.inside) if len(self.inside) > 1 else None
        )


def yaml_blocks(text: str) -> list[Block]:
    """A block for every line, with what is indented deeper, and for every comment.

    No parser is needed for that, and none is at hand that survives every file: tree-sitter's crashes at 254
    levels. What begins with a dash is inside the key above at the same indentation.
    """
    top = _Node(-2, 0, 0)
    nodes = [top]
    at = 0
    while at < len(text):
        found = _LINE.match(text, at)
        if found is None:
            break
        at = found.end()
        written = found[2].rstrip()
        if not written:
            continue
        start, end = found.start(2), found.start(2) + len(written)
        dash = written == "-" or written.startswith(("- ", "-\t"))
        depth = -1 if written[:3] in _MARKS else 2 * len(found[1]) + dash
        _close(nodes, depth)
        if written.startswith("#"):
            nodes[-1].inside.append(Block(start, end, leads=True))
            nodes[-1].end = end
        else:
            nodes.append(_Node(depth, start, end, [Block(start, end)]))
    _close(nodes, -1)
    return top.inside


def _close(nodes: list[_Node], depth: int) -> None:
    """Ends what does not reach to a line of this depth."""
    while nodes[-1].depth >= depth:
        node = nodes.pop()
        nodes[-1].inside.append(node.block())
        nodes[-1].end = node.end
