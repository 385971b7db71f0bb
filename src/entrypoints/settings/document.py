"""A YAML text as plain Python values, and where each of them was written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ...domain.errors import Place, UsageError
from .problems import cut

Keys: TypeAlias = tuple[str | int, ...]
"""The way from the top to a value: keys of maps, indices of lists."""

Where: TypeAlias = Place | str
"""A place in a file, or the ``--set`` that a value came from."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a key and its value stand. Keys are known by their line, values by line and column."""

    key: Where
    value: Where

    @classmethod
    def of(cls, key: Where, value: Where) -> Origin:
        return cls(Place(key.file, key.line) if isinstance(key, Place) else key, value)


@dataclass(slots=True)
class Document:
    """Values, origins and the problems found so far.

    Attributes:
        wrong: where a problem was reported, so that the same value is not blamed twice.
        written: texts with references to the environment, as they were written. Messages and files show
            these: what a variable holds can be a secret.
        compared: of these the ones in which a variable stands for something that is no secret: the text with
            its value, by which a change is seen. Keys and passwords stay as they were written.
        model: what it is validated as.
        texts: whether every scalar is text, as it stands there: ``1.10`` is a version, no number.
    """

    value: Any = None
    origins: dict[Keys, Origin] = field(default_factory=dict)
    problems: list[UsageError] = field(default_factory=list)
    wrong: set[Keys] = field(default_factory=set)
    written: dict[Keys, str] = field(default_factory=dict)
    compared: dict[Keys, str] = field(default_factory=dict, repr=False)
    model: Any = None
    texts: bool = False

    def report(self, keys: Keys, problem: UsageError) -> None:
        self.problems.append(problem)
        self.wrong.add(keys)

    def is_wrong(self, keys: Keys) -> bool:
        """Whether a problem of this value, or of one that holds it, is known."""
        return any(keys[:depth] in self.wrong for depth in range(1, len(keys) + 1))

    def get(self, *keys: str | int) -> Any:
        """The value there, or None."""
        value = self.value
        for key in keys:
            if isinstance(value, dict):
                value = value.get(key)
            elif isinstance(value, list) and isinstance(key, int) and key < len(value):
                value = value[key]
            else:
                return None
        return value

    def as_written(self, keys: Keys) -> Any:
        """The value there, without what came from the environment."""
        return self.written.get(keys, self.get(*keys))

    def sound(self, *keys: str | int) -> Any:
        """The value there, or None where a problem of it is known."""
        return None if self.is_wrong(keys) else self.get(*keys)

    def key_place(self, keys: Keys) -> Where | None:
        origin = self._nearest_origin(keys)
        return origin.key if origin else None

    def value_place(self, keys: Keys) -> Where | None:
        origin = self._nearest_origin(keys)
        return origin.value if origin else None

    def _nearest_origin(self, keys: Keys) -> Origin | None:
        while keys and keys not in self.origins:
            keys = keys[:-1]
        return self.origins.get(keys)

    def dotted(self, keys: Keys) -> str:
        """The way as ``--set`` takes it: ``data.sources.functions.weight``."""
        parts = []
        for depth, key in enumerate(keys):
            name = self._name_of(keys[: depth + 1]) if isinstance(key, int) else key
            parts.append(cut(name) if isinstance(name, str) and name else str(key))
        return ".".join(parts)

    def _name_of(self, item: Keys) -> Any:
        """What an item of a list is called, by its name or its id."""
        return self.as_written((*item, "name")) or self.as_written((*item, "id"))


def walk(value: Any, keys: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Every value with the way to it, containers before what they hold."""
    yield keys, value
    if isinstance(value, dict):
        for key, child in value.items():
            yield from walk(child, (*keys, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from walk(child, (*keys, index))
