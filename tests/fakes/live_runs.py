"""What runs have written, in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cesello.domain.ports.live_runs import News
from cesello.domain.run_figures import TriedPrompt
from tests.fakes.run import FakeRunFolder, FakeRunStore

_LOGS = ("metrics", "timings", "evaluations", "alarms")


@dataclass
class FakeLogs:
    """The logs of one run."""

    run: FakeRunFolder
    idle: float | None = None
    read: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)

    def news(self) -> News:
        anew = any(self.run.lines(log)[: len(known)] != known for log, known in self.read.items())
        if anew:
            self.read = {}
        return News(anew, self._lines())

    def quiet(self) -> float | None:
        return self.idle if any(self.run.lines(log) for log in _LOGS) else None

    def _lines(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for log in _LOGS:
            known = self.read.setdefault(log, [])
            for line in self.run.lines(log)[len(known) :]:
                known.append(line)
                yield log, line


@dataclass
class FakeLiveRuns:
    """Reads the runs of a fake store.

    Attributes:
        idle: seconds since any run wrote something.
        searched: the prompts of every search, by the run's path.
    """

    store: FakeRunStore
    idle: float = 0.0
    searched: dict[str, Sequence[TriedPrompt]] = field(default_factory=dict)

    def logs(self, path: str) -> FakeLogs:
        return FakeLogs(self._run(path), self.idle)

    def some(self, path: str, log: str, count: int) -> Sequence[Mapping[str, Any]]:
        lines = self._run(path).lines(log)
        if len(lines) <= count:
            return lines
        return [lines[len(lines) * at // count] for at in range(count)] + lines[-1:]

    def answers(self, path: str, when: str) -> Sequence[Mapping[str, Any]]:
        samples = self._run(path).samples.get(when, ())
        return [
            {
                "source": one.source,
                "prompt": one.prompt,
                "completion": one.completion,
                "parts": dict(one.parts),
            }
            for one in samples
        ]

    def scores(self, path: str, when: str) -> Sequence[Mapping[str, Any]]:
        return [one for one in self._run(path).lines("scores") if one["when"] == when]

    def tried(self, path: str) -> Sequence[TriedPrompt]:
        return self.searched.get(path, ())

    def _run(self, path: str) -> FakeRunFolder:
        return next(run for run in self.store.runs if str(run.path) == path)
