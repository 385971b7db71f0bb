"""Tools of a recipe; see ``wiring``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..application.retrieve_context import RetrieveContext
from ..application.search_memory import SearchMemory
from ..application.several_tools import SeveralTools
from ..domain.ports.tools import Toolbox
from .settings.grpo_settings import SEARCH
from .wiring import own_code

TOOLS = "cesello.tools"
"""The group of entry points in which packages could offer tools; a recipe names files under its root."""


def tools(
    algorithm: str,
    grpo: Mapping[str, Any],
    own: Callable[[], Toolbox],
    retrieve: Callable[[], RetrieveContext],
) -> Toolbox | None:
    """What a recipe names; None where nothing calls any.

    Args:
        algorithm: no other than grpo calls tools.
        grpo: the recipe's section.
        own: starts the functions that it names, as ``own_tools`` does.
        retrieve: asks the memory.

    Raises:
        UsageError: C075 when one cannot be loaded. DataError: D073 when one is to search an empty memory.
    """
    named = (algorithm == "grpo" and grpo.get("tools")) or ()
    boxes: list[Toolbox] = [_search(retrieve())] if SEARCH in named else []
    if any(name != SEARCH for name in named):
        boxes.append(own())
    return SeveralTools(boxes) if len(boxes) > 1 else next(iter(boxes), None)


def _search(retrieve: RetrieveContext) -> Toolbox:
    _ = retrieve.pin  # what is in the way is told now
    return SearchMemory(retrieve)


def own_tools(named: Sequence[str], root: str, timeout: float) -> Toolbox:
    """Functions of somebody's own, each loaded in a process of its own.

    Args:
        named: tools of a recipe; ``search`` is none of them.

    Raises:
        UsageError: C075 when one cannot be loaded.
    """
    from ..adapters.reward.own_tools import OwnTools

    loadings = {
        name.partition(":")[2]: {"name": name, "root": root, "asked_by": f'tool "{name}"', "group": TOOLS}
        for name in named
        if name != SEARCH
    }
    loader = f"{own_code.__module__}:{own_code.__name__}"
    made = OwnTools(loader, loadings, timeout)
    made.start()
    return made
