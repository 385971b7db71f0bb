"""From recipes and their runs to what ``CompareWays`` is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ..application.compare_ways import CompareRequest, Cost, Seen, Way
from ..application.run_weights import weights_of
from ..domain.errors import UsageError
from ..domain.evaluation import GradedSpec
from ..domain.generation import Sampling
from ..domain.model_spec import LoraSpec
from ..domain.ports.model import ModelProvider, Policy
from ..domain.prompt_program import PromptProgram
from ..domain.run import RunStatus, RunSummary
from .container import Container
from .export_requests import run_recipe
from .prompt_choice import asked_prompt
from .requests import data_request, lora_spec, model_spec, recipe_container
from .settings import LoadedRecipe, load_recipe
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


class Models:
    """Loads the model of a way as the recipe of its run has it.

    Only one is held at a time: the way before is done with when the next is asked for.
    """

    def __init__(self, all_tried: Sequence[Tried]) -> None:
        self._of = {one.run.id: one for one in all_tried}
        self._first = {_model(one): one for one in reversed(all_tried)}

    def __call__(self, way: Way) -> Policy:
        its = self._of.get(way.name) or self._first[way.model.name]
        provider: ModelProvider = its.container.model_provider()
        if way.weights is not None:
            return provider.reopen(way.model, way.weights)
        # The base model is loaded with fresh LoRA weights, which are then left off.
        fresh: LoraSpec = replace(lora_spec(its.loaded), continue_from=None)
        return provider.load(way.model, fresh, seed=0)


def compare_request(
    all_tried: Sequence[Tried], graded: GradedSpec, max_new_tokens: int, batch_size: int
) -> CompareRequest:
    """The base model with its first prompt, then every run in the order given."""
    return CompareRequest(
        ways=[*_bases(all_tried), *map(_way, all_tried)],
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
        if (source in names or (source is None and names)) and (reward or one.loaded.recipe.rewards):
            return one, GradedSpec(source or names[0], reward or "blend", rows or 100)
    raise UsageError(
        "C151",
        "none of the recipes says how answers are judged",
        got=f"source {source}, reward {reward}" if source or reward else None,
        expected="evaluation.generate with a source that holds rows out",
        fix="give --source and --reward, or add evaluation.generate to a recipe",
    )


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


def _way(one: Tried) -> Way:
    model, path = model_spec(one.loaded), Path(one.run.path)
    if one.algorithm == "apo":
        _check_generator(one)
        start = lora_spec(one.loaded).continue_from
        program = load_prompt(path / NAME).program
        return Way(one.run.id, "apo", model, Path(start) if start else None, program, _cost(one))
    program = asked_prompt(one.loaded, path, None)
    return Way(one.run.id, one.algorithm, model, weights_of(one.run), program, _cost(one))


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
