"""The queue: it takes everything at once, loses what it must, and says so."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from cesello.adapters.trace import queued_sink
from cesello.adapters.trace.queued_sink import Item, QueuedSink
from cesello.adapters.trace.run_database import connected, read_only
from cesello.adapters.trace.sqlite_spans import SqliteSpans
from cesello.domain.errors import StorageError
from cesello.domain.run import RunStatus
from cesello.domain.trace import Span, TracedRun

RUN = TracedRun("id", "mine", RunStatus.RUNNING, "")


def one(number: int = 0) -> Span:
    return Span("t", f"{number:016x}", None, "one", 1, 2)


class Store:
    """A store that can be held up, and can fail."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.failure: Exception | None = None
        self.open = threading.Event()
        self.open.set()
        self.asked = threading.Event()
        self.closed = 0
        self.threads: set[int] = set()

    def write(self, items: Sequence[Item]) -> None:
        self.asked.set()
        self.open.wait()
        self.threads.add(threading.get_ident())
        if self.failure:
            raise self.failure
        self.items += items

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def notes() -> list[str]:
    return []


def test_what_is_put_is_written_in_order_by_another_thread(notes: list[str]) -> None:
    store = Store()
    sink = QueuedSink(store, notes.append)
    sink.forget("old")
    sink.tell(RUN)
    for number in range(10_000):
        sink.put(one(number))
    sink.close()
    assert store.items == ["old", RUN, *map(one, range(10_000))]
    assert threading.get_ident() not in store.threads
    assert (store.closed, sink.dropped, notes) == (1, 0, [])


def test_it_goes_on_after_it_was_closed(notes: list[str]) -> None:
    store = Store()
    sink = QueuedSink(store, notes.append)
    for number in range(3):
        sink.put(one(number))
        sink.close()
        sink.close()
    assert store.items == [one(0), one(1), one(2)]
    assert store.closed == 3


def test_where_nothing_is_traced_no_thread_begins(notes: list[str]) -> None:
    before = threading.active_count()
    QueuedSink(Store(), notes.append).close()
    assert threading.active_count() == before


def test_what_finds_no_room_is_counted_and_told(notes: list[str]) -> None:
    store = Store()
    store.open.clear()
    sink = QueuedSink(store, notes.append, most=5)
    sink.put(one())
    store.asked.wait()  # the first one is being written
    for number in range(20):
        sink.put(one(number))
    assert (sink.dropped, notes) == (15, [])
    store.open.set()
    sink.close()
    assert len(store.items) == 6
    assert notes == ["15 spans are not kept: there were more than could be written"]


def test_how_a_run_is_is_kept_where_a_span_finds_no_room(notes: list[str]) -> None:
    store = Store()
    store.open.clear()
    sink = QueuedSink(store, notes.append, most=2)
    sink.put(one())
    store.asked.wait()
    for number in range(3):
        sink.put(one(number))
    sink.forget("old")
    sink.tell(RUN)
    store.open.set()
    sink.close()
    assert store.items[-2:] == ["old", RUN]
    assert notes == ["1 span is not kept: there were more than could be written"]


def test_what_was_lost_before_is_counted_and_told_for_each_run(notes: list[str]) -> None:
    sink = QueuedSink(Store(), notes.append)
    for lost in (1200, 1):
        sink.lose(lost)
        sink.close()
        sink.close()
    assert sink.dropped == 1201
    reason = "there were more than could be written"
    assert notes == [f"1,200 spans are not kept: {reason}", f"1 span is not kept: {reason}"]


@pytest.mark.parametrize("failure", [OSError(28, "no space"), StorageError("I091", "no"), KeyError("bug")])
def test_a_store_that_fails_is_told_once_and_asked_again(failure: Exception, notes: list[str]) -> None:
    store = Store()
    sink = QueuedSink(store, notes.append)
    store.failure = failure
    for number in range(2):
        store.asked.clear()
        sink.tell(RUN)
        sink.put(one(number))
        store.asked.wait()
        sink.close()
    assert sink.dropped == 2
    store.failure = None
    sink.put(one(7))
    sink.close()
    assert store.items == [one(7)]
    assert [str(failure) in note for note in notes] == [True, False] * 2
    assert notes[1] == notes[3] == "1 span is not kept"


def test_nobody_fails_where_even_the_note_does() -> None:
    def note(text: str) -> None:
        raise RuntimeError(text)

    store = Store()
    store.failure = OSError()
    sink = QueuedSink(store, note)
    sink.put(one())
    sink.close()
    assert sink.dropped == 1


def test_closing_does_not_wait_for_a_store_that_hangs(
    notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queued_sink, "CLOSING", 0.05)
    store = Store()
    store.open.clear()
    sink = QueuedSink(store, notes.append)
    sink.put(one())
    store.asked.wait()
    sink.put(one())
    sink.put(one())
    sink.close()
    assert sink.dropped == 2
    assert notes == ["2 spans are not kept: the database took more than 0.05 seconds"]
    store.open.set()


def test_many_threads_put_at_once(notes: list[str]) -> None:
    store = Store()
    sink = QueuedSink(store, notes.append, most=500)

    def work() -> None:
        for number in range(3000):
            sink.put(one(number))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sink.close()
    assert len(store.items) + sink.dropped == 12_000


def test_a_forked_process_writes_nothing_of_its_parent(tmp_path: Path, notes: list[str]) -> None:
    """It has the queue and the open database, and no thread."""
    file = tmp_path / "runs.sqlite"
    sink = QueuedSink(SqliteSpans(file, str), notes.append)
    sink.put(one(1))
    child = os.fork()
    if child == 0:
        sink.put(one(2))
        sink.close()
        os._exit(sink.dropped)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 1
    sink.put(one(3))
    sink.close()
    with read_only(file) as connection:
        assert connection.execute("SELECT span_id FROM spans").fetchall() == [
            ("0000000000000001",), ("0000000000000003",)
        ]  # fmt: skip
    connection.close()


def test_a_database_that_cannot_be_written_stops_nobody(tmp_path: Path, notes: list[str]) -> None:
    file = tmp_path / "runs.sqlite"
    file.write_text("no database, and nothing that could be read as one" * 40)
    sink = QueuedSink(SqliteSpans(file, str), notes.append)
    for number in range(3):
        sink.put(one(number))
    sink.close()
    assert sink.dropped == 3
    note, count = notes
    assert count == "3 spans are not kept"
    assert "error[I092]" in note
    assert str(file) in note


def test_a_full_disk_loses_what_did_not_fit(tmp_path: Path, notes: list[str]) -> None:
    file = tmp_path / "runs.sqlite"
    with connected(file) as connection:
        [[pages]] = connection.execute("PRAGMA page_count")
    connection.close()

    class Full(SqliteSpans):
        def _connected(self):  # type: ignore[no-untyped-def]
            made = super()._connected()
            made.execute(f"PRAGMA max_page_count={pages + 2}")
            return made

    sink = QueuedSink(Full(file, str), notes.append)
    for number in range(500):
        sink.put(one(number))
    sink.close()
    assert sink.dropped == 500
    assert "full" in notes[0]
