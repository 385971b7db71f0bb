from __future__ import annotations

import pytest

from cesello.adapters.memory.treesitter_surroundings import TreeSitterSurroundings
from cesello.domain.document import Chunk, SourceFile
from cesello.domain.ports.memory import Surroundings
from cesello.domain.surroundings import SURROUNDINGS, excerpt
from tests.fakes.memory import FakeSurroundings

CODE = '''import os
import sys

TABLE = {}


class Cache:
    """Keeps pages."""

    size = 3

    def clear(self):
        return os.remove

    def grow(self):
        return sys.path
'''


@pytest.fixture(params=["fake", "tree-sitter"])
def surroundings(request: pytest.FixtureRequest) -> Surroundings:
    return FakeSurroundings() if request.param == "fake" else TreeSitterSurroundings()


def chunk_with(source: SourceFile, words: str, language: str = "python") -> Chunk:
    text, _ = source.decoded()
    return excerpt(source, text.index(words), text.index(words) + 1, language, "function")


def shown(found: tuple[Chunk, ...]) -> list[tuple[str, str, int, int]]:
    return [(one.kind, one.text, one.start_line, one.end_line) for one in found]


IMPORTS = ("imports", "import os\nimport sys\n", 1, 2)
CACHE = ("class", 'class Cache:\n    """Keeps pages."""\n', 7, 8)


def test_the_class_of_a_method_and_imports_come_with_their_lines(surroundings: Surroundings) -> None:
    source = SourceFile("a.py", CODE.encode())
    method = chunk_with(source, "def grow")
    assert shown(surroundings.around(source, method, SURROUNDINGS)) == [CACHE, IMPORTS]
    assert shown(surroundings.around(source, method, ["class"])) == [CACHE]
    assert shown(surroundings.around(source, method, ["imports"])) == [IMPORTS]
    assert surroundings.around(source, method, []) == ()


@pytest.mark.parametrize("codec", ["utf-8", "utf-16-le", "utf-16-be", "latin-1"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_spans_are_of_the_bytes(surroundings: Surroundings, codec: str, end: str) -> None:
    mark = "\ufeff" if codec.startswith("utf-16") else ""
    text = mark + "# gr\u00f6\u00dfer\n" + CODE.replace("pages", "gro\u00dfe Seiten")
    if isinstance(surroundings, TreeSitterSurroundings):
        text = text.replace("\n", end)
    source = SourceFile("a.py", text.encode(codec))
    assert source.decoded() == (text, codec)
    found = surroundings.around(source, chunk_with(source, "def grow"), SURROUNDINGS)
    assert [one.kind for one in found] == ["class", "imports"]
    for one in found:
        assert source.content[one.start : one.end].decode(codec) == one.text
        assert one.text.endswith("\n")
        lines = text.splitlines(keepends=True)
        assert "".join(lines[one.start_line - 1 : one.end_line]) == one.text


def test_what_the_chunk_shows_itself_does_not_come(surroundings: Surroundings) -> None:
    source = SourceFile("a.py", CODE.encode())
    assert surroundings.around(source, chunk_with(source, "import sys"), SURROUNDINGS) == ()
    assert shown(surroundings.around(source, chunk_with(source, "TABLE"), SURROUNDINGS)) == [IMPORTS]


@pytest.mark.parametrize("content", [b"", b"\0\0", b"\xff\xfe\xff", b"# A guide\n\nImport this.\n"])
def test_other_files_have_none(surroundings: Surroundings, content: bytes) -> None:
    source = SourceFile("guide.md", content)
    text, _ = source.decoded()
    chunk = Chunk(
        "guide.md", 0, len(content), 1, 1, text, "binary" if b"\0" in content else "markdown", "text"
    )
    assert surroundings.around(source, chunk, SURROUNDINGS) == ()
