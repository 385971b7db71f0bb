"""From tree-sitter's nodes, which count bytes, to blocks, which count characters."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Mapping
from functools import partial

from tree_sitter import Node

from ...domain.chunking import Block, Definition
from ...domain.doc_comment import doc_description
from ...domain.document import first_paragraph
from .treesitter_grammar import BODY, DEFINES, LEADS, OPAQUE, WRAPS, Grammar

_PARAGRAPHS = 4
"""Simple statements are taken together up to this part of the maximum, which makes fewer pieces."""

_SIGNATURE = 200
"""Characters of a signature that are worth repeating above each part of a definition."""

_LATER_BYTE = re.compile(rb"[\x80-\xbf]")
"""Bytes of a character that are not its first."""

_NAME = 100
"""Characters of a name; those of generated code can be any length."""

_SEPARATOR = re.compile(r"::|:")
_PARAMETERS = re.compile(r"<[^<>]*>")


class Reader:
    """Reads one tree.

    Args:
        grammar: of the tree's language.
        roles: the parts that its nodes play, from ``Grammar.roles``.
        code: the text as UTF-8, which was parsed.
        text: the text.
        maximum: characters of the largest chunk.
    """

    def __init__(
        self, grammar: Grammar, roles: Mapping[int, int], code: bytes, text: str, maximum: int
    ) -> None:
        self._grammar = grammar
        self._roles = roles
        self._maximum = maximum
        self._text = text
        self._character = _characters(code, text)

    def blocks(self, root: Node) -> list[Block]:
        """The top of the tree."""
        return self._blocks(root.named_children, "", 0, None)

    def block(self, node: Node, definition: Definition | None = None) -> Block:
        """One node as a block, whatever it defines."""
        start, end = self._character(node.start_byte), self._character(node.end_byte)
        opened = partial(self._inside, node, "", definition, 0) if end - start > self._maximum else None
        return Block(start, end, definition, False, opened)

    def slice(self, node: Node) -> str:
        """The text of a node."""
        return self._between(node.start_byte, node.end_byte)

    def inside_quotes(self, string: Node) -> tuple[int, int]:
        """The first and the last character of a string between its quotes."""
        start, end = self._character(string.start_byte) + 1, self._character(string.end_byte) - 1
        return start, max(start, end)

    def characters(self, start: int, end: int) -> str:
        """The text between two characters."""
        return self._text[start:end]

    def _blocks(self, nodes: list[Node], scope: str, closed: int, known: Definition | None) -> list[Block]:
        """Nodes as blocks, the statements of a body in the body's place.

        Args:
            nodes: siblings.
            scope: the name of the definition they are in.
            closed: byte where what they are in ends, behind its brackets: these belong to the last of them.
            known: the definition among them, if it was read already as that of their wrapper.
        """
        role_of, character, maximum = self._roles.get, self._character, self._maximum
        paragraph = maximum // _PARAGRAPHS
        above = _Above(self._text) if self._grammar.docstring is None else None
        blocks: list[Block] = []
        pending = nodes[::-1]
        run_start = run_end = -1
        while pending:
            node = pending.pop()
            role = role_of(node.kind_id, 0)
            start, end = node.start_byte, node.end_byte
            if character is not int:
                start, end = character(start), character(end)
            if not role and end - start <= maximum:
                if above:
                    above.pass_by(end)
                if run_start >= 0 and end - run_start > paragraph:
                    blocks.append(Block(run_start, run_end))
                    run_start = -1
                run_start = start if run_start < 0 else run_start
                run_end = end
                continue
            if run_start >= 0:
                blocks.append(Block(run_start, run_end))
                run_start = -1
            if role & BODY and (inside := node.named_children):
                if above and inside[0].start_byte > node.start_byte:
                    above.pass_by(start + 1)
                pending += inside[::-1]
                continue
            definition = None
            if role & (DEFINES | WRAPS):
                comment = above.comment(start) if above else ""
                definition = known or self._definition(node, scope, comment, signed=end - start > maximum)
                known = None
            if above:
                above.lead(start, end) if role & LEADS else above.pass_by(end)
            opened = None
            if end - start > maximum and not role & OPAQUE:
                end = self._fitting_end(node, start, end) if definition else end
                opened = partial(self._inside, node, scope, definition, 0 if pending else closed)
            blocks.append(Block(start, end, definition, bool(role & LEADS), opened))
        if run_start >= 0:
            blocks.append(Block(run_start, run_end))
        if blocks and closed:
            blocks[-1] = self._closed(blocks[-1], character(closed))
        return blocks

    def _closed(self, last: Block, end: int) -> Block:
        """With the brackets behind it, where it fits with them."""
        if last.end < end <= last.start + self._maximum:
            return last._replace(end=end, leads=False)
        return last

    def _inside(self, node: Node, scope: str, definition: Definition | None, closed: int) -> list[Block]:
        known = definition if self._role(node) & WRAPS else None
        inner = definition.name if definition and not known else scope
        return self._blocks(node.named_children, inner, max(closed, node.end_byte), known)

    def _role(self, node: Node) -> int:
        return self._roles.get(node.kind_id, 0)

    def _definition(self, node: Node, scope: str, comment: str, *, signed: bool) -> Definition | None:
        """What a node defines, with its signature if it will be needed."""
        inner = self._unwrapped(node) if self._role(node) & WRAPS else node
        name = self._grammar.named(inner, self.slice) if inner else ""
        if not (inner and name):
            return None
        if not name.isidentifier():
            name = _plain_name(name)
        return Definition(
            kind=self._grammar.definitions[inner.type],
            name=f"{scope}.{name}" if scope else name,
            signature=self._signature(inner) if signed else "",
            description=self._description(inner, comment),
        )

    def _unwrapped(self, node: Node) -> Node | None:
        """What a wrapper is around, if it is a definition."""
        inner: Node | None = node
        while inner and self._role(inner) & WRAPS:
            children = inner.named_children
            inner = next((one for one in children if self._role(one) & (DEFINES | WRAPS)), None)
        return inner

    def _description(self, node: Node, comment: str) -> str:
        if self._grammar.docstring is None:
            return doc_description(comment) if comment else ""
        body = node.child_by_field_name("body")
        docstring = self._grammar.docstring(body) if body else None
        return first_paragraph(self._between(*docstring)) if docstring else ""

    def _signature(self, node: Node) -> str:
        body = self._body(node)
        if body:
            end = body.start_byte
            before = body.prev_named_sibling
            while before and before.start_byte > node.start_byte and self._role(before) & LEADS:
                end = before.start_byte
                before = before.prev_named_sibling
            written = self._between(node.start_byte, end)
        else:
            written = self.slice(node).partition("\n")[0]
        return " ".join(written[: 2 * _SIGNATURE].split())[:_SIGNATURE]

    def _body(self, node: Node) -> Node | None:
        for holder in (node, node.child_by_field_name("value"), node.child_by_field_name("right")):
            body = holder and holder.child_by_field_name("body")
            if body:
                return body
        return next((child for child in node.named_children if self._role(child) & BODY), None)

    def _fitting_end(self, node: Node, start: int, end: int) -> int:
        """Where its code ends, if a definition fits without the comments below its last statement."""
        last: Node | None = node
        while last:
            node = last
            count = node.child_count
            last = node.child(count - 1) if count else None
            while last and self._role(last) & LEADS:
                count -= 1
                last = node.child(count - 1) if count else None
        code_end = self._character(node.end_byte)
        return code_end if code_end - start <= self._maximum else end

    def _between(self, start: int, end: int) -> str:
        if self._character is int:
            return self._text[start:end]
        return self._text[self._character(start) : self._character(end)]


class _Above:
    """The comments and decorators right above a place, while siblings are read in order.

    A comment on the line of what is before it says nothing of what is below.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._start = -1
        self._end = 0

    def lead(self, start: int, end: int) -> None:
        """A comment."""
        if self._start < 0 or self._gap(start) > 1:
            fresh = not self._end or "\n" in self._text[self._end - 1 : start]
            self._start = start if fresh else -1
        self._end = end

    def pass_by(self, end: int) -> None:
        """Anything else."""
        self._start = -1
        self._end = end

    def comment(self, start: int) -> str:
        """What stands right above ``start``."""
        return self._text[self._start : self._end] if self._start >= 0 and self._gap(start) < 2 else ""

    def _gap(self, start: int) -> int:
        return self._text.count("\n", max(self._end - 1, 0), start)


def _plain_name(name: str) -> str:
    """With dots, on one line, without type parameters."""
    return " ".join(_SEPARATOR.sub(".", _PARAMETERS.sub("", name)).split())[:_NAME]


def _characters(code: bytes, text: str) -> Callable[[int], int]:
    """From a position in UTF-8 bytes to the position in characters."""
    if len(code) == len(text):
        return int
    more = [found.start() for found in _LATER_BYTE.finditer(code)]
    return lambda position: position - bisect_left(more, position)
