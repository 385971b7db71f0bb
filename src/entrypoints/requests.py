"""From a recipe to what the use cases are asked."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

from ..application.drop_copies import Copies, CopyRules
from ..application.finetune import FinetuneRequest
from ..application.generate import GenerateRequest
from ..application.open_run import RunChoice
from ..application.prepare_data import DataRequest
from ..application.prepare_source import RowRules
from ..domain.batching import Batching, BatchSpec
from ..domain.checkpoint import GENERATION, CheckpointPlan
from ..domain.errors import UsageError
from ..domain.evaluation import EvaluationSpec, GradedSpec
from ..domain.footprint import RowSize
from ..domain.generation import Sampling
from ..domain.mixture import MixtureSpec, StopRule
from ..domain.model_spec import LoraSpec, ModelSpec
from ..domain.ports.run import Observer
from ..domain.row_slice import RowSlice
from ..domain.run import RunSummary
from ..domain.schedule import TrainingPlan
from ..domain.source import Replay, SourceSpec
from .container import Container, make_container
from .prompt_choice import asked_prompt, data_prompt, prompt_file_text
from .reward_wiring import UNSAFE
from .settings import LoadedRecipe
from .settings.data_settings import ReplaySource, Source
from .settings.grpo_settings import SEARCH
from .settings.memory_file import memory_of
from .settings.recipe import ALGORITHMS, OWN_ALGORITHMS, Recipe, is_local
from .settings.reward_settings import BLEND, REWARDS, FunctionSettings
from .tool_wiring import TOOLS
from .wiring import own_code_print
from .workers import processes

LIBRARIES = (
    "cesello",
    "torch",
    "transformers",
    "peft",
    "bitsandbytes",
    "lightning",
    "datasets",
    "tokenizers",
    "torchao",
)


def recipe_container(loaded: LoadedRecipe, *, unsafe: bool = False) -> Container:
    """A container that follows the recipe.

    Args:
        unsafe: programs that a model wrote are run without a sandbox. No recipe can ask for that: it may come
            from a stranger.
    """
    if loaded.recipe.training.deterministic:
        # cuBLAS reads it when it is first used, long before the first step (its manual, on reproducibility).
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    folder = {"folder": str(memory_of(loaded.root, loaded.recipe.memory.folder))}
    memory = {"memory": loaded.recipe.memory.model_dump() | folder}
    config = loaded.recipe.model_dump() | {"root": str(loaded.root)} | memory
    if unsafe:
        config["sandbox"] = loaded.recipe.sandbox.model_dump() | {"tier": UNSAFE}
    return make_container(config)


NOT_THE_STEPS = ("name", "output", "root", "checkpoint", "loggers", "memory", "sandbox", "traces")
"""Parts of a recipe that no step depends on: a run can be gone on with when they have changed."""


def finetune_request(
    loaded: LoadedRecipe, choice: RunChoice | None = None, observer: Observer | None = None
) -> FinetuneRequest:
    """What ``Finetune`` is asked by a recipe.

    Args:
        observer: is told of what has to be learnt before, as for ``procedures_print``; None: nobody.

    Raises:
        UsageError: C135 by one that trains nothing. InvalidRecipe: those of its prompt file.
    """
    recipe = loaded.recipe
    if recipe.algorithm == "apo":
        what = "a recipe that searches a prompt trains nothing, and draws no rows to train on"
        fix = "`cesello data preview RECIPE` shows its rows, `cesello train RECIPE --dry-run` its budget"
        raise UsageError("C135", what, where="algorithm", got="apo", fix=fix)
    return FinetuneRequest(
        name=run_name(loaded),
        recipe=loaded.as_yaml(),
        data=data_request(loaded),
        lora=lora_spec(loaded),
        quantizer=recipe.quantizer.name,
        evaluation=_evaluation_spec(recipe),
        algorithm=recipe.algorithm,
        versions=library_versions(),
        machine=f"{platform.system()} {platform.machine()}",
        settings=settings_of_steps(loaded)
        | own_code_prints(loaded)
        | _prompt_print(loaded)
        | procedures_print(loaded, observer)
        | memory_print(loaded),
        processes=processes(),
        checkpoints=_checkpoint_plan(recipe),
        choice=choice or RunChoice(),
        trained_on=(BLEND,) if recipe.algorithm == "grpo" else (),
        group=_group(recipe) if recipe.algorithm == "grpo" else None,
        answers=_answers(recipe) if recipe.algorithm == "grpo" else 0,
        prompt_file=prompt_file_text(loaded),
    )


def _prompt_print(loaded: LoadedRecipe) -> dict[str, str]:
    """What stands for the text of the recipe's prompt file, which may change while its name does not."""
    program = data_prompt(loaded)
    return {"data.prompt": json.dumps(f"{loaded.recipe.data.prompt} {program.id}")} if program else {}


def procedures_print(loaded: LoadedRecipe, observer: Observer | None = None) -> dict[str, str]:
    """What stands for the procedures in the rows' prompts: their versions, and what finds them.

    Args:
        observer: is told where what finds them is damaged, or is learnt now; None: nobody.
    """
    if loaded.recipe.memory.procedures == "off":
        return {}
    container = recipe_container(loaded)
    if observer is not None:
        container.observer.override(observer)
    rows = container.instruct_rows()
    return {"memory.procedures": json.dumps(rows.identity)} if rows else {}


def memory_print(loaded: LoadedRecipe) -> dict[str, str]:
    """What stands for the memory that the rows, or the model by a tool, are answered from.

    Raises:
        DataError: D073 when it is empty. StoreError: S010 when another embedder made it.
    """
    recipe, found = loaded.recipe, dict[str, str]()
    searches = recipe.algorithm == "grpo" and SEARCH in recipe.grpo.tools
    if recipe.memory.retrieve == "off" and not searches:
        return found
    container = recipe_container(loaded)
    if (rows := container.ground_rows()) is not None:
        found["memory retrieve"] = rows.identity
    if searches:
        found["memory search"] = container.retrieve_context().pin.identity
    found[GENERATION] = str(container.retrieve_context().pin.generation)
    return found


def _group(recipe: Recipe) -> RowSize:
    """The largest forward pass of reinforcement: full, or one completion of the longest prompt."""
    grpo, prompts = recipe.grpo, recipe.training.batch_size * recipe.training.accumulate
    labels = prompts * grpo.completions * grpo.max_completion_tokens
    all_of_it = prompts * recipe.data.max_tokens + labels
    most = max(grpo.pass_tokens, recipe.data.max_tokens + grpo.max_completion_tokens)
    return RowSize(min(most, all_of_it), min(most, labels))


def _answers(recipe: Recipe) -> int:
    return recipe.grpo.completions * recipe.grpo.max_completion_tokens


def settings_of_steps(loaded: LoadedRecipe) -> dict[str, str]:
    """The values that a training's steps depend on, as JSON, by dotted key.

    They are kept with the run and told to loggers: what comes out of the environment is named, not told. A
    print of it beside the name shows a change; of a key or a password there is none.
    """
    kept = {key: value for key, value in loaded.as_compared().items() if key not in NOT_THE_STEPS}
    del kept["training"]["strategy"]  # how many processes share the work is no matter of the work
    return dict(_flat(kept, ""))


def own_code_prints(loaded: LoadedRecipe) -> dict[str, str]:
    """What stands for the code of somebody's own that is run: a file's sha256, a package's version."""
    recipe = loaded.recipe
    trains = [recipe.algorithm, *(one.code for one in recipe.training.callbacks)]
    judges = [one.function for one in recipe.rewards if isinstance(one, FunctionSettings)]
    named = {name: ALGORITHMS for name in trains if name not in OWN_ALGORITHMS}
    named |= dict.fromkeys(judges, REWARDS) | dict.fromkeys(
        (name for name in recipe.grpo.tools if name != SEARCH), TOOLS
    )
    return {f"own code {name}": own_code_print(name, loaded.root, group) for name, group in named.items()}


def _flat(values: Any, above: str) -> Iterator[tuple[str, str]]:
    if isinstance(values, dict) and values:
        for key, value in values.items():
            yield from _flat(value, f"{above}.{key}" if above else str(key))
    elif isinstance(values, list) and values and isinstance(values[0], dict):
        for index, value in enumerate(values):
            yield from _flat(value, f"{above}[{index}]")
    else:
        yield above, json.dumps(values, ensure_ascii=False)


def _checkpoint_plan(recipe: Recipe) -> CheckpointPlan:
    values = recipe.checkpoint.model_dump(exclude={"final"})
    return CheckpointPlan(**values, ends_with_best=recipe.checkpoint.final == "best")


def data_request(loaded: LoadedRecipe) -> DataRequest:
    """What ``PrepareData`` is asked by a recipe."""
    recipe = loaded.recipe
    prompt = data_prompt(loaded)
    rules = RowRules(
        seed=recipe.seed,
        system_prompt="" if prompt else recipe.data.system_prompt or "",
        max_tokens=recipe.data.max_tokens,
        overlong=recipe.data.overlong,
        keep_copies=recipe.data.copies.drop == "none",
        asks=recipe.algorithm in ("grpo", "apo"),
        prompt=prompt,
    )
    return DataRequest(
        model=model_spec(loaded),
        sources=tuple(_source_spec(source) for source in recipe.data.sources),
        mixture=MixtureSpec(
            seed=recipe.seed,
            temperature=recipe.data.mixture.temperature,
            max_passes=recipe.data.mixture.max_passes,
            stop=StopRule(recipe.data.mixture.stop),
        ),
        plan=_training_plan(recipe),
        max_steps=recipe.training.max_steps,
        rules=rules,
        copies=CopyRules(Copies(recipe.data.copies.drop), recipe.data.copies.similarity, rules.shown),
        batching=BatchSpec(
            method=Batching(recipe.training.batching),
            batch_size=recipe.training.batch_size,
            max_tokens=recipe.data.max_tokens,
            window=recipe.training.window,
            seed=recipe.seed,
        ),
    )


def generate_request(
    loaded: LoadedRecipe,
    run: RunSummary,
    prompt: str,
    sampling: Sampling,
    lora: bool,
    prompt_file: Path | None = None,
) -> GenerateRequest:
    """What ``Generate`` is asked about a run; its manifest names the model, its recipe the system prompt.

    Args:
        prompt_file: what is put around the prompt instead.
    """
    return GenerateRequest(
        run=run,
        model=replace(model_spec(loaded), name=run.model or loaded.recipe.model.name),
        prompt=prompt,
        program=asked_prompt(loaded, Path(run.path), prompt_file),
        sampling=sampling,
        lora=lora,
    )


def model_spec(loaded: LoadedRecipe) -> ModelSpec:
    """The base model; a local folder becomes an absolute path."""
    model = loaded.recipe.model
    name = str(loaded.resolve(model.name).resolve()) if is_local(model.name) else model.name
    return ModelSpec(
        name,
        model.revision,
        model.dtype,
        model.attention,
        loaded.recipe.training.device,
        model.device_map,
        loaded.recipe.quantizer.upcast,
        model.kernels,
    )


def lora_spec(loaded: LoadedRecipe) -> LoraSpec:
    """The weights to be trained; a run to go on from becomes the folder of its LoRA weights."""
    lora = loaded.recipe.lora
    start = loaded.resolve(lora.continue_from).resolve() if lora.continue_from else None
    if start and (start / "lora").is_dir():
        start = start / "lora"
    values = lora.model_dump(exclude={"continue_from"})
    return LoraSpec(**values, continue_from=str(start) if start else None)


def library_versions() -> Mapping[str, str]:
    """Of Python and of the libraries a result depends on, without importing them."""
    found = {"python": sys.version.split()[0]}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def run_name(loaded: LoadedRecipe) -> str:
    """What a run of the recipe is called."""
    return loaded.recipe.name or _slug(loaded.path.stem)


def _slug(text: str) -> str:
    """A file's name as a run may be called: small letters, digits and hyphens, at most 64."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:64].strip("-") or "run"


def _source_spec(source: Source) -> SourceSpec:
    common = {
        name: getattr(source, name) for name in SourceSpec.__dataclass_fields__ if hasattr(source, name)
    }
    replay = Replay(source.max_new_tokens, source.temperature) if isinstance(source, ReplaySource) else None
    part = RowSlice.parse(source.slice) if source.slice else None
    return SourceSpec(**common | {"slice": part, "replay": replay})


def _training_plan(recipe: Recipe) -> TrainingPlan:
    values = recipe.training.model_dump(
        exclude={"max_steps", "device", "batching", "window", "on_nonfinite", "callbacks"}
    )
    return TrainingPlan(
        recipe.training.max_steps or 0,
        seed=recipe.seed,
        padded=recipe.training.batching == "grouped",
        skips_nonfinite=recipe.training.on_nonfinite == "skip",
        updates=recipe.grpo.updates if recipe.algorithm == "grpo" else 1,
        **values,
    )


def _evaluation_spec(recipe: Recipe) -> EvaluationSpec:
    settings = recipe.evaluation
    return EvaluationSpec(
        rows=settings.rows,
        batch_size=settings.batch_size,
        samples=settings.samples,
        max_new_tokens=settings.max_new_tokens,
        graded=tuple(GradedSpec(one.source, one.reward, one.rows) for one in settings.generate),
        every_steps=settings.every_steps,
        patience=settings.patience,
        least_improvement=settings.least_improvement,
    )
