"""A decorator: every call of a function is a span.

Of a generator the span lasts from its first value asked to its end. What its caller does between two values
is not within it.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar, overload

from .open_span import NOTHING, OpenSpan, innermost, inside, put_back, span
from .trace import SpanKind, Value

_Given = ParamSpec("_Given")
_Returned = TypeVar("_Returned")
_Function = Callable[_Given, _Returned]


@overload
def traced(function: Callable[_Given, _Returned], /) -> Callable[_Given, _Returned]: ...
@overload
def traced(
    name: str | None = None,
    /,
    attributes: Mapping[str, Value] | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    *,
    begun: bool = False,
) -> Callable[[Callable[_Given, _Returned]], Callable[_Given, _Returned]]: ...
def traced(
    named: Any = None,
    /,
    attributes: Mapping[str, Value] | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    *,
    begun: bool = False,
) -> Any:
    """``@traced``, or ``@traced("a name", {"an.attribute": 1})``.

    Args:
        named: the function, or the name of the spans; None: the function's own.
        begun: calls before the run has an id are no spans: a training is prepared with as many as its rows.
    """

    def wrapped(function: Any, name: str) -> Any:
        def new() -> OpenSpan:
            return NOTHING if begun and not _has_begun() else span(name, attributes, kind)

        return _wrapped(function, new)

    if callable(named):
        return wrapped(named, _name_of(named))
    return lambda function: wrapped(function, named or _name_of(function))


def _name_of(function: Any) -> str:
    """Of ``functools.partial``, that of the function within; of other objects, that of their kind."""
    while isinstance(function, partial):
        function = function.func
    return getattr(function, "__name__", None) or type(function).__name__


def _has_begun() -> bool:
    """Whether the run of the innermost span has an id."""
    above = innermost()
    return above is not None and above.branch is not None and above.branch.recorder.run != ""


def _wrapped(function: Any, new: Callable[[], OpenSpan]) -> Any:

    if inspect.isasyncgenfunction(function):
        return wraps(function)(_async_generator(function, new))
    if inspect.isgeneratorfunction(function):
        return wraps(function)(_generator(function, new))
    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            with new():
                return await function(*args, **kwargs)

        return awaited

    @wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        if innermost() is None:
            return function(*args, **kwargs)
        with new():
            return function(*args, **kwargs)

    return called


class _Steps:
    """The span of a generator, which is the innermost one only while the generator runs."""

    def __init__(self, its: OpenSpan) -> None:
        self._its = self._innermost = its

    @contextmanager
    def step(self) -> Generator[None]:
        if not self._its.recording:
            yield
            return
        token = inside(self._innermost)
        try:
            yield
        finally:
            self._innermost = innermost() or self._its
            put_back(token)

    @contextmanager
    def whole(self) -> Generator[None]:
        self._its.begin()
        try:
            yield
        except GeneratorExit:
            raise
        except BaseException as error:
            self._its.fail(error)
            raise
        finally:
            self._its.end()


def _generator(function: Any, new: Callable[[], OpenSpan]) -> Any:
    def stepped(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        if innermost() is None:
            return (yield from function(*args, **kwargs))
        steps, made = _Steps(new()), function(*args, **kwargs)
        go_on: Callable[[], Any] = made.__next__
        with steps.whole():
            while True:
                try:
                    with steps.step():
                        value = go_on()
                except StopIteration as end:
                    return end.value
                try:
                    sent = yield value
                except GeneratorExit:
                    with steps.step():
                        made.close()
                    raise
                except BaseException as thrown:
                    go_on = _later(made.throw, thrown)
                else:
                    go_on = _later(made.send, sent)

    return stepped


def _async_generator(function: Any, new: Callable[[], OpenSpan]) -> Any:
    async def stepped(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        steps, made = _Steps(new()), function(*args, **kwargs)
        go_on: Callable[[], Any] = made.__anext__
        with steps.whole():
            while True:
                try:
                    with steps.step():
                        value = await go_on()
                except StopAsyncIteration:
                    return
                try:
                    sent = yield value
                except GeneratorExit:
                    with steps.step():
                        await made.aclose()
                    raise
                except BaseException as thrown:
                    go_on = _later(made.athrow, thrown)
                else:
                    go_on = _later(made.asend, sent)

    return stepped


def _later(call: Callable[[Any], Any], value: Any) -> Callable[[], Any]:
    return lambda: call(value)
