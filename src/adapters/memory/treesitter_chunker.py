"""Chunks along the syntax that tree-sitter sees; files of other languages are cut by lines."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata

from tree_sitter import Node, Parser

from ...domain.chunking import Block, cut
from ...domain.document import Chunk, SourceFile
from ...domain.markdown_sections import markdown_blocks
from ...domain.source_language import source_language
from ...domain.yaml_blocks import yaml_blocks
from .notebook_cells import Syntax, read_notebook
from .treesitter_grammar import Grammar
from .treesitter_languages import GRAMMARS
from .treesitter_reader import Reader

_VERSION = 2
"""Grows when the same file may give other chunks than before."""

_PARSED_BYTES = 2_000_000
"""Larger files are cut by lines: nobody wrote them by hand, and their trees take seconds and a gigabyte."""

_PLAIN: Mapping[str, Callable[[str], Sequence[Block]]] = {"markdown": markdown_blocks, "yaml": yaml_blocks}
"""What is seen without tree-sitter."""

_NO_SYNTAX = Syntax()


class TreeSitterChunker:
    """Implements ``Chunker``.

    A file with NUL characters is taken for binary. Binary files, files above 2 MB, files without a grammar
    and files that take too long are cut by lines.

    Args:
        max_characters: the most a chunk may have, at least 2. An embedder that reads 256 tokens sees 97 % of
            the code of a project in chunks of 900.
        parse_seconds: the most that a file may be parsed.
    """

    def __init__(self, max_characters: int = 900, parse_seconds: float = 3.0) -> None:
        self._maximum = max_characters
        self._seconds = parse_seconds
        self._parsers: dict[str, tuple[Parser, Mapping[int, int]] | None] = {}

    @property
    def fingerprint(self) -> str:
        """All that the chunks of a file depend on."""
        wheels = {grammar.module: grammar.version() for grammar in GRAMMARS.values()}
        versions = f"{metadata.version('tree-sitter')} {sorted(wheels.items())}"
        grammars = hashlib.sha256(versions.encode()).hexdigest()[:12]
        return f"chunker={_VERSION} maximum={self._maximum} grammars={grammars}"

    def chunk(self, source: SourceFile) -> tuple[Chunk, ...]:
        """Chunks that cover the file exactly, in order; none for an empty file."""
        text, codec = source.decoded()
        language = "binary" if "\0" in text else source_language(source.path, text)
        known = _NO_SYNTAX
        if len(source.content) <= _PARSED_BYTES:
            known = self._syntax(language, source.content if codec == "utf-8" else text.encode(), text)
        return cut(
            source,
            text,
            codec,
            blocks=known.blocks,
            maximum=self._maximum,
            language=known.language or language,
            readable=known.readable,
        )

    def _syntax(self, language: str, code: bytes, text: str) -> Syntax:
        """What the file's language lets be seen in it."""
        if language in _PLAIN:
            return Syntax(_PLAIN[language](text), language)
        grammar = GRAMMARS.get("json" if language == "notebook" else language)
        loaded = self._loaded(language, grammar) if grammar else None
        root = self._parsed(grammar, loaded[0], code) if grammar and loaded else None
        if not (grammar and loaded and root):
            return _NO_SYNTAX
        reader = Reader(grammar, loaded[1], code, text, self._maximum)
        notebook = read_notebook(root, reader) if language == "notebook" else None
        return notebook or Syntax(reader.blocks(root), grammar.name)

    def _parsed(self, grammar: Grammar, parser: Parser, code: bytes) -> Node | None:
        if grammar.outline:
            root = parsed_in_time(parser, grammar.outline(code, self._maximum), self._seconds)
            if root is None or not root.has_error:
                return root
        return parsed_in_time(parser, code, self._seconds)

    def _loaded(self, name: str, grammar: Grammar) -> tuple[Parser, Mapping[int, int]] | None:
        """A parser and the parts that nodes play; None without the grammar's wheel."""
        if name not in self._parsers:
            language = grammar.language()
            self._parsers[name] = (Parser(language), grammar.roles(language)) if language else None
        return self._parsers[name]


def parsed_in_time(parser: Parser, code: bytes, seconds: float) -> Node | None:
    """The root of the tree, or None when it took longer.

    Only a parser that asks for its input can be stopped: for bytes the library ignores the callback.
    """
    late = time.monotonic() + seconds
    try:
        tree = parser.parse(
            lambda start, _point: code[start : start + 65_536],
            encoding="utf8",
            progress_callback=lambda _position, _error: time.monotonic() > late,
        )
    except ValueError:
        parser.reset()
        return None
    return tree.root_node
