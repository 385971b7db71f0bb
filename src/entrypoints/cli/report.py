"""``cesello report``: what a run was, what it brought and what to look at, in a terminal or as a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...domain.errors import UsageError
from ...domain.run_report import duration
from .output import echo_json, echo_table, printable
from .row_text import visible

if TYPE_CHECKING:
    from ...domain.report_gains import Gain
    from ...domain.report_memory import Use
    from ...domain.report_procedures import Arm, Given
    from ...domain.report_time import Phase
    from ...domain.run_report import Report

_MARK = {"wrong": ("✗", "red"), "look": ("!", "yellow")}


@click.command()
@click.argument("run")
@click.option("--runs", "folder", default="runs", show_default=True, help="The folder of the runs.")
@click.option("page", "--html", type=click.Path(path_type=Path), help="Write a page, NAME.html, instead.")
@click.option("as_json", "--json", is_flag=True, help="Print JSON.")
def report(run: str, folder: str, page: Path | None, as_json: bool) -> None:
    """Say what RUN brought and whether it went well: an id, a name, a folder, or `latest`.

    The page is one file that needs no server and no network: curves, the mixture, rows with their mask,
    answers prompt by prompt, prompts before and after, the candidates of a search, time and provenance.
    """
    from ...application.report_run import ReportRun
    from ..apo_wiring import recorded_answers
    from ..redaction import redact as redacting
    from ..trace_wiring import recorded_span_times
    from ..wiring import folder_recorded_runs, folder_run_store

    _check_page(page)
    store, reader = folder_run_store(folder), folder_recorded_runs()
    redact = redacting()
    found = ReportRun(store, reader, recorded_answers(), recorded_span_times(), redact)(run)
    if page:
        from ..report.page import page as page_of
        from ..settings.atomic_file import PRIVATE, write_atomically

        write_atomically(page, page_of(found, redact, visible), PRIVATE)
        click.echo(f"{page}: open it in a browser")
    if as_json:
        from ..report.plain import plain

        echo_json(plain(found, redact, visible))
    elif not page:
        _say(found, redact)


def _check_page(page: Path | None) -> None:
    """As `cesello data preview` has it: other files are not written over by a slip."""
    if page and page.suffix.lower() not in (".html", ".htm"):
        raise UsageError(
            "C052",
            "a page has another kind of name",
            got=printable(str(page)),
            expected="a name that ends in .html",
            fix="rename it",
        )


def _say(report: Report, redact: Callable[[str], str]) -> None:
    """The short report; texts of the run are shown without secrets and control sequences."""

    def shown(text: str) -> str:
        return printable(redact(text))

    click.echo(click.style(f"{shown(report.name)}  {shown(report.id)}  {report.status}", bold=True))
    for sentence in report.verdict:
        click.echo(shown(sentence))
    click.echo()
    echo_table([shown(report.algorithm), ""], [(name, shown(value)) for name, value in report.facts])
    if report.gains:
        click.echo()
        rows = [(shown(f"{one.source}: {one.kind}"), *_gain(one)) for one in report.gains]
        echo_table(["held-out rows", "before", "after", "difference", "95 %, at most"], rows, right=(1, 2, 3))
    if report.given:
        _say_given(report.given, shown)
    if curves := list(_curves(report, shown)):
        click.echo()
        echo_table(["curve", "first", "last", "lowest", "highest"], curves, right=range(1, 5))
    if report.time:
        click.echo()
        rows = [(shown(one.name), *_spent(one)) for one in report.time.phases]
        echo_table(["time", "", "share", "times"], rows, right=(1, 2, 3))
    _say_health(report, shown)


def _gain(one: Gain) -> tuple[str, ...]:
    after = "-" if one.after is None else f"{one.after:.3f}"
    difference = "-" if one.difference is None else f"{one.difference:+.3f}"
    paired = " paired" if one.paired else ""
    paired = paired if one.p is None else f"{paired}, one-sided p {one.p:.2g}"
    within = f"{one.interval.low:+.3f} to {one.interval.high:+.3f}{paired}" if one.interval else ""
    return f"{one.before:.3f}", after, difference, within


def _say_given(given: Given, shown: Callable[[str], str]) -> None:
    """What prompts were given, and what came of it."""
    from ...domain.report_procedures import HELD_OUT

    rows = [
        (shown(one.given or one.kind), "held out" if one.mode == HELD_OUT else shown(one.mode), *_arm(one))
        for one in given.arms
    ]
    rows += [
        (shown(f"rows of {one.source}, {one.kind}"), shown(what), f"{count:,}", "", "")
        for one in given.rows
        for what, count in one.counts
    ]
    if rows:
        click.echo()
        echo_table(["given", "how", "prompts", "mean reward", "95 %"], rows, right=(2, 3))
    for lift in given.lifts:
        within = f"{lift.interval.low:+.3f} to {lift.interval.high:+.3f}"
        gain = f"{round(lift.gain, 3) + 0.0:+.3f}"
        click.echo(f"{shown(lift.given)}: {gain} against prompts held out from it (95 %: {within})")
    if (use := given.use) is not None:
        click.echo(
            f"{use.overlapping:,} of {use.answers:,} answers overlap with their passages{_chance(use)}"
        )


def _chance(use: Use) -> str:
    """Shares of the same answers."""
    if not use.compared:
        return ""
    of_those = f"of {use.compared:,} of them {use.with_own:,} do, and " if use.compared < use.answers else ""
    return f"; {of_those}with another prompt's passages {use.by_chance:,} would"


def _arm(one: Arm) -> tuple[str, ...]:
    within = f"{one.interval.low:.3f} to {one.interval.high:.3f}" if one.interval else ""
    return f"{one.prompts:,}", f"{one.mean:.3f}", within


def _spent(one: Phase) -> tuple[str, ...]:
    return duration(one.seconds), f"{one.share:.1%}", f"{one.count:,}" if one.count else ""


def _curves(report: Report, shown: Callable[[str], str]) -> Iterator[tuple[str, ...]]:
    for chart in report.charts:
        for series in chart.series:
            values = [value for _, value in series.points]
            ends = (values[0], values[-1], min(values), max(values)) if values else ()
            name = chart.title if len(chart.series) == 1 else f"{chart.title}: {series.name}"
            if values:
                yield shown(name), *(f"{value:.4g}" for value in ends)


def _say_health(report: Report, shown: Callable[[str], str]) -> None:
    click.echo()
    for one in report.health.findings:
        sign, colour = _MARK[one.level.value]
        click.echo(f"{click.style(sign, fg=colour, bold=True)} {shown(one.says)}")
        click.echo(f"  often: {one.cause}\n  do:    {one.fix}")
    if report.health.fine:
        tick = click.style("✓", fg="green", bold=True)
        count = len(report.health.fine)
        checks = f"{count} check{'' if count == 1 else 's'} found nothing"
        click.echo(f"{tick} {checks}: {', '.join(report.health.fine)}")
    for alarm in report.alarms:
        click.echo(f"alarm at step {alarm.step}: {shown(alarm.text)}")
    for note in report.notes:
        click.echo(shown(note))
