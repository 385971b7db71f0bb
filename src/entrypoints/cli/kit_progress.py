"""The progress of the kit on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import ProgressColumn


class TerminalProgress:
    """A line on stderr for as long as a step lasts; nothing at all when stderr is no terminal."""

    @contextmanager
    def step(self, what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """See the port."""
        from rich.console import Console
        from rich.progress import Progress

        # The stream as it is now: a converter silences sys.stderr while it works.
        console = Console(file=sys.stderr)
        columns = _download() if total else _work()
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
            task = bars.add_task(what, total=total)
            yield lambda done: bars.update(task, completed=done)


def _work() -> list[ProgressColumn]:
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    return [SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()]


def _download() -> list[ProgressColumn]:
    """Narrow enough for 80 columns."""
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    text = TextColumn("{task.description}", markup=False)
    return [text, BarColumn(bar_width=12), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()]
