"""Put prepared sources into one order of steps, with the manifest that proves it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from signal import Signals

from ..domain.errors import DataError
from ..domain.mixture import (
    Draw,
    Mixture,
    MixtureManifest,
    MixtureSource,
    MixtureSpec,
    SourceManifest,
    StopRule,
)
from ..domain.schedule import StepBatch, TrainingPlan
from ..domain.tokens import TokenRow, fingerprint
from .prepare_source import PreparedSource


@dataclass(frozen=True, slots=True)
class MixedData:
    """The steps of a training and the plan they follow; ``draws`` tells which source gave which row."""

    batches: tuple[StepBatch, ...]
    draws: tuple[Draw, ...]
    plan: TrainingPlan
    manifest: MixtureManifest


def mix(
    prepared: Sequence[PreparedSource],
    spec: MixtureSpec,
    plan: TrainingPlan,
    max_steps: int | None,
) -> MixedData:
    """Draws rows until ``max_steps`` are full or the order ends.

    Raises:
        DataError: D020, D021 of the mixture; D022 when no step can be filled.
    """
    sources = tuple(MixtureSource(one.spec.name, one.spec.weight, len(one.train)) for one in prepared)
    mixture = Mixture(spec, sources)
    wanted = None if max_steps is None else max_steps * plan.rows_per_step
    draws = tuple(islice(mixture.order(), wanted))
    rows = [prepared[draw.source].train[draw.row].tokens for draw in draws]
    batches = tuple(_steps(rows, plan))
    if not batches:
        raise DataError(
            "D022",
            "the mixture gives no row",
            fix="give the sources rows or raise max_passes",
        )
    plan = replace(plan, max_steps=len(batches), warmup_steps=min(plan.warmup_steps, len(batches)))
    prints = [fingerprint(example.tokens for example in (*one.held_out, *one.train)) for one in prepared]
    manifest = MixtureManifest(
        digest=mixture.digest(prints),
        seed=spec.seed,
        rows_planned=len(draws),
        sources=tuple(
            _source_manifest(one, print_, share)
            for one, print_, share in zip(prepared, prints, mixture.planned(), strict=True)
        ),
        ended_by=_ended_by(mixture, draws, wanted),
    )
    return MixedData(batches, draws, plan, manifest)


def realised(mixed: MixedData, steps: int, stopped_by: int | None = None) -> MixtureManifest:
    """The manifest completed with what ``steps`` steps have really drawn, and the signal that ended them."""
    draws = mixed.draws[: steps * mixed.plan.rows_per_step]
    counts = [sum(draw.source == index for draw in draws) for index in range(len(mixed.manifest.sources))]
    sources = tuple(
        replace(
            source,
            drawn=count,
            realised=count / len(draws) if draws else 0.0,
            passes=count / source.kept if source.kept else 0.0,
        )
        for source, count in zip(mixed.manifest.sources, counts, strict=True)
    )
    ended_by = mixed.manifest.ended_by if stopped_by is None else Signals(stopped_by).name
    return replace(mixed.manifest, sources=sources, ended_by=ended_by)


def _steps(rows: Sequence[TokenRow], plan: TrainingPlan) -> list[StepBatch]:
    size, step = plan.batch_size, plan.rows_per_step
    chunks = [rows[start : start + step] for start in range(0, len(rows), step)]
    return [[chunk[start : start + size] for start in range(0, len(chunk), size)] for chunk in chunks]


def _source_manifest(one: PreparedSource, print_: str, share: float) -> SourceManifest:
    rows = [example.tokens for example in one.train]
    return SourceManifest(
        name=one.spec.name,
        origin=one.origin,
        fingerprint=print_,
        read=one.read,
        kept=len(rows),
        held_out=len(one.held_out),
        dropped=one.dropped,
        truncated=sum(row.truncated for row in rows),
        tokens=sum(map(len, rows)),
        trained_tokens=sum(row.trained_tokens for row in rows),
        planned=share,
    )


def _ended_by(mixture: Mixture, draws: Sequence[Draw], wanted: int | None) -> str:
    if len(draws) == wanted:
        return StopRule.MAX_STEPS.value
    for index, source in enumerate(mixture.sources):
        drawn = sum(draw.source == index for draw in draws)
        if drawn and drawn == source.rows * mixture.spec.max_passes:
            return f"max_passes of {source.name}"
    return mixture.spec.stop.value
