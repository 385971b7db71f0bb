from __future__ import annotations

import ast
import random
import re
import sysconfig
from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cesello.adapters.memory.treesitter_chunker import TreeSitterChunker
from cesello.domain.chunk_text import embedding_text
from cesello.domain.document import Chunk, SourceFile
from cesello.domain.ports.memory import Chunker
from tests.fakes.memory import FakeChunker

LINE_END = re.compile(r"\r\n|\r|\n")
MAKERS: dict[str, Callable[[int], Chunker]] = {"fake": FakeChunker, "treesitter": TreeSitterChunker}

every_chunker = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)

CORPUS = Path(__file__).resolve().parents[1] / "corpus"
CORPUS_FILES = sorted(path for path in CORPUS.iterdir() if path.is_file())

suffixes = sorted({path.suffix for path in CORPUS_FILES} | {".js", ".tsx", ".h", ".py"})
paths = st.sampled_from(
    ["b.pyi", "notes.txt", "Makefile", "strange\nname.PY", "🙂.py", *(f"a{suffix}" for suffix in suffixes)]
)
lines = [
    "def f(x):",
    "class A(B):",
    "async def g():",
    "    def m(self): pass",
    "    return 1",
    '    """Doc."""',
]
lines += ["@dec", "# note", "  # in", "if x:", "else:", "    x = [1,", "  2]", ")", "è = '🙂'", "x" * 70]
lines += ["'" * 3, "f'{", "\\", "\t", "", "\f", "\ufeff", "}", "/* a", "*/ b {", "<a>", "---", "# b", "end"]
line_ends = st.sampled_from(["\n", "\r\n", "\r"])
code = st.builds(lambda end, parts: end.join(parts), line_ends, st.lists(st.sampled_from(lines)))


def check(source: SourceFile, chunks: tuple[Chunk, ...], maximum: int) -> None:
    """What every chunker owes: spans cover the file, text is what they span, lines are where it stands."""
    text, codec = source.decoded()
    assert [chunk.start for chunk in chunks] == [0, *(chunk.end for chunk in chunks)][: len(chunks)]
    assert (chunks[-1].end if chunks else 0) == len(source.content)
    assert "".join(chunk.text for chunk in chunks) == text
    line_ends = [match.end() for match in LINE_END.finditer(text)]
    first = 0
    for chunk in chunks:
        assert source.content[chunk.start : chunk.end].decode(codec) == chunk.text
        assert 0 < len(chunk.text) <= maximum
        assert chunk.path == source.path
        assert chunk.start_line == 1 + bisect_right(line_ends, first)
        assert chunk.end_line == 1 + bisect_right(line_ends, first + len(chunk.text) - 1)
        first += len(chunk.text)


@every_chunker
@given(st.binary(max_size=400), paths, st.integers(2, 60))
def test_arbitrary_bytes_are_covered(
    make: Callable[[int], Chunker], content: bytes, path: str, maximum: int
) -> None:
    source = SourceFile(path, content)
    check(source, make(maximum).chunk(source), maximum)


@every_chunker
@given(
    st.one_of(code, st.text()), st.sampled_from(["utf-8", "utf-16", "latin-1"]), paths, st.integers(2, 120)
)
def test_arbitrary_text_and_code_are_covered(
    make: Callable[[int], Chunker], text: str, codec: str, path: str, maximum: int
) -> None:
    source = SourceFile(path, text.encode(codec, "replace"))
    check(source, make(maximum).chunk(source), maximum)


DEEP = {
    "brackets": b"x = " + b"(" * 10_000 + b")" * 10_000,
    "functions": b"".join(b" " * n + b"def f%d():\n" % n for n in range(1_000)),
    "operators": b"x = a" + b" + a" * 10_000,
    "classes in brackets": b"class A(" * 10_000,
}
BAD = {
    "empty": b"",
    "blank lines": b"\n" * 3_000,
    "one line of 50 MB": b"x = '" + b"a" * 50_000_000 + b"'",
    "one statement of 200 kB": b"x = [" + b"1," * 100_000 + b"]",
    "binary": random.Random(1).randbytes(100_000),
    "NUL in code": b"def f():\n    return '\0'\n" * 200,
    "UTF-16": ("def f():\n    return 'è🙂'\n" * 200).encode("utf-16"),
    "UTF-8 with its mark": b"\xef\xbb\xbf" + b"def f():\n    return 1\n" * 200,
    "Latin-1": "def f():\n    return 'è'\n".encode("latin-1") * 200,
    "mixed line ends": b"def f():\r\n    x = 1\r    y = 2\n    return x\r\n\r\n" * 200,
    "no line end at the end": b"x = 1\n" * 300 + b"y = 2",
    "syntax errors": b"def f(:\n    return ]\nclass\n  def = = 3\n" * 100,
    "an unfinished string": b"def f():\n    return '''\n" + b"text\n" * 2_000,
    **DEEP,
}


CORPUS_LINES = {path.name: path.read_text().splitlines() for path in CORPUS_FILES}


@st.composite
def torn(draw: st.DrawFn) -> SourceFile:
    """A file of the corpus after careless editing: lines lost, moved and broken, in any encoding."""
    name = draw(st.sampled_from(sorted(CORPUS_LINES)))
    known = CORPUS_LINES[name]
    chosen = draw(st.lists(st.tuples(st.sampled_from(known), st.integers(0, 80)), max_size=40))
    kept = [line[: length if draw(st.booleans()) else None] for line, length in chosen]
    whole = draw(st.booleans())
    text = draw(line_ends).join([*(known if whole else []), *kept, *draw(st.lists(st.just(""), max_size=1))])
    return SourceFile(
        name, text.encode(draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"])), "replace")
    )


@settings(max_examples=300)
@given(torn(), st.integers(2, 300))
def test_torn_files_of_every_language_are_covered(source: SourceFile, maximum: int) -> None:
    check(source, TreeSitterChunker(maximum).chunk(source), maximum)


NESTED = {
    ".js": b"f(" * 10_000,
    ".ts": b"{" * 10_000,
    ".go": b"package a\nvar x = " + b"(" * 10_000,
    ".rs": b"fn f() " + b"{" * 10_000,
    ".java": b"class A {" * 10_000,
    ".c": b"int x = " + b"(" * 10_000,
    ".cpp": b"namespace a { " * 10_000,
    ".cs": b"class A { " * 10_000,
    ".rb": b"module A\n" * 10_000,
    ".php": b"<?php " + b"if (a) { " * 10_000,
    ".kt": b"class A { " * 10_000,
    ".swift": b"struct A { " * 10_000,
    ".scala": b"object A { " * 10_000,
    ".lua": b"do " * 10_000,
    ".sh": b"{ " * 10_000,
    ".sql": b"SELECT (" * 10_000,
    ".html": b"<div>" * 10_000,
    ".css": b"@media a { " * 10_000,
    ".json": b"[" * 10_000,
    ".yaml": b"- " * 10_000,
    ".toml": b"x = " + b"[" * 10_000,
    ".md": b"> " * 10_000 + b"# A",
    ".ipynb": b'{"cells": ' + b"[" * 10_000,
}


@pytest.mark.parametrize("suffix", NESTED)
def test_ten_thousand_levels_are_covered(suffix: str) -> None:
    source = SourceFile(f"a{suffix}", NESTED[suffix])
    check(source, TreeSitterChunker(900).chunk(source), 900)


@every_chunker
def test_the_fingerprint_says_what_chunks_depend_on(make: Callable[[int], Chunker]) -> None:
    fingerprints = [make(maximum).fingerprint for maximum in (100, 100, 200)]
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]
    assert all(fingerprint and "\n" not in fingerprint for fingerprint in fingerprints)


@every_chunker
@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_bad_input_is_covered(make: Callable[[int], Chunker], content: bytes) -> None:
    source = SourceFile("a.py", content)
    check(source, make(900).chunk(source), 900)


@every_chunker
def test_the_same_file_gives_the_same_chunks(make: Callable[[int], Chunker]) -> None:
    source = SourceFile("ast.py", Path(ast.__file__).read_bytes())
    chunker = make(900)
    assert chunker.chunk(source) == chunker.chunk(source) == make(900).chunk(source)


STDLIB = Path(sysconfig.get_path("stdlib"))


def stdlib_files() -> list[Path]:
    """Modules of the running interpreter."""
    return sorted(file for file in STDLIB.rglob("*.py") if "site-packages" not in file.parts)


def stdlib_source(file: Path) -> SourceFile:
    return SourceFile(file.relative_to(STDLIB).as_posix(), file.read_bytes())


def stdlib_sample(number: int) -> list[SourceFile]:
    """The same at every run."""
    return [stdlib_source(file) for file in random.Random(7).sample(stdlib_files(), number)]


def definitions(source: SourceFile) -> Iterator[tuple[str, int, int]]:
    """Name, first and last character of every function and class, as Python's own parser sees them."""
    try:
        tree = ast.parse(source.content)
    except (SyntaxError, ValueError):  # the standard library holds broken files to test with
        return
    text = source.decoded()[0]
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)
    starts = [0, *accumulate(map(len, lines))]
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            last = (node.end_lineno or node.lineno) - 1
            end = starts[last] + len(lines[last].encode()[: node.end_col_offset].decode())
            top = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            for line in {top, node.lineno}:
                indent = len(lines[line - 1]) - len(lines[line - 1].lstrip())
                yield node.name, starts[line - 1] + indent, end


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning")  # of what is parsed
def test_no_definition_of_the_whole_standard_library_that_fits_is_cut() -> None:
    files = stdlib_files()
    assert len(files) > 500
    for file in files:
        test_no_definition_of_the_standard_library_that_fits_is_cut(stdlib_source(file))


@pytest.mark.parametrize("source", stdlib_sample(60), ids=lambda source: source.path)
def test_no_definition_of_the_standard_library_that_fits_is_cut(source: SourceFile) -> None:
    chunks = TreeSitterChunker(900).chunk(source)
    check(source, chunks, 900)
    borders = [0, *accumulate(len(chunk.text) for chunk in chunks)]
    for name, start, end in definitions(source):
        if end - start <= 900:
            assert borders[bisect_right(borders, start)] >= end, name


CODE = '''\
"""A module."""

import os


# Where things are kept.
# In a folder.
@dataclass
# Not frozen.
class Store:
    """Keeps things.

    For ever.
    """

    size = 1

    # Counts.
    @property
    def count(self) -> int:
        """How many.

        Exactly.
        """
        return self.size * 1000000

    def long(
        self,
        first: int,
    ) -> None:
        """Does much."""
        if first:
            print("one line of the body, long enough to matter")
            print("two lines of the body, long enough to matter")
        else:
            print("three lines of the body, long enough to matter")
            print("four lines of the body, long enough to matter")
'''


def test_python_is_cut_along_its_definitions() -> None:
    chunks = TreeSitterChunker(220).chunk(SourceFile("store.py", CODE.encode()))
    assert [(chunk.kind, chunk.name, chunk.start_line, chunk.end_line) for chunk in chunks] == [
        ("module", "", 1, 5),
        ("class", "Store", 6, 17),
        ("function", "Store.count", 18, 26),
        ("function", "Store.long", 27, 31),
        ("function", "Store.long", 32, 34),
        ("function", "Store.long", 35, 37),
    ]
    assert {chunk.language for chunk in chunks} == {"python"}
    assert [chunk.description for chunk in chunks] == [
        "",
        "Keeps things.",
        "How many.",
        "Does much.",
        "Does much.",
        "Does much.",
    ]
    signature = "def long( self, first: int, ) -> None:"
    assert [chunk.header for chunk in chunks] == ["", "", "", "", signature, signature]
    assert embedding_text(chunks[2]).startswith(
        "# Function: Store.count\n# Description: How many.\n    # Counts.\n    @property\n"
    )


@pytest.mark.parametrize(
    ("path", "content", "language", "kind"),
    [
        ("a/b.py", b"x = 1\n", "python", "module"),
        ("a/b.PYI", b"x: int\n", "python", "module"),
        ("a/b.rs", b"fn main() {}\n", "rust", "function"),
        ("a/b.tsx", b"<A />", "typescript", "module"),
        ("a/b.md", b"# A\n", "markdown", "section"),
        ("a/b.xyz", b"x = 1\n", "xyz", "text"),
        ("run", b"#!/bin/sh\nf() { true; }\n", "bash", "function"),
        ("Makefile", b"all:\n", "makefile", "text"),
        ("a/b.py", b"x = '\0'\n", "binary", "text"),
        ("a/b.png", b"\x89PNG\0", "binary", "text"),
    ],
)
def test_the_language_comes_from_name_and_content(
    path: str, content: bytes, language: str, kind: str
) -> None:
    (chunk,) = TreeSitterChunker().chunk(SourceFile(path, content))
    assert (chunk.language, chunk.kind) == (language, kind)


def test_comments_below_the_last_statement_do_not_make_a_function_too_big() -> None:
    function = "def f():\n    x = 1\n    return x\n"
    text = function + "    # a comment that is long enough to matter\n" * 3 + "y = 2\n"
    chunks = TreeSitterChunker(80).chunk(SourceFile("a.py", text.encode()))
    assert chunks[0].text.startswith(function)
    assert chunks[0].name == "f"
