"""The process of the program: it loads it and answers calls of its functions with plain data.

Whatever the program does here, to this server too, it can only change what this process says its functions
give; who asks compares that with values that were never here.
"""

from __future__ import annotations

import atexit
import random
import socket
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

from .frames import Frames
from .plain_data import NotPlain, TooMuch, decode, encode

_NAME = "program"
_LONGEST_DETAIL = 300


def serve(job: socket.socket, asked: socket.socket) -> None:
    """Loads the program of the job, tells how that went, and answers until nobody asks.

    Args:
        job: gives the program.
        asked: whence calls come; it is told ``{"loaded": true}`` first, or what was raised.
    """
    request = Frames(job).receive()
    job.close()
    calls = Frames(asked)
    random.seed(0)
    module = ModuleType(_NAME)
    sys.modules[_NAME] = module
    loaded = _outcome(lambda: _run(request["program"], module))
    calls.send({"loaded": True} if "value" in loaded else loaded)
    server = _Server(vars(module))
    while "value" in loaded:
        calls.send(server.answer(calls.receive()))


def run_script(job: socket.socket) -> None:
    """Runs the program of the job as the main module, with what its standard input holds."""
    request = Frames(job).receive()
    random.seed(0)
    module = sys.modules["__main__"] = ModuleType("__main__")
    ended = _outcome(lambda: _run_whole(request["program"], module))
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    Frames(job).send(ended)


def _run_whole(program: str, module: ModuleType) -> None:
    """As an interpreter would: threads are waited for, and what is to be done at the end is done."""
    try:
        _run(program, module)
    except SystemExit as end:
        if end.code not in (None, 0):
            raise
    finally:
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join()
        atexit._run_exitfuncs()


def _run(program: str, module: ModuleType) -> None:
    exec(compile(program, "<program>", "exec", dont_inherit=True), vars(module))  # noqa: S102


class _Server:
    """Answers calls, and holds the objects of the program's own classes that tests have a handle of."""

    def __init__(self, names: dict[str, Any]) -> None:
        self._names = names
        self._held: list[Any] = []

    def answer(self, call: dict[str, Any]) -> dict[str, Any]:
        """What a call gives: ``value``, or ``raised``, or what cannot be sent."""
        return _outcome(lambda: self._sendable(self._value(call)))

    def _sendable(self, value: Any) -> Any:
        return value if value is _METHOD else encode(value, self._hold)

    def _value(self, call: dict[str, Any]) -> Any:
        if "kind" in call:
            try:
                found = self._named(call["kind"])
            except (AttributeError, NameError):
                return None
            return "class" if isinstance(found, type) else _kind(found)
        if "set" in call:
            return setattr(self._held[call["object"]], call["name"], self._decoded(call["set"]))
        name = call["name"]
        found = getattr(self._held[call["object"]], name) if "object" in call else self._named(name)
        if "arguments" not in call:
            return _METHOD if callable(found) and "object" in call else found
        keywords = {key: self._decoded(value) for key, value in call["keywords"].items()}
        return found(*map(self._decoded, call["arguments"]), **keywords)

    def _named(self, name: str) -> Any:
        first, *rest = name.split(".")
        if first not in self._names:
            raise NameError(f"the program does not define {first}")
        found = self._names[first]
        for part in rest:
            found = getattr(found, part)
        return found

    def _decoded(self, sent: Any) -> Any:
        return decode(sent, self._held.__getitem__)

    def _hold(self, value: Any) -> int | None:
        if type(value).__module__ != _NAME:
            return None
        for number, known in enumerate(self._held):
            if known is value:
                return number
        self._held.append(value)
        return len(self._held) - 1


_METHOD = ["m"]
"""Sent for an attribute that is to be called."""


def _kind(found: Any) -> str:
    return "function" if callable(found) else "value"


def _outcome(act: Callable[[], Any]) -> dict[str, Any]:
    try:
        return {"value": act()}
    except NotPlain as cause:
        return {"unsendable": str(cause)[:_LONGEST_DETAIL]}
    except TooMuch as cause:
        return {"excess": str(cause)[:_LONGEST_DETAIL]}
    except MemoryError:
        return {"memory": True}
    except SystemExit as cause:
        return {"raised": ["SystemExit"], "text": _text(cause)}
    except BaseException as cause:
        return {"raised": [kind.__name__ for kind in type(cause).__mro__[:-1]], "text": _text(cause)}


def _text(cause: BaseException) -> str:
    try:
        return str(cause)[:_LONGEST_DETAIL].encode("utf-8", "replace").decode()
    except BaseException:
        return ""
