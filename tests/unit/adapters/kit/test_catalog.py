from __future__ import annotations

import re

import pytest

from cesello.adapters.kit.catalog import ITEMS
from cesello.domain.kit import KitItem


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.id)
def test_every_package_is_pinned(item: KitItem) -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", item.pin.sha256)
    assert re.fullmatch(r"[0-9][0-9.]*", item.pin.version)
    assert item.pin.size > 0


def test_no_two_items_share_a_name_or_a_place() -> None:
    assert len({item.id for item in ITEMS}) == len(ITEMS)
    assert len({item.location for item in ITEMS}) == len(ITEMS)


def test_the_kit_answers_to_ordinary_hub_names() -> None:
    assert {item.repository for item in ITEMS if item.repository} == {
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        "sentence-transformers/all-MiniLM-L6-v2",
        "cross-encoder/ms-marco-MiniLM-L-12-v2",
        "BAAI/bge-small-en-v1.5",
    }
