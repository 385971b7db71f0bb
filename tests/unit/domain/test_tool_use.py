"""A completion of several answers, token by token."""

from __future__ import annotations

from array import array

from cesello.domain.conversation import Message, Role, ToolCall
from cesello.domain.rollout import Rollout
from cesello.domain.tool_use import Episode

ASKS = Message(Role.ASSISTANT, "", (ToolCall("add", "{}"),))
SAYS = Message(Role.TOOL, "4", name="add")


def rollout(*ids: int, finished: bool = True) -> Rollout:
    return Rollout(array("i", ids), array("f", [-1.0] * len(ids)), finished)


def test_all_that_was_drawn_is_trained_where_nothing_is_said() -> None:
    assert rollout(5, 6).trained == b"\1\1"
    assert rollout().trained == b""


def test_what_a_limit_cuts_off_is_not_finished() -> None:
    assert rollout(1, 2).first(2) == rollout(1, 2)
    assert rollout(1, 2, 3).first(2) == rollout(1, 2, finished=False)


def test_what_was_read_is_not_trained_and_has_no_log_probabilities() -> None:
    episode = Episode([1], 7)
    episode.write(rollout(2, 3), "call")
    episode.read(ASKS, [SAYS], [8, 9, 10])
    episode.write(rollout(4), "It is 4.")
    assert episode.rollout == Rollout(
        array("i", [2, 3, 8, 9, 10, 4]), array("f", [-1, -1, 0, 0, 0, -1]), True, b"\1\1\0\0\0\1"
    )
    assert episode.turns == [ASKS, SAYS, Message(Role.ASSISTANT, "It is 4.")]
    assert (episode.completion, episode.answers) == ("It is 4.", 2)
