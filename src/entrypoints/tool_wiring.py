"""Tools of a recipe; see ``wiring``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..domain.ports.tools import Toolbox
from .wiring import own_code

TOOLS = "cesello.tools"
"""The group of entry points in which packages could offer tools; a recipe names files under its root."""


def own_tools(algorithm: str, grpo: Mapping[str, Any], root: str) -> Toolbox | None:
    """Functions of somebody's own, each loaded in a process of its own; None where nothing calls any.

    Args:
        algorithm: no other than grpo calls tools.
        grpo: the recipe's section.

    Raises:
        UsageError: C075 when one cannot be loaded.
    """
    named = (algorithm == "grpo" and grpo.get("tools")) or ()
    if not named:
        return None
    from ..adapters.reward.own_tools import OwnTools

    loadings = {
        name.partition(":")[2]: {"name": name, "root": root, "asked_by": f'tool "{name}"', "group": TOOLS}
        for name in named
    }
    loader = f"{own_code.__module__}:{own_code.__name__}"
    tools = OwnTools(loader, loadings, grpo["tool_timeout"])
    tools.start()
    return tools
