"""Shows a person how a run goes: a bar with rate and time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
from dependency_injector import providers
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from ...domain.schedule import StepReport
from ..container import Container
from ..redaction import redact
from ..signals import SignalStop, listening
from ..wiring import SilentObserver
from ..workers import is_alone, is_follower
from .quiet import quieten
from .step_rows import heading, is_reinforced, reward_figures, row

_SECONDS_BETWEEN_LINES = 10.0


class TerminalObserver:
    """Writes to standard error, so that standard output stays clean for results."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<34}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:>9}"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[figures]}"),
            console=Console(file=sys.stderr),
            refresh_per_second=4,
        )
        self._task: TaskID | None = None
        self._began = 0.0
        self._done = self._before = 0
        self._has_heading = False

    def phase(self, name: str, total: int | None = None, done: int = 0) -> None:
        self._end()
        self._has_heading = False
        self._began, self._done, self._before = time.perf_counter(), done, done
        self._task = self._progress.add_task(name, total=total, completed=done, rate="", figures="")
        self._progress.start()

    def advance(self, count: int = 1) -> None:
        if self._task is not None:
            self._done += count
            self._progress.update(self._task, advance=count, rate=self._rate())

    def step(self, report: StepReport) -> None:
        if is_reinforced(report):
            # Such a step takes long, and how its figures go is what tells whether anything is learnt.
            self._show_row(report)
        elif self._task is not None:
            self._progress.update(self._task, figures=figures(report))
        self.advance()

    def note(self, text: str) -> None:
        self._progress.console.print(redact()(text), highlight=False, markup=False)

    def close(self) -> None:
        """Ends the last bar."""
        self._end()

    def _show_row(self, report: StepReport) -> None:
        if not self._has_heading:
            self.note(heading())
            self._has_heading = True
        self.note(row(report))

    def _end(self) -> None:
        if self._task is not None:
            task = self._progress.tasks[-1]
            self._progress.update(
                self._task, total=task.total or max(self._done, 1), completed=task.total or max(self._done, 1)
            )
            self._progress.stop()
            self._progress.remove_task(self._task)
            self._task = None

    def _rate(self) -> str:
        return pace((self._done - self._before) / max(time.perf_counter() - self._began, 1e-9))


class LineObserver:
    """For logs: a line a phase, and one now and then while it lasts."""

    def __init__(self) -> None:
        self._name = ""
        self._total: int | None = None
        self._done = self._before = 0
        self._began = 0.0
        self._told = 0.0

    def phase(self, name: str, total: int | None = None, done: int = 0) -> None:
        self._name, self._total, self._done, self._before = name, total, done, done
        self._began = self._told = time.perf_counter()
        self.note(name if total is None else f"{name} ({done}/{total})")

    def advance(self, count: int = 1) -> None:
        self._done += count
        self._tell("")

    def step(self, report: StepReport) -> None:
        self._done += 1
        self._tell(figures(report), always=is_reinforced(report))

    def note(self, text: str) -> None:
        click.echo(redact()(text), err=True)

    def close(self) -> None:
        """Nothing is open."""

    def _tell(self, rest: str, *, always: bool = False) -> None:
        now = time.perf_counter()
        if not always and now - self._told < _SECONDS_BETWEEN_LINES and self._done != self._total:
            return
        self._told = now
        rate = (self._done - self._before) / max(now - self._began, 1e-9)
        left = (
            f", {(self._total - self._done) / rate:.0f} s left"
            if self._total and self._done < self._total
            else ""
        )
        of = f"/{self._total}" if self._total else ""
        self.note(f"  {self._name} {self._done}{of} ({pace(rate)}{left}) {rest}".rstrip())


def pace(rate: float) -> str:
    """Units a second, or where that would be nearly nothing, seconds a unit."""
    return f"{rate:.1f}/s" if rate >= 0.05 or rate <= 0 else f"{1 / rate:.0f} s each"


def figures(report: StepReport) -> str:
    """The figures of a step on one line."""
    if is_reinforced(report):
        return reward_figures(report)
    return (
        f"loss {report.loss:.3f}  ppl {report.perplexity:.2f}  lr {report.learning_rate:.1e}  "
        f"{report.tokens_per_second:.0f} tok/s"
        + (f"  {report.roofline:.0%} of peak" if report.roofline is not None else "")
    )


class FollowingObserver(SilentObserver):
    """Of a process that only shares the work."""

    def close(self) -> None:
        """Nothing is open."""


def make_observer() -> TerminalObserver | LineObserver | FollowingObserver:
    """The right one for where standard error goes."""
    if is_follower():
        return FollowingObserver()
    return TerminalObserver() if sys.stderr.isatty() else LineObserver()


@contextmanager
def watched(container: Container, debug: bool, *, transformers: bool = True) -> Iterator[None]:
    """Within this, what the container makes shows how it goes, and SIGINT and SIGTERM stop it.

    Args:
        transformers: whether that library may be used; to quieten it is to import it, which takes seconds.
    """
    observer, stop = make_observer(), SignalStop(shared=not is_alone())
    container.observer.override(providers.Object(observer))
    container.stop.override(providers.Object(stop))
    with listening(stop):
        try:
            quieten(debug, transformers=transformers)
            yield
        finally:
            observer.close()
