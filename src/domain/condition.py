"""The conditions of steps: ``steps.reproduce.ok and inputs.language in ["python", "go"]``.

::

    or:       and ("or" and)*
    and:      not ("and" not)*
    not:      "not" not | compare
    compare:  value (("==" | "!=" | "<" | "<=" | ">" | ">=" | "in") value)?
    value:    NAME | text | number | "true" | "false" | "[" (literal ("," literal)*)? "]" | "(" or ")"

A name is words of letters, digits, ``_`` and ``-`` behind dots. Nothing is ever called: a condition is data
that is looked at, so that whoever wrote it can do no more with it than choose steps.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from operator import ge, gt, le, lt
from typing import TypeAlias

LONGEST = 500
"""Characters of a condition."""
DEEPEST = 20
"""Parentheses and ``not`` in each other."""
KEYWORDS = frozenset(("and", "or", "not", "in", "true", "false"))

Value: TypeAlias = str | int | float | bool
Seen: TypeAlias = Value | tuple[Value, ...] | None
"""What a part of a condition comes to; None is what a name comes to that has no value yet."""

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<name>[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*)
      | (?P<number>-?\d+(?:\.\d+)?)
      | (?P<text>"[^"\\\n]*"|'[^'\\\n]*')
      | (?P<sign>==|!=|<=|>=|<|>|\(|\)|\[|\]|,)
      )""",
    re.VERBOSE | re.ASCII,
)
_ORDERS: Mapping[str, Callable[[float, float], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}
_WORD_ORDERS: Mapping[str, Callable[[str, str], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}
_COMPARISONS = ("==", "!=", *_ORDERS, "in")


class ConditionError(ValueError):
    """A condition cannot be read.

    Attributes:
        column: of the character where it goes wrong, from 1.
    """

    def __init__(self, what: str, column: int) -> None:
        super().__init__(f"{what} at character {column}")
        self.column = column


@dataclass(frozen=True, slots=True)
class _Literal:
    value: Seen

    def see(self, values: Mapping[str, Value]) -> Seen:
        return self.value


@dataclass(frozen=True, slots=True)
class _Name:
    name: str

    def see(self, values: Mapping[str, Value]) -> Seen:
        return values.get(self.name)


@dataclass(frozen=True, slots=True)
class _Not:
    inner: _Node

    def see(self, values: Mapping[str, Value]) -> Seen:
        return not self.inner.see(values)


@dataclass(frozen=True, slots=True)
class _Several:
    """Parts that all hold, or of which one does."""

    all: bool
    parts: tuple[_Node, ...]

    def see(self, values: Mapping[str, Value]) -> Seen:
        each = (bool(part.see(values)) for part in self.parts)
        return all(each) if self.all else any(each)


@dataclass(frozen=True, slots=True)
class _Compare:
    sign: str
    left: _Node
    right: _Node

    def see(self, values: Mapping[str, Value]) -> Seen:
        return _compared(self.sign, self.left.see(values), self.right.see(values))


_Node: TypeAlias = _Literal | _Name | _Not | _Several | _Compare


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that was read.

    Attributes:
        names: in it, with the character where each stands first, from 1.
    """

    text: str
    names: Mapping[str, int]
    _root: _Node

    def holds(self, values: Mapping[str, Value]) -> bool:
        """Whether it does. What has no value yet is not true, and equal to and in order with nothing."""
        return bool(self._root.see(values))

    def can_hold(self) -> bool:
        """False where it never does, whatever the steps give: ``false``, ``steps.a.ok and not steps.a.ok``.

        Conditions on other values than whether a step succeeded are taken to be able to.
        """
        if not all(_kind_of(name) == "ok" for name in self.names) or len(self.names) > 6:
            return True
        answers = product((None, True, False), repeat=len(self.names))
        seen = (dict(zip(self.names, answer, strict=True)) for answer in answers)
        return any(
            self.holds({name: value for name, value in one.items() if value is not None}) for one in seen
        )

    def senseless(self) -> Iterator[str]:
        """Comparisons of values of two kinds, which are never equal and in no order, each in words."""
        yield from _senseless(self._root)


_KINDS = {"ok": "true or false", "output": "text", "exit_code": "a number"}


def _kind_of(name: str) -> str:
    """Of a name: a key of ``_KINDS``; inputs are text like an output."""
    first, *rest = name.split(".")
    return rest[1] if first == "steps" and len(rest) == 2 and rest[1] in _KINDS else "output"


def _kind(node: _Node) -> str:
    if isinstance(node, _Name):
        return _KINDS[_kind_of(node.name)]
    if isinstance(node, _Literal) and not isinstance(node.value, tuple | bool | None):
        return "text" if isinstance(node.value, str) else "a number"
    return "a list" if isinstance(node, _Literal) and isinstance(node.value, tuple) else "true or false"


def _senseless(node: _Node) -> Iterator[str]:
    if isinstance(node, _Not):
        yield from _senseless(node.inner)
    elif isinstance(node, _Several):
        for part in node.parts:
            yield from _senseless(part)
    elif isinstance(node, _Compare):
        yield from _senseless(node.left)
        yield from _senseless(node.right)
        left, right = _kind(node.left), _kind(node.right)
        if node.sign == "in" and isinstance(node.right, _Literal) and isinstance(node.right.value, tuple):
            kinds = {_kind(_Literal(one)) for one in node.right.value}
            if kinds and left not in kinds:
                yield f"{left} is in no list of {' and '.join(sorted(kinds))}"
        elif left != right or (node.sign == "in" and left != "text"):
            yield f"{left} {node.sign} {right}"


def parse(text: str) -> Condition:
    """Reads a condition.

    Raises:
        ConditionError: a ``ValueError`` that says what is wrong at which character.
    """
    if len(text) > LONGEST:
        raise ConditionError(f"a condition has at most {LONGEST} characters; it goes on", LONGEST + 1)
    reader = _Reader(list(_tokens(text)))
    root = reader.either(0)
    reader.end()
    return Condition(text, reader.names, root)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            column = at + len(text[at:]) - len(text[at:].lstrip())
            raise ConditionError(
                f"{text[column]!r} has no meaning in a condition{_hint(text, column)}", column + 1
            )
        kind = str(found.lastgroup)
        yield _Token(kind, found[kind], found.start(kind) + 1)
        at = found.end()
    yield _Token("end", "", len(text.rstrip()) + 1)


def _hint(text: str, at: int) -> str:
    hints = {"=": "; equality is ==", "&": "; write and", "|": "; write or", "!": "; write not"}
    quote = "; a text ends on its line with the same quote, and has no backslash"
    return hints.get(text[at], quote if text[at] in "\"'" else "")


class _Reader:
    """Recursive descent, a method for each line of the grammar."""

    def __init__(self, tokens: Sequence[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self.names: dict[str, int] = {}

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self, *texts: str) -> str | None:
        """The next token where it is one of these, no text in quotes among them."""
        token = self._next
        if token.kind in ("end", "text") or token.text not in texts:
            return None
        self._at += 1
        return token.text

    def _expect(self, text: str, why: str) -> None:
        if self._take(text) is None:
            raise ConditionError(f"{text} is missing {why}", self._next.column)

    def end(self) -> None:
        """Nothing follows."""
        if self._next.kind == "end":
            return
        if self._next.text in _COMPARISONS:
            raise ConditionError("a comparison has two sides; join two with and", self._next.column)
        raise ConditionError(f"{self._next.text!r} is one too many; join with and, or", self._next.column)

    def either(self, depth: int) -> _Node:
        return self._several("or", False, self._both, depth)

    def _both(self, depth: int) -> _Node:
        return self._several("and", True, self._negated, depth)

    def _several(self, word: str, whole: bool, part: Callable[[int], _Node], depth: int) -> _Node:
        parts = [part(depth)]
        while self._take(word):
            parts.append(part(depth))
        return parts[0] if len(parts) == 1 else _Several(whole, tuple(parts))

    def _negated(self, depth: int) -> _Node:
        if depth > DEEPEST:
            raise ConditionError(f"more than {DEEPEST} levels in each other", self._next.column)
        return _Not(self._negated(depth + 1)) if self._take("not") else self._comparison(depth)

    def _comparison(self, depth: int) -> _Node:
        left = self._value(depth)
        sign = self._take(*_COMPARISONS)
        return left if sign is None else _Compare(sign, left, self._value(depth))

    def _value(self, depth: int) -> _Node:
        token = self._next
        if self._take("("):
            inner = self.either(depth + 1)
            self._expect(")", "at the end of what ( began")
            return inner
        if self._take("["):
            return self._list()
        if token.kind == "name" and token.text not in KEYWORDS:
            self._at += 1
            self.names.setdefault(token.text, token.column)
            return _Name(token.text)
        return _Literal(self._literal())

    def _list(self) -> _Node:
        if self._take("]"):
            return _Literal(())
        items = [self._literal()]
        while self._take(","):
            items.append(self._literal())
        self._expect("]", "at the end of what [ began")
        return _Literal(tuple(items))

    def _literal(self) -> Value:
        token = self._next
        self._at += token.kind != "end"
        if token.kind == "text":
            return token.text[1:-1]
        if token.kind == "number":
            return float(token.text) if "." in token.text else int(token.text)
        if token.text in ("true", "false"):
            return token.text == "true"
        what = f"a value is missing, and {token.text!r} is there" if token.text else "a value is missing"
        raise ConditionError(what, token.column)


def _compared(sign: str, left: Seen, right: Seen) -> bool:
    """Values of two kinds are not equal, and in no order: ``"1" == 1`` and ``"a" < 1`` do not hold."""
    if left is None or right is None:
        return False
    if sign == "in":
        if isinstance(right, tuple):
            return any(_equal(left, one) for one in right)
        return isinstance(left, str) and isinstance(right, str) and left in right
    if sign in ("==", "!="):
        return _equal(left, right) is (sign == "==")
    if isinstance(left, str) and isinstance(right, str):
        return _WORD_ORDERS[sign](left, right)
    if _is_number(left) and _is_number(right):
        return _ORDERS[sign](left, right)  # type: ignore[arg-type]
    return False


def _equal(left: Seen, right: Seen) -> bool:
    alike = type(left) is type(right) or (_is_number(left) and _is_number(right))
    return alike and left == right


def _is_number(value: Seen) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
