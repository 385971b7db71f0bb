"""Which kind of device tensors without numbers stand for, while a step is planned with them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_planned: ContextVar[str] = ContextVar("planned", default="cpu")


def kind_of(device: str) -> str:
    """The kind of device of a tensor, ``cpu`` or ``cuda``; of the meta device, the one it stands for."""
    return _planned.get() if device == "meta" else device


@contextmanager
def standing_for(device: str) -> Iterator[None]:
    """Within this, tensors without numbers are computed with as on that device."""
    token = _planned.set(device)
    try:
        yield
    finally:
        _planned.reset(token)
