"""The page: whole, of its own, and data stays text."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from cesello.application.preview_data import Piece, PreviewRow, SourcePreview
from cesello.entrypoints.cli.data_page import data_page
from cesello.entrypoints.cli.row_text import visible

PIECES = (
    Piece((1,), "<|im_start|>", False, True),
    Piece((7, 8), "日", False),
    Piece((9,), "a\tb\n", True),
    Piece((2,), "<|im_end|>", True, True),
)
ROW = PreviewRow("rows.jsonl:3", 5, 2, True, PIECES)
SOURCE = SourcePreview("chat", "file rows.jsonl", 1200, 1190, 4, {"exact copy": 6}, 0, 45_000, 0.25, (ROW,))


def page(source: SourcePreview = SOURCE, *, held_out: bool = False) -> str:
    return data_page("recipe.yaml", "org/tiny", [source], held_out=held_out)


class Reader(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.rows = ""
        self.tokens: list[tuple[str, str | None, bool]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag != "meta":
            self.open.append(tag)
        if tag == "span" and "pre" in self.open:
            self.tokens.append((dict(attrs).get("class") or "", dict(attrs)["title"], "mark" in self.open))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "pre" in self.open and "i" not in self.open:
            self.rows += data


def test_every_token_has_its_id_and_tells_whether_it_is_trained_or_special() -> None:
    assert Reader(page()).tokens == [
        ("name", "1", False),
        ("", "7 8", False),
        ("", "9", True),
        ("name", "2", True),
    ]


def test_the_page_needs_nothing_from_elsewhere() -> None:
    reader = Reader(page())
    assert reader.open == []
    assert not {"script", "link", "img", "iframe"} & set(reader.tags)
    assert "http" not in page().replace("http-equiv", "")
    assert "default-src 'none'" in page()
    assert "prefers-color-scheme: dark" in page()


def test_counts_are_told() -> None:
    shown = page()
    for fact in ("25.0%", "1,200", "1,190", "45,000", "left out: exact copy", "cut off", "2 trained"):
        assert fact in shown
    assert "share of rows" not in page(replace(SOURCE, share=None))


def test_what_kind_of_rows_it_shows_is_told() -> None:
    assert "trained on, in the order in which they are drawn first" in page()
    assert "evaluated on" in page(held_out=True)
    assert "No row of it is held out." in page(replace(SOURCE, rows=()), held_out=True)


@given(st.text(), st.text())
def test_data_is_text_wherever_it_stands(text: str, name: str) -> None:
    row = replace(ROW, place=name, pieces=(Piece((1,), text, True),))
    source = replace(SOURCE, name=name, origin=name, dropped={name: 1}, rows=(row,))
    harmless = Reader(page(replace(SOURCE, rows=(replace(ROW, pieces=(Piece((1,), "a", True),)),))))
    reader = Reader(page(source))
    assert [tag for tag in reader.tags if tag != "i"] == harmless.tags
    assert reader.rows == visible(text)
    page(source).encode()
