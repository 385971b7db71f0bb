"""What takes secrets out of what this process keeps, sends and says."""

from __future__ import annotations

import os
from collections.abc import Iterable

from ..domain.secret_text import Redact, redactor

_used: set[str] = set()


def keep_secret(variables: Iterable[str]) -> None:
    """From now on what these variables of the environment hold is a secret, whatever they are called."""
    _used.update(variables)


def redact() -> Redact:
    """By their form, and those of the environment as it is now."""
    return redactor(os.environ, _used)
