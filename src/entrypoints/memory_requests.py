"""From a memory's settings to what the use cases are asked."""

from __future__ import annotations

from ..application.ask import AskRequest
from ..domain.remembered import Selection
from .container import Container, make_container
from .settings.memory_file import LoadedMemory
from .settings.memory_settings import RELEVANT


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
    settings = loaded.settings
    return AskRequest(
        question,
        recall=settings.recall if recall is None else recall,
        keep=settings.keep if keep is None else keep,
        threshold=settings.threshold if threshold is None else threshold,
        only=only,
        rerank=rerank,
        words=settings.words,
        ranks=settings.fusion == "rrf",
        around=around,
        relevant=RELEVANT.get(settings.embedder.model) if settings.relevant is None else settings.relevant,
        beside=settings.neighbours if beside is None else beside,
    )
