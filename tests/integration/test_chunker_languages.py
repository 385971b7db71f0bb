"""Every language that is cut along its syntax, on the files of ``tests/corpus``.

The corpus says itself what must stay whole: a definition is from the line with ``[name`` in a comment, which
is that of its first annotation, to the bracket or the keyword before ``name]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import pytest

from cesello.adapters.memory.treesitter_chunker import TreeSitterChunker
from cesello.domain.document import Chunk, SourceFile

CORPUS = Path(__file__).resolve().parents[1] / "corpus"
FILES = sorted(path for path in CORPUS.iterdir() if path.is_file())
MAXIMA = (40, 60, 90, 130, 200, 300, 450, 700, 900, 1_500)

every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)


def chunks_of(path: Path, maximum: int) -> tuple[Chunk, ...]:
    return TreeSitterChunker(maximum).chunk(SourceFile(path.name, path.read_bytes()))


def marked(text: str) -> Iterator[tuple[str, int, int]]:
    """Name, first and last character of the definitions that the corpus marks."""
    for begin in re.finditer(r"(?://|#|--) \[(\S+)$", text, re.MULTILINE):
        end = re.compile(rf";?[ \t]*(?://|#|--) {re.escape(begin[1])}\]$", re.MULTILINE).search(
            text, begin.end()
        )
        assert end, begin[1]
        line = text.rfind("\n", 0, begin.start()) + 1
        indent = len(text[line:]) - len(text[line:].lstrip(" \t"))
        yield begin[1], line + indent, end.start()


@every_file
def test_chunks_are_the_file_and_none_is_above_the_maximum(path: Path) -> None:
    for maximum in MAXIMA:
        chunks = chunks_of(path, maximum)
        assert b"".join(chunk.text.encode() for chunk in chunks) == path.read_bytes()
        assert [chunk.start for chunk in chunks] == [0, *(chunk.end for chunk in chunks[:-1])]
        assert all(0 < len(chunk.text) <= maximum for chunk in chunks)


@every_file
def test_no_definition_that_fits_is_cut(path: Path) -> None:
    text = path.read_text()
    for maximum in MAXIMA:
        ends = list(accumulate(len(chunk.text) for chunk in chunks_of(path, maximum)))
        for name, start, end in marked(text):
            if end - start <= maximum:
                assert not any(start < border < end for border in ends), (maximum, name)


@every_file
def test_every_definition_is_named(path: Path) -> None:
    names = {
        name for maximum in MAXIMA for chunk in chunks_of(path, maximum) for name in chunk.name.split(", ")
    }
    assert {name for name, _, _ in marked(path.read_text())} <= names


DESCRIBED = {
    "cart.jsx": ("total", "Adds what a cart holds."),
    "queue.ts": ("Queue.run", "Runs until the source is empty."),
    "store.go": ("Store", "Store maps keys to values."),
    "shapes.rs": ("Shape", "A thing with an area."),
    "Ledger.java": ("Ledger.book", "Books one thing."),
    "list.c": ("list_new", "Makes an empty list."),
    "matrix.cpp": ("math.Matrix.at", "One cell."),
    "Mailer.cs": ("Shop.Mail.Mailer.Send", "Puts a letter into the queue."),
    "garden.rb": ("Garden.Plant.from_seed", "Grown from a seed."),
    "Basket.php": ("Basket.count", "How many there are."),
    "Radio.kt": ("String.shout", "Shouts."),
    "Route.swift": ("Route.goal", "Where it ends."),
    "Bakery.scala": ("Food", "What can be eaten."),
    "stack.lua": ("Stack.new", "Makes an empty stack."),
    "backup.sh": ("log", "Says something with the time."),
    "orders.sql": ("orders", "What was ordered."),
}


@pytest.mark.parametrize("file", DESCRIBED)
def test_the_comment_above_stays_and_describes(file: str) -> None:
    name, description = DESCRIBED[file]
    found = [chunk for maximum in MAXIMA for chunk in chunks_of(CORPUS / file, maximum) if chunk.name == name]
    assert {chunk.description for chunk in found} == {description}
    whole = [chunk for chunk in found if f" [{name}\n" in chunk.text and f"{name}]" in chunk.text]
    assert any(description.split()[0] in chunk.text for chunk in whole)


HEADERS = {
    "cart.jsx": ("Cart.render", "render()"),
    "queue.ts": ("Queue.run", "async run(limit = 10): Promise<number>"),
    "store.go": ("Store.Each", "func (s *Store) Each(visit func(key, value string) bool) int"),
    "shapes.rs": ("sums.total", "pub(crate) fn total(shapes: &[Box<dyn super::Shape>]) -> f64"),
    "Ledger.java": ("Ledger.balance", "public long balance()"),
    "list.c": ("sorted", "int * sorted(const int *values, size_t count)"),
    "matrix.cpp": ("math.trace", "double math::trace(const Matrix<double> &matrix, std::size_t size)"),
    "Mailer.cs": ("Shop.Mail.Mailer.FlushAsync", "public async Task<int> FlushAsync(int most)"),
    "garden.rb": ("Garden.Plant.water", "def water(litres)"),
    "Basket.php": ("Basket.take", "public function take(string $name): string"),
    "Radio.kt": ("Radio.scan", "override suspend fun scan(limit: Double): Double?"),
    "stack.lua": ("pop_until", "local function pop_until(stack, fits)"),
    "backup.sh": ("backup", "function backup"),
    "guide.md": ("Guide > Use", "## Use"),
}


@pytest.mark.parametrize("file", HEADERS)
def test_every_later_part_of_a_definition_knows_its_signature(file: str) -> None:
    name, signature = HEADERS[file]
    maximum = 60 if file == "guide.md" else 110
    first, *later = (chunk for chunk in chunks_of(CORPUS / file, maximum) if chunk.name == name)
    assert first.header == ""
    assert {chunk.header for chunk in later} == {signature}
