"""A regular expression that gives up in time on text that was written to make it hang."""

from __future__ import annotations

from collections.abc import Callable

import regex

from ...domain.errors import UsageError

_SECONDS = 1.0


class BoundedPattern:
    """A pattern of the package ``regex``, which can be stopped, and understands what ``re`` does.

    Raises:
        UsageError: C084 when it is no regular expression.
    """

    def __init__(self, pattern: str, *, seconds: float = _SECONDS) -> None:
        try:
            self._pattern = regex.compile(pattern, regex.DOTALL | regex.VERSION0)
        except (regex.error, RecursionError, OverflowError) as cause:
            raise UsageError(
                "C084",
                "the pattern of a reward is no regular expression",
                got=pattern,
                fix=f"mend it: {cause}",
            ) from cause
        self._seconds = seconds

    def mismatch(self, text: str) -> str | None:
        """Why the whole text does not match, as a reason code."""
        return _reason(lambda: self._pattern.fullmatch(text, timeout=self._seconds))

    def absent(self, text: str) -> str | None:
        """Why the pattern is nowhere in the text, as a reason code."""
        return _reason(lambda: self._pattern.search(text, timeout=self._seconds))


def _reason(look: Callable[[], object]) -> str | None:
    try:
        return None if look() else "no_match"
    except TimeoutError:
        return "pattern_timeout"
    except MemoryError:
        return "pattern_too_large"
