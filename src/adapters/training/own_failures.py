"""Failures of algorithms and callbacks that somebody else wrote, told as theirs."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from traceback import extract_tb

from ...domain.errors import CeselloError, Place, UsageError


@contextmanager
def explained(classes: Iterable[type]) -> Iterator[None]:
    """Within this, what goes wrong in the files of these classes is said with file and line.

    Raises:
        UsageError: C057.
    """
    files = {inspect.getfile(one) for one in classes}
    try:
        yield
    except CeselloError:
        raise
    except Exception as failure:
        inside = [frame for frame in extract_tb(failure.__traceback__) if frame.filename in files]
        if not inside:
            raise
        raise UsageError(
            "C057",
            f"the recipe's own code failed in {inside[-1].name}",
            where=Place(inside[-1].filename, inside[-1].lineno),
            got=f"{type(failure).__name__}: {failure}",
            fix="correct it, and --resume --allow-inexact goes on; --debug shows the traceback",
        ) from failure
