"""Which of the processes writes and speaks, and how they end together."""

from __future__ import annotations

import pytest

from cesello.domain.errors import Interrupted
from cesello.entrypoints.workers import ending_together, is_follower


@pytest.mark.parametrize(("rank", "follows"), [(None, False), ("0", False), ("1", True), ("7", True)])
def test_all_but_the_first_follow(monkeypatch: pytest.MonkeyPatch, rank: str | None, follows: bool) -> None:
    monkeypatch.delenv("RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("RANK", rank)
    assert is_follower() is follows


@pytest.mark.parametrize(
    ("processes", "failure", "waits"),
    [
        ("1", None, 0),
        ("2", None, 1),
        ("2", Interrupted(15, "stopped"), 1),
        ("1", Interrupted(15, "stopped"), 0),
        ("2", ZeroDivisionError(), 0),
    ],
)
def test_they_wait_for_each_other_unless_one_fails(
    monkeypatch: pytest.MonkeyPatch, processes: str, failure: Exception | None, waits: int
) -> None:
    monkeypatch.setenv("WORLD_SIZE", processes)
    waited: list[None] = []
    ended: Exception | None = None
    try:
        with ending_together(lambda: waited.append(None)):
            if failure is not None:
                raise failure
    except (Interrupted, ZeroDivisionError) as end:
        ended = end
    assert (ended, len(waited)) == (failure, waits)
