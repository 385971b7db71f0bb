from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.chunking import Block, cut
from cesello.domain.document import SourceFile
from cesello.domain.yaml_blocks import yaml_blocks

SERVICES = """\
# What runs.
defaults: &defaults
  image: base
services:
- name: web
  command: |
      echo start

      exec web
- name: worker
---
second: document
"""


def texts(text: str, blocks: list[Block]) -> list[str]:
    return [text[block.start : block.end] for block in blocks]


def test_what_is_indented_deeper_belongs_to_the_line_above() -> None:
    top = yaml_blocks(SERVICES)
    assert [text.split("\n")[0] for text in texts(SERVICES, top)] == [
        "# What runs.",
        "defaults: &defaults",
        "services:",
        "---",
    ]
    assert [block.leads for block in top] == [True, False, False, False]
    assert top[2].opened
    inside = list(top[2].opened())
    assert [text.split("\n")[0] for text in texts(SERVICES, inside)] == [
        "services:",
        "- name: web",
        "- name: worker",
    ]
    assert SERVICES[inside[1].start : inside[1].end].endswith("exec web")


def test_an_item_that_fits_is_not_cut() -> None:
    items = [f"- name: item {number}\n  value: {number}\n" for number in range(9)]
    text = "items:\n" + "".join(items)
    source = SourceFile("a.yaml", text.encode())
    chunks = cut(source, text, "utf-8", blocks=yaml_blocks(text), maximum=70, language="yaml")
    assert all(any(item in chunk.text for chunk in chunks) for item in items)


@pytest.mark.parametrize("text", ["", "\n", "  ", "\t- a", "a:\r  b\r\n c", "- " * 10_000, "---", "-"])
def test_strange_texts(text: str) -> None:
    for block in yaml_blocks(text):
        assert text[block.start : block.end].strip(" \r\n") == text[block.start : block.end]


@given(st.text(st.sampled_from("a:-# \n\r\t|é"), max_size=150))
def test_blocks_are_in_order(text: str) -> None:
    pending = [yaml_blocks(text)]
    while pending:
        level = pending.pop()
        borders = [border for block in level for border in (block.start, block.end)]
        assert borders == sorted(borders)
        pending += [list(block.opened()) for block in level if block.opened]
