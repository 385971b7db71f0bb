"""``cesello generate``: ask the model of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .output import echo_json, printable
from .sop_prompt import instructed, sop_options

if TYPE_CHECKING:
    from ..container import Container


def _of_project() -> Container:
    """Procedures are those of the folder that one is in, as for `cesello sop`, and not of the run's."""
    from ..memory_requests import memory_container
    from ..settings.memory_file import load_memory
    from .watch import LineObserver

    container = memory_container(load_memory(None, ()))
    container.observer.override(LineObserver())  # as for `cesello sop search`
    return container


@click.command()
@click.argument("prompt")
@click.option("--run", "run_name", default="latest", show_default=True, help="A run's id, name or folder.")
@click.option("--runs", "folder", default="runs", show_default=True, help="The folder of the runs.")
@click.option(
    "prompt_file", "--prompt-file", type=click.Path(path_type=Path), help="Put the prompt of FILE around it."
)
@sop_options
@click.option("--lora/--no-lora", default=True, help="With the run's weights, or the base model alone.")
@click.option("--max-new-tokens", default=256, show_default=True, type=click.IntRange(min=1))
@click.option(
    "--temperature", default=0.0, show_default=True, type=click.FloatRange(min=0), help="0 is greedy."
)
@click.option("--top-p", default=1.0, show_default=True, type=click.FloatRange(min=0, max=1, min_open=True))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@click.option("as_json", "--json", is_flag=True, help="Print prompt and answer as JSON when it is complete.")
@click.pass_obj
def generate(
    debug: bool,
    prompt: str,
    run_name: str,
    folder: str,
    prompt_file: Path | None,
    sop: str,
    sop_mode: str,
    lora: bool,
    max_new_tokens: int,
    temperature: float,
    top_p: float,
    seed: int,
    as_json: bool,
) -> None:
    """Ask the model of a run PROMPT; the answer comes word by word."""
    from dataclasses import replace

    from dependency_injector import providers

    from ...domain.generation import Sampling
    from ..requests import generate_request, recipe_container
    from ..settings import load_recipe
    from ..signals import SignalStop, listening
    from ..wiring import folder_run_store
    from .quiet import quieten

    run = folder_run_store(folder).find(run_name)
    loaded = load_recipe(Path(run.path) / "recipe.yaml", ["root=."])
    sampling = Sampling(max_new_tokens, temperature, top_p, seed)
    request = generate_request(loaded, run, prompt, sampling, lora, prompt_file)
    container = recipe_container(loaded)
    stop = SignalStop()
    container.stop.override(providers.Object(stop))
    quieten(debug)
    pieces = []
    with (
        listening(stop),
        instructed(_of_project, request.program, sop, sop_mode, prompt, "generate") as program,
    ):
        for piece in container.generate()(replace(request, program=program)):
            pieces.append(printable(piece))
            if not as_json:
                click.echo(pieces[-1], nl=False)
    if as_json:
        echo_json({"run": run.id, "lora": lora, "prompt": prompt, "completion": "".join(pieces)})
    else:
        click.echo()
