r"""The short way for other programs: load a recipe, train, ask.

Rewards are had from the container, by name, those of the configuration and those built in; all completions of
a batch go in one call, so that programs run beside each other:

    from cesello import make_container
    from cesello.domain.conversation import Conversation, Message, Role
    from cesello.domain.reward import Attempt

    rewards = make_container({"rewards": [{"kind": "coding", "wall_seconds": 5.0}]}).rewards()
    task = Conversation(
        (Message(Role.USER, "Write a function `double`."),),
        reference={"tests": "assert double(2) == 4", "entry_point": "double"},
    )
    [result] = rewards["coding"].score([Attempt(task, "def double(x):\n    return 2 * x")])
    print(result.score, result.verdict)
    rewards.close()
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..domain.run import RunManifest

if TYPE_CHECKING:
    from .container import Container
    from .settings import LoadedRecipe


def load_recipe(path: str | os.PathLike[str], overrides: Sequence[str] = ()) -> LoadedRecipe:
    """A recipe, checked; nothing heavy is imported.

    Args:
        overrides: changes as ``training.max_steps=10``.

    Raises:
        InvalidRecipe: all mistakes of the recipe at once.
    """
    from .settings import load_recipe as load

    return load(Path(path), overrides)


def train(recipe: LoadedRecipe, container: Container | None = None) -> RunManifest:
    """Does what the recipe says and returns the manifest of the completed run.

    Args:
        container: one to use instead of the recipe's own, for example with another quantizer.

    Raises:
        CeselloError: see ``cesello.domain.errors``.
    """
    from .requests import finetune_request, recipe_container

    made = container or recipe_container(recipe)
    if recipe.recipe.algorithm == "apo":
        from .apo_requests import improve_request

        return made.improve_prompt()(improve_request(recipe, observer=made.observer())).manifest
    return made.finetune()(finetune_request(recipe, observer=made.observer()))


def ask_model(
    run: str | os.PathLike[str], prompt: str, *, lora: bool = True, max_new_tokens: int = 256
) -> Iterator[str]:
    """The answer of a run's model, piece by piece.

    Args:
        run: the folder of the run.
        lora: False asks the untouched base model.
    """
    from ..domain.generation import Sampling
    from .requests import generate_request, recipe_container

    loaded = load_recipe(Path(run) / "recipe.yaml", ["root=."])
    container = recipe_container(loaded)
    request = generate_request(
        loaded, container.run_store().find(str(run)), prompt, Sampling(max_new_tokens), lora
    )
    return container.generate()(request)
