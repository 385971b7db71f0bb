"""cesello adapts an open language model to your own code and agents.

For other programs:

    from cesello import load_recipe, train

    manifest = train(load_recipe("recipe.yaml"))
    print(manifest.after.losses)

``train`` is the short way. The long way is the container, whose every part can be replaced:

    from cesello import Finetune, finetune_request, make_container

    container = make_container({"quantizer": {"name": "nf4"}, "memory": {"store": "numpy"}})
    finetune: Finetune = container.finetune()
    manifest = finetune(finetune_request(loaded))

Programs of your own are traced with ``tracing``:

    from cesello import tracing

    with tracing.run("my-agent") as run, run.rollout("a task") as rollout, rollout.attempt():
        with tracing.span("search"):
            ...
        tracing.reward("right", 1.0)

Importing this module imports nothing heavy: each name is fetched when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .application.ask import AskRequest
    from .application.finetune import Finetune, FinetuneRequest
    from .application.generate import Generate, GenerateRequest
    from .application.memory_status import MemoryStatus
    from .application.remember import RememberRequest
    from .domain.errors import CeselloError
    from .domain.reward import RewardResult
    from .domain.run import RunManifest
    from .entrypoints import tracing
    from .entrypoints.algorithms import Scores, SftModule
    from .entrypoints.api import ask_model, load_recipe, train
    from .entrypoints.container import Container, make_container
    from .entrypoints.memory_requests import memory_container
    from .entrypoints.requests import finetune_request, recipe_container
    from .entrypoints.settings import LoadedRecipe
    from .entrypoints.settings.memory_file import load_memory

_HOMES = {
    "AskRequest": "application.ask",
    "CeselloError": "domain.errors",
    "Container": "entrypoints.container",
    "Finetune": "application.finetune",
    "FinetuneRequest": "application.finetune",
    "Generate": "application.generate",
    "GenerateRequest": "application.generate",
    "LoadedRecipe": "entrypoints.settings",
    "MemoryStatus": "application.memory_status",
    "RememberRequest": "application.remember",
    "RewardResult": "domain.reward",
    "RunManifest": "domain.run",
    "Scores": "entrypoints.algorithms",
    "SftModule": "entrypoints.algorithms",
    "ask_model": "entrypoints.api",
    "finetune_request": "entrypoints.requests",
    "load_memory": "entrypoints.settings.memory_file",
    "load_recipe": "entrypoints.api",
    "make_container": "entrypoints.container",
    "memory_container": "entrypoints.memory_requests",
    "recipe_container": "entrypoints.requests",
    "train": "entrypoints.api",
}

__all__ = [
    "AskRequest",
    "CeselloError",
    "Container",
    "Finetune",
    "FinetuneRequest",
    "Generate",
    "GenerateRequest",
    "LoadedRecipe",
    "MemoryStatus",
    "RememberRequest",
    "RewardResult",
    "RunManifest",
    "Scores",
    "SftModule",
    "ask_model",
    "finetune_request",
    "load_memory",
    "load_recipe",
    "make_container",
    "memory_container",
    "recipe_container",
    "tracing",
    "train",
]


def __getattr__(name: str) -> object:
    """Fetches a public name from where it lives (PEP 562)."""
    if name == "tracing":
        return import_module(".entrypoints.tracing", __name__)
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{home}", __name__), name)


def __dir__() -> list[str]:
    return __all__
