"""The decorator: functions, coroutines and generators of both kinds."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Generator, Iterator
from functools import partial

import pytest

from cesello.domain.open_span import NOTHING, annotate, innermost, span
from cesello.domain.trace import SpanKind, SpanStatus
from cesello.domain.traced import traced
from cesello.domain.tracer import Tracer
from tests.fakes.trace import FakeSpanSink


@pytest.fixture
def sink() -> Iterator[FakeSpanSink]:
    made = FakeSpanSink()
    with Tracer(made, "a-run").opened("run"):
        yield made


@traced
def double(number: int) -> int:
    """Twice as much."""
    with span("within"):
        return 2 * number


@traced("a name", {"a": 1}, SpanKind.CLIENT)
def named() -> None:
    annotate({"b": 2})


@traced
async def later(number: int) -> int:
    await asyncio.sleep(0)
    with span("within"):
        return number


@traced
def counted(most: int) -> Generator[int, str | None, str]:
    said = ""
    with span("open over several values"):
        for number in range(most):
            with span(f"value {number}"):
                said += (yield number) or ""
    return said


@traced
async def counted_later(most: int) -> AsyncGenerator[int, None]:
    for number in range(most):
        with span(f"value {number}"):
            await asyncio.sleep(0)
            yield number


def shape(sink: FakeSpanSink) -> dict[str, str]:
    """The name of every span, and of the one around it."""
    above = {one.name: sink.above(one) for one in sink.spans}
    return {name: one.name if one else "" for name, one in above.items()}


def test_every_call_is_a_span(sink: FakeSpanSink) -> None:
    assert double(2) == 4
    named()
    assert shape(sink) == {"within": "double", "double": "", "a name": ""}
    assert sink.spans[-1].attributes == {"a": 1, "b": 2}
    assert sink.spans[-1].kind is SpanKind.CLIENT


def test_a_function_is_what_it_was() -> None:
    assert (double.__name__, double.__doc__) == ("double", "Twice as much.")
    assert str(inspect.signature(double)) == "(number: 'int') -> 'int'"
    assert inspect.iscoroutinefunction(later)
    assert inspect.isgeneratorfunction(counted)
    assert inspect.isasyncgenfunction(counted_later)


def test_without_a_run_a_function_does_what_it_did() -> None:
    assert double(2) == 4
    assert asyncio.run(later(3)) == 3
    assert list(counted(3)) == [0, 1, 2]


def test_a_coroutine_is_a_span_until_it_is_done(sink: FakeSpanSink) -> None:
    assert asyncio.run(later(3)) == 3
    assert shape(sink) == {"within": "later", "later": ""}


def test_what_a_caller_does_between_two_values_is_not_within_the_generator(sink: FakeSpanSink) -> None:
    with span("caller"):
        for number in counted(2):
            with span(f"between {number}"):
                pass
        assert (above := innermost())
        assert above.name == "caller"
    assert shape(sink) == {
        "between 0": "caller",
        "between 1": "caller",
        "value 0": "open over several values",
        "value 1": "open over several values",
        "open over several values": "counted",
        "counted": "caller",
        "caller": "",
    }


def test_a_generator_is_sent_and_thrown_what_it_was(sink: FakeSpanSink) -> None:
    made = counted(2)
    next(made)
    made.send("a")
    with pytest.raises(StopIteration) as end:
        made.send("b")
    assert end.value.value == "ab"
    thrown = counted(2)
    next(thrown)
    with pytest.raises(KeyError):
        thrown.throw(KeyError("k"))
    assert sink.spans[-1].status is SpanStatus.ERROR


def test_a_generator_that_is_left_early_ends_without_a_failure(sink: FakeSpanSink) -> None:
    made = counted(5)
    next(made)
    made.close()
    assert [(one.name, one.status) for one in sink.spans] == [
        ("value 0", SpanStatus.UNSET),
        ("open over several values", SpanStatus.UNSET),
        ("counted", SpanStatus.UNSET),
    ]


def test_an_asynchronous_generator_likewise(sink: FakeSpanSink) -> None:
    async def use() -> None:
        async for number in counted_later(2):
            with span(f"between {number}"):
                await asyncio.sleep(0)
        left = counted_later(5)
        await anext(left)
        await left.aclose()

    with span("caller"):
        asyncio.run(use())
    assert shape(sink) == {
        "between 0": "caller",
        "between 1": "caller",
        "value 0": "counted_later",
        "value 1": "counted_later",
        "counted_later": "caller",
        "caller": "",
    }
    assert {one.status for one in sink.spans} == {SpanStatus.UNSET}


def test_a_call_before_the_run_has_begun_may_be_none() -> None:
    @traced("search", begun=True)
    def search() -> None:
        return

    @traced("searches", begun=True)
    def searches() -> Iterator[int]:
        annotate({"told to": "what is around it"})
        yield 1

    made = FakeSpanSink()
    tracer = Tracer(made)
    with tracer.opened("run"):
        with span("prepare"):
            search()
            assert list(searches()) == [1]
        tracer.begin("an-id")
        search()
    search()
    assert [one.name for one in made.spans] == ["prepare", "search", "run"]
    assert made.spans[0].attributes == {"told to": "what is around it"}


def test_where_nobody_traces_nothing_is_told() -> None:
    @traced
    async def annotated() -> AsyncGenerator[int, None]:
        annotate({"a secret": 1})
        yield 1

    async def use() -> list[int]:
        return [one async for one in annotated()]

    assert asyncio.run(use()) == [1]
    assert NOTHING.attributes == {}


def test_what_has_no_name_has_that_of_what_is_within_or_of_its_kind(sink: FakeSpanSink) -> None:
    class Caller:
        def __call__(self) -> int:
            return 5

    assert traced(partial(partial(double), 2))() == 4
    assert traced(Caller())() == 5
    assert traced(None, {"a": 1})(partial(double, 3))() == 6
    found = [one.name for one in sink.spans if one.name != "within"]
    assert found == ["double", "double", "Caller", "double", "double"]
