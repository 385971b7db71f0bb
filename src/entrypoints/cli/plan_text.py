"""A plan in words and columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ...domain.footprint import Footprint
from .output import echo_table

if TYPE_CHECKING:
    from ...application.check_memory import MemoryCheck
    from ...application.plan_run import RunPlan
    from ...application.probe_run import Probe
    from ..settings.recipe import Recipe

_PARTS = {
    "base weights": "weights",
    "LoRA weights": "lora",
    "optimizer": "optimizer",
    "gradients": "gradients",
    "activations": "activations",
    "logits and loss": "logits",
    "peak of a step": "training",
    "evaluation": "evaluation",
    "peak": "peak",
}
"""What is told of a footprint, and what it is called there."""


def say_plan(planned: RunPlan, recipe: Recipe, devices: int, probed: Probe | None) -> None:
    """Prints what is trained, how many steps, the memory, and whether it is enough."""
    _say_model(planned, recipe)
    _say_steps(planned)
    _say_positions(planned, recipe)
    if probed is not None:
        _say_time(probed)
    click.echo()
    _say_memory(planned, devices)
    click.echo()
    _say_verdict(planned.memory)


def in_words(count: int) -> str:
    """GiB from one GiB on, else MiB."""
    return f"{count / 2**30:.2f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"


def _say_model(planned: RunPlan, recipe: Recipe) -> None:
    shape, footprint, lora = planned.shape, planned.memory.footprint, recipe.lora
    kind = f"{shape.architecture}, {shape.layers} layers"
    click.echo(f"model      {shape.name}: {kind}, {shape.parameters:,} parameters")
    bits = "" if footprint.bits is None else f", {footprint.bits:.3f} bits a weight of the linear layers"
    click.echo(f"quantizer  {recipe.quantizer.name}{bits}, computed in {shape.dtype}")
    if footprint.bits is not None and shape.dtype != "float32":
        now, other, change = (
            ("float32", "halve", "false") if recipe.quantizer.upcast else (shape.dtype, "double", "true")
        )
        rest = f"embeddings, head and norms take {in_words(footprint.whole)} in {now}"
        click.echo(f"           {rest}; quantizer.upcast={change} would {other} that")
    named = lora.target_modules
    where = named if isinstance(named, str) else ", ".join(named)
    weights = (
        f"LoRA r {lora.r} on {where}" if lora.continue_from is None else f"those of {lora.continue_from}"
    )
    share = footprint.trainable / footprint.parameters
    click.echo(f"trained    {footprint.trainable:,} weights, {share:.2%}: {weights}")
    if planned.presets:
        presets = ", ".join(f"{name} {count:,}" for name, count in planned.presets.items())
        click.echo(f"           with r {lora.r}: {presets}")


def _say_steps(planned: RunPlan) -> None:
    steps = "as many as the rows give" if planned.steps is None else f"{planned.steps:,}"
    what = "tokens asked and drawn" if planned.answers else "tokens in all"
    most = "" if planned.tokens is None else f", at most {planned.tokens:,} {what}"
    rows = f"{planned.rows_per_step} {'prompts' if planned.answers else 'rows'}"
    click.echo(f"steps      {steps}, of {rows} of at most {planned.longest:,} tokens{most}")
    if planned.answers:
        click.echo(f"           all answers to a prompt have at most {planned.answers:,} tokens together")


def _say_positions(planned: RunPlan, recipe: Recipe) -> None:
    answer = recipe.grpo.max_completion_tokens if planned.answers else 0
    longest, positions = planned.longest + answer, planned.shape.positions
    if positions is not None and longest > positions:
        keys = "data.max_tokens or grpo.max_completion_tokens" if answer else "data.max_tokens"
        what = f"a row may have {longest:,} tokens, and the model was made for {positions:,}"
        click.echo(f"           {what}: lower {keys}")


def _say_time(probed: Probe) -> None:
    hours, rest = divmod(round(probed.seconds), 3600)
    lasts = f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min {rest % 60} s"
    rate = f"{probed.tokens_per_second:,.0f} tokens a second"
    click.echo(f"time       {lasts} for {probed.steps:,} steps, {probed.tokens:,} tokens at {rate}")
    click.echo("           as measured just now; evaluations come on top")


def _say_memory(planned: RunPlan, devices: int) -> None:
    footprint, other = planned.memory.footprint, planned.other
    checkpoints = planned.work.checkpointing
    kept, again = (other, footprint) if checkpoints else (footprint, other)
    headings = ["memory of one device", "activations kept", "computed again"]
    headings[1 + checkpoints] += " *"
    columns = [kept, again]
    if devices > 1:
        headings.append(f"{devices} devices *")
    rows = _memory_rows(columns, footprint, devices)
    echo_table(headings, rows, right=range(1, len(headings)))
    click.echo("* as the recipe says. Gradients come while activations go: a step's peak is not their sum.")


def _memory_rows(columns: list[Footprint], footprint: Footprint, devices: int) -> Iterator[tuple[str, ...]]:
    for title, name in _PARTS.items():
        cells = [in_words(getattr(column, name)) for column in columns]
        if devices > 1:
            cells.append(in_words(devices * getattr(footprint, name)))
        yield (title, *cells)


def _say_verdict(check: MemoryCheck) -> None:
    free = check.memory.free
    verdict = "fits" if check.fits else "does not fit"
    there = "how much is free is not known" if free is None else f"{in_words(free)} are free"
    click.echo(f"{verdict}: {in_words(check.footprint.peak)} needed, {there} on {check.memory.name}")
    if check.fits and check.tight:
        click.echo("tight: freed memory is given back at once, and a step takes about 40 % longer")
    for remedy in check.remedies:
        then, end = in_words(remedy.footprint.peak), "fits" if remedy.fits else "not yet"
        change = " ".join(f"--set {key}={value}" for key, value in remedy.changes.items())
        click.echo(f"  {change}   {then}, {end}: {remedy.cost}")
