"""What the chunker must know of a language: its node types, by the part they play."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module, metadata

from tree_sitter import Language, Node

DEFINES, WRAPS, LEADS, BODY, OPAQUE = 1, 2, 4, 8, 16
"""Parts that a node can play, as bits."""

TextOf = Callable[[Node], str]
"""The text of a node."""


def field_name(node: Node, text: TextOf) -> str:
    """The text of the field ``name``."""
    name = node.child_by_field_name("name")
    return text(name) if name else ""


@dataclass(frozen=True, slots=True)
class Grammar:
    """A language of tree-sitter, which comes inside a wheel and is never fetched, and its node types.

    Attributes:
        name: for the chunks to carry.
        module: of the wheel, which is imported at the first file of the language.
        function: of that module, that gives the language.
        definitions: what defines something, with its kind.
        wrappers: what stands around a definition and belongs to it: decorators, ``export``, ``template``.
        leads: what belongs to whatever stands below it.
        bodies: what only holds the statements of its parent.
        opaque: what is as well cut by lines, because no definition can be inside.
        named: the name of what a node defines; empty if it defines nothing after all.
        docstring: where a body says what it is for, as first and last byte, for languages that do not say it
            in the comment above.
        outline: as many bytes with less to parse, and the same chunks of at most so many characters. One with
            syntax errors is not to be used.
    """

    name: str
    module: str
    definitions: Mapping[str, str]
    leads: frozenset[str] = frozenset({"comment"})
    wrappers: frozenset[str] = frozenset()
    bodies: frozenset[str] = frozenset()
    opaque: frozenset[str] = frozenset()
    function: str = "language"
    named: Callable[[Node, TextOf], str] = field_name
    docstring: Callable[[Node], tuple[int, int] | None] | None = None
    outline: Callable[[bytes, int], bytes] | None = None

    def language(self) -> Language | None:
        """The language; None where its wheel is not installed or made for another tree-sitter."""
        try:
            return Language(getattr(import_module(self.module), self.function)())
        except (ImportError, AttributeError, ValueError):
            return None

    def roles(self, language: Language) -> Mapping[int, int]:
        """The parts that nodes play, by the number of their type: numbers are compared faster than names."""
        sets = (self.definitions, self.wrappers, self.leads, self.bodies, self.opaque)
        bits = (DEFINES, WRAPS, LEADS, BODY, OPAQUE)
        names = [(number, language.node_kind_for_id(number)) for number in range(language.node_kind_count)]
        parts = {
            number: sum(bit for bit, types in zip(bits, sets, strict=True) if name in types)
            for number, name in names
        }
        return {number: part for number, part in parts.items() if part}

    def version(self) -> str:
        """Of the wheel; ``none`` where it is not installed."""
        try:
            return metadata.version(self.module.replace("_", "-"))
        except metadata.PackageNotFoundError:
            return "none"
