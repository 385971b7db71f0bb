"""``cesello export``: a run's model for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...domain.errors import UsageError
from ...domain.export import DTYPES, ExportManifest, Into
from ...domain.load_commands import (
    LoraLayout,
    lora_commands,
    lora_program,
    merged_commands,
    merged_program,
    ollama_command,
    peft_differs,
    vllm_lacks,
)
from .output import echo_json, echo_table, printable

if TYPE_CHECKING:
    from ...application.export_model import ExportRequest


@click.command()
@click.argument("run_name", metavar="RUN")
@click.option("--runs", default="runs", show_default=True, help="The folder of the runs.")
@click.option("--merge", metavar="DIR", type=click.Path(path_type=Path), help="Write the merged model here.")
@click.option(
    "--into",
    type=click.Choice([into.value for into in Into]),
    help="The base weights as published, or as the run's quantizer rounded them; default: as it was trained.",
)
@click.option(
    "--dtype",
    type=click.Choice(["auto", *DTYPES]),
    default="auto",
    show_default=True,
    help="Number format of the files; auto: the run's own if it has 16 bits, else bfloat16.",
)
@click.option(
    "--rows", default=16, show_default=True, type=click.IntRange(min=1), help="Held-out rows to measure on."
)
@click.option("--overwrite", is_flag=True, help="Replace an export that is there.")
@click.option("--gguf", metavar="FILE", type=click.Path(path_type=Path), help="Make a GGUF file of it too.")
@click.option(
    "--gguf-converter",
    metavar="SCRIPT",
    envvar="CESELLO_GGUF_CONVERTER",
    help="llama.cpp's convert_hf_to_gguf.py; without this it is looked for on the PATH.",
)
@click.option("as_json", "--json", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def export(
    debug: bool,
    run_name: str,
    runs: str,
    merge: Path | None,
    into: str | None,
    dtype: str,
    rows: int,
    overwrite: bool,
    gguf: Path | None,
    gguf_converter: str | None,
    as_json: bool,
) -> None:
    """Export the model of RUN, or without --merge say how its LoRA weights are loaded.

    The merged model is an ordinary folder that transformers and vLLM read. It is read again and compared
    with the model that was trained; the figures stand in its model card and in export.json, and
    `cesello verify DIR` takes them again.
    """
    from ..export_requests import export_request, lora_layout, run_recipe
    from ..wiring import folder_run_store

    run = folder_run_store(runs).find(run_name)
    loaded = run_recipe(run)
    if merge is None:
        _refuse_without_merge(into, overwrite, gguf)
        _say_lora(lora_layout(loaded, run), as_json)
        return
    if gguf and gguf.absolute().is_relative_to(merge.absolute()):
        raise UsageError(
            "C063", "the GGUF file is inside DIR", where=str(gguf), fix="name a FILE beside it or elsewhere"
        )
    request = export_request(
        loaded, run, merge, into=into, dtype=dtype, rows=rows, overwrite=overwrite, gguf=gguf
    )
    from ..requests import recipe_container
    from .watch import watched

    container = recipe_container(loaded)
    container.config.gguf_converter.from_value(gguf_converter)
    with watched(container, debug):
        manifest = container.export_model()(request)
    if as_json:
        echo_json(manifest)
    else:
        _say_merged(manifest, request)


def _refuse_without_merge(into: str | None, overwrite: bool, gguf: Path | None) -> None:
    given = {"--into": into, "--overwrite": overwrite, "--gguf": gguf}
    if alone := [name for name, value in given.items() if value]:
        raise UsageError("C062", f"{alone[0]} is for a merged model", fix="add --merge DIR")


def _say_merged(manifest: ExportManifest, request: ExportRequest) -> None:
    folder = str(request.folder)
    parity = manifest.parity
    click.echo(f"merged    {folder}, {manifest.dtype}, into {manifest.into}")
    click.echo(f"          {manifest.meaning}")
    click.echo(
        f"measured  at {parity.positions} label positions of {parity.rows} {parity.origin}, against the "
        f"trained model in {parity.dtype} on {parity.device}\n"
    )
    echo_table(
        ["merged against trained", ""],
        [
            ("largest difference of logits", f"{parity.max_logit_difference:.3g}"),
            ("mean KL, nats per token", f"{parity.mean_kl:.3g}"),
            ("greedy answers that agree", f"{parity.same_answers} of {parity.prompts}"),
        ],
        right=(1,),
    )
    _say("Load it with transformers:", merged_program(folder, request.system_prompt))
    _say("Serve it:", *merged_commands(folder))
    if request.gguf:
        file = str(request.gguf.with_name("Modelfile"))
        click.echo(f"\nGGUF file: {request.gguf}")
        _say("Run it with Ollama:", ollama_command(manifest.run.name, file))


def _say_lora(lora: LoraLayout, as_json: bool) -> None:
    commands = lora_commands(lora)
    if as_json:
        echo_json({"lora": lora.folder, "program": lora_program(lora), "commands": commands})
        return
    click.echo(f"LoRA weights of {lora.base}: {lora.folder}")
    _say("Load them with PEFT:", lora_program(lora))
    if differs := peft_differs(lora):
        click.echo(
            f"\nThis has {differs} in another number format than the training, and can answer otherwise."
        )
    if commands:
        _say("Serve them:", *commands)
    else:
        click.echo(f"\nvLLM does not load {vllm_lacks(lora)} as LoRA weights: merge them, with --merge DIR.")
    if lora.quantizer != "none":
        click.echo(
            f"\nThe training saw the base model in {lora.quantizer}. Served as published, it can answer "
            "otherwise; --merge DIR --into dequantised gives what the training saw."
        )


def _say(title: str, *lines: str) -> None:
    click.echo(f"\n{title}\n")
    for line in lines:
        click.echo(printable(line))
