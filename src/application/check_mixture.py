"""What is wrong with a mixture, though each of its sources is fine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..domain.errors import DataError
from ..domain.mixture import ENDED_BY_PASSES, Mixture, MixtureSource
from ..domain.mixture_manifest import SourceManifest
from .mix_sources import MixedData, mix, realised
from .prepare_data import DataRequest
from .prepare_source import PreparedSource

_TOLERANCE = 0.02
"""A share may be off by so much of all rows, or by one row."""


def mixture_problems(prepared: Sequence[PreparedSource], request: DataRequest) -> list[DataError]:
    """Everything that keeps the steps from being what the recipe asks for; see the codes D020 to D028."""
    problems = [problem for one in prepared if (problem := _alone(one, request))]
    if problems or not all(len(one.examples) for one in prepared):
        return problems
    try:
        mixed = mix(prepared, request.mixture, request.plan, request.max_steps, request.batching)
    except DataError as problem:
        return [problem]
    return [*_too_small(prepared, request), *_too_short(mixed, request), *_off_shares(mixed)]


def _alone(one: PreparedSource, request: DataRequest) -> DataError | None:
    """What a mixture of this source alone would be refused for."""
    spec = one.spec
    if not len(one.examples) or not one.is_drawn:
        return None
    try:
        Mixture(request.mixture, (MixtureSource(spec.name, spec.weight, len(one.train)),))
    except DataError as problem:
        return problem
    return None


def _too_small(prepared: Sequence[PreparedSource], request: DataRequest) -> Iterator[DataError]:
    needed = request.plan.batch_size
    for one in prepared:
        if one.is_drawn and len(one.train) < needed:
            yield DataError(
                "D028",
                "a source has fewer rows to train on than a batch",
                where=_named(one.spec.name),
                got=len(one.train),
                expected=f"at least {needed}",
                fix="give it more rows or a smaller holdout, or lower training.batch_size",
            )


def _too_short(mixed: MixedData, request: DataRequest) -> Iterator[DataError]:
    ended_by, wanted = mixed.manifest.ended_by or "", request.max_steps
    if wanted is not None and ended_by.startswith(ENDED_BY_PASSES):
        passes = request.mixture.max_passes
        yield DataError(
            "D026",
            f"the rows end after {mixed.plan.max_steps} of {wanted} steps",
            where=_named(ended_by.removeprefix(ENDED_BY_PASSES)),
            got=f"every row of it drawn {passes} times",
            fix="give it more rows or a smaller weight, raise data.mixture.max_passes, "
            "or lower training.max_steps",
        )


def _off_shares(mixed: MixedData) -> Iterator[DataError]:
    manifest = realised(mixed, len(mixed.batches))
    total = manifest.rows_planned
    for source in manifest.sources:
        if source.planned and _is_off(source, total):
            yield DataError(
                "D027",
                "the share of a source cannot be kept",
                where=_named(source.name),
                got=f"{source.drawn} of {total} rows, {source.realised:.1%}",
                expected=f"{source.planned:.1%}",
                fix="raise training.max_steps or its weight" if not source.drawn else "lower training.window",
            )


def _is_off(source: SourceManifest, total: int) -> bool:
    off = abs((source.drawn or 0) - source.planned * total)
    return not source.drawn or off > max(1, _TOLERANCE * total)


def _named(source: str) -> str:
    return f'source "{source}"'
