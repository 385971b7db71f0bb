"""From a recipe to what a prompt search is asked."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping

from ..application.improve_prompt import ImproveRequest
from ..application.open_run import RunChoice
from ..application.prepare_tasks import TaskLimits
from ..domain.errors import UsageError
from ..domain.generation import Sampling
from ..domain.prompt_search import Budget
from .prompt_choice import first_prompt
from .requests import data_request, library_versions, lora_spec, own_code_prints, run_name, settings_of_steps
from .settings import LoadedRecipe
from .settings.reward_settings import BLEND
from .workers import is_alone


def improve_request(loaded: LoadedRecipe, choice: RunChoice | None = None) -> ImproveRequest:
    """What ``ImprovePrompt`` is asked by a recipe.

    Raises:
        InvalidRecipe: those of its prompt file. UsageError: C134 in several processes.
    """
    if not is_alone():
        what = "a prompt search runs in one process"
        raise UsageError("C134", what, fix="start it without torchrun")
    recipe, apo = loaded.recipe, loaded.recipe.apo
    settings = settings_of_steps(recipe) | own_code_prints(loaded)
    seed = first_prompt(loaded)
    return ImproveRequest(
        name=run_name(loaded),
        recipe=loaded.as_yaml(),
        data=data_request(loaded),
        lora=lora_spec(loaded),
        limits=TaskLimits(apo.tasks.search, apo.tasks.selection, apo.tasks.test),
        seed=seed,
        editable=tuple(dict.fromkeys(apo.components)),
        budget=Budget(apo.budget.rollouts, apo.budget.optimizer_calls, apo.budget.tokens),
        reward=BLEND,
        sampling=Sampling(apo.max_new_tokens, apo.temperature, seed=recipe.seed),
        replicates=apo.replicates,
        batch=apo.batch_size,
        grading=grading(settings),
        settings=settings | {"apo.seed": json.dumps(seed.id)},
        versions=library_versions(),
        machine=f"{platform.system()} {platform.machine()}",
        choice=choice or RunChoice(),
    )


def grading(settings: Mapping[str, str]) -> dict[str, str]:
    """Those that decide a score."""
    kinds = ("rewards", "blend", "own code ")
    return {name: value for name, value in settings.items() if name.startswith(kinds)}
