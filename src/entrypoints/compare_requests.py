"""From recipes and their runs to what ``CompareWays`` is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..application.compare_ways import CompareRequest, Cost, Seen, Way
from ..application.run_weights import weights_of
from ..application.show_task import Helps
from ..domain.errors import UsageError
from ..domain.evaluation import GradedSpec
from ..domain.generation import Sampling
from ..domain.model_spec import LoraSpec
from ..domain.ports.model import ModelProvider, Policy
from ..domain.prompt_program import PromptProgram
from ..domain.run import RunStatus, RunSummary
from .container import Container, make_container
from .export_requests import run_recipe
from .procedure_choice import begun_procedure, body_of
from .prompt_choice import asked_prompt, first_prompt
from .requests import data_request, lora_spec, model_spec, recipe_container
from .settings import LoadedRecipe, load_recipe
from .settings.memory_file import memory_of
from .settings.prompt_file import NAME, load_prompt
from .wiring import folder_run_store


@dataclass(frozen=True, slots=True)
class Tried:
    """A recipe with the run that it gave."""

    loaded: LoadedRecipe
    run: RunSummary
    container: Container

    @property
    def algorithm(self) -> str:
        return self.loaded.recipe.algorithm


def tried(name: str, folder: str | None) -> Tried:
    """What a recipe's newest completed run is, or a run by its id, name or folder.

    Args:
        folder: of the runs; None: as the recipe says, else ``runs``.

    Raises:
        UsageError: C150 when the recipe has no completed run. InvalidRecipe, DataError: there is none.
    """
    if not name.endswith((".yaml", ".yml")):
        run = folder_run_store(folder or "runs").find(name)
        if run.status is not RunStatus.COMPLETED:
            raise UsageError(
                "C150",
                "a run that did not complete cannot be compared",
                where=run.path,
                got=str(run.status),
                fix=f"cesello train RECIPE --resume --run {run.id}",
            )
        loaded = run_recipe(run)
        return Tried(loaded, run, recipe_container(loaded))
    loaded = load_recipe(Path(name))
    its = loaded.recipe.name or ""
    runs = folder_run_store(folder or loaded.recipe.output).list()
    found = next((one for one in runs if _is_of(one, its) and one.status is RunStatus.COMPLETED), None)
    if found is None:
        raise UsageError(
            "C150",
            "a recipe has no completed run to compare",
            where=name,
            got=f"{len(runs)} runs in {folder or loaded.recipe.output}",
            expected=f'one called "{its}"' if its else "a recipe with a name",
            fix=f"cesello train {name}",
        )
    return Tried(loaded, found, recipe_container(loaded))


def _is_of(run: RunSummary, name: str) -> bool:
    return bool(name) and run.name == name


def all_tried(names: Sequence[str], folder: str | None) -> list[Tried]:
    """Of each, as given.

    Raises:
        UsageError: C150, C153 when one is named twice.
    """
    found = [tried(name, folder) for name in names]
    ids = [one.run.id for one in found]
    if twice := next((id for id in ids if ids.count(id) > 1), None):
        raise UsageError("C153", "a run is named twice", got=twice, fix="name it once")
    return found


class Models:
    """Loads the model of a way as the recipe of its run has it.

    Only one is held at a time: the way before is done with when the next is asked for.
    """

    def __init__(self, all_tried: Sequence[Tried]) -> None:
        self._of = {name: one for one in all_tried for name in (one.run.id, _before(one))}
        self._first = {_model(one): one for one in reversed(all_tried)}

    def __call__(self, way: Way) -> Policy:
        its = self._of.get(way.name) or self._first[way.model.name]
        provider: ModelProvider = its.container.model_provider()
        if way.weights is not None:
            return provider.reopen(way.model, way.weights)
        # The base model is loaded with fresh LoRA weights, which are then left off.
        fresh: LoraSpec = replace(lora_spec(its.loaded), continue_from=None)
        return provider.load(way.model, fresh, seed=0)


def longest_answer(all_tried: Sequence[Tried]) -> int:
    """Tokens that every recipe has room for: in what it searched, or was evaluated, with."""
    recipes = [one.loaded.recipe for one in all_tried]
    return max(
        one.apo.max_new_tokens if one.algorithm == "apo" else one.evaluation.max_new_tokens for one in recipes
    )


def compare_request(
    all_tried: Sequence[Tried], graded: GradedSpec, max_new_tokens: int, batch_size: int
) -> CompareRequest:
    """The base model with its first prompt, then every run in order, with what it began with before it."""
    return CompareRequest(
        ways=_ways(all_tried),
        source=graded.source,
        reward=graded.reward,
        rows=graded.rows,
        seen=[_seen(one) for one in all_tried],
        sampling=Sampling(max_new_tokens),
        batch_size=batch_size,
    )


def judge(
    all_tried: Sequence[Tried], source: str | None, reward: str | None, rows: int | None
) -> tuple[Tried, GradedSpec]:
    """Whose rewards judge which tasks: the first graded set of the recipes, but for what is given by hand.

    Raises:
        UsageError: C151 when no recipe grades answers and nothing is given.
    """
    for one in all_tried:
        for its in one.loaded.recipe.evaluation.generate:
            if source in (None, its.source) and reward in (None, its.reward):
                return one, GradedSpec(its.source, its.reward, rows or its.rows)
    for one in all_tried:
        names = [its.name for its in one.loaded.recipe.data.sources if its.holdout]
        judges = one.loaded.recipe.rewards or reward not in (None, "blend")
        if (source in names or (source is None and names)) and judges:
            return one, GradedSpec(source or names[0], reward or "blend", rows or 100)
    raise UsageError(
        "C151",
        "none of the recipes says how answers are judged",
        got=f"source {source}, reward {reward}" if source or reward else None,
        expected="evaluation.generate with a source that holds rows out",
        fix="give --source and --reward, or add evaluation.generate to a recipe",
    )


def with_memory(
    loaded: LoadedRecipe, memory: Mapping[str, Any], tools: Sequence[str] | None = None
) -> Container:
    """The run's, with these changes of its section ``memory``, and with other tools."""
    config = loaded.recipe.model_dump() | {"root": str(loaded.root)}
    if tools is not None:
        config["grpo"] = loaded.recipe.grpo.model_dump() | {"tools": list(tools)}
    folder = {"folder": str(memory_of(loaded.root, loaded.recipe.memory.folder))}
    return make_container(config | {"memory": {**loaded.recipe.memory.model_dump(), **folder, **memory}})


def _helps(one: Tried) -> Helps | None:
    """What the recipe puts into prompts besides: nothing is held out, and a task has one answer."""
    recipe = one.loaded.recipe
    if recipe.memory.retrieve == "off" and recipe.memory.procedures == "off":
        return None
    changes: dict[str, Any] = {"retrieve_holdout": 0.0, "procedure_holdout": 0.0}
    if recipe.memory.procedures == "guided":
        changes["procedures"] = "full"
    container = with_memory(one.loaded, changes)
    for name in ("observer", "stop"):
        getattr(container, name).override(getattr(one.container, name))
    return Helps(recipe.data.max_tokens, container.instruct_rows(), container.ground_rows())


def _model(one: Tried) -> str:
    return model_spec(one.loaded).name


def _bases(all_tried: Sequence[Tried]) -> Iterator[Way]:
    seen: set[str] = set()
    for one in all_tried:
        model = model_spec(one.loaded)
        if model.name not in seen:
            seen.add(model.name)
            name = "base model" if len(seen) == 1 else f"base model {model.name}"
            yield Way(name, "base", model, None, PromptProgram(one.loaded.recipe.data.system_prompt or ""))


def _ways(all_tried: Sequence[Tried]) -> list[Way]:
    ways = list(_bases(all_tried))
    for one in all_tried:
        ways += _of_a_search(one, ways) if one.algorithm == "apo" else [_of_a_training(one, all_tried)]
    return ways


def _of_a_search(one: Tried, ways: Sequence[Way]) -> list[Way]:
    """Its prompt, and before it that which it began with, where no way has this already."""
    _check_generator(one)
    path, start = Path(one.run.path), lora_spec(one.loaded).continue_from
    weights = Path(start) if start else None
    begun = first_prompt(one.loaded, body_of(begun_procedure(one.loaded, one.run)))
    seed = Way(_before(one), "seed", model_spec(one.loaded), weights, begun, helps=_helps(one))
    same = next((way for way in ways if _alike(way) == _alike(seed)), None)
    program = load_prompt(path / NAME).program
    its = replace(
        seed, name=one.run.id, kind="apo", program=program, cost=_cost(one), begins_with=(same or seed).name
    )
    return [its] if same else [seed, its]


def _before(one: Tried) -> str:
    return f"{one.run.id}, first prompt"


def _alike(way: Way) -> tuple[object, ...]:
    return way.model.name, way.weights, way.program.id, way.helps and way.helps.identity


def _of_a_training(one: Tried, all_tried: Sequence[Tried]) -> Way:
    program = asked_prompt(one.loaded, Path(one.run.path), None)
    start = lora_spec(one.loaded).continue_from
    begins = (
        its.run.id for its in all_tried if start and Path(its.run.path, "lora").resolve() == Path(start)
    )
    return Way(
        one.run.id,
        one.algorithm,
        model_spec(one.loaded),
        weights_of(one.run).resolve(),
        program,
        _cost(one),
        next(begins, ""),
        _helps(one),
    )


def _check_generator(one: Tried) -> None:
    """Raises UsageError C152 where the prompt was searched for another model than the recipe's own."""
    generator = one.loaded.recipe.apo.generator
    if generator.kind != "policy":
        raise UsageError(
            "C152",
            "a prompt that was searched for a server's model cannot be compared with weights here",
            where=one.run.path,
            got=f"apo.generator with {generator.kind}",
            expected="kind: policy",
            fix="compare the others, or search a prompt for the recipe's own model",
        )


def _cost(one: Tried) -> Cost:
    manifest, recipe = one.run.manifest, one.loaded.recipe
    seconds = float(manifest.get("seconds") or 0.0)
    if one.algorithm == "grpo":
        drawn = recipe.training.batch_size * recipe.training.accumulate * recipe.grpo.completions
        return Cost(seconds, one.run.steps * drawn)
    if one.algorithm == "apo":
        with suppress(OSError, ValueError, LookupError, TypeError):
            spent = json.loads((Path(one.run.path) / "search.json").read_text(encoding="utf-8"))["spent"]
            took, rollouts, tokens = (
                sum(phase[key] for phase in spent) for key in ("seconds", "rollouts", "tokens")
            )
            return Cost(seconds or took, int(rollouts), int(tokens))
    return Cost(seconds)


def _seen(one: Tried) -> Seen:
    # Without a prompt file: rows are shorter then, so that what it trains on is a part of what is found.
    data = data_request(one.loaded)
    data = replace(data, rules=replace(data.rules, prompt=None))
    return Seen(one.container.prepare_sources()(data), data.rules.system_prompt)
