"""From a memory's settings to what the use cases are asked."""

from __future__ import annotations

from dataclasses import replace

from ..application.ask import AskRequest
from ..domain.remembered import Selection
from .container import Container, make_container
from .memory_wiring import asking
from .settings.memory_file import LoadedMemory


def memory_container(loaded: LoadedMemory) -> Container:
    """A container with the memory's adapters."""
    return make_container({"memory": loaded.settings.model_dump(), "root": str(loaded.root)})


def ask_request(
    loaded: LoadedMemory,
    question: str,
    only: Selection,
    *,
    recall: int | None = None,
    keep: int | None = None,
    threshold: float | None = None,
    rerank: bool = True,
    around: int = 0,
    beside: tuple[str, ...] | None = None,
) -> AskRequest:
    """A question as the settings have it, where nothing else is said."""
    asked = asking(loaded.settings.model_dump(), question)
    return replace(
        asked,
        recall=asked.recall if recall is None else recall,
        keep=asked.keep if keep is None else keep,
        threshold=asked.threshold if threshold is None else threshold,
        only=only,
        rerank=rerank,
        around=around,
        beside=asked.beside if beside is None else beside,
    )
