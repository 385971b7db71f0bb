"""What the chunker does without time, without a grammar, and with less to parse."""

from __future__ import annotations

import random
import sysconfig
from pathlib import Path

import pytest
from tree_sitter import Parser

from cesello.adapters.memory.treesitter_chunker import TreeSitterChunker
from cesello.adapters.memory.treesitter_grammar import Grammar
from cesello.adapters.memory.treesitter_languages import GRAMMARS
from cesello.adapters.memory.treesitter_reader import Reader
from cesello.domain.chunking import cut
from cesello.domain.document import Chunk, SourceFile

CODE = b"def f():\n    return 1\n\n\n" * 400


def stdlib_sample(number: int) -> list[SourceFile]:
    root = Path(sysconfig.get_path("stdlib"))
    files = sorted(file for file in root.rglob("*.py") if "site-packages" not in file.parts)
    chosen = random.Random(11).sample(files, number)
    return [SourceFile(file.relative_to(root).as_posix(), file.read_bytes()) for file in chosen]


def chunks_of_all_code(source: SourceFile, maximum: int) -> tuple[Chunk, ...]:
    """Chunks of a Python file that was parsed as it is."""
    grammar = GRAMMARS["python"]
    language = grammar.language()
    assert language
    text, codec = source.decoded()
    code = text.encode()
    root = Parser(language).parse(code).root_node
    blocks = Reader(grammar, grammar.roles(language), code, text, maximum).blocks(root)
    return cut(source, text, codec, blocks=blocks, maximum=maximum, language="python")


@pytest.mark.parametrize("source", stdlib_sample(60), ids=lambda source: source.path)
def test_what_is_not_parsed_changes_no_chunk(source: SourceFile) -> None:
    for maximum in (150, 900):
        assert TreeSitterChunker(maximum).chunk(source) == chunks_of_all_code(source, maximum)


def test_a_file_that_takes_too_long_is_cut_by_lines_and_the_next_is_not() -> None:
    chunker = TreeSitterChunker(parse_seconds=-1)
    late = chunker.chunk(SourceFile("a.py", CODE))
    assert {(chunk.kind, chunk.language) for chunk in late} == {("text", "python")}
    assert b"".join(chunk.text.encode() for chunk in late) == CODE
    (small,) = chunker.chunk(SourceFile("b.py", b"x = 1\n"))
    assert small.text == "x = 1\n"


def test_a_file_above_two_megabytes_is_cut_by_lines() -> None:
    chunks = TreeSitterChunker().chunk(SourceFile("a.py", b"x = 1\n" * 400_000))
    assert {chunk.kind for chunk in chunks} == {"text"}


@pytest.mark.parametrize("module", ["tree_sitter_of_nobody", "tree_sitter"])
def test_a_grammar_without_its_wheel_is_no_error(module: str) -> None:
    grammar = Grammar("klingon", module, {}, function="no_such_language")
    assert grammar.language() is None


def test_a_grammar_says_its_version() -> None:
    assert GRAMMARS["python"].version()[0].isdigit()
    assert Grammar("klingon", "tree_sitter_of_nobody", {}).version() == "none"


FAMILIES = ({"javascript", "typescript", "tsx"}, {"c", "cpp"})
"""Languages that share a table, in which each may lack what the others have."""


def node_types(name: str) -> set[str | None]:
    language = GRAMMARS[name].language()
    assert language
    return {language.node_kind_for_id(number) for number in range(language.node_kind_count)}


@pytest.mark.parametrize("name", GRAMMARS)
def test_every_node_type_that_the_tables_name_exists(name: str) -> None:
    grammar = GRAMMARS[name]
    family = next((family for family in FAMILIES if name in family), {name})
    known = set.union(*map(node_types, family))
    named = {*grammar.definitions, *grammar.wrappers, *grammar.leads, *grammar.bodies, *grammar.opaque}
    assert named - known == set()
