"""The shapes of well-known models, so that their size can be told without asking the hub.

``known_models.json`` gives for each shape the names on the hub, the number of parameters, and the fields of
``config.json`` that decide the shapes. The number is the published one, with tied weights counted once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

_TABLE = Path(__file__).with_name("known_models.json")


def known_config(name: str) -> Mapping[str, Any] | None:
    """What ``AutoConfig.for_model`` takes to build a model without weights, or None when it is not known.

    It is not enough to compute with the model: how positions are rotated, for one, is left out.

    Args:
        name: on the hub, with its organisation, in upper or lower case.
    """
    # Configurations may change what they are given, and the table serves more than one call.
    return deepcopy(_configs().get(name.casefold()))


@cache
def _configs() -> dict[str, dict[str, Any]]:
    return {name.casefold(): entry["config"] for entry in _entries() for name in entry["names"]}


@cache
def _entries() -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(_TABLE.read_text(encoding="utf-8"))
    return entries
