from __future__ import annotations

from threading import Event

import pytest

from cesello.adapters.logs.sender import Sender


def put_many(sender: Sender[int]) -> None:
    for item in range(1_000_000):
        sender.put(item)


def test_all_is_sent_in_order() -> None:
    sent: list[int] = []
    sender = Sender(sent.append)
    for item in range(100):
        sender.put(item)
    sender.close(10)
    assert sent == list(range(100))


def test_what_cannot_be_sent_is_told_at_the_end() -> None:
    def refuse(item: int) -> None:
        raise ConnectionError(f"no {item}")

    sender = Sender(refuse)
    sender.put(1)
    with pytest.raises(ConnectionError, match="no 1"):
        sender.close(10)


def test_what_cannot_be_sent_is_told_with_the_next_item() -> None:
    met = Event()

    def refuse(item: int) -> None:
        met.set()
        raise ConnectionError(f"no {item}")

    sender = Sender(refuse)
    sender.put(1)
    assert met.wait(10)
    with pytest.raises(ConnectionError, match="no 1"):
        put_many(sender)


def test_a_server_that_does_not_answer_holds_nobody() -> None:
    answer = Event()

    def wait(item: int) -> None:
        answer.wait(30)

    sender = Sender(wait)
    sender.put(1)
    sender.put(2)
    with pytest.raises(TimeoutError, match=r"within 0\.05 seconds"):
        sender.close(0.05)
    answer.set()
