"""From a recipe to what a prompt search is asked."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib.util import find_spec

from ..application.improve_prompt import ImproveRequest
from ..application.open_run import RunChoice
from ..application.prepare_tasks import TaskLimits
from ..domain.errors import UsageError
from ..domain.generation import Sampling
from ..domain.halving import LEAST
from ..domain.ports.run import Observer
from ..domain.prompt_search import Budget
from .procedure_choice import body_of, searched_procedure
from .prompt_choice import first_prompt
from .requests import (
    data_request,
    library_versions,
    lora_spec,
    memory_print,
    own_code_prints,
    procedures_print,
    run_name,
    settings_of_steps,
)
from .settings import LoadedRecipe
from .settings.recipe import Recipe
from .settings.reward_settings import BLEND
from .workers import is_alone


def improve_request(
    loaded: LoadedRecipe, choice: RunChoice | None = None, observer: Observer | None = None
) -> ImproveRequest:
    """What ``ImprovePrompt`` is asked by a recipe.

    Args:
        observer: is told of what has to be learnt before, as for ``procedures_print``; None: nobody.

    Raises:
        InvalidRecipe: those of its prompt file. UsageError: C120 and C121 by its budget and its limits of
            tasks, C123 without the procedure that it names, C130 without a package that a proposer needs,
            C134 in several processes.
    """
    if not is_alone():
        what = "a prompt search runs in one process"
        raise UsageError("C134", what, fix="start it without torchrun")
    recipe, apo = loaded.recipe, loaded.recipe.apo
    if "gepa" in apo.proposers and find_spec("gepa") is None:
        what = "the proposer gepa needs a package that is not installed"
        raise UsageError("C130", what, where="apo.proposers", fix="pip install gepa, or leave it out")
    settings = settings_of_steps(loaded) | own_code_prints(loaded)
    settings["sandbox.tier"] = json.dumps(recipe.sandbox.tier)  # the ledger of one tier is no other's
    procedure = searched_procedure(loaded)
    seed = first_prompt(loaded, body_of(procedure))
    request = ImproveRequest(
        name=run_name(loaded),
        recipe=loaded.as_yaml(),
        data=data_request(loaded),
        lora=lora_spec(loaded),
        limits=task_limits(recipe),
        seed=seed,
        editable=tuple(dict.fromkeys(apo.components)),
        budget=Budget(apo.budget.rollouts, apo.budget.optimizer_calls, apo.budget.tokens),
        reward=BLEND,
        sampling=Sampling(apo.max_new_tokens, apo.temperature, seed=recipe.seed),
        replicates=apo.replicates,
        batch=apo.batch_size,
        grading=grading(settings),
        settings=settings
        | {"apo.seed": json.dumps(seed.id)}
        | ({"apo.procedure_of.sha": json.dumps(procedure[1].sha)} if procedure else {})
        | procedures_print(loaded, observer)
        | memory_print(loaded),
        versions=library_versions(),
        machine=f"{platform.system()} {platform.machine()}",
        choice=choice or RunChoice(),
        procedure=procedure[1] if procedure else None,
    )
    _check_plan(request)
    return request


def task_limits(recipe: Recipe) -> TaskLimits:
    """The most tasks of each part that a recipe takes."""
    tasks = recipe.apo.tasks
    return TaskLimits(tasks.search, tasks.selection, tasks.test)


def _check_plan(request: ImproveRequest) -> None:
    """That it can be carried out, and else which key of the recipe is in the way."""
    try:
        _ = request.plan
    except UsageError as problem:
        problem.where = problem.where or _key_of(problem, request)
        if problem.code == "C121":
            problem.fix = f"raise {problem.where}"
        raise


def _key_of(problem: UsageError, request: ImproveRequest) -> str:
    if problem.code == "C121":
        few = (name for name, least in LEAST.items() if getattr(request.limits, name) < least)
        return f"apo.tasks.{next(few, 'search')}"
    return "apo.budget.tokens" if str(problem.got).endswith("tokens") else "apo.budget.rollouts"


def grading(settings: Mapping[str, str]) -> dict[str, str]:
    """Those that decide a score."""
    kinds = ("rewards", "blend", "own code ", "sandbox")
    return {name: value for name, value in settings.items() if name.startswith(kinds)}
