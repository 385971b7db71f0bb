"""``cesello compare``: whether training is needed, or a better prompt does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ...domain.prompt_verdict import PROVEN, Comparison
from .output import echo_json, echo_table

if TYPE_CHECKING:
    from ...application.compare_ways import Compared, WaysCompared


@click.command()
@click.argument("recipes", metavar="RECIPE...", nargs=-1, required=True)
@click.option("--runs", metavar="DIR", help="The folder of the runs, where it is not the recipe's own.")
@click.option("--source", help="Whose held-out rows are asked; default: as the first recipe grades them.")
@click.option("--reward", help="What judges: a reward of that recipe, or blend.")
@click.option("--rows", type=click.IntRange(min=2), help="Held-out rows, at most.")
@click.option(
    "--max-new-tokens",
    type=click.IntRange(min=1),
    help="Longest answer; default: the longest of the recipes.",
)
@click.option("--batch-size", default=8, show_default=True, type=click.IntRange(min=1))
@click.option("as_json", "--json", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def compare(
    debug: bool,
    recipes: tuple[str, ...],
    runs: str | None,
    source: str | None,
    reward: str | None,
    rows: int | None,
    max_new_tokens: int | None,
    batch_size: int,
    as_json: bool,
) -> None:
    """Ask the base model, and what every RECIPE made of it, the same held-out tasks.

    A recipe stands for its newest completed run, a prompt search, a fine-tuning or a reinforcement; a run can
    be named too. No task is asked that one of them was trained on. Answers are greedy.
    """
    from ...application.compare_ways import CompareWays
    from ..compare_requests import Models, all_tried, compare_request, judge, longest_answer
    from .watch import watched

    found = all_tried(recipes, runs)
    first, graded = judge(found, source, reward, rows)
    longest = max_new_tokens or longest_answer(found)
    with watched(first.container, debug):
        for one in found:  # of the others' data and procedures is told as well
            if one is not first:
                one.container.observer.override(first.container.observer)
                one.container.stop.override(first.container.stop)
        observer, stop = first.container.observer(), first.container.stop()
        rewards = first.container.rewards()
        try:
            rewards.check([graded.reward])
            request = compare_request(found, graded, longest, batch_size)
            result = CompareWays(Models(found), rewards[graded.reward], observer, stop)(request)
        finally:
            rewards.close()
    if as_json:
        echo_json(result)
    else:
        _say(result)


def _say(result: WaysCompared) -> None:
    left = f" ({result.seen_by_some} left out: trained on by a recipe)" if result.seen_by_some else ""
    click.echo(f"{result.tasks} held-out tasks of {result.source}, judged by {result.reward}{left}\n")
    echo_table(
        [
            "way",
            "kind",
            "solved",
            "score (95 %)",
            "gain on the first (95 %)",
            "p",
            "tokens",
            "s each",
            "made",
        ],
        [_row(one) for one in result.ways],
        right=(2, 6, 7),
    )
    click.echo()
    for one in result.ways:
        if one.beside_start is not None:
            click.echo(f"{one.name} over {one.begins_with}, which it began with: {_gained(one.beside_start)}")
    click.echo(advice(result))
    if any(one.kind in ("apo", "grpo") for one in result.ways):
        click.echo(
            "Held-out rows also told a search what to ship and a training its best checkpoint, and the best "
            "of several ways is flattered a little."
        )


def _row(one: Compared) -> tuple[str, ...]:
    tasks, its = one.figure.tasks, one.figure
    beside = one.beside_first
    return (
        one.name,
        one.kind,
        f"{one.solved}/{tasks} ({one.solved / tasks:.0%})" if tasks else "-",
        f"{its.mean:.3f} ({its.interval.low:.3f} to {its.interval.high:.3f})",
        _interval(beside) if beside else "-",
        f"{beside.p:.3f}" if beside else "-",
        f"{one.tokens:.0f}",
        f"{one.seconds:.2f}",
        _made(one),
    )


def _interval(its: Comparison) -> str:
    return f"{its.gain:+.3f} ({its.interval.low:+.3f} to {its.interval.high:+.3f})"


def _gained(its: Comparison) -> str:
    return f"{_interval(its)}, p {its.p:.3f}"


def _made(one: Compared) -> str:
    """What it cost to make."""
    parts = [f"{one.cost.seconds / 60:.1f} min"] if one.cost.seconds else []
    parts += [f"{one.cost.rollouts} rollouts"] if one.cost.rollouts else []
    return ", ".join(parts) or "-"


def advice(result: WaysCompared) -> str:
    """What the figures say about training, in a sentence or two."""
    its = result.training
    if its is None:
        return "Nothing here is trained: name the recipe of a fine-tuning to learn whether it is needed."
    beside = its.comparison
    figures = _gained(beside)
    if beside.interval.low > 0 and beside.p <= PROVEN:
        return f"Training pays: {its.trained} scores {figures} over the best prompt alone ({its.prompt})."
    if beside.interval.high < 0:
        return f"Keep the prompt: {its.trained} scores {figures} under the best prompt alone ({its.prompt})."
    return (
        f"Not settled: {its.trained} scores {figures} beside the best prompt alone ({its.prompt}). "
        "More held-out rows (--rows, holdout) would tell."
    )
