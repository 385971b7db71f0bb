"""The commands of ``cesello sop`` that use procedures: search, run, log, stats, calibrate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...domain.errors import DataError, UsageError
from ...domain.procedure import Outcome, ProcedureRun, Status, Version
from .memory_options import config_option, set_option
from .output import echo_json, echo_table, printable
from .sop_files import json_option, sop_container

if TYPE_CHECKING:
    from ...application.choose_procedure import Choice
    from ...application.list_procedures import Listed
    from ...application.match_procedure import Matched
    from ...domain.procedure_outcomes import Standing

_SHOWN = 8
"""Digits of a version."""
_LAST = 20


def _container(config: Path | None, overrides: tuple[str, ...] = ()) -> Any:
    from ..memory_requests import memory_container
    from ..settings.memory_file import load_memory
    from .watch import LineObserver

    container = memory_container(load_memory(config, overrides))
    container.observer.override(LineObserver())  # it takes its time to learn what requests are for
    return container


@click.command("search")
@click.argument("request")
@config_option
@set_option
@json_option
@click.pass_obj
def search_command(
    debug: bool, request: str, config: Path | None, overrides: tuple[str, ...], as_json: bool
) -> None:
    """Say which procedure REQUEST is for, and why, or that none applies.

    A score is what is voted for a procedure, by all requests that are known to be for it, less what is voted
    for none; a procedure applies where its score reaches the threshold.
    """
    from .quiet import quieten

    quieten(debug)
    matched = _container(config, overrides).match_procedure()(request)
    if as_json:
        rows = [{**asdict(one), "applies": one.applies} for one in matched.found]
        found = matched.version.name if matched.version else None
        echo_json({"procedure": found, "note": matched.note or None, "scores": rows})
        return
    _show_matched(matched)


def _show_matched(matched: Matched) -> None:
    if matched.note:
        click.echo(f"note: {matched.note}", err=True)
    if matched.version is None:
        click.echo("nothing applies")
    else:
        first = next(one for one in matched.found if one.name == matched.version.name)
        click.echo(f"{first.name} applies: {first.score:.2f}, from {first.threshold:.2f} on")
    rows = [
        (one.name, f"{one.score:.2f}", one.barred or f"like: {_cut(one.like)}") for one in matched.found[:5]
    ]
    if rows:
        click.echo()
        echo_table(["procedure", "score", "why"], rows, right=(1,))


def _cut(text: str, most: int = 70) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


@click.command("run")
@click.argument("name")
@click.option("inputs", "--inputs", multiple=True, metavar="NAME=VALUE", help="An input; may be repeated.")
@click.option("--request", default="", help="What it is done for; it is kept in the log.")
@click.option("--shell", is_flag=True, help="Run what you type, with empty input, and take its output.")
@config_option
@json_option
def run_command(
    name: str, inputs: tuple[str, ...], request: str, shell: bool, config: Path | None, as_json: bool
) -> None:
    """Follow the procedure NAME at the terminal: one step at a time, each checked before the next.

    Where a step expects something, tell what it gave: the output, then a line with a dot alone. With --shell
    you type the command instead, and its output and exit code are taken. Ctrl-C gives up, which is logged.
    """
    from secrets import token_hex

    from .sop_terminal import TerminalFollower

    values = dict(_pair(one) for one in inputs)
    container = sop_container(config)
    choice = container.choose_procedure()(name, request)
    procedure, version = choice.used, choice.version
    if procedure is None or version is None:
        raise _nothing_to_follow(choice, name, request)
    follower = TerminalFollower(procedure, types_commands=shell, err=as_json)
    run = container.follow_procedure()(
        procedure, version, values, follower, run_id=token_hex(6), request=request
    )
    if as_json:
        echo_json(_run_row(run))
    else:
        click.echo(f"\n{run.outcome}: {len(run.steps)} tries, run {run.id}")


def _nothing_to_follow(choice: Choice, name: str, request: str) -> UsageError:
    what = "nothing is followed: " + ("this request is held out" if choice.held_out else choice.why)
    if name == "auto" and not request.strip():
        what = "a procedure is found by a request, and there is none"
    fix = "name the procedure to follow; `cesello sop list` lists them, and --request says what it is for"
    return UsageError("C129", what, where=name, fix=fix)


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise UsageError(
            "C116",
            "an input has no name or no value",
            where="--inputs",
            got=text,
            expected="NAME=VALUE",
            fix="as in --inputs command='pytest -q'",
        )
    return name.strip(), value


@click.command("log")
@click.argument("name", required=False)
@click.option("--last", default=_LAST, show_default=True, type=click.IntRange(min=1), help="How many.")
@click.option("--steps", is_flag=True, help="With every try of every step.")
@click.option(
    "--judge", nargs=2, metavar="RUN OUTCOME", help="Say how a run went: success, partial or failure."
)
@config_option
@json_option
def log_command(
    name: str | None,
    last: int,
    steps: bool,
    judge: tuple[str, str] | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """What came of procedures, or of NAME, newest first."""
    container = sop_container(config)
    if judge is not None:
        _judge(container, *judge)
    runs = container.procedure_log().runs(name, last)
    if name and not runs and name not in container.procedure_store().names():
        container.procedure_store().versions(name)  # says so where there is none
    if as_json:
        echo_json([_run_row(run) for run in runs])
        return
    if not runs:
        click.echo("nothing was run yet")
        return
    rows = [
        (
            run.id,
            run.started,
            run.name,
            run.sha[:_SHOWN],
            "held out" if run.held_out else run.mode,
            run.outcome,
            run.origin,
            _cut(" ".join(run.request.split()), 40),
        )
        for run in runs
    ]
    echo_table(["run", "started", "procedure", "version", "mode", "outcome", "by", "request"], rows)
    if steps:
        _show_steps(runs)


def _show_steps(runs: Sequence[ProcedureRun]) -> None:
    words = {True: "passed", False: "failed", None: "done"}
    for run in runs:
        if run.steps:
            click.echo(f"\n{run.id}")
            rows = [
                (one.step, one.attempt, words[one.passed], f"{one.seconds:.1f}", _last_line(one.evidence))
                for one in run.steps
            ]
            echo_table(["step", "try", "check", "seconds", "evidence"], rows, right=(1, 3))


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return _cut(lines[-1].strip(), 60) if lines else "-"


def _judge(container: Any, run_id: str, outcome: str) -> None:
    known = {str(one): one for one in (Outcome.SUCCESS, Outcome.PARTIAL, Outcome.FAILURE)}
    found = [run for run in container.procedure_log().runs() if run.id == run_id]
    if not found or outcome not in known:
        raise UsageError(
            "C117",
            "a run cannot be judged so",
            where="--judge",
            got=f"{run_id} {outcome}",
            expected=f"the id of a run, and one of {', '.join(known)}",
            fix="see `cesello sop log` for the ids",
        )
    changed = container.learn_from_outcomes()(replace(found[0], outcome=known[outcome]))
    if changed is not None:
        click.echo(f"version {changed.version.sha[:_SHOWN]} is {changed.status}: {changed.reason}", err=True)


def _run_row(run: ProcedureRun) -> dict[str, Any]:
    return {**asdict(run), "outcome": str(run.outcome), "steps": [asdict(step) for step in run.steps]}


@click.command("stats")
@click.argument("name", required=False)
@click.option("--of", "origin", default="user", metavar="RUN", help="Of a training instead, by its run's id.")
@config_option
@json_option
def stats_command(name: str | None, origin: str, config: Path | None, as_json: bool) -> None:
    """How often each version succeeds, and what is won over requests that go without.

    A fifth of the requests that --sop auto matches go without the procedure and show what happens then. Runs
    count half after 50 more. Trainings count apart: a model that learns is not the one that you use.
    """
    container = sop_container(config)
    listed = container.list_procedures()(name)  # what was edited since is a version too
    names = [name] if name else sorted({*listed.standing, *listed.broken})
    rows = list(_standings(container, listed, names, origin))
    if as_json:
        echo_json([_standing_row(version, found) for version, found in rows])
    elif not names:
        click.echo("No procedures yet: `cesello sop new --all` writes eight to start from.")
    else:
        headings = [
            "procedure",
            "version",
            "status",
            "runs",
            "judged",
            "success",
            "95 %",
            "without",
            "lift",
            "P(lift>0)",
        ]
        cells = [_standing_cells(version, found) for version, found in rows]
        echo_table(headings, cells, right=(3, 4, 5, 7, 8, 9))
    listed.complain()


def _standings(
    container: Any, listed: Listed, names: Sequence[str], origin: str
) -> Iterator[tuple[Version, Standing]]:
    from ...domain.procedure_outcomes import USES, alike, standing

    runs = container.procedure_log().runs()
    origins = {run.origin for run in runs}
    if origin not in USES | origins:
        raise _unknown_origin(origin, sorted(origins - USES))
    store = container.procedure_store()
    for name in names:
        own = alike([run for run in runs if run.name == name], origin)
        for version in _versions(store, name, name in listed.broken):
            found = standing(own, version.sha)
            if found.uses or version.status in (Status.ACTIVE, Status.TRIAL, Status.DRAFT):
                yield version, found


def _versions(store: Any, name: str, is_broken: bool) -> Sequence[Version]:
    try:
        found: Sequence[Version] = store.versions(name)
    except DataError:
        if not is_broken:
            raise
        return ()  # it was never well-formed
    return found


def _unknown_origin(origin: str, trainings: Sequence[str]) -> UsageError:
    return UsageError(
        "C128",
        "no run of a procedure is of that training",
        where="--of",
        got=origin,
        expected=f"one of {', '.join(trainings)}" if trainings else "the id of a training: there is none yet",
        fix="take the id as `cesello runs` lists it; without --of it is what you have run",
    )


def _standing_cells(version: Version, found: Standing) -> Sequence[object]:
    low, high = found.interval.low, found.interval.high
    compared = found.compared and found.held
    return (
        version.name,
        version.sha[:_SHOWN],
        version.status,
        found.uses,
        found.runs,
        f"{found.belief.mean:.2f}" if found.runs else "-",
        f"{low:.2f} to {high:.2f}" if found.runs else "-",
        found.held,
        f"{found.lift:+.2f}" if compared else "-",
        f"{found.helps:.2f}" if compared else "-",
    )


def _standing_row(version: Version, found: Standing) -> Mapping[str, Any]:
    return {
        "procedure": version.name,
        "version": version.sha,
        "status": str(version.status),
        "runs": found.uses,
        "judged": found.runs,
        "held_out": found.held,
        "success": found.belief.mean,
        "interval": [found.interval.low, found.interval.high],
        "lift": found.lift if found.held and found.compared else None,
        "p_lift": found.helps if found.held and found.compared else None,
    }


@click.command("calibrate")
@click.option(
    "--evals",
    "file",
    type=click.Path(path_type=Path),
    help="Labelled requests, a JSON object a line: query, procedure (or null).",
)
@config_option
@set_option
@json_option
@click.pass_obj
def calibrate_command(
    debug: bool, file: Path | None, config: Path | None, overrides: tuple[str, ...], as_json: bool
) -> None:
    """Find the score from which procedures apply.

    By the evals of all procedures, or better by requests that you have labelled, of which at least half
    should be for none. Each is judged by what is learnt of the others.
    """
    from ..settings.labelled_requests import labelled_requests
    from .quiet import quieten

    quieten(debug)
    labelled = labelled_requests(file) if file else None
    done = _container(config, overrides).calibrate_matching()(labelled)
    found = done.calibration
    if as_json:
        echo_json({**asdict(found), "procedures": done.procedures, "labelled": done.labelled})
        return
    right, false = found.right_share, found.false_share
    click.echo(f"{done.procedures} procedures, threshold {found.threshold:.3f}, in {printable(done.place)}")
    if found.wanted:
        click.echo(
            f"right  {found.right} of {found.wanted} ({right.low:.0%} to {right.high:.0%}), "
            f"{found.other} found another"
        )
    if found.unwanted:
        of = "requests for none" if done.labelled else "requests for none, most of a list that is built in"
        click.echo(f"false  {found.false} of {found.unwanted} {of} ({false.low:.1%} to {false.high:.1%})")
    if not done.labelled:
        click.echo("by the procedures' own evals; requests of yours say more: --evals FILE")
