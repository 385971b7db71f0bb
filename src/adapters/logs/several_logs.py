"""Logs by name, of which none can end a training."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from ...domain.errors import CeselloError, Interrupted
from ...domain.ports.logs import LoggedRun, MetricsLog

_LONGEST_REASON = 300
_PASSWORD = re.compile(r"(?<=://)[^/@\s]+(?=@)")


class SeveralLogs:
    """Every figure to every log. A log that fails is said once and left out from there on.

    Args:
        logs: a maker by name; a library that cannot be imported is a failure of its log.
        say: is told a sentence for a person.
    """

    def __init__(self, logs: Mapping[str, Callable[[], MetricsLog]], say: Callable[[str], None]) -> None:
        self._makers = logs
        self._say = say
        self._open: dict[str, MetricsLog] = {}

    def begin(self, run: LoggedRun, first_step: int) -> None:
        for name, make in self._makers.items():
            with self._excused(name):
                log = make()
                log.begin(run, first_step)
                self._open[name] = log

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        for name, log in list(self._open.items()):
            with self._excused(name):
                log.log(step, figures)

    def end(self, status: str) -> None:
        for name, log in list(self._open.items()):
            with self._excused(name):
                log.end(status)
        self._open.clear()

    @contextmanager
    def _excused(self, name: str) -> Iterator[None]:
        try:
            yield
        except Interrupted:
            raise
        except Exception as failure:
            self._open.pop(name, None)
            self._say(f'the logger "{name}" failed, and the training goes on without it: {reason(failure)}')


def reason(failure: Exception) -> str:
    """A failure on one line, without the password that an address may hold."""
    if isinstance(failure, CeselloError):
        text = " · ".join(part for part in (failure.what, failure.fix) if part)
    else:
        text = f"{type(failure).__name__}: {failure}" if str(failure) else type(failure).__name__
    line = " ".join(_PASSWORD.sub("…", text).split())
    return line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 1] + "…"
