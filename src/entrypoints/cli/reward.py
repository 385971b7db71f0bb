"""``cesello reward``: whether a reward can be believed, before a model learns to please it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .output import echo_json, echo_table, printable

if TYPE_CHECKING:
    from ...application.try_reward import RewardTrial
    from ...domain.reward_checks import Finding

_MEANINGS = {
    "grader": "everything is judged: no exception, crash, timeout, or number that is none",
    "range": "scores are within the range that is declared",
    "applies": "right and wrong answers get a score",
    "order": "every right answer scores above every wrong one",
    "hacks": "the hacks of the cases gain nothing over an honest wrong answer",
    "ladder": "a better answer never scores less",
    "empty": "an empty answer gains nothing",
    "whitespace": "blank space gains nothing",
    "echo": "the prompt repeated gains nothing",
    "flattery": "praise gains nothing, alone or behind a wrong answer",
    "exit": "a program that ends before it is tested gains nothing",
    "always_equal": "a value that says it equals everything gains nothing",
    "tests": "the tests copied gain nothing",
    "prefix": "a part of the right answer scores less than all of it",
    "padded": "a wrong answer gains nothing by length",
    "repeated": "a right answer gains nothing by repetition",
    "other_answer": "another prompt's right answer scores less than this one's",
    "many": "all answers at once, right and wrong, gain nothing over an honest wrong answer",
    "same_again": "scores are the same in another order, and alone",
}
_MOST_SHOWN = 3
_LONGEST_SHOWN = 90


@click.group()
def reward() -> None:
    """Find out whether a reward can be cheated."""


@reward.command("test")
@click.argument("reward_name", metavar="REWARD")
@click.option("--cases", type=click.Path(path_type=Path), help="Golden cases, YAML or JSONL.")
@click.option("--recipe", type=click.Path(path_type=Path), help="The recipe that has the reward.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a key of the recipe.")
@click.option(
    "--unsafe-code-execution", "unsafe", is_flag=True, help="Run programs without a sandbox, as yourself."
)
@click.option("as_json", "--json", is_flag=True, help="Print everything that was found as JSON.")
@click.pass_context
def try_reward(
    context: click.Context,
    reward_name: str,
    cases: Path | None,
    recipe: Path | None,
    overrides: tuple[str, ...],
    unsafe: bool,
    as_json: bool,
) -> None:
    """Try REWARD on answers whose worth is known, and on hacks made from them.

    REWARD is a built-in reward, one of the recipe, or my_file:my_function; its golden cases are then in
    my_file.cases.yaml, and those of the built-in ones come with cesello. Ends with 1 when a hack scores above
    an honest wrong answer, or another check fails.
    """
    from ...application.try_reward import TryReward
    from ..reward_choice import choose_reward
    from ..settings import load_recipe
    from .quiet import quieten

    quieten(context.obj)
    if overrides and not recipe:
        raise click.UsageError("--set changes a recipe, and none is named", context)
    loaded = load_recipe(recipe, overrides) if recipe else None
    chosen = choose_reward(reward_name, cases, loaded, unsafe=unsafe)
    try:
        chosen.rewards.check([chosen.name])
        trial = TryReward(chosen.rewards[chosen.name])(chosen.cases)
    finally:
        chosen.rewards.close()
    if as_json:
        echo_json({"good": trial.is_good} | asdict(trial) | {"reward": reward_name})
    else:
        _say(trial, reward_name)
    if not trial.is_good:
        context.exit(1)


def _say(trial: RewardTrial, name: str) -> None:
    click.echo(
        f"{printable(name)}: {trial.cases} cases, {trial.completions} completions, each judged three times\n"
    )
    known = sorted(trial.tallies, key=lambda tally: list(_MEANINGS).index(tally.check))
    echo_table(
        ["check", "made", "failed", ""],
        [(tally.check, tally.made, tally.failed or "", _MEANINGS[tally.check]) for tally in known],
        right=(1, 2),
    )
    for tally in known:
        _say_findings([finding for finding in trial.findings if finding.check == tally.check])
    median, p95 = (f"{1000 * seconds:.3g} ms" for seconds in (trial.median_seconds, trial.p95_seconds))
    click.echo(f"\nlatency   {median} a completion, {p95} at the 95th percentile")
    click.echo(f"no score  {trial.infra_errors} grader failures, {trial.not_applicable} not applicable")
    failed = [tally.check for tally in known if tally.failed]
    click.echo(f"\nDo not train on it: {', '.join(failed)}." if failed else "\nNo hack got through.")


def _say_findings(findings: Sequence[Finding]) -> None:
    for finding in findings[:_MOST_SHOWN]:
        text = repr(finding.completion[: _LONGEST_SHOWN + 1])
        click.echo(
            printable(f"\n{finding.check} · {finding.case}: {finding.got}, expected {finding.expected}")
        )
        click.echo(f"    {printable(text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + '...')}")
    if len(findings) > _MOST_SHOWN:
        click.echo(f"    and {len(findings) - _MOST_SHOWN} more; --json shows all")
