"""Chunks along the syntax that tree-sitter sees; files of other languages are cut by lines."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import PurePosixPath

import tree_sitter_python
from tree_sitter import Language, Node, Parser

from ...domain.chunking import Block, Definition, cut
from ...domain.document import Chunk, SourceFile, first_paragraph

_PARSED_BYTES = 2_000_000
"""Larger files are cut by lines: nobody wrote them by hand, and their trees take seconds and a gigabyte."""

_SIGNATURE = 200
"""Characters of a signature that are worth repeating above each part of a definition."""

_STARTS_CHARACTER = bytes(byte & 0xC0 != 0x80 for byte in range(256))


@dataclass(frozen=True, slots=True)
class Grammar:
    """What the chunker must know of a language: its node types, by the part they play.

    Attributes:
        name: for the chunks to carry.
        language: the tree-sitter language, which comes inside a wheel and is never fetched.
        definitions: what defines something under the fields ``name`` and ``body``, with its kind.
        wrappers: what stands around a definition, with the field the definition is under.
        leads: what belongs to whatever stands below it.
        bodies: what only holds the statements of its parent.
        opaque: what is as well cut by lines, because no definition can be inside.
        docstring: the characters of a body that say what it does, as first and last byte, if there are any.
    """

    name: str
    language: Callable[[], object]
    definitions: Mapping[str, str]
    wrappers: Mapping[str, str]
    leads: frozenset[str]
    bodies: frozenset[str]
    opaque: frozenset[str]
    docstring: Callable[[Node], tuple[int, int] | None]


def _python_docstring(body: Node) -> tuple[int, int] | None:
    statement = body.named_child(0) if body.named_child_count else None
    if statement is None or statement.type != "expression_statement":
        return None
    string = statement.named_child(0) if statement.named_child_count else None
    if string is None or string.type != "string":
        return None
    quotes = string.children
    return quotes[0].end_byte, quotes[-1].start_byte


_PYTHON = Grammar(
    name="python",
    language=tree_sitter_python.language,
    definitions={"function_definition": "function", "class_definition": "class"},
    wrappers={"decorated_definition": "definition"},
    leads=frozenset({"comment", "decorator"}),
    bodies=frozenset({"block"}),
    opaque=frozenset({"comment", "string", "concatenated_string", "dictionary", "list", "set", "tuple"}),
    docstring=_python_docstring,
)

_GRAMMARS: Mapping[str, Grammar] = {".py": _PYTHON, ".pyi": _PYTHON, ".pyw": _PYTHON}


class TreeSitterChunker:
    """Implements ``Chunker``.

    A file with NUL characters is taken for binary. Binary files, files above 2 MB and files without a
    grammar are cut by lines.

    Args:
        max_characters: the most a chunk may have, at least 2. An embedder that reads 256 tokens sees 97 % of
            the code of a project in chunks of 900.
    """

    def __init__(self, max_characters: int = 900) -> None:
        self._maximum = max_characters
        self._parsers: dict[str, Parser] = {}

    def chunk(self, source: SourceFile) -> tuple[Chunk, ...]:
        """Chunks that cover the file exactly, in order; none for an empty file."""
        text, codec = source.decoded()
        suffix = PurePosixPath(source.path).suffix.lower()
        grammar = _GRAMMARS.get(suffix)
        language = grammar.name if grammar else suffix[1:] or "text"
        blocks: Sequence[Block] = ()
        if "\0" in text:
            language = "binary"
        elif grammar and len(source.content) <= _PARSED_BYTES:
            code = source.content if codec == "utf-8" else text.encode()
            root = self._parser(grammar).parse(code).root_node
            blocks = _Reader(grammar, code, text, self._maximum).blocks(root.named_children)
        return cut(source, text, codec, blocks=blocks, maximum=self._maximum, language=language)

    def _parser(self, grammar: Grammar) -> Parser:
        if grammar.name not in self._parsers:
            self._parsers[grammar.name] = Parser(Language(grammar.language()))
        return self._parsers[grammar.name]


class _Reader:
    """Turns nodes, which count bytes, into blocks, which count characters."""

    def __init__(self, grammar: Grammar, code: bytes, text: str, maximum: int) -> None:
        self._grammar = grammar
        self._maximum = maximum
        self._text = text
        self._character = _characters(code, text)

    def blocks(self, nodes: list[Node], scope: str = "") -> list[Block]:
        """The nodes as blocks, the statements of a body in the body's place."""
        grammar, character = self._grammar, self._character
        blocks: list[Block] = []
        pending = nodes[::-1]
        while pending:
            node = pending.pop()
            kind = node.type
            if kind in grammar.bodies:
                pending += node.named_children[::-1]
                continue
            defines = kind in grammar.definitions or kind in grammar.wrappers
            definition = self._definition(node, scope) if defines else None
            opened = None if kind in grammar.opaque else partial(self._inside, node, scope, definition)
            start, end = character(node.start_byte), character(node.end_byte)
            if definition and end - start > self._maximum:
                end = self._fitting_end(node, start, end)
            blocks.append(Block(start, end, definition, kind in grammar.leads, opened))
        return blocks

    def _inside(self, node: Node, scope: str, definition: Definition | None) -> list[Block]:
        enters = definition and node.type in self._grammar.definitions
        return self.blocks(node.named_children, definition.name if definition and enters else scope)

    def _definition(self, node: Node, scope: str) -> Definition | None:
        wrapped = self._grammar.wrappers.get(node.type)
        inner = node.child_by_field_name(wrapped) if wrapped else node
        name = inner and inner.child_by_field_name("name")
        body = inner and inner.child_by_field_name("body")
        if not (inner and name and body):
            return None
        own_name = self._slice(name.start_byte, name.end_byte)
        docstring = self._grammar.docstring(body)
        return Definition(
            kind=self._grammar.definitions[inner.type],
            name=f"{scope}.{own_name}" if scope else own_name,
            signature=" ".join(self._slice(inner.start_byte, body.start_byte).split())[:_SIGNATURE],
            description=first_paragraph(self._slice(*docstring)) if docstring else "",
        )

    def _fitting_end(self, node: Node, start: int, end: int) -> int:
        """Where its code ends, if a definition fits without the comments below its last statement."""
        code = [node]
        while code:
            node = code[-1]
            code = [child for child in node.children if child.type not in self._grammar.leads]
        code_end = self._character(node.end_byte)
        return code_end if code_end - start <= self._maximum else end

    def _slice(self, start: int, end: int) -> str:
        return self._text[self._character(start) : self._character(end)]


def _characters(code: bytes, text: str) -> Callable[[int], int]:
    """From a position in UTF-8 bytes to the position in characters."""
    if len(code) == len(text):
        return int
    return array("L", accumulate(code.translate(_STARTS_CHARACTER), initial=0)).__getitem__
