"""The tool that searches the memory."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from cesello.application.search_memory import NOTHING, SEARCH, SearchMemory
from cesello.application.several_tools import SeveralTools
from cesello.domain.conversation import ToolCall
from cesello.domain.errors import DataError
from tests.fakes.memory import FakeReranker
from tests.fakes.tools import FakeToolbox
from tests.grounded import CAKE, cake_memory, retrieves
from tests.remembered import keep, remembered


def call(**arguments: object) -> ToolCall:
    return ToolCall("search", json.dumps(arguments))


def test_it_answers_with_quoted_passages_always_the_same() -> None:
    tool = SearchMemory(retrieves(cake_memory()))
    said = tool.run(call(query="bake a cake"))
    assert not said.failed
    assert said.text.startswith("<context ")
    assert "docs/cake.md:1-1" in said.text
    assert CAKE.strip() in said.text
    assert said == SearchMemory(retrieves(cake_memory())).run(call(query="bake a cake"))
    assert tool.run(call(query="who won the match?")).text == NOTHING


def test_what_it_answers_is_bounded() -> None:
    store = cake_memory(*(f"cake {n} {'cherries ' * 40}\n" for n in range(9)))
    said = SearchMemory(retrieves(store, kept=9, tokens=120)).run(call(query="bake a cake with cherries"))
    assert len(said.text) < 3 * 120 + 100


@pytest.mark.parametrize(
    "arguments",
    ["[]", "{", "{}", '{"query": 3}', '{"query": " "}', '{"query": "a", "top": 3}', "[" * 100_000],
)
def test_a_wrong_call_is_told_to_the_model(arguments: str) -> None:
    said = SearchMemory(retrieves(cake_memory())).run(ToolCall("search", arguments))
    assert said.failed
    assert said.text.startswith("error: ")


def test_half_a_character_is_no_obstacle() -> None:
    assert SearchMemory(retrieves(cake_memory())).run(call(query="bake a cake \ud800")).text


def test_a_memory_that_was_changed_is_no_mistake_of_the_model() -> None:
    store = cake_memory()
    retrieve = retrieves(store)
    tool = SearchMemory(retrieve)
    tool.run(call(query="bake a cake"))
    keep(store, remembered("docs/more.md", "more\n"))
    with pytest.raises(DataError, match="D074"):
        tool.run(call(query="a cake with cherries"))


def test_a_memory_that_takes_the_place_of_one_as_old_is_another() -> None:
    store = cake_memory()
    tool = SearchMemory(retrieves(store))
    tool.run(call(query="bake a cake"))
    store.identity = "another"
    with pytest.raises(DataError, match=r"D074.*of another memory"):
        tool.run(call(query="a cake with cherries"))


def test_a_memory_that_is_changed_while_it_is_asked_is_told_too() -> None:
    store = cake_memory()

    class Late(FakeReranker):
        def score(self, query: str, texts: Sequence[str]) -> tuple[float, ...]:
            keep(store, remembered("docs/more.md", "more\n"))
            return super().score(query, texts)

    with pytest.raises(DataError, match="D074"):
        SearchMemory(retrieves(store, reranker=Late())).run(call(query="bake a cake"))


def test_several_boxes_are_one() -> None:
    own = FakeToolbox({"add": "4"})
    tools = SeveralTools([SearchMemory(retrieves(cake_memory())), own])
    assert [spec.name for spec in tools.specs] == [SEARCH.name, "add"]
    assert tools.run(ToolCall("add", "{}")).text == "4"
    assert tools.run(call(query="bake a cake")).text.startswith("<context ")
    assert [one.name for one in own.ran] == ["add"]
