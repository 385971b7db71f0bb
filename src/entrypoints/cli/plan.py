"""``cesello plan``: what a training takes and trains, before anything is loaded."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .output import echo_json
from .plan_text import in_words, say_plan

if TYPE_CHECKING:
    from ...application.finetune import FinetuneRequest
    from ...application.plan_run import RunPlan
    from ...application.probe_run import Probe
    from ...domain.footprint import DeviceMemory

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


class Size(click.ParamType[int]):
    """Bytes, as 8GiB, 24GB or 512MiB."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]i?)?b?", str(value).lower())
        if found is None or not float(found[1]):
            self.fail(f"{value!r} is no size; write it as 8GiB or 24GB", param, ctx)
        return int(float(found[1]) * _UNITS[found[2] or ""])


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option(
    "overrides", "--set", multiple=True, metavar="KEY=VALUE", help="Change a key, as training.batch_size=1."
)
@click.option(
    "size",
    "--device-memory",
    type=Size(),
    help="Plan for a GPU with so much memory, which need not be here, as 24GiB.",
)
@click.option(
    "devices", "--devices", default=1, show_default=True, type=click.IntRange(min=1),
    help="So many of them, each with the whole model.",
)  # fmt: skip
@click.option("--probe", is_flag=True, help="Prepare the data, take a few steps and tell the time.")
@click.option("as_json", "--json", is_flag=True, help="Print JSON.")
@click.pass_context
def plan(
    context: click.Context,
    recipe: Path,
    overrides: tuple[str, ...],
    size: int | None,
    devices: int,
    probe: bool,
    as_json: bool,
) -> None:
    """Say what a training of RECIPE takes: parameters, memory, steps.

    Only the model's configuration is read, which is built in for well-known models. Ends with status 4 when
    the training does not fit, and says what to change.
    """
    from ..requests import finetune_request, recipe_container
    from ..settings import load_recipe
    from .watch import watched

    if probe and size is not None:
        raise click.UsageError("--probe takes steps on the device, which --device-memory says is not here")
    loaded = load_recipe(recipe, overrides)
    container = recipe_container(loaded)
    with watched(container, bool(context.obj)):
        request, memory = _for_device(finetune_request(loaded, observer=container.observer()), size)
        planned = container.plan_run()(request, memory)
        probed = container.probe_run()(request) if probe and planned.memory.fits else None
    if as_json:
        echo_json(_as_json(planned, probed))
    else:
        say_plan(planned, loaded.recipe, devices, probed)
    context.exit(0 if planned.memory.fits else 4)


def _for_device(request: FinetuneRequest, size: int | None) -> tuple[FinetuneRequest, DeviceMemory | None]:
    """What is planned for a GPU that is not here, where one is named by its memory."""
    from ...domain.footprint import CUDA_CONTEXT, DeviceMemory

    if size is None:
        return request, None
    device = "cpu" if request.data.model.device == "cpu" else "cuda"
    model = replace(request.data.model, device=device)
    name = f"a {'machine' if device == 'cpu' else 'GPU'} with {in_words(size)}"
    free = size if device == "cpu" else max(0, size - CUDA_CONTEXT)
    return replace(request, data=replace(request.data, model=model)), DeviceMemory(device, name, size, free)


def _as_json(planned: RunPlan, probed: Probe | None) -> dict[str, Any]:
    footprint = planned.memory.footprint
    sums = {"training": footprint.training, "peak": footprint.peak, "bits": footprint.bits}
    return asdict(planned) | {"sums": sums, "tokens": planned.tokens, "probe": probed and asdict(probed)}
