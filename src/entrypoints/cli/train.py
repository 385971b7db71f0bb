"""``cesello train``: from a recipe to LoRA weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .output import echo_json, echo_table

if TYPE_CHECKING:
    from ...application.open_run import RunChoice
    from ..container import Container
    from ..settings import LoadedRecipe


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option(
    "overrides", "--set", multiple=True, metavar="KEY=VALUE", help="Change a key, as training.max_steps=10."
)
@click.option("--dry-run", is_flag=True, help="Check the recipe and say what would be done; load nothing.")
@click.option(
    "checks_memory",
    "--memory-check/--no-memory-check",
    default=True,
    help="Refuse, before the model is loaded, what does not fit the memory.",
)
@click.option(
    "--resume", is_flag=True, help="Go on with the newest run of the recipe's name that did not end."
)
@click.option(
    "run", "--run", metavar="ID", help="The run's id: to begin it under that name, or to go on with it."
)
@click.option("--overwrite", is_flag=True, help="With --run: begin it anew, and lose what is there.")
@click.option(
    "inexact", "--allow-inexact", is_flag=True, help="With --resume: go on even where it cannot be exact."
)
@click.option(
    "unsafe",
    "--unsafe-code-execution",
    is_flag=True,
    help="Run programs that the model writes without a sandbox: with your rights.",
)
@click.option("as_json", "--json", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def train(
    debug: bool,
    recipe: Path,
    overrides: tuple[str, ...],
    dry_run: bool,
    checks_memory: bool,
    resume: bool,
    run: str | None,
    overwrite: bool,
    inexact: bool,
    unsafe: bool,
    as_json: bool,
) -> None:
    """Train a model as RECIPE says: on answers (sft), or by rewards for its own (grpo).

    Or leave the model as it is, and search a better prompt for it (apo).

    Reads the sources, measures the model on held-out rows, trains its LoRA weights, measures again, and
    saves a run folder. Ctrl-C saves a checkpoint and stops; --resume goes on from there, to the bit.
    """
    from ...application.open_run import RunChoice
    from ..settings import load_recipe

    choice = RunChoice(run, resume, overwrite, inexact)
    _check_choice(choice)
    loaded = load_recipe(recipe, overrides)
    if dry_run:
        _say_plan(loaded, as_json)
        _say_what_is_missing(loaded)
        return
    _train(loaded, choice, checks_memory, unsafe, as_json, debug)


def _check_choice(choice: RunChoice) -> None:
    if choice.resume and choice.overwrite:
        raise click.UsageError("--resume goes on with a run and --overwrite loses it: give one of them")
    if choice.overwrite and choice.run is None:
        raise click.UsageError("--overwrite needs --run: which run is to be begun anew?")
    if choice.inexact and not choice.resume:
        raise click.UsageError("--allow-inexact goes with --resume")


def _say_plan(loaded: LoadedRecipe, as_json: bool) -> None:
    recipe = loaded.recipe
    if recipe.algorithm == "apo":
        from .search_page import say_search_plan, search_plan_json

        echo_json(search_plan_json(loaded)) if as_json else say_search_plan(loaded)
        return
    if as_json:
        echo_json(recipe.model_dump(mode="json"))
        return
    total = sum(source.weight for source in recipe.data.sources)
    by_rows = recipe.data.mixture.temperature is not None
    quantizer = recipe.quantizer.name + (", double quantisation" if _doubles(loaded) else "")
    start = recipe.lora.continue_from
    lora = f"r {recipe.lora.r}, alpha {recipe.lora.alpha}, on {recipe.lora.target_modules}"
    steps = recipe.training.max_steps or f"until {recipe.data.mixture.stop}"
    count = recipe.training.batch_size * recipe.training.accumulate
    reinforces = recipe.algorithm == "grpo"
    rows = f"prompts with {recipe.grpo.completions} completions each" if reinforces else "rows"
    click.echo(f"model      {recipe.model.name} (quantizer {quantizer})")
    click.echo(f"LoRA       {f'that of {start}' if start else lora}")
    rate = f"learning rate {recipe.training.learning_rate:g}"
    click.echo(f"training   {recipe.algorithm}, {steps} steps of {count} {rows}, {rate}")
    if recipe.rewards:
        rewards = ", ".join(f"{one.called} x {one.weight:g}" for one in recipe.rewards)
        click.echo(f"rewards    {rewards}, blended by {recipe.blend}")
    click.echo(f"runs       {recipe.output}\n")
    echo_table(
        ["source", "kind", "share", "held out"],
        [
            (
                source.name,
                source.kind,
                "by rows" if by_rows else f"{source.weight / total:.0%}",
                source.holdout,
            )
            for source in recipe.data.sources
        ],
        right=(2, 3),
    )
    click.echo("\nThe recipe is valid. Nothing was loaded, fetched or written.")


def _say_what_is_missing(loaded: LoadedRecipe) -> None:
    """What a valid recipe will lack when it is begun."""
    from ..start_weights import missing_start

    if missing := missing_start(loaded):
        click.echo(f"note: {missing.what}: {missing.fix}", err=True)


def _doubles(loaded: LoadedRecipe) -> bool:
    return loaded.recipe.quantizer.name == "nf4" and loaded.recipe.quantizer.double_quant


def _train(
    loaded: LoadedRecipe,
    choice: RunChoice,
    checks_memory: bool,
    unsafe: bool,
    as_json: bool,
    debug: bool,
) -> None:
    from dataclasses import replace

    from ..requests import finetune_request, recipe_container
    from ..start_weights import missing_start
    from ..wiring import leave_workers
    from ..workers import ending_together, is_follower
    from .summary import say_result
    from .watch import watched

    if unsafe and not is_follower():
        click.echo("programs that the model writes run without a sandbox, with your rights", err=True)
    if missing := missing_start(loaded):
        raise missing
    container = recipe_container(loaded, unsafe=unsafe)
    if loaded.recipe.algorithm == "apo":
        _search(loaded, choice, container, as_json, debug)
        return
    with watched(container, debug), ending_together(leave_workers):
        request = finetune_request(loaded, choice, container.observer())
        manifest = container.finetune()(replace(request, checks_memory=checks_memory))
    if is_follower():
        return
    path = Path(loaded.recipe.output) / manifest.id
    if as_json:
        echo_json(manifest)
    else:
        say_result(manifest, path)


def _search(
    loaded: LoadedRecipe, choice: RunChoice, container: Container, as_json: bool, debug: bool
) -> None:
    from ..apo_requests import improve_request
    from .search_page import say_search
    from .watch import watched

    with watched(container, debug):
        request = improve_request(loaded, choice, container.observer())
        improved = container.improve_prompt()(request)
    if as_json:
        echo_json(improved.manifest)
    else:
        say_search(improved.report, improved.path, loaded.recipe.apo.procedure_of or "")
