"""Traces of your own agents, into the same database as those of trainings.

    from cesello import tracing

    @tracing.traced
    def search(question: str) -> list[str]: ...

    with tracing.run("my-agent", folder="runs") as run:
        for task in tasks:
            with run.rollout(task) as rollout, rollout.attempt():
                search(task)
                tracing.reward("right", 1.0)

Where nobody has opened a run nothing is recorded, so that what is traced can be called by anybody. A training
is a run as well: what your callbacks trace is part of it. Rewards and tools of your own run in processes of
their own, where nothing is recorded.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from ..domain import genai_names as names
from ..domain.attribute_values import as_told, said
from ..domain.open_span import OpenSpan, annotate, event, new_id, reward, span
from ..domain.run import RunStatus
from ..domain.trace import SpanKind, TracedRun, Value
from ..domain.traced import traced
from ..domain.tracer import OpenRollout, Tracer
from .trace_wiring import span_sink

__all__ = ["Run", "SpanKind", "annotate", "event", "reward", "run", "span", "traced"]


class Run:
    """A run of an agent that has not ended.

    Attributes:
        id: of the run in the database.
        rollouts: that have begun.
    """

    def __init__(self, run: str, tracer: Tracer, root: OpenSpan) -> None:
        self.id = run
        self.rollouts = 0
        self._tracer, self._root = tracer, root

    def rollout(self, task: str, attributes: Mapping[str, Value] | None = None) -> OpenRollout:
        """One try at a task, to be entered with ``with``; so is its ``attempt()``, as often as it is tried.

        Args:
            task: what is tried, in few words; the same text for the same task.
        """
        self.rollouts += 1
        return self._tracer.rollout(task, attributes)

    def set(self, name: str, value: Value) -> None:
        """Gives the run's span an attribute."""
        self._root.set(name, value)


@contextmanager
def run(
    name: str,
    folder: str | os.PathLike[str] = "runs",
    attributes: Mapping[str, Value] | None = None,
    *,
    note: Callable[[str], None] | None = None,
) -> Iterator[Run]:
    """Everything that is traced until it ends, in ``runs.sqlite`` of the folder.

    Nothing in here fails because a trace cannot be kept.

    Args:
        name: of the agent.
        note: is told if something could not be kept, and at the end how much; None: the log "cesello" is.
    """
    name = said(name)
    sink = span_sink(Path(folder), note or logging.getLogger("cesello").warning)
    began, started = time.monotonic(), datetime.now(UTC)
    this = f"{started:%Y%m%d-%H%M%S}-{_slug(name)}-{new_id(4)}"
    tracer = Tracer(sink, this)
    told = as_told(attributes) | {names.OPERATION: names.INVOKE_AGENT, names.AGENT_NAME: name}
    status, error = RunStatus.COMPLETED, None
    with tracer.opened(f"{names.INVOKE_AGENT} {name}", told) as root:
        its = Run(this, tracer, root)

        def tell(status: RunStatus, finished: str | None = None, error: str | None = None) -> None:
            seconds = time.monotonic() - began
            at = started.isoformat(timespec="seconds")
            sink.tell(TracedRun(this, name, status, at, finished, seconds, its.rollouts, error))

        tell(RunStatus.RUNNING)
        try:
            yield its
        except BaseException as end:
            status = RunStatus.FAILED if isinstance(end, Exception) else RunStatus.INTERRUPTED
            error = type(end).__name__
            raise
        finally:
            tell(status, datetime.now(UTC).isoformat(timespec="seconds"), error)


def _slug(text: str) -> str:
    """Small letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:64].strip("-") or "agent"
