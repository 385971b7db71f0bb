"""What a prompt search says: its budget before, and its verdict, its diff and its cost after."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .output import echo_table, printable

if TYPE_CHECKING:
    from ...domain.halving import SearchPlan
    from ...domain.prompt_report import SearchReport
    from ...domain.prompt_verdict import Comparison
    from ..settings import LoadedRecipe

_SAID = {
    "proven": "proven: it is better on tasks that the search has never seen",
    "promising": "promising: it is likely better on tasks that the search has never seen",
    "keep yours": "keep yours: nothing better was proven, and the file holds the prompt of the beginning",
}


def search_plan_json(loaded: LoadedRecipe) -> dict[str, Any]:
    """The recipe with what its search will spend."""
    from ..apo_requests import improve_request

    return {**loaded.recipe.model_dump(mode="json"), "plan": asdict(improve_request(loaded).plan)}


def say_search_plan(loaded: LoadedRecipe) -> None:
    """Prints what a recipe will search and spend."""
    from ..apo_requests import improve_request

    recipe, apo = loaded.recipe, loaded.recipe.apo
    request = improve_request(loaded)
    its, thinks = apo.generator, apo.optimizer
    answers = f"{its.model} at {its.url}" if its.kind == "openai" else recipe.model.name
    start = recipe.lora.continue_from
    with_lora = f" with the LoRA weights of {start}" if start and its.kind == "policy" else ""
    rewards = ", ".join(f"{one.called} x {one.weight:g}" for one in recipe.rewards)
    click.echo(f"model      {answers}{with_lora}, up to {apo.max_new_tokens} tokens")
    click.echo(f"prompt     {request.seed.id}; {', '.join(request.editable)} may change")
    click.echo(f"proposers  {', '.join(apo.proposers)}")
    if request.procedure is not None:
        click.echo(f"procedure  {request.procedure.name} {request.procedure.sha[:8]}, in use")
    if thinks is not None:
        asked = (
            f"{thinks.model} at {thinks.url}"
            if thinks.kind == "openai"
            else f"{recipe.model.name}, untouched"
        )
        click.echo(f"optimizer  {asked}")
    click.echo(f"rewards    {rewards}, blended by {recipe.blend}")
    click.echo(f"runs       {recipe.output}\n")
    say_budget(request.plan)
    click.echo("\nThe recipe is valid. Nothing was loaded, fetched or written.")


def say_budget(plan: SearchPlan) -> None:
    """Prints the rollouts of each phase; with fewer rows than the recipe allows they are fewer."""
    rungs = " then ".join(map(str, plan.rungs))
    each = f"{plan.rounds} or more rounds of {plan.candidates} candidates on {rungs} tasks"
    total = plan.search + plan.selection + plan.test
    more = "; more where ideas end early"
    echo_table(
        ["phase", "rollouts", ""],
        [
            ("search", plan.search, each),
            ("selection", plan.selection, "the two that are estimated best, unless the first prompt leads"),
            ("test", plan.test, f"{plan.test_tasks} held-out tasks, the first prompt against the best{more}"),
            ("together", total, "at most; optimizer calls at most " + str(plan.optimizer_calls)),
        ],
        right=(1,),
    )


def say_search(report: SearchReport, path: Path, procedure: str = "") -> None:
    """Prints all that a person wants to know of a search that has just ended.

    Args:
        procedure: the name of that whose text was searched; empty: of none.
    """
    click.echo(f"\n{_SAID[report.verdict.value]}\n")
    say_test(report.test)
    if report.test is None:
        figure = report.seed_figure
        why = "in the end the first prompt was estimated best"
        click.echo(f"{why}; its held-out score is {figure.mean:.3f} on {figure.tasks} tasks")
    for name, diff in report.diff.items():
        click.echo(f"\n{printable(diff) or name}")
    click.echo()
    _say_candidates(report)
    _say_spent([asdict(one) for one in report.spent])
    file = path / "prompt.yaml"
    click.echo(f"\n{report.ended}. Prompt: {file}   Report: {path / 'search.json'}")
    click.echo(f'Use it:  cesello generate --run RUN --prompt-file {shlex.quote(str(file))} "..."')
    if procedure and report.winner.id != report.seed.id:
        click.echo(f"Or take it: cesello sop draft {procedure} --run {shlex.quote(str(path))}")


def say_test(test: Comparison | None) -> None:
    """Prints the held-out figures of both prompts."""
    if test is None:
        return
    rows = [
        (name, f"{one.mean:.3f}", f"{one.interval.low:.3f} to {one.interval.high:.3f}", one.tasks)
        for name, one in (("first prompt", test.old), ("best prompt", test.new))
    ]
    gain = f"{test.interval.low:+.3f} to {test.interval.high:+.3f}"
    rows.append(("gain", f"{test.gain:+.3f}", gain, test.new.tasks))
    echo_table(["held-out tasks", "score", "95 % interval", "tasks"], rows, right=(1, 3))
    click.echo(f"\np {test.p:.3g} ({test.test}); better on {test.wins} tasks, worse on {test.losses}")


def _say_candidates(report: SearchReport) -> None:
    """By proposer: how many were thought of, refused, tried, accepted."""
    names = list(dict.fromkeys(one.proposer for one in report.candidates if one.proposer != "seed"))
    rows = []
    for name in names:
        its = [one for one in report.candidates if one.proposer == name]
        refused, accepted = sum(bool(one.rejected) for one in its), sum(one.accepted for one in its)
        rows.append((name, len(its), refused, len(its) - refused, accepted))
    if rows:
        echo_table(["proposer", "proposals", "refused", "tried", "accepted"], rows, right=range(1, 5))
        click.echo()


def _say_spent(spent: Sequence[Mapping[str, Any]]) -> None:
    names = ("phase", "rollouts", "tokens", "optimizer_calls")
    echo_table(
        ["spent on", "rollouts", "tokens", "optimizer calls", "seconds", "known already"],
        [
            (*(one[name] for name in names[:4]), f"{one['seconds']:.0f}", one["saved"])
            for one in spent
        ],
        right=range(1, 6),
    )  # fmt: skip


def search_rows(search: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a manifest tells of a search, for `cesello runs show`."""
    if search.get("verdict") is None:
        return
    yield "verdict", str(search["verdict"])
    if search.get("gain") is not None:
        low, high = search.get("interval") or (None, None)
        between = f" ({low:+.3f} to {high:+.3f})" if low is not None and high is not None else ""
        yield "held out", f"{search['before']:.3f} -> {search['after']:.3f} on {search['test_tasks']} tasks"
        yield "gain", f"{search['gain']:+.3f}{between}, p {search['p']:.3g}"
    yield "prompt", f"{search['winner']}, from {search['seed']}"
    if begun := search.get("procedure"):
        yield "procedure", f"{begun['name']} {begun['sha'][:8]}"
    spent = search.get("spent") or {}
    yield "spent", ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in spent.items())
