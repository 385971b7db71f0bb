"""A look at the events of a YAML text before anything is built from them.

A few lines of aliases can stand for billions of values, and deep nesting exhausts the stack. Both show in
the event stream, which the parser makes lazily: what is too much is refused before it is in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import yaml

from ...domain.errors import UsageError
from .document import Where
from .problems import cut

MAX_DEPTH = 50
MAX_VALUES = 10_000
"""With every alias counted as all the values it stands for."""


class Mark(Protocol):
    """A position in a text, counted from 0."""

    @property
    def line(self) -> int: ...

    @property
    def column(self) -> int: ...


Locate: TypeAlias = Callable[[Mark | None], Where]
"""Makes a place of a mark; None stands for the whole text."""


def check_limits(events: Iterable[yaml.Event], locate: Locate) -> None:
    """Reads events up to the first that is too much.

    Raises:
        UsageError: C025 too many values, C027 too deep, C028 a bad alias, C029 a tag.
    """
    limits = _Limits(locate)
    for event in events:
        limits.see(event)


@dataclass(slots=True)
class _Size:
    """Of a value: how many values it is with all it holds, and how many levels are below it."""

    values: int = 1
    depth: int = 0
    anchor: str | None = None


@dataclass(slots=True)
class _Limits:
    locate: Locate
    open: list[_Size] = field(default_factory=lambda: [_Size()])
    anchors: dict[str, _Size] = field(default_factory=dict)

    def see(self, event: yaml.Event) -> None:
        match event:
            case yaml.AliasEvent():
                self._put(self._meaning(event), event)
            case yaml.ScalarEvent():
                self._refuse_tag(event)
                self._put(_Size(anchor=event.anchor), event)
            case yaml.CollectionStartEvent():
                self._refuse_tag(event)
                self._check_depth(1, event)
                self.open.append(_Size(anchor=event.anchor))
            case yaml.CollectionEndEvent():
                self._put(self.open.pop(), event)

    def _put(self, size: _Size, event: yaml.Event) -> None:
        """Adds a finished value to the one that holds it."""
        self._check_depth(size.depth, event)
        holder = self.open[-1]
        holder.depth = max(holder.depth, size.depth + 1)
        holder.values += size.values
        if holder.values > MAX_VALUES:
            fix = (
                "write values out instead of using aliases"
                if self.anchors
                else "keep data in files of its own"
            )
            raise UsageError(
                "C028" if self.anchors else "C025",
                f"the file stands for more than {MAX_VALUES} values",
                where=self.locate(event.start_mark),
                fix=fix,
            )
        if size.anchor is not None:
            self.anchors[size.anchor] = size

    def _meaning(self, event: yaml.AliasEvent) -> _Size:
        size = self.anchors.get(event.anchor or "")
        if size is None:
            raise UsageError(
                "C028",
                f"the alias *{cut(event.anchor or '')} names nothing that ends before it",
                where=self.locate(event.start_mark),
                fix="write the value out",
            )
        return _Size(size.values, size.depth)

    def _refuse_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.tag is not None:
            raise UsageError(
                "C029",
                f"the tag {cut(event.tag)} is not allowed",
                where=self.locate(event.start_mark),
                fix="write plain maps, lists, text and numbers: remove the tag",
            )

    def _check_depth(self, levels: int, event: yaml.Event) -> None:
        if len(self.open) - 1 + levels > MAX_DEPTH:
            raise UsageError(
                "C027",
                f"nested more than {MAX_DEPTH} levels deep",
                where=self.locate(event.start_mark),
                fix="about 6 levels are all that is needed: look for a bracket that is never closed",
            )
