"""Whether a module computes what a class of another architecture does: by its code, not by its name."""

from __future__ import annotations

from typing import Any


def same_code(module: Any, known: type) -> bool:
    """Whether the module's forward is, instruction for instruction, that of the known class.

    transformers copies such classes from architecture to architecture. One that was changed since, or whose
    forward somebody has replaced, is another.
    """
    if "forward" in vars(module):
        return False
    ours, theirs = (_code(kind) for kind in (type(module), known))
    return ours is not None and ours == theirs


def _code(kind: Any) -> Any:
    code = getattr(kind.forward, "__code__", None)
    if code is None:
        return None
    return code.co_code, code.co_names, code.co_varnames, code.co_freevars, code.co_consts
