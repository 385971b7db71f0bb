"""Compare runs with the first of them: what went in, how it went, what came out, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..domain.answer_pairs import AFTER, BEFORE
from ..domain.ports.live_runs import LiveRuns
from ..domain.ports.run import RunStore
from ..domain.run_comparison import HeldOutFigure, held_out_figures
from ..domain.run_differences import (
    Difference,
    data_differences,
    recipe_differences,
    submap,
    version_differences,
)
from ..domain.run_figures import REWARD, SCORE, FigureKind, number
from .read_run import ReadRun, RunView


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """What a run is, and what it cost.

    Attributes:
        seconds: of its steps.
        tokens: that its steps went through.
        final_loss: of the last step; None where it says nothing, as that of a reinforcement.
        final_reward: of an answer, the mean of the last steps; None where none were drawn.
    """

    id: str
    name: str
    algorithm: str
    status: str
    path: str
    steps: int
    planned_steps: int
    seconds: float
    tokens: int
    tokens_per_second: float | None
    final_loss: float | None
    final_reward: float | None


@dataclass(frozen=True, slots=True)
class FigureOfSteps:
    """A figure of the steps of all runs; None where a run has none, or has not come to it yet.

    Attributes:
        averaged: so many steps are in ``first`` and in ``last``, one number a run.
    """

    key: str
    title: str
    first: tuple[float | None, ...]
    last: tuple[float | None, ...]
    least: tuple[float | None, ...]
    most: tuple[float | None, ...]
    averaged: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RunsCompared:
    """All of it; values are in the order of ``runs``."""

    runs: tuple[ComparedRun, ...]
    recipe: tuple[Difference, ...]
    versions: tuple[Difference, ...]
    data: tuple[Difference, ...]
    figures: tuple[FigureOfSteps, ...]
    held_out: tuple[HeldOutFigure, ...]


class CompareRuns:
    """Reads them all."""

    def __init__(self, runs: RunStore, live: LiveRuns) -> None:
        self._runs = runs
        self._live = live

    def __call__(self, names: Sequence[str]) -> tuple[RunsCompared, Sequence[RunView]]:
        """The comparison, and the runs with their curves.

        Raises:
            DataError: D030 when there is no such run.
        """
        views = [ReadRun(self._runs, self._live, name)() for name in names]
        manifests = [view.summary.manifest for view in views]
        paths = [view.summary.path for view in views]
        scores, answers = (
            [read(path, AFTER) for path in paths] for read in (self._live.scores, self._live.answers)
        )
        kept = (line for path in paths for line in self._live.scores(path, BEFORE))
        before = (value for line in kept for value in (line.get("score"), *submap(line, "parts").values()))
        seen = (*_least_rewards(views), *map(number, before))
        compared = RunsCompared(
            runs=tuple(map(_run, views)),
            recipe=tuple(recipe_differences(manifests)),
            versions=tuple(version_differences(manifests)),
            data=tuple(data_differences(manifests)),
            figures=tuple(_figures(views)),
            held_out=tuple(held_out_figures(manifests, answers, seen, scores)),
        )
        return compared, views


def _run(view: RunView) -> ComparedRun:
    summary, figures = view.summary, view.figures
    seconds = figures.seconds or float(summary.manifest.get("seconds") or 0)
    return ComparedRun(
        id=summary.id,
        name=summary.name,
        algorithm=str(summary.manifest.get("algorithm")),
        status=str(summary.status),
        path=summary.path,
        steps=view.steps,
        planned_steps=summary.planned_steps,
        seconds=seconds,
        tokens=figures.tokens,
        tokens_per_second=figures.tokens / seconds if figures.tokens and seconds else None,
        final_loss=None if figures.is_rewarded else number(summary.manifest.get("final_loss")),
        final_reward=figures.ends(REWARD).last if figures.is_rewarded else None,
    )


def _least_rewards(views: Sequence[RunView]) -> Iterator[float | None]:
    """The lowest means of a step or an evaluation, of rewards and their parts."""
    for view in views:
        for kind in (REWARD, SCORE, *(FigureKind(name, name, "") for name in view.figures.parts)):
            curve = view.figures.curve(kind)
            yield curve.least if curve else None


def _figures(views: Sequence[RunView]) -> list[FigureOfSteps]:
    kinds = {(kind.log, kind.key): kind for view in views for kind in view.figures.kinds}
    found = []
    for kind in kinds.values():
        curves = [view.figures.curve(kind) for view in views]
        ends = [view.figures.ends(kind) if curve else None for view, curve in zip(views, curves, strict=True)]
        found.append(
            FigureOfSteps(
                key=kind.key if kind.log == "metrics" else f"{kind.log}/{kind.key}",
                title=kind.title,
                first=tuple(its.first if its else None for its in ends),
                last=tuple(its.last if its else None for its in ends),
                least=tuple(curve.least if curve else None for curve in curves),
                most=tuple(curve.most if curve else None for curve in curves),
                averaged=tuple(its.averaged if its else 0 for its in ends),
            )
        )
    return found
