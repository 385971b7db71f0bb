from __future__ import annotations

from collections.abc import Callable

import pytest

from cesello.application.keep_remembering import KeepRemembering
from cesello.application.remember import Remembering, RememberRequest
from tests.fakes.chunk_store import FakeChunkStore, FakeTree
from tests.fakes.memory import FakeVectorStore
from tests.fakes.run import FakeStop, RecordingObserver
from tests.remembered import remember_with


def no_waiting(seconds: float) -> None:
    pytest.fail(f"nothing was to be waited for, {seconds} s least of all")


class Watching:
    """A memory of two files, and what happens to them."""

    def __init__(self) -> None:
        self.tree, self.store = FakeTree(), FakeChunkStore()
        self.stop, self.observer = FakeStop(), RecordingObserver()
        self.tree.write("a.py", "words\n")
        self.tree.write("b.py", "other words\n")
        self.remember = remember_with(self.tree, self.store, FakeVectorStore(), stop=self.stop)
        self.remember(RememberRequest((".",)))

    def lose_b(self) -> None:
        del self.tree.texts["b.py"]

    def after(
        self, *waves: Callable[[], None], wait: Callable[[float], None] = no_waiting
    ) -> list[Remembering]:
        self.tree.waves = waves
        return list(KeepRemembering(self.remember, self.tree, self.store, self.observer, self.stop, wait)())


def test_each_change_is_remembered_and_told() -> None:
    memory = Watching()
    done = memory.after(
        lambda: memory.tree.write("a.py", "new words\n"),
        lambda: None,
        memory.lose_b,
    )
    assert [(one.changed, one.forgotten) for one in done] == [(1, 0), (0, 1)], (
        "of nothing new nothing is told"
    )
    assert list(memory.store.files()) == ["a.py"]


def test_a_stop_ends_it() -> None:
    memory = Watching()
    done = memory.after(lambda: memory.tree.write("c.py", "more\n"), memory.stop.ask, memory.lose_b)
    assert len(done) == 1
    assert "b.py" in memory.tree.texts, "nobody listens any more"


def test_another_writer_is_waited_for() -> None:
    """No other change need come."""
    memory = Watching()
    waited: list[float] = []

    def write_beside() -> None:
        memory.tree.write("c.py", "more\n")
        memory.store.busy = True

    def wait(seconds: float) -> None:
        waited.append(seconds)
        memory.store.busy = len(waited) < 3

    assert [one.changed for one in memory.after(write_beside, wait=wait)] == [1]
    assert waited == [1.0, 1.0, 1.0]
    assert memory.observer.notes == ["another process is writing this memory: trying again"]


def test_a_stop_ends_the_waiting() -> None:
    memory = Watching()
    memory.store.busy = True
    assert memory.after(lambda: None, wait=lambda _: memory.stop.ask()) == []
