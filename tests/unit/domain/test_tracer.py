"""Spans: how they are nested, numbered and ended, wherever the work is done."""

from __future__ import annotations

import asyncio
import os
import random
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from contextvars import copy_context
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain import genai_names as names
from cesello.domain import tracer as tracer_module
from cesello.domain.open_span import (
    EVENTS_AT_MOST,
    NOTHING,
    OpenSpan,
    annotate,
    event,
    innermost,
    new_id,
    reward,
    span,
)
from cesello.domain.trace import Event, SpanKind, SpanStatus
from cesello.domain.tracer import NO_ROLLOUT, NO_TRACER, Tracer
from tests.fakes.trace import FakeSpanSink


@pytest.fixture
def sink() -> FakeSpanSink:
    return FakeSpanSink()


@pytest.fixture
def opened(sink: FakeSpanSink) -> Iterator[Tracer]:
    """A tracer whose outermost span is called "run"."""
    tracer = Tracer(sink, "a-run")
    with tracer.opened("run"):
        yield tracer


def test_spans_are_within_the_one_that_is_open(sink: FakeSpanSink) -> None:
    with Tracer(sink, "a-run").opened("run", {"model": "tiny"}), span("outer"):
        with span("first", {"at": 1}, SpanKind.CLIENT) as first:
            first.set("hits", 3)
            annotate({"more": True})
        with span("second"):
            pass
    assert [one.name for one in sink.spans] == ["first", "second", "outer", "run"]
    first_span, second, outer, run = sink.spans
    assert sink.above(first_span) == sink.above(second) == outer
    assert sink.above(outer) == run
    assert run.parent_id is None
    assert first_span.attributes == {"at": 1, "hits": 3, "more": True}
    assert (first_span.kind, second.kind) == (SpanKind.CLIENT, SpanKind.INTERNAL)
    assert run.attributes == {"model": "tiny"}
    assert {one.run for one in sink.spans} == {"a-run"}
    assert {one.status for one in sink.spans} == {SpanStatus.UNSET}
    assert sink.closed == 1


def test_ids_have_the_form_that_opentelemetry_wants(sink: FakeSpanSink, opened: Tracer) -> None:
    with span("one"):
        pass
    [one] = sink.spans
    assert len(bytes.fromhex(one.trace_id)) == 16
    assert len(bytes.fromhex(one.span_id)) == 8


def test_no_number_is_drawn_from_the_generator_of_a_training(opened: Tracer) -> None:
    random.seed(7)
    before = random.getstate()
    with span("one"), opened.rollout("a task") as rollout, rollout.attempt():
        pass
    assert random.getstate() == before
    random.seed(7)
    first = new_id(32)
    random.seed(7)
    assert new_id(32) != first


def test_a_forked_process_draws_other_ids() -> None:
    """Both would go on with the same state of the generator."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writable, new_id(32).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writable)
    with open(readable) as told:
        assert told.read() != new_id(32)


def test_times_lie_within_the_span_around_and_never_go_back(sink: FakeSpanSink, opened: Tracer) -> None:
    with span("outer"):
        for _ in range(50):
            with span("inner"):
                event("now")
    outer = sink.named("outer")[0]
    inner = sink.named("inner")
    times = [at for one in inner for at in (one.start, one.events[0].at, one.end)]
    assert times == sorted(times)
    assert outer.start <= times[0]
    assert times[-1] <= outer.end
    assert abs(opened.now() - outer.end) < 60e9


def test_an_exception_marks_what_it_leaves_and_goes_on(sink: FakeSpanSink) -> None:
    with (
        pytest.raises(KeyError),
        Tracer(sink, "a-run").opened("run"),
        span("outer"),
        span("inner"),
    ):
        raise KeyError("k")
    for one in sink.spans:
        assert (one.status, one.message) == (SpanStatus.ERROR, "KeyError: 'k'")
        assert one.attributes == {names.ERROR_TYPE: "KeyError"}
        assert one.events[0].attributes == {names.EXCEPTION_TYPE: "KeyError", names.EXCEPTION_MESSAGE: "'k'"}
    assert innermost() is None


def test_an_exception_that_cannot_be_told_is_still_the_one_that_goes_on(
    sink: FakeSpanSink, opened: Tracer
) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    with pytest.raises(Mute), span("one"):
        raise Mute
    assert sink.spans[0].message == "Mute: <Mute>"


def test_what_is_told_is_plain_whatever_is_told(sink: FakeSpanSink, opened: Tracer) -> None:
    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError

    odd: dict[str, object] = {
        "nan": float("nan"), "high": float("inf"), "huge": 2**80, "none": None, "odd": Odd(),
        "long": "x" * 99_999, "list": [1, 2], "mixed": [1, "a", None], "tuple": (1.5, 2.5),
        "many": list(range(5000)), "set": {1},
    }  # fmt: skip
    with span("one", odd):  # type: ignore[arg-type]
        pass
    told = dict(sink.spans[0].attributes)
    assert len(str(told.pop("long"))) == 16_384
    many = told.pop("many")
    assert isinstance(many, list)
    assert len(many) == 1024
    assert told == {
        "nan": "NaN", "high": "Infinity", "huge": str(2**80), "odd": "<Odd>", "list": [1, 2],
        "mixed": ["1", "a", "None"], "tuple": [1.5, 2.5], "set": "{1}",
    }  # fmt: skip


def test_events_and_attributes_are_bounded(sink: FakeSpanSink, opened: Tracer) -> None:
    with span("one", {f"a{number}": number for number in range(500)}) as its:
        for _ in range(EVENTS_AT_MOST + 5):
            its.event("again")
    with span("few"):
        pass
    one, few = sink.spans
    assert len(one.events) == EVENTS_AT_MOST
    assert len(one.attributes) == 128
    assert "cesello.dropped_events" not in few.attributes


def test_lost_events_are_told(sink: FakeSpanSink, opened: Tracer) -> None:
    with span("one") as its:
        for _ in range(EVENTS_AT_MOST + 5):
            its.event("again")
    assert sink.spans[0].attributes == {"cesello.dropped_events": 5}


def test_a_reward_is_an_event_as_the_conventions_have_it(sink: FakeSpanSink, opened: Tracer) -> None:
    with span("one"):
        reward("right", 0.5, "half", "the second part is missing")
        reward("style", None)
    first, second = sink.spans[0].events
    assert first.name == second.name == "gen_ai.evaluation.result"
    assert first.attributes == {
        "gen_ai.evaluation.name": "right",
        "gen_ai.evaluation.score.value": 0.5,
        "gen_ai.evaluation.score.label": "half",
        "gen_ai.evaluation.explanation": "the second part is missing",
    }
    assert second.attributes == {"gen_ai.evaluation.name": "style"}


class Scalar:
    """A number as NumPy and PyTorch have it."""

    def __init__(self, *numbers: object) -> None:
        self.numbers = numbers

    def item(self) -> object:
        [only] = self.numbers
        return only


def test_a_reward_is_the_number_that_is_inside(sink: FakeSpanSink, opened: Tracer) -> None:
    scores = [
        Scalar(1.5),
        Scalar(3),
        Scalar(True),
        Decimal("0.25"),
        Scalar(1, 2),
        "text",
        Scalar(float("nan")),
    ]
    with span("one", {"scalar": Scalar(7)}):  # type: ignore[dict-item]
        for score in scores:
            reward("right", score)  # type: ignore[arg-type]
    told = [one.attributes[names.EVALUATION_SCORE] for one in sink.spans[0].events]
    assert told[:4] == [1.5, 3, True, 0.25]
    assert [type(one) for one in told] == [float, int, bool, float, str, str, str]
    assert sink.spans[0].attributes == {"scalar": 7}


def test_a_span_can_be_told_afterwards(sink: FakeSpanSink, opened: Tracer) -> None:
    with span("outer"):
        now = opened.now()
        opened.record("earlier", now - 2000, now - 1000, {"a": 1}, events=[Event("e", now - 1500)])
        opened.record("backwards", now, now - 5)
    earlier, backwards, outer = sink.spans
    assert sink.above(earlier) == outer
    assert (earlier.end - earlier.start, earlier.attributes) == (1000, {"a": 1})
    assert earlier.events[0].name == "e"
    assert backwards.end == backwards.start


# Before a run has an id


def test_spans_wait_for_the_id_of_their_run(sink: FakeSpanSink) -> None:
    tracer = Tracer(sink)
    with tracer.opened("run"):
        with span("early"):
            pass
        assert not sink.spans
        tracer.begin("an-id", anew=True)
        assert [(one.name, one.run) for one in sink.spans] == [("early", "an-id")]
        assert sink.forgotten == ["an-id"]
        with span("late"):
            pass
    assert [one.run for one in sink.spans] == ["an-id"] * 3


def test_nothing_is_kept_of_a_run_that_never_began(sink: FakeSpanSink) -> None:
    with Tracer(sink).opened("run"):
        for _ in range(3000):
            with span("early"):
                pass
    assert not sink.spans


def test_phases_are_kept_first_and_the_rest_is_counted(
    sink: FakeSpanSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracer_module, "HELD_AT_MOST", 3)
    tracer = Tracer(sink)
    with tracer.opened("run"):
        with span("prepare"):
            for _ in range(10):
                with span("row"):
                    pass
        tracer.begin("an-id")
        assert [one.name for one in sink.spans] == ["prepare", *["row"] * 3]
        assert sink.dropped == 7
    assert sink.spans[-1].attributes == {names.DROPPED_SPANS: 7}
    with tracer.opened("run"):
        tracer.begin("another")
    assert not sink.spans[-1].attributes


def test_phases_are_not_kept_without_end(sink: FakeSpanSink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracer_module, "HELD_AT_MOST", 3)
    monkeypatch.setattr(tracer_module, "PHASES_AT_MOST", 2)
    tracer = Tracer(sink)
    with tracer.opened("run"):
        for _ in range(10):
            with span("phase"):
                pass
        tracer.begin("an-id")
    assert (len(sink.spans), sink.dropped) == (6, 5)


def test_a_tracer_serves_one_run_after_the_other(sink: FakeSpanSink) -> None:
    tracer = Tracer(sink)
    for run in ("one", "other"):
        with tracer.opened("run"):
            with span("early"):
                pass
            tracer.begin(run)
    assert [one.run for one in sink.spans] == ["one", "one", "other", "other"]
    assert len({one.trace_id for one in sink.spans}) == 2


# Rollouts and attempts


def test_a_rollout_has_attempts_each_with_a_trace_of_its_own(sink: FakeSpanSink, opened: Tracer) -> None:
    with opened.rollout("a task", {"difficulty": 2}) as rollout:
        with pytest.raises(ValueError, match="no"), rollout.attempt(), span("think"):
            raise ValueError("no")
        with rollout.attempt({"hint": True}), span("think"):
            reward("right", 1.0)
        rollout.reward("style", 0.5)
    first, failed, second, attempt, whole = sink.spans
    assert [one.attempt for one in sink.spans] == [1, 1, 2, 2, 0]
    assert len({one.rollout for one in sink.spans}) == 1
    assert first.trace_id == failed.trace_id != second.trace_id == attempt.trace_id
    assert failed.parent_id is attempt.parent_id is None
    assert sink.above(second) == attempt
    assert (failed.status, attempt.status, whole.status) == ("error", "unset", "unset")
    assert [(one.sequence) for one in (failed, first, attempt, second)] == [1, 2, 1, 2]
    assert whole.attributes == {"difficulty": 2, names.TASK: "a task"}
    assert attempt.attributes == {"hint": True}
    assert whole.events[0].attributes[names.ATTEMPT] == 2


def test_a_rollout_whose_last_attempt_failed_has_failed(sink: FakeSpanSink, opened: Tracer) -> None:
    with opened.rollout("a task") as rollout:
        for _ in range(2):
            with suppress(ValueError), rollout.attempt():
                raise ValueError("no")
    assert (sink.spans[-1].status, sink.spans[-1].message) == (SpanStatus.ERROR, "ValueError: no")


# Threads and tasks


def test_tasks_of_asyncio_are_within_the_span_that_made_them_and_not_within_each_other(
    sink: FakeSpanSink, opened: Tracer
) -> None:
    async def work(name: str) -> None:
        with span(name):
            await asyncio.sleep(0)
            with span(f"in {name}"):
                await asyncio.sleep(0)

    async def all_of_it() -> None:
        with span("both"):
            await asyncio.gather(work("one"), work("other"))

    asyncio.run(all_of_it())
    for name in ("one", "other"):
        [inner] = sink.named(f"in {name}")
        assert sink.above(inner) == sink.named(name)[0]
        assert sink.above(sink.named(name)[0]) == sink.named("both")[0]


def test_a_thread_is_within_the_run_and_with_its_makers_context_within_the_span(
    sink: FakeSpanSink, opened: Tracer
) -> None:
    def work(name: str) -> None:
        with span(name):
            pass

    with span("outer"):
        threads = [
            threading.Thread(target=work, args=("bare",)),
            threading.Thread(target=copy_context().run, args=(work, "carried")),
        ]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
    outer = sink.named("outer")[0]
    assert sink.above(sink.named("carried")[0]) == outer
    assert sink.named("bare")[0].parent_id == outer.parent_id


def test_spans_of_many_threads_are_numbered_one_by_one(sink: FakeSpanSink, opened: Tracer) -> None:
    def work() -> None:
        for _ in range(200):
            with span("one"):
                pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(one.sequence for one in sink.spans) == list(range(2, 802))
    assert len({one.span_id for one in sink.spans}) == 800


def test_a_run_within_a_run_keeps_to_itself(sink: FakeSpanSink, opened: Tracer) -> None:
    other = FakeSpanSink()
    with Tracer(other, "other").opened("inner"), span("of the inner"):
        with opened.span("of the outer"):
            pass
        opened.event("nowhere")
    with span("of the outer again"):
        pass
    assert [one.name for one in other.spans] == ["of the inner", "inner"]
    assert [one.name for one in sink.spans] == ["of the outer", "of the outer again"]
    assert not other.spans[0].events


def test_a_span_that_is_closed_in_another_context_ends_all_the_same(
    sink: FakeSpanSink, opened: Tracer
) -> None:
    def generator() -> Iterator[int]:
        with span("one"):
            yield 1

    def begin() -> Iterator[int]:
        made = generator()
        next(made)
        return made

    with closing(copy_context().run(begin)):  # type: ignore[type-var]
        pass
    assert [(one.name, one.status) for one in sink.spans] == [("one", SpanStatus.UNSET)]


# Where nobody traces


def test_where_nobody_traces_nothing_is_made() -> None:
    with span("one", {"a": 1}) as its:
        its.set("b", 2)
        its.event("e")
        its.reward("r", 1.0)
        event("e")
        reward("r", 1.0)
        annotate({"a": 1})
    assert its is NOTHING
    assert not its.recording
    assert not its.attributes
    assert innermost() is None


def test_a_tracer_that_is_off_does_nothing_and_lets_others_trace(sink: FakeSpanSink, opened: Tracer) -> None:
    with NO_TRACER.opened("off"):
        NO_TRACER.begin("a-run")
        assert NO_TRACER.span("one") is NOTHING
        assert NO_TRACER.rollout("a task") is NO_ROLLOUT
        with NO_TRACER.rollout("a task") as rollout, rollout.attempt():
            rollout.reward("right", 1.0)
        NO_TRACER.record("one", 0, 1)
        NO_TRACER.event("e")
        NO_TRACER.reward("r", 1.0)
        with span("of the other"):
            pass
    assert [one.name for one in sink.spans] == ["of the other", "off"]


Tree = list["Tree"]
trees: st.SearchStrategy[Tree] = st.recursive(
    st.just([]), lambda inner: st.lists(inner, max_size=4), max_leaves=20
)


@given(trees, st.data())
def test_any_calls_leave_a_tree_of_the_same_shape(tree: Tree, data: st.DataObject) -> None:
    """Whatever fails on the way: names are paths, and every span's parent has the path above."""
    sink = FakeSpanSink()

    def grow(path: str, branches: Tree) -> None:
        with suppress(ValueError), span(path):
            for number, branch in enumerate(branches):
                grow(f"{path}/{number}", branch)
            if data.draw(st.booleans()):
                raise ValueError

    def paths(path: str, branches: Tree) -> Iterator[str]:
        yield path
        for number, branch in enumerate(branches):
            yield from paths(f"{path}/{number}", branch)

    with Tracer(sink, "a-run").opened("run"):
        grow("run/0", tree)
    expected = ["run", *paths("run/0", tree)]
    by_begin = sorted(sink.spans, key=lambda one: one.sequence)
    assert [one.name for one in by_begin] == expected
    assert [one.sequence for one in by_begin] == list(range(1, len(expected) + 1))
    assert [one.start for one in by_begin] == sorted(one.start for one in by_begin)
    for one in sink.spans:
        above = sink.above(one)
        assert (above.name if above else "") == one.name.rpartition("/")[0]
        assert above is None or above.start <= one.start <= one.end <= above.end
    assert len({one.span_id for one in sink.spans}) == len(expected)
    assert innermost() is None


def test_the_name_is_a_text(sink: FakeSpanSink, opened: Tracer) -> None:
    with OpenSpan(None, 5):  # type: ignore[arg-type]
        pass
    with span(("a", 1)):  # type: ignore[arg-type]
        pass
    assert sink.spans[0].name == "('a', 1)"
