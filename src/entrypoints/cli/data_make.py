"""``cesello data make``: rows to train on, made of the code in a memory or of what runs have done well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...domain.errors import UsageError
from .memory_options import config_option, set_option
from .output import echo_json, echo_table, printable

if TYPE_CHECKING:
    from ...application.make_rows_from_memory import RowsMade
    from ...domain.made_row import MadeRow

KINDS = ("question", "span", "docstring", "code", "fill")

_NAMED = 5
"""Runs that a sentence names."""

_OF_MEMORY = (
    "kinds", "paths", "seed", "holdout", "holdout_by", "wordings", "languages", "no_run",
    "config", "overrides",
)  # fmt: skip
_OF_RUNS = ("runs", "folder", "min_reward", "procedure", "best_of_group", "per_prompt")


@click.command()
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option(
    "source", "--from", type=click.Choice(["memory", "runs"]), required=True, help="What rows are made of."
)
@click.option("--output", required=True, type=click.Path(path_type=Path), help="A new file, NAME.jsonl.")
@click.option("--overwrite", is_flag=True, help="Replace the file where it is there.")
@click.option("--limit", type=click.IntRange(min=1), help="So many rows at most.")
@click.option("kinds", "--kinds", metavar="LIST", help=f"memory: of {', '.join(KINDS)}; all without it.")
@click.option(
    "paths", "--path", multiple=True, metavar="GLOB", help="memory: of these files alone, seen from here."
)
@click.option("--seed", type=int, default=0, show_default=True, help="memory: another one draws others.")
@click.option(
    "--holdout", type=click.FloatRange(0, 1, max_open=True), default=0.0, show_default=True,
    help="memory: the share that goes to NAME-heldout.jsonl instead,",
)  # fmt: skip
@click.option(
    "holdout_by", "--holdout-by", type=click.Choice(["symbol", "question"]), default="symbol",
    show_default=True, help="of functions and classes, or of questions, which are asked in other words.",
)  # fmt: skip
@click.option(
    "--wordings", type=click.IntRange(min=1), default=3, show_default=True,
    help="memory: a question is trained on in so many words at most.",
)  # fmt: skip
@click.option(
    "languages", "--language", type=click.Choice(["en", "it"]), multiple=True, default=["en"],
    show_default=True, help="memory: of the questions; can be repeated.",
)  # fmt: skip
@click.option("--no-run", is_flag=True, help="memory: run no examples in the sandbox.")
@config_option
@set_option
@click.option("folder", "--runs", default="runs", show_default=True, help="runs: their folder.")
@click.option("--min-reward", type=float, help="runs: of answers with at least this reward.")
@click.option("--procedure", metavar="NAME", help="runs: of answers that had this procedure in the prompt.")
@click.option("--best-of-group", is_flag=True, help="runs: of the best answer of each group alone.")
@click.option(
    "--per-prompt", type=click.IntRange(min=1), default=4, show_default=True,
    help="runs: so many rows of one prompt at most.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def make(context: click.Context, /, source: str, output: Path, overwrite: bool, **given: Any) -> None:
    """Make rows to train on, for a source of kind `file`.

    --from memory makes them of the code that `cesello remember` has read: questions that one short answer or
    some lines of the code are right for, functions and their docstrings, holes to fill in. The same memory
    and the same seed give the same rows.

    --from runs makes them of answers that were rewarded, in RUN or in all runs, and leaves out of their
    prompts the procedure and the passages of the memory that they had: the model learns to do without.
    """
    _check_options(context, source)
    shared = {name: given[name] for name in ("limit", "as_json")}
    names = _OF_MEMORY if source == "memory" else _OF_RUNS
    of_source = _of_memory if source == "memory" else _of_runs
    of_source(context.obj, output, overwrite, **shared, **{name: given[name] for name in names})


def _check_options(context: click.Context, source: str) -> None:
    """An option that does nothing is a mistake."""
    for name in _OF_RUNS if source == "memory" else _OF_MEMORY:
        if context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT:
            option = next(one for one in context.command.params if one.name == name)
            said = "RUN" if name == "runs" else option.opts[-1]
            raise UsageError(
                "C193",
                f"{said} says nothing about rows made from {source}",
                fix=f"leave it out, or make rows --from {'runs' if source == 'memory' else 'memory'}",
            )


def _of_runs(
    debug: bool,
    output: Path,
    overwrite: bool,
    *,
    runs: tuple[str, ...],
    folder: str,
    min_reward: float | None,
    procedure: str | None,
    best_of_group: bool,
    per_prompt: int,
    limit: int | None,
    as_json: bool,
) -> None:
    from ...application.distil_runs import HELD_OUT, DistilRequest
    from ...domain.distilled_rows import Wanted
    from ..container import make_container
    from .watch import watched

    if min_reward is None or not isfinite(min_reward):
        raise UsageError(
            "C194",
            "it is not said how good an answer must be",
            fix="give a reward that answers must have, as --min-reward 1.0",
        )
    _check_output([output], overwrite)
    wanted = Wanted(min_reward, procedure or "")
    container = make_container({"output": folder})
    with watched(container, debug, transformers=False):
        done = container.distil_runs()(DistilRequest(runs, wanted, best_of_group, per_prompt, limit))
    _write(output, done.rows)
    if as_json:
        told = {"rows": len(done.rows), "runs": done.runs, "left_out": +done.left_out}
        untold = {"untold": done.untold, "others_untold": done.others_untold}
        echo_json({**told, **untold, "output": str(output)})
        return
    echo_table(["run", "rows"], list(done.runs.items()), right=[1])
    if +done.left_out:
        click.echo(f"left out {_reasons(done.left_out)}")
    if done.left_out[HELD_OUT]:
        click.echo(
            "what any run of the folder holds out is no row: runs with the same sources and seed hold out "
            "the same; keep runs with another seed in another folder (--runs)"
        )
    if done.untold or done.others_untold:
        click.echo(_untold(done.untold, done.others_untold), err=True)
    click.echo(f"\nwrote {len(done.rows)} rows to {printable(str(output))}")


def _untold(runs: Sequence[str], others: Sequence[str]) -> str:
    beside = f"{_named(others)} (in the folder too, and no rows are made of them)" if others else ""
    told = " and of ".join(filter(None, (_named(runs), beside)))
    return (
        "runs without a readable held-out.json do not tell which prompts they hold out: of "
        f"{told} only the prompts of the samples were left out"
    )


def _named(runs: Sequence[str]) -> str:
    return ", ".join(map(printable, runs[:_NAMED])) + (", ..." if len(runs) > _NAMED else "")


def _of_memory(
    debug: bool,
    output: Path,
    overwrite: bool,
    *,
    config: Path | None,
    overrides: tuple[str, ...],
    holdout: float,
    paths: tuple[str, ...],
    as_json: bool,
    **given: Any,
) -> None:
    from ..memory_requests import memory_container
    from ..settings.memory_file import load_memory
    from .watch import watched

    held_out = output.with_name(f"{output.stem}-heldout{output.suffix}")
    _check_output([output, *([held_out] if holdout else [])], overwrite)
    container = memory_container(load_memory(config, overrides))
    # As `cesello ask` takes them: from the working folder, and not from the memory's.
    files = tuple(container.source_tree().relative(str(Path(path).absolute())) for path in paths)
    request = _request(holdout=holdout, paths=files, **given)
    with watched(container, debug, transformers=False):
        made = container.make_rows_from_memory()(request)
    _write(output, made.rows)
    if holdout:
        _write(held_out, made.held)
    _say(made, output, held_out if holdout else None, as_json)


def _request(
    *,
    kinds: str | None,
    paths: tuple[str, ...],
    limit: int | None,
    seed: int,
    holdout: float,
    holdout_by: str,
    wordings: int,
    languages: tuple[str, ...],
    no_run: bool,
) -> Any:
    from ...application.make_rows_from_memory import MakeRowsRequest
    from ...domain.remembered import Selection

    return MakeRowsRequest(
        _kinds(kinds),
        Selection(paths=paths),
        limit,
        seed,
        holdout,
        holdout_by == "question",
        wordings,
        tuple(dict.fromkeys(languages)),
        not no_run,
    )


def _kinds(listed: str | None) -> tuple[str, ...]:
    named = [one.strip() for one in listed.split(",")] if listed else list(KINDS)
    for name in named:
        if name not in KINDS:
            raise UsageError(
                "C190",
                f'there are no rows of kind "{printable(name)}"',
                expected=", ".join(KINDS),
                fix="name some of these, separated by commas",
            )
    return tuple(kind for kind in KINDS if kind in named)


def _check_output(paths: Sequence[Path], overwrite: bool) -> None:
    """Before anything is read: hours of rows must not end in a refusal."""
    for path in paths:
        if path.suffix != ".jsonl":
            raise UsageError(
                "C191",
                "a file of rows has another kind of name",
                got=printable(str(path)),
                expected="a name that ends in .jsonl",
                fix="rename it",
            )
        if path.exists() and not overwrite:
            raise UsageError(
                "C192",
                "the file is there already",
                where=printable(str(path)),
                fix="name another one, or add --overwrite",
            )


def _write(path: Path, rows: Sequence[MadeRow]) -> None:
    from ..settings.atomic_file import PRIVATE, write_atomically

    write_atomically(path, "".join(row.line() for row in rows), PRIVATE)


def _say(made: RowsMade, output: Path, held_out: Path | None, as_json: bool) -> None:
    trained, held = Counter(row.kind for row in made.rows), Counter(row.kind for row in made.held)
    if as_json:
        echo_json(
            {
                "generation": made.generation,
                "files": made.files,
                "rows": trained,
                "held_out": held,
                "left_out": made.left_out,
                "checked": {
                    "passed": made.checked.passed,
                    "failed": made.checked.failed,
                    "unrun": +made.checked.unrun,
                },
                "output": str(output),
                "held_out_file": held_out and str(held_out),
                "guessed": {"right": made.guessed.right, "questions": made.guessed.questions},
            }
        )
        return
    kinds = [kind for kind in KINDS if trained[kind] or held[kind] or kind in made.left_out]
    left = {kind: sum(made.left_out.get(kind, Counter[str]()).values()) for kind in kinds}
    echo_table(
        ["kind", "rows", "held out", "left out"],
        [(kind, trained[kind], held[kind], left[kind]) for kind in kinds],
        right=range(1, 4),
    )
    for kind in kinds:
        if left[kind]:
            click.echo(f"{kind}: left out {_reasons(made.left_out[kind])}")
    _say_checked(made)
    click.echo(
        f"\n{made.files} files of memory {made.generation}; "
        f"wrote {len(made.rows)} rows to {printable(str(output))}"
    )
    if held_out:
        click.echo(f"held out: {len(made.held)} rows in {printable(str(held_out))}")
    if asked := made.guessed.questions:
        right = made.guessed.right
        which, of = (" held out", "each sort") if held_out else ("", "the others of its sort")
        click.echo(
            f"of {asked} questions{which}, the most frequent answer of {of} is right for {right} "
            f"({right / asked:.1%})"
        )


def _say_checked(made: RowsMade) -> None:
    done, code = made.checked, [row for row in made.rows + made.held if row.kind == "code"]
    if code or done.failed:
        unrun = f"; not run: {_reasons(done.unrun)}" if +done.unrun else ""
        click.echo(f"examples run: {done.passed} passed, {done.failed} failed{unrun}")


def _reasons(counted: Mapping[str, int]) -> str:
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{printable(reason)} ({count})" for reason, count in ordered if count)
