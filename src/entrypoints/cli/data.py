"""``cesello data``: what a recipe's rows are, before anything is trained on them."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...domain.errors import DataError, UsageError
from .data_make import make
from .output import echo_json, echo_table, printable

if TYPE_CHECKING:
    from ...application.check_data import CheckedSource, DataCheck
    from ...application.plan_data import DataPlan
    from ...application.preview_data import PreviewRow, SourcePreview
    from ..settings import LoadedRecipe

_RECIPE = click.argument("recipe", type=click.Path(path_type=Path))
_SET = click.option(
    "overrides", "--set", multiple=True, metavar="KEY=VALUE", help="Change a key, as data.max_tokens=512."
)
_JSON = click.option("as_json", "--json", is_flag=True, help="Print JSON.")


@click.group()
def data() -> None:
    """Look at the rows of a recipe before training on them, or make some."""


data.add_command(make)


@data.command()
@_RECIPE
@_SET
@click.option("only", "--source", multiple=True, metavar="NAME", help="Show this source; can be repeated.")
@click.option(
    "--rows", default=3, show_default=True, type=click.IntRange(min=1), help="So many of each source."
)
@click.option("--held-out", is_flag=True, help="The rows evaluated on instead of those trained on.")
@click.option("page", "--html", type=click.Path(path_type=Path), help="Write a page, NAME.html, instead.")
@_JSON
@click.pass_obj
def preview(
    debug: bool,
    recipe: Path,
    overrides: tuple[str, ...],
    only: tuple[str, ...],
    rows: int,
    held_out: bool,
    page: Path | None,
    as_json: bool,
) -> None:
    """Show rows of RECIPE as the model sees them, with what is trained.

    Of every source the rows that are drawn first are shown, token by token in a page. Only the tokenizer is
    loaded. Without --source all sources are read, so that copies across them are left out.
    """
    from ...application.preview_data import PreviewRequest
    from ..requests import data_request, recipe_container
    from ..settings import load_recipe
    from .tools_text import tools_text
    from .watch import watched

    loaded = load_recipe(recipe, overrides)
    _check_names(only, loaded)
    _check_page(page)
    container = recipe_container(loaded)
    with watched(container, debug):
        found = container.preview_data()(
            PreviewRequest(data_request(loaded), only or None, rows=rows, held_out=held_out)
        )
    if page:
        _write_page(page, loaded, found, held_out)
    if as_json:
        echo_json([asdict(source) for source in found])
    elif not page:
        _show(found, held_out)
        if text := tools_text(loaded.recipe):
            click.echo(f"\n{text}", nl=False)


@data.command()
@_RECIPE
@_SET
@_JSON
@click.pass_obj
def manifest(debug: bool, recipe: Path, overrides: tuple[str, ...], as_json: bool) -> None:
    """Prepare the data of RECIPE and say what a training would draw.

    The rows are kept, so that the training finds them ready. The model is loaded only where it answers the
    prompts of a source.
    """
    from ..requests import finetune_request, recipe_container
    from ..settings import load_recipe
    from .watch import watched

    loaded = load_recipe(recipe, overrides)
    container = recipe_container(loaded)
    with watched(container, debug):
        request = finetune_request(loaded, observer=container.observer())
        plan = container.plan_data()(request.data, request.lora)
    if as_json:
        echo_json(plan)
    else:
        _say_plan(plan)


@data.command()
@_RECIPE
@_SET
@_JSON
@click.pass_context
def check(context: click.Context, recipe: Path, overrides: tuple[str, ...], as_json: bool) -> None:
    """Find every problem of the data of RECIPE; exit with 3 when there is any.

    All rows of all sources are read, shaped and tokenised, compared with each other, and mixed. Nothing is
    kept, and no model is loaded.
    """
    from ..requests import data_request, recipe_container
    from ..settings import load_recipe
    from .watch import watched

    loaded = load_recipe(recipe, overrides)
    container = recipe_container(loaded)
    with watched(container, context.obj):
        found = container.check_data()(data_request(loaded))
    if as_json:
        echo_json([_as_json(problem.error) | {"count": problem.count} for problem in found.problems])
    else:
        _say_check(found)
    if found.problems:
        context.exit(DataError.exit_status)


# Preview


def _check_names(only: Sequence[str], loaded: LoadedRecipe) -> None:
    from difflib import get_close_matches

    names = [source.name for source in loaded.recipe.data.sources]
    for name in only:
        if name not in names:
            near = get_close_matches(name, names, n=1)
            raise UsageError(
                "C051",
                f'the recipe has no source "{printable(name)}"',
                where=str(loaded.path),
                expected=f"one of {', '.join(names)}",
                fix=f'did you mean "{near[0]}"?' if near else "name one of these",
            )


def _check_page(page: Path | None) -> None:
    """Other files, such as the recipe itself, are not written over by a slip."""
    if page and page.suffix.lower() not in (".html", ".htm"):
        raise UsageError(
            "C052",
            "a page has another kind of name",
            got=printable(str(page)),
            expected="a name that ends in .html",
            fix="rename it",
        )


def _write_page(page: Path, loaded: LoadedRecipe, found: Sequence[SourcePreview], held_out: bool) -> None:
    from ..settings.atomic_file import PRIVATE, write_atomically
    from .data_page import data_page

    text = data_page(loaded.path.name, loaded.recipe.model.name, found, held_out=held_out)
    write_atomically(page, text, PRIVATE)
    rows = sum(len(source.rows) for source in found)
    click.echo(f"wrote {printable(str(page))}: {rows} rows of {len(found)} sources", err=True)


def _show(found: Sequence[SourcePreview], held_out: bool) -> None:
    from .row_text import TRAINED, coloured, marked

    colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    click.echo(
        f"Trained tokens are {click.style('bold and green', fg='green', bold=True)}."
        if colours
        else f"Trained tokens stand between {TRAINED[0]} and {TRAINED[1]}."
    )
    for source in found:
        click.echo(f"\n{click.style(source.name, bold=True)}  {printable(source.origin)}")
        click.echo(f"  {_counts(source)}")
        if source.grounded:
            click.echo(f"  passages of the memory: {_reasons(source.grounded)}")
        if not source.rows:
            click.echo(f"  no row of it is {'held out' if held_out else 'trained on'}")
        for row in source.rows:
            text = coloured(row.pieces) if colours else marked(row.pieces)
            given = "".join(f"   {printable(line)}\n" for line in row.given)
            click.echo(f"\n── {_heading(row)}\n{given}{text.removesuffix(chr(10))}")


def _counts(source: SourcePreview) -> str:
    share = "" if source.share is None else f", {source.share:.1%} of the rows drawn"
    dropped = f", left out {_reasons(source.dropped)}" if source.dropped else ""
    return f"{source.kept} of {source.read} rows trained on{share}, {source.held_out} held out{dropped}"


def _heading(row: PreviewRow) -> str:
    cut = " · cut off" if row.truncated else ""
    return f"{printable(row.place)} · {row.tokens} tokens, {row.trained_tokens} trained{cut}"


# Manifest


def _say_plan(plan: DataPlan) -> None:
    from .summary import echo_mixture

    mixture, steps = plan.mixture, plan.plan.max_steps
    counts: Mapping[str, Callable[[Any], int]] = {
        "read": lambda one: one.read,
        "trained on": lambda one: one.kept,
        "held out": lambda one: one.held_out,
        "left out": lambda one: sum(one.dropped.values()),
        "cut off": lambda one: one.truncated,
        "split": lambda one: one.split,
        "tokens": lambda one: one.tokens,
        "trained": lambda one: one.trained_tokens,
    }
    echo_table(
        ["source", *counts],
        [(one.name, *(count(one) for count in counts.values())) for one in mixture.sources],
        right=range(1, 9),
    )
    for one in mixture.sources:
        if one.dropped:
            click.echo(f"{one.name}: left out {_reasons(one.dropped)}")
    click.echo()
    echo_mixture([asdict(one) for one in mixture.sources])
    rows = mixture.rows_planned
    tokens = sum(one.drawn_tokens or 0 for one in mixture.sources)
    click.echo(
        f"\nsteps    {steps} of {rows / steps:.4g} rows and {tokens / steps:.0f} tokens "
        f"(batching {mixture.batching}, {plan.plan.accumulate} x {plan.plan.batch_size}), "
        f"ended by {mixture.ended_by}"
    )
    click.echo(f"digest   {mixture.digest}")


def _reasons(dropped: Mapping[str, int]) -> str:
    return ", ".join(f"{printable(reason)} ({count})" for reason, count in dropped.items())


# Check


def _say_check(found: DataCheck) -> None:
    for problem in found.problems:
        click.echo(printable(str(problem.error)), err=True)
    echo_table(
        ["source", "read", "trained on", "held out", "left out", "wrong rows"],
        [(source.name, *_checked(source), source.problems) for source in found.sources],
        right=range(1, 6),
    )
    for note in found.notes:
        click.echo(printable(note))
    if not found.problems:
        click.echo("\nNo problem found.")
    else:
        codes = Counter[str]()
        for problem in found.problems:
            codes[problem.error.code] += problem.count
        click.echo(f"\nProblems: {', '.join(f'{code} ({count})' for code, count in codes.items())}")


def _checked(source: CheckedSource) -> Iterator[object]:
    one = source.prepared
    if one is None:
        return iter(["-"] * 4)
    trained = len(one.train) if one.is_drawn or not one.train else "not drawn"
    return iter([one.read, trained, len(one.held), sum(one.dropped.values())])


def _as_json(error: DataError) -> dict[str, Any]:
    where = None if error.where is None else str(error.where)
    return {"code": error.code, "what": error.what, "where": where} | {
        part: getattr(error, part) for part in ("got", "expected", "fix")
    }
