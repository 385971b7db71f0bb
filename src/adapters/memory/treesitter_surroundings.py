"""The class that a method is of, and what its file imports, as tree-sitter sees them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from tree_sitter import Node, Parser

from ...domain.document import Chunk, SourceFile
from ...domain.source_language import source_language
from ...domain.surroundings import excerpt
from .treesitter_chunker import parsed_in_time
from .treesitter_grammar import BODY, DEFINES, LEADS, OPAQUE, WRAPS, Grammar
from .treesitter_languages import GRAMMARS

_HEAD = 900
"""Characters of a class that are shown: as many as a chunk has."""

_LARGEST = 2_000_000
_DEEPEST = 3
"""How far below the top imports and types are looked for: ``if TYPE_CHECKING:``, a namespace."""

_IMPORTS: Mapping[str, str] = {
    "python": "import_statement import_from_statement future_import_statement",
    "javascript": "import_statement",
    "typescript": "import_statement import_alias",
    "tsx": "import_statement import_alias",
    "go": "import_declaration",
    "rust": "use_declaration extern_crate_declaration",
    "java": "import_declaration",
    "c": "preproc_include",
    "cpp": "preproc_include using_declaration",
    "csharp": "using_directive",
    "ruby": "call",
    "php": "namespace_use_declaration",
    "kotlin": "import",
    "swift": "import_declaration",
    "scala": "import_declaration",
    "lua": "variable_declaration",
    "bash": "command",
    "css": "import_statement",
}
"""Node types that import something, by language."""

_ONLY: Mapping[str, re.Pattern[str]] = {
    "ruby": re.compile(r"(?:require|require_relative|load)\b"),
    "lua": re.compile(r"local\s[^=\n]*=\s*require\b"),
    "bash": re.compile(r"(?:source|\.)\s"),
}
"""What the text of such a node must begin with, where the type is that of other things too."""


class TreeSitterSurroundings:
    """Implements ``Surroundings``. A file that takes longer to parse has none.

    Args:
        parse_seconds: the most that a file may be parsed.
    """

    def __init__(self, parse_seconds: float = 1.0) -> None:
        self._seconds = parse_seconds

    def around(self, source: SourceFile, chunk: Chunk, wanted: Collection[str]) -> tuple[Chunk, ...]:
        """See the port."""
        text, codec = source.decoded()
        language = source_language(source.path, text)
        grammar = GRAMMARS.get(language)
        known = grammar.language() if grammar else None
        if not (grammar and known) or chunk.language == "binary" or len(source.content) > _LARGEST:
            return ()
        code = text.encode()
        root = parsed_in_time(Parser(known), code, self._seconds)
        if root is None:
            return ()
        first = len(source.content[: chunk.start].decode(codec))
        first += len(chunk.text) - len(chunk.text.lstrip())
        at = len(text[:first].encode())
        seen = _Seen(grammar, grammar.roles(known), code, root)
        spans: list[tuple[int, int, str, str]] = []
        if "class" in wanted:
            spans += [(start, end, "class", name) for start, end, name in seen.class_of(at, chunk.name)]
        if "imports" in wanted:
            spans += [(start, end, "imports", "") for start, end in seen.imports(language)]
        beside: list[Chunk] = []
        for start, end, kind, name in spans:
            before, inside = (len(code[:place].decode()) for place in (start, end))
            found = excerpt(source, before, inside, grammar.name, kind, name)
            if found.end <= chunk.start or found.start >= chunk.end:
                beside.append(found)
        return tuple(beside)


class _Seen:
    """One tree; all places are bytes of its code."""

    def __init__(self, grammar: Grammar, roles: Mapping[int, int], code: bytes, root: Node) -> None:
        self._grammar = grammar
        self._roles = roles
        self._code = code
        self._root = root

    def class_of(self, at: int, name: str) -> Iterator[tuple[int, int, str]]:
        """Where the class begins that a method is in; of one it is only said to be of, as in Go, all of it.

        Args:
            at: where the method begins.
            name: the method's, qualified.
        """
        around = self._enclosing(at)
        owner = name.partition(",")[0].rpartition(".")[0].rpartition(".")[2]
        if owner and (around is None or around.type == "impl_item"):
            stated = next((one for one in self._shallow(DEFINES) if self._is_class(one, owner)), None)
            if stated is not None:
                yield (*self._span(stated, stated.end_byte), self._name(stated))
                return
        if around is not None:
            yield (*self._span(around, self._head_end(around)), self._name(around))

    def imports(self, language: str) -> list[tuple[int, int]]:
        """Where something is imported; neighbours with nothing but space between them are one."""
        types, only = _IMPORTS.get(language, "").split(), _ONLY.get(language)
        spans: list[tuple[int, int]] = []
        for node in self._shallow(0):
            if node.type not in types or (only and not only.match(self._text(node))):
                continue
            if spans and not self._code[spans[-1][1] : node.start_byte].strip(b" \t\r\n\f;"):
                spans[-1] = (spans[-1][0], node.end_byte)
            else:
                spans.append((node.start_byte, node.end_byte))
        return spans

    def _enclosing(self, at: int) -> Node | None:
        node = self._root.descendant_for_byte_range(at, at)
        while node is not None and not (node.start_byte < at and self._is_class(node, "")):
            node = node.parent
        return node

    def _shallow(self, role: int) -> Iterator[Node]:
        """Nodes near the top, in order, that play a part; with 0 all that nothing is defined in."""
        pending = [(child, 1) for child in reversed(self._root.named_children)]
        while pending:
            node, depth = pending.pop()
            its = self._role(node)
            if not role or its & role:
                yield node
            is_open = not its & OPAQUE and (role or not its & (DEFINES | WRAPS))
            if is_open and depth < _DEEPEST:
                pending += [(child, depth + 1) for child in reversed(node.named_children)]

    def _is_class(self, node: Node, name: str) -> bool:
        """Whether it defines a class, of this name where one is given."""
        if self._grammar.definitions.get(node.type) != "class":
            return False
        own = self._name(node)
        return own == name if name else bool(own)

    def _name(self, node: Node) -> str:
        return self._grammar.named(node, self._text)

    def _span(self, node: Node, end: int) -> tuple[int, int]:
        """From what stands right above a definition to ``end``, as many lines as are shown."""
        while (parent := node.parent) is not None and self._role(parent) & WRAPS:
            node = parent
        start, above = node.start_byte, node.prev_named_sibling
        while above is not None and self._role(above) & LEADS and self._is_right_above(above, start):
            start, above = above.start_byte, above.prev_named_sibling
        if end - start > _HEAD:
            start = node.start_byte
        if end - start > _HEAD:
            end = max(self._code.rfind(b"\n", start, start + _HEAD), self._line_end(start))
        return start, end

    def _is_right_above(self, lead: Node, start: int) -> bool:
        line = self._code.rfind(b"\n", 0, lead.start_byte) + 1
        alone = not self._code[line : lead.start_byte].strip()
        return alone and self._code.count(b"\n", max(lead.end_byte - 1, 0), start) < 2

    def _head_end(self, node: Node) -> int:
        """Where the signature ends, or the docstring below it."""
        body = node.child_by_field_name("body")
        body = body or next((child for child in node.named_children if self._role(child) & BODY), None)
        if body is None:
            return self._line_end(node.start_byte)
        docstring = self._grammar.docstring(body) if self._grammar.docstring else None
        if docstring is not None:
            return docstring[1] + 1
        if self._code[body.start_byte : body.start_byte + 1] == b"{":
            return body.start_byte + 1
        end, before = body.start_byte, body.prev_named_sibling
        while before is not None and self._role(before) & LEADS:
            end, before = before.start_byte, before.prev_named_sibling
        return node.start_byte + len(self._code[node.start_byte : end].rstrip())

    def _line_end(self, start: int) -> int:
        end = self._code.find(b"\n", start)
        return len(self._code) if end < 0 else end

    def _role(self, node: Node) -> int:
        return self._roles.get(node.kind_id, 0)

    def _text(self, node: Node) -> str:
        return self._code[node.start_byte : node.end_byte].decode("utf-8", "replace")
