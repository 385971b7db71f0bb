"""Generated tasks: their settings and the process that makes them. What they are is tried in integration."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import pytest

from cesello.adapters.data.reasoning_gym_source import ReasoningGymSource
from cesello.domain.errors import DataError

SUMS = {"name": "chain_sum", "min_terms": 2, "max_terms": 2}


def source(*tasks: dict[str, Any], size: int = 3, seed: int = 0) -> ReasoningGymSource:
    return ReasoningGymSource("sums", tasks, size, seed)


def test_a_worker_that_dies_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "false")
    with pytest.raises(DataError, match=r"D003.*its process ended with status 1"):
        list(source(SUMS).rows())


def test_the_identity_hangs_on_all_settings() -> None:
    made = [
        source(SUMS),
        source(SUMS, seed=1),
        source(SUMS, size=4),
        source({**SUMS, "max_terms": 3}),
        source(SUMS, {"name": "letter_counting"}),
    ]
    assert len({each.identity for each in made}) == len(made)
    assert source(SUMS).identity == source(dict(SUMS)).identity
    assert made[-1].origin == f"reasoning-gym {metadata.version('reasoning-gym')}: chain_sum, letter_counting"


def test_without_the_package_the_command_to_install_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    made = source(SUMS)
    with pytest.raises(DataError, match=r'D001.*pip install "cesello\[reasoning\]"'):
        list(made.rows())
    with pytest.raises(DataError, match="D001"):
        _ = made.identity
