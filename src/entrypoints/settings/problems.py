"""What can be wrong with a recipe or a command line. The codes, stable across versions:

keys and values                             the file
C001 unknown key                            C020 not found
C002 the same key twice                     C021 not a regular file
C003 wrong type                             C022 cannot be read
C004 out of range                           C023 not UTF-8
C005 unknown choice                         C024 empty
C006 missing key                            C025 too large
C007 two keys contradict each other         C026 not valid YAML
C008 two sources or rewards of one name     C027 nested too deeply
C009 no source or reward of that name       C028 anchors and aliases
C010 text of the wrong form                 C029 more than plain scalars, maps and lists
C011 a path outside its folder              C030 not a map of keys
C012 environment variable
                                            the command line
C014 the root is not a folder               C040 --set without key=value
                                            C041 --set names a place that is not there
                                            C042 --set with a value that is not YAML
                                            C050 a file is already there
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

from ...domain.errors import Place, UsageError

_LONGEST_SHOWN = 60
_MOST_LISTED = 20


def in_order(problems: Iterable[UsageError]) -> list[UsageError]:
    """By line and column of the file, then those of the command line as they were given."""

    def position(problem: UsageError) -> tuple[bool, int, int]:
        where = problem.where if isinstance(problem.where, Place) else None
        return (where is None, (where and where.line) or 0, (where and where.column) or 0)

    return sorted(problems, key=position)


def nearest(word: str, options: Iterable[str]) -> str | None:
    """The option a person most likely meant, if any is near."""
    return next(iter(get_close_matches(word, list(options), n=1)), None)


def pick(word: object, options: Iterable[str]) -> str:
    """The next step of somebody who wrote ``word`` where only ``options`` go."""
    known = list(options)
    near = nearest(word, known) if isinstance(word, str) else None
    return f"did you mean {quoted(near)}?" if near else f"choose one of: {listed(known)}"


def listed(options: Sequence[str]) -> str:
    """The options behind commas, as many as can be read."""
    more = ", ..." if len(options) > _MOST_LISTED else ""
    return ", ".join(cut(option) for option in options[:_MOST_LISTED]) + more


def printable(text: str) -> str:
    """Without what would act on a terminal instead of being shown: escapes, control marks, surrogates."""
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape", "surrogatepass").decode("ascii")
        for sign in text
    )


def cut(text: str) -> str:
    """Text that is printable and not longer than can be read."""
    return printable(text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "...")


def quoted(text: str) -> str:
    """The same between quotes."""
    return f'"{cut(text)}"'


def shown(value: Any) -> str:
    """A value as an error message names it."""
    match value:
        case None:
            return "nothing (null)"
        case bool():
            return f"the boolean {str(value).lower()}"
        case str():
            return f"text {quoted(value)}" if value else "empty text"
        case list():
            return f"a list of {len(value)}" if value else "an empty list"
        case dict():
            return "a map of keys"
        case _:
            return str(value)
