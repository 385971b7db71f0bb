"""Conversations come back from their JSON as they were, and only the same ones are called the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.conversation import (
    Conversation,
    GivenContext,
    GivenPassage,
    GivenProcedure,
    Message,
    Role,
    ToolCall,
    ToolSpec,
)
from cesello.domain.conversation_json import from_json, identity, to_json

plain: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
maps = st.dictionaries(st.text(), plain, max_size=3)
calls = st.builds(ToolCall, st.text(), st.text(), st.none() | st.text(min_size=1))
messages = st.builds(
    Message,
    st.sampled_from(Role),
    st.text(),
    st.lists(calls, max_size=2).map(tuple),
    st.none() | st.text(min_size=1),
    st.none() | st.text(min_size=1),
    st.none() | st.booleans(),
)
passages = st.builds(
    GivenPassage,
    st.text(),
    st.tuples(st.integers(), st.integers()),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
)
conversations = st.builds(
    Conversation,
    st.lists(messages, max_size=4).map(tuple),
    st.lists(st.builds(ToolSpec, st.text(), st.text(), maps), max_size=2).map(tuple),
    maps,
    st.none() | st.builds(GivenProcedure, st.text(), st.text(), st.text(), st.text(), st.text()),
    st.none() | st.builds(GivenContext, st.lists(passages).map(tuple), st.integers(), st.text(), st.text()),
)


@given(conversations)
def test_a_round_trip_changes_nothing(conversation: Conversation) -> None:
    line = to_json(conversation)
    assert "\n" not in line
    assert from_json(line) == conversation


@given(conversations, conversations)
def test_the_identity_is_of_what_a_model_is_shown(one: Conversation, other: Conversation) -> None:
    assert identity(one) == identity(replace(one, reference={"more": 1})) < 1 << 64
    assert (identity(one) == identity(other)) == (shown(one) == shown(other))


def shown(conversation: Conversation) -> object:
    """All but the ids of calls; what is trained by itself or by a mark is the same."""
    turns = [
        replace(
            turn,
            trained=turn.is_trained,
            tool_call_id=None,
            tool_calls=tuple(replace(call, id=None) for call in turn.tool_calls),
        )
        for turn in conversation.messages
    ]
    return turns, conversation.tools


def test_the_identity_is_the_same_for_ever() -> None:
    turns = (Message(Role.USER, "perché?"), Message(Role.ASSISTANT, "", (ToolCall("add", '{"a": 1}'),)))
    assert identity(Conversation(turns)) == IDENTITY


def test_lone_surrogates_and_values_json_does_not_know_are_no_obstacle() -> None:
    odd = Conversation((), (ToolSpec("a", "\ud800", {}),), {"day": date(2026, 1, 2)})
    assert from_json(to_json(odd)).tools == odd.tools
    assert from_json(to_json(odd)).reference == {"day": "2026-01-02"}
    assert identity(odd)


IDENTITY = 4983114529134319442
