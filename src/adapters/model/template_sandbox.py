"""A chat template is a program of a stranger: what it can reach here, and how long it may take."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from typing import Any

from jinja2 import Template, nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

# The sandbox in which transformers renders: whatever is found to escape from it is mended there.
from transformers.utils.chat_template_utils import _cached_compile_jinja_template

_ROUNDS = 2_000_000
"""Of all loops of one rendering. The templates known take some dozen a turn."""
_ROUNDS_A_CALL = 10
"""What a call counts for, by the time it takes."""
_SECONDS = 10.0
"""Of the processor's time for one rendering; the templates known take some milliseconds."""
_LONGEST = 10_000_000
"""What a multiplication may give: characters, items, or as a number."""

_INTERNALS = frozenset(name for name in (*dir(type), *dir(lambda: 0)) if name.startswith("__"))
"""The way from any value to the interpreter."""


class TemplateSandbox(ImmutableSandboxedEnvironment):
    """transformers' sandbox with an end to loops, recursion and multiplication.

    There is no end to what a template can make by doubling a text again and again, or by giving a filter or
    a format a width: it can fill the memory, and with it end the process, but no more than that.
    """

    intercepted_binops = frozenset(("*", "**"))

    def __init__(self) -> None:
        given = _cached_compile_jinja_template("").environment
        extensions = [type(extension) for extension in given.extensions.values()]
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=extensions)
        self.globals.update(given.globals)
        self.filters.update(given.filters)
        self.filters["counted"] = self._counted
        self.begin()

    def begin(self) -> None:
        """A rendering begins."""
        self.rounds = 0
        self._ends = time.thread_time() + _SECONDS

    def compiled(self, source: str) -> Template:
        """The template, in which every loop is counted.

        Raises:
            TemplateSyntaxError: it is none.
            SecurityError: it names what would lead out of the sandbox, be it in a branch that is never taken.
        """
        tree = self.parse(source)
        _check_names(tree)
        for loop in tree.find_all(nodes.For):
            loop.iter = nodes.Filter(loop.iter, "counted", [], [], None, None, lineno=loop.lineno)
        return self.from_string(tree)

    def _counted(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            self._count()
            yield item

    def _count(self, rounds: int = 1) -> None:
        self.rounds += rounds
        if self.rounds > _ROUNDS:
            raise SecurityError(f"more than {_ROUNDS} rounds of its loops")
        if time.thread_time() > self._ends:
            raise SecurityError(f"more than {_SECONDS:.0f} seconds")

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Calls for a template, which may go round in circles."""
        self._count(_ROUNDS_A_CALL)
        return super().call(context, obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Multiplies for a template; constants too, which would else be multiplied when it is compiled."""
        size = math.pow(_size(left), _size(right)) if operator == "**" else _size(left) * _size(right)
        if size > _LONGEST:
            raise SecurityError(f"a multiplication that gives more than {_LONGEST}")
        return super().call_binop(context, operator, left, right)


def _size(value: Any) -> float:
    return abs(value) if isinstance(value, int | float) else len(value)


def _check_names(tree: nodes.Template) -> None:
    attributes = [node.attr for node in tree.find_all(nodes.Getattr) if node.attr.startswith("__")]
    texts = [node.value for node in tree.find_all(nodes.Const) if node.value in _INTERNALS]
    for name in (*attributes, *texts):
        raise SecurityError(f"access to {name!r}")
