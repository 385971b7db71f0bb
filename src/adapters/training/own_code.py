"""Algorithms and callbacks that somebody else wrote: whether they are what they are taken for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import lightning

from ...domain.errors import UsageError
from .lightning_sft import SftModule


def check_algorithm(found: object, name: str) -> type[SftModule]:
    """A class derived from ``SftModule``.

    Raises:
        UsageError: C052 when it is something else.
    """
    if isinstance(found, type) and issubclass(found, SftModule):
        return found
    raise UsageError(
        "C052",
        f'"{name}" is no algorithm',
        where="algorithm",
        got=_kind(found),
        expected="a class derived from cesello.SftModule",
        fix="write class MyAlgorithm(SftModule) with a loss or a training_step; see docs/training.md",
    )


def check_callback(found: object, name: str, arguments: Mapping[str, Any]) -> lightning.Callback:
    """An object of that class of Lightning callbacks.

    Raises:
        UsageError: C053 when it is something else, or is not made with such arguments.
    """
    if not (isinstance(found, type) and issubclass(found, lightning.Callback)):
        raise _no_callback(name, _kind(found), "derive the class from lightning.Callback")
    try:
        return found(**arguments)
    except TypeError as cause:
        raise _no_callback(name, str(cause), "correct its arguments") from cause


def _no_callback(name: str, got: str, fix: str) -> UsageError:
    return UsageError("C053", f'"{name}" is no callback', where="training.callbacks", got=got, fix=fix)


def _kind(found: object) -> str:
    return f"the class {found.__name__}" if isinstance(found, type) else f"a {type(found).__name__}"
