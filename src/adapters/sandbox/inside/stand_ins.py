"""What stands in the tests' process for the program's functions and objects."""

from __future__ import annotations

import builtins
import socket
from collections.abc import Iterator
from typing import Any, TypeVar

from .frames import Frames, TooLong
from .plain_data import NotPlain, TooMuch, decode, encode

_Kind = TypeVar("_Kind")


OF_THE_PROGRAM = "of_the_program"
"""Marks exceptions that the program raised, not the tests."""


class Ended(BaseException):
    """Nothing more can be asked of the program. No test catches this with ``except Exception``.

    Args:
        how: ``gone``, ``invalid_output``, ``output``, ``memory`` or ``raised``.
    """

    def __init__(self, how: str, text: str = "") -> None:
        super().__init__(how, text)
        self.how = how
        self.text = text


class ProgramError(Exception):
    """An exception of a class of the program's own."""


class Program:
    """Asks the program's process; remembers how it ended, should a test swallow that.

    Args:
        longest: bytes of one answer.
    """

    def __init__(self, end: socket.socket, longest: int) -> None:
        self._frames = Frames(end, longest)
        self.ended: Ended | None = None

    def load(self) -> None:
        """Waits until the program is loaded; raises Ended where it cannot be."""
        answer = self._exchange(None)
        if "raised" in answer:
            raise self._end("raised", _described(answer))
        if answer.get("loaded") is not True:
            raise self._end(_failure(answer), "while it was loaded")

    def ask(self, call: dict[str, Any]) -> Any:
        """The value a call gives.

        Raises:
            Exception: what the program raised: of the same built-in class, or a ProgramError.
            Ended: it gives none.
        """
        answer = self._exchange(call)
        if "raised" in answer:
            raise _raised(answer)
        if "value" not in answer:
            raise self._end(_failure(answer), str(answer.get("unsendable") or answer.get("excess") or ""))
        if answer["value"] == ["m"] and "object" in call and "arguments" not in call and "set" not in call:
            return _Method(self, call["object"], call["name"])
        try:
            return decode(answer["value"], lambda number: Held(self, number))
        except NotPlain as cause:
            raise self._end("invalid_output", str(cause)) from None

    def _exchange(self, call: dict[str, Any] | None) -> dict[str, Any]:
        if self.ended:
            raise self.ended
        try:
            if call is not None:
                self._frames.send(call)
            answer = self._frames.receive()
        except (EOFError, OSError):
            raise self._end("gone") from None
        except TooLong:
            raise self._end("output", "an answer is too long") from None
        except ValueError:
            raise self._end("invalid_output", "an answer is no message") from None
        if not isinstance(answer, dict):
            raise self._end("invalid_output", "an answer is no message")
        return answer

    def _end(self, how: str, text: str = "") -> Ended:
        self.ended = self.ended or Ended(how, text)
        return self.ended


def _failure(answer: dict[str, Any]) -> str:
    return "memory" if "memory" in answer else "output" if "excess" in answer else "invalid_output"


def _described(answer: dict[str, Any]) -> str:
    name, text = answer["raised"], answer.get("text", "")
    return f"{name[0] if isinstance(name, list) and name else name}: {text}"


def _raised(answer: dict[str, Any]) -> BaseException:
    """The nearest built-in exception, so that tests of what is raised work; none that ends this process."""
    names, text = answer["raised"], str(answer.get("text", ""))
    for name in names if isinstance(names, list) else []:
        kind = getattr(builtins, name, None) if isinstance(name, str) else None
        if isinstance(kind, type) and issubclass(kind, Exception) and kind is not Exception:
            try:
                raised = kind(text)
            except TypeError:
                continue  # such as UnicodeDecodeError, which wants more
            vars(raised)[OF_THE_PROGRAM] = True
            return raised
    return ProgramError(_described(answer))


class Function:
    """A function or a class of the program, by name."""

    def __init__(self, program: Program, name: str) -> None:
        self._program, self._ask, self._name = program, program.ask, name

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self._ask({"name": self._name, **sent(arguments, keywords)})

    def __getattr__(self, name: str) -> Any:
        """What a class of the program has: another function, or a value."""
        if name.startswith("__"):
            raise AttributeError(name)
        return stand_in(self._program, f"{self._name}.{name}")


def stand_in(program: Program, name: str) -> Any:
    """A function, a class, or a value that the program has under that name."""
    if program.ask({"kind": name}) == "value":
        return program.ask({"name": name})
    return Function(program, name)


class _Method:
    def __init__(self, program: Program, number: int, name: str) -> None:
        self._ask, self._number, self._name = program.ask, number, name

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self._ask({"object": self._number, "name": self._name, **sent(arguments, keywords)})


class Held:
    """An object of a class of the program's own, which stays there: its methods can be called.

    It is equal to nothing else, and neither true nor false: such an object could say what it likes of itself.
    """

    __slots__ = ("_number", "_program")

    def __init__(self, program: Program, number: int) -> None:
        object.__setattr__(self, "_program", program)
        object.__setattr__(self, "_number", number)

    def __getattr__(self, name: str) -> Any:
        return self._program.ask({"object": self._number, "name": name})

    def __setattr__(self, name: str, value: Any) -> None:
        self._program.ask({"object": self._number, "name": name, "set": encode(value, number_of)})

    def _call(self, name: str, *arguments: Any) -> Any:
        return self._program.ask({"object": self._number, "name": name, **sent(arguments, {})})

    def __len__(self) -> int:
        return _exactly(int, self._call("__len__"))

    def __getitem__(self, key: Any) -> Any:
        return self._call("__getitem__", key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._call("__setitem__", key, value)

    def __iter__(self) -> Iterator[Any]:
        # What contains a value is found out here as well: to say so of itself, an object need not contain it.
        return iter(self._call("__iter__"))

    def __str__(self) -> str:
        return _exactly(str, self._call("__str__"))

    def __repr__(self) -> str:
        return _exactly(str, self._call("__repr__"))

    def __call__(self, *arguments: Any) -> Any:
        return self._call("__call__", *arguments)

    def __bool__(self) -> bool:
        raise self._program._end("invalid_output", "an object of its own class is neither true nor false")

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Held):
            return bool(other._number == self._number)
        raise self._program._end("invalid_output", "an object of its own class is compared")

    __hash__ = None  # type: ignore[assignment]


def _exactly(kind: type[_Kind], value: object) -> _Kind:
    if not isinstance(value, kind):
        raise TypeError(f"{type(value).__name__} is given where {kind.__name__} is wanted")
    return value


def number_of(value: Any) -> int | None:
    """By what the program knows one of its objects."""
    return value._number if type(value) is Held else None


def sent(arguments: tuple[Any, ...], keywords: dict[str, Any]) -> dict[str, Any]:
    """Arguments as they travel; what a test gives must be data, or the program's own objects."""
    try:
        return {
            "arguments": [encode(one, number_of) for one in arguments],
            "keywords": {key: encode(value, number_of) for key, value in keywords.items()},
        }
    except NotPlain as cause:
        # A function, say, is the tests' own; all else that is no data came from the program.
        own = str(cause) in ("function", "builtin_function_or_method", "module", "type")
        raise Ended(
            "unsendable" if own else "invalid_output", f"a test gives the program what is no data: {cause}"
        ) from None
    except TooMuch as cause:
        # Tests are written to be sent: what is too large to go back was made by the program.
        raise Ended(
            "invalid_output", f"what the program gave is too large to be given back: {cause}"
        ) from None
