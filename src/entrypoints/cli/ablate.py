"""``cesello ablate``: what memory and procedures bring a run's model."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...domain.errors import Interrupted
from .output import echo_json, echo_table, one_line

if TYPE_CHECKING:
    from ...domain.ablation import Ablation, ArmFigures
    from ...domain.prompt_verdict import Comparison, Figure

NAME = "ablation.json"
"""What is kept in the run's folder."""

STOPPED = "ablation-stopped.json"
"""What was stopped is kept under a name of its own: a whole result must not go for it."""


@click.command()
@click.argument("run")
@click.option("--runs", metavar="DIR", help="The folder of the runs.  [default: runs]")
@click.option("--base", is_flag=True, help="Ask the base model too.")
@click.option(
    "--arms", metavar="ARMS", help="Of bare, memory, procedures, both; default: those that there is one for."
)
@click.option(
    "--memory",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="FOLDER",
    help="Another project's memory: its folder, or .cesello/memory in it.",
)
@click.option("--source", help="Whose held-out rows are asked; default: as the recipe grades them.")
@click.option("--reward", help="What judges: a reward of the recipe, or blend.")
@click.option("--rows", type=click.IntRange(min=2), help="Held-out rows, at most.")
@click.option("--max-new-tokens", type=click.IntRange(min=1), help="Longest answer; default: the recipe's.")
@click.option("--batch-size", default=8, show_default=True, type=click.IntRange(min=1))
@click.option(
    "overrides", "--set", multiple=True, metavar="KEY=VALUE", help="Change a key, as memory.keep=1."
)
@click.option("as_json", "--json", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def ablate(
    debug: bool,
    run: str,
    runs: str | None,
    base: bool,
    arms: str | None,
    memory: Path | None,
    source: str | None,
    reward: str | None,
    rows: int | None,
    max_new_tokens: int | None,
    batch_size: int,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Ask the model of RUN held-out tasks with and without its memory and its procedures.

    The same tasks in every arm, answered greedily, none of them trained on. What came out is kept in the
    run's folder as ablation.json. Stopped with Ctrl-C, it shows what every arm has answered, and keeps it as
    ablation-stopped.json.
    """
    from ..ablate_requests import BASE, RUN, asked
    from .watch import watched

    found = asked(
        run, runs, overrides, arms=arms, memory=memory, source=source, reward=reward, rows=rows,
        max_new_tokens=max_new_tokens,
    )  # fmt: skip
    with watched(found.container, debug):
        rewards = found.container.rewards()
        try:
            rewards.check([found.reward])
            use_case = found.ablate(rewards[found.reward])
            result = use_case(found.request([RUN, BASE] if base else [RUN], batch_size))
            signal = found.container.stop().requested
        finally:
            rewards.close()
    kept = _keep(result, Path(found.tried.run.path))
    if as_json:
        echo_json(result)
    else:
        _say(result, kept)
    if result.stopped and signal is not None:
        raise Interrupted(signal, f"stopped before all tasks were asked; what was is in {kept}")


def _keep(result: Ablation, folder: Path) -> Path:
    from ..settings.atomic_file import PRIVATE, write_atomically

    path = folder / (STOPPED if result.stopped else NAME)
    write_atomically(path, json.dumps(asdict(result), ensure_ascii=False, indent=2) + "\n", PRIVATE)
    return path


def _say(result: Ablation, kept: Path) -> None:
    click.echo(f"{result.planned} held-out tasks of {result.source}, judged by {result.reward}")
    for name, pin in result.pins.items():
        click.echo(f"{name}: {one_line(pin)}")
    click.echo()
    graded = any(one.is_graded for one in result.arms)
    gains = ["over bare (95 %)", "p"]
    titles = ["model", "arm", "tasks", "given", "solved (95 %)", *gains, "score", *(gains if graded else ())]
    echo_table(
        [*titles, "read", "written", "s each"],
        [_row(one, graded=graded) for one in result.arms],
        right=(2, 3, 7, *range(len(titles), len(titles) + 3)),
    )
    click.echo(
        "\ngiven: prompts with a passage or a procedure; read and written: tokens of a task; p: two-sided."
    )
    click.echo(f"kept in {kept}")


def _row(one: ArmFigures, *, graded: bool) -> tuple[str, ...]:
    return (
        one.model,
        one.arm,
        str(one.tasks),
        _given(one),
        _share(one.solved),
        _gain(one.gain) if one.gain else "-",
        f"{one.gain.p:.3f}" if one.gain else "-",
        f"{one.score.mean:.3f}",
        *(_score_gain(one.score_gain) if graded else ()),
        _tokens(one.read),
        _tokens(one.written),
        f"{one.seconds:.2f}",
    )


def _given(one: ArmFigures) -> str:
    parts = ([str(one.grounded)] if one.arm.remembers else []) + (
        [str(one.guided)] if one.arm.follows else []
    )
    return " + ".join(parts) or "-"


def _share(its: Figure) -> str:
    return f"{its.mean:.0%} ({its.interval.low:.0%} to {its.interval.high:.0%})"


def _tokens(number: float | None) -> str:
    return "-" if number is None else f"{number:.0f}"


def _score_gain(its: Comparison | None) -> tuple[str, str]:
    """Of scores, which need not be shares."""
    if its is None:
        return "-", "-"
    return f"{its.gain:+.3f} ({its.interval.low:+.3f} to {its.interval.high:+.3f})", f"{its.p:.3f}"


def _gain(its: Comparison) -> str:
    return f"{its.gain:+.0%} ({its.interval.low:+.0%} to {its.interval.high:+.0%})"
