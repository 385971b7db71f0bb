"""Put prepared sources into one order of steps, with the manifest that proves it."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice, pairwise
from signal import Signals
from typing import overload

from ..domain.batching import Batching, BatchSpec, micro_batches
from ..domain.errors import DataError
from ..domain.footprint import ForwardPass, RowSize
from ..domain.mixture import Draw, Mixture, MixtureSource, MixtureSpec, StopRule
from ..domain.mixture_manifest import MixtureManifest, SourceManifest
from ..domain.reinforcement import PromptRow
from ..domain.schedule import StepBatch, TrainingPlan
from ..domain.tokens import TokenRow
from .prepare_source import PreparedSource

_FEW = 8
"""Micro-batches that are filled from one last window."""


@dataclass(frozen=True, slots=True)
class PreparedPrompts:
    """The training rows of a prepared source, to be asked."""

    source: PreparedSource

    @property
    def name(self) -> str:
        return self.source.spec.name

    def __len__(self) -> int:
        return len(self.source.train)

    def row(self, index: int) -> PromptRow:
        """The one at a place, from 0."""
        row = self.source.train[index]
        tokens = self.source.examples.tokens(row)
        conversation = self.source.examples.example(row).conversation
        return PromptRow(tokens.ids, tokens.trained, tokens.truncated, conversation, self, index)


class Steps(Sequence[StepBatch]):
    """The steps of a training; a step's rows are read when it is asked for.

    Shapes: D rows drawn, M micro-batches of all steps.

    Args:
        updates: steps on the same rows, one after the other.
        asks: whether rows are asked instead of learnt by heart: their conversations come with them.

    Attributes:
        sources: of every row, shape [D]: which source it is from.
        rows: shape [D]: its position among the source's training rows.
    """

    def __init__(
        self,
        prepared: Sequence[PreparedSource],
        accumulate: int,
        updates: int = 1,
        *,
        asks: bool = False,
    ) -> None:
        self.prepared = prepared
        self._accumulate = accumulate
        self._updates = updates
        self._asks = asks
        self.sources = array("H")
        self.rows = array("I")
        self._ends = array("Q", [0])

    def append(self, draws: Sequence[tuple[int, int]]) -> None:
        """Adds a micro-batch of (source, row)."""
        for source, row in draws:
            self.sources.append(source)
            self.rows.append(row)
        self._ends.append(len(self.rows))

    @property
    def micro_batches(self) -> int:
        return len(self._ends) - 1

    def __len__(self) -> int:
        return -(-self.micro_batches // self._accumulate) * self._updates

    @overload
    def __getitem__(self, index: int) -> StepBatch: ...
    @overload
    def __getitem__(self, index: slice) -> list[StepBatch]: ...
    def __getitem__(self, index: int | slice) -> StepBatch | list[StepBatch]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        first = range(len(self))[index] // self._updates * self._accumulate
        ends = self._ends[first : first + self._accumulate + 1]
        return [[self._row(at) for at in range(begin, end)] for begin, end in pairwise(ends)]

    def rows_until(self, step: int) -> int:
        """How many rows the first ``step`` steps hold."""
        return self._ends[min(-(-step // self._updates) * self._accumulate, self.micro_batches)]

    def largest(self, padded: bool, *, label: float = 0.0) -> tuple[RowSize, ...]:
        """The rows of the largest micro-batch.

        Args:
            padded: tokens of padding count too.
            label: what a label weighs, a token being 1.
        """
        passes = (
            ForwardPass(tuple(self._size(at) for at in range(begin, end)), padded)
            for begin, end in pairwise(self._ends)
        )
        return max(passes, key=lambda one: one.tokens + label * one.labels).rows

    def _size(self, at: int) -> RowSize:
        source = self.prepared[self.sources[at]]
        row = source.train[self.rows[at]]
        return RowSize(source.examples.lengths[row], source.examples.trained_tokens[row])

    def _row(self, at: int) -> TokenRow:
        source = self.prepared[self.sources[at]]
        if self._asks:
            return PreparedPrompts(source).row(self.rows[at])
        return source.examples.tokens(source.train[self.rows[at]])


@dataclass(frozen=True, slots=True)
class MixedData:
    """The steps of a training and the plan they follow."""

    batches: Steps
    plan: TrainingPlan
    manifest: MixtureManifest


def mix(
    prepared: Sequence[PreparedSource],
    spec: MixtureSpec,
    plan: TrainingPlan,
    max_steps: int | None,
    batching: BatchSpec | None = None,
    *,
    asks: bool = False,
) -> MixedData:
    """Draws rows until ``max_steps`` are full or the order ends.

    Args:
        asks: see ``Steps``.

    Raises:
        DataError: D020, D021 of the mixture; D022 when no step can be filled.
    """
    sources = tuple(MixtureSource(one.spec.name, one.spec.weight, len(one.train)) for one in prepared)
    mixture = Mixture(spec, sources)
    batching = replace(batching or BatchSpec(), batch_size=plan.batch_size)
    wanted = None if max_steps is None else -(-max_steps // plan.updates)
    steps = Steps(prepared, plan.accumulate, plan.updates, asks=asks)
    _fill(steps, mixture, batching, plan.accumulate, wanted)
    if not steps:
        raise DataError(
            "D022",
            "the mixture gives no row",
            fix="give the sources rows or raise max_passes",
        )
    plan = replace(plan, max_steps=len(steps), warmup_steps=min(plan.warmup_steps, len(steps)))
    prints = [_fingerprint(one) for one in prepared]
    manifest = MixtureManifest(
        digest=_digest(mixture, prints, batching, wanted and wanted * plan.accumulate),
        seed=spec.seed,
        batching=batching.method.value,
        rows_planned=len(steps.rows),
        sources=tuple(
            _source_manifest(one, print_, share)
            for one, print_, share in zip(prepared, prints, mixture.planned(), strict=True)
        ),
        ended_by=_ended_by(mixture, steps, wanted and wanted * plan.updates),
    )
    return MixedData(steps, plan, manifest)


def realised(mixed: MixedData, steps: int, stopped_by: int | None = None) -> MixtureManifest:
    """The manifest completed with what ``steps`` steps have really drawn, and the signal that ended them."""
    drawn = _drawn(mixed.batches, steps)
    total = sum(count for count, _ in drawn)
    sources = tuple(
        replace(
            source,
            drawn=count,
            drawn_tokens=tokens,
            realised=count / total if total else 0.0,
            passes=count / source.kept if source.kept else 0.0,
        )
        for source, (count, tokens) in zip(mixed.manifest.sources, drawn, strict=True)
    )
    ended_by = mixed.manifest.ended_by if stopped_by is None else Signals(stopped_by).name
    return replace(mixed.manifest, sources=sources, ended_by=ended_by)


def _fill(
    steps: Steps, mixture: Mixture, batching: BatchSpec, accumulate: int, max_steps: int | None
) -> None:
    """Windows of the order, cut into micro-batches until there are enough of them."""
    prepared = steps.prepared
    wanted = None if max_steps is None else max_steps * accumulate
    order = mixture.order()
    for number in count():
        missing = None if wanted is None else wanted - steps.micro_batches
        window = list(_window(order, prepared, batching, missing))
        if not window or missing == 0:
            break
        lengths = [_length(prepared, draw) for draw in window]
        for positions in islice(micro_batches(lengths, batching, number), missing):
            steps.append([window[position] for position in positions])


def _window(
    order: Iterator[Draw], prepared: Sequence[PreparedSource], batching: BatchSpec, missing: int | None
) -> Iterator[tuple[int, int]]:
    """The next rows that may change places: no more than fill the micro-batches that are still missing.

    Rows of the same length come from the same source more often than not. To take some micro-batches of a
    larger window would take its sources out of proportion.
    """
    packs = batching.method is Batching.PACKED
    room = None if missing is None else missing * batching.batch_size * (batching.max_tokens if packs else 1)
    if packs and room is not None and missing is not None and missing > _FEW:
        room = room * 9 // 10  # no pack is quite full: rows for a tenth of them are drawn once that is known
    # Whole passes: a window that ends within one would make a shorter pass of it.
    left = -(-batching.window // batching.batch_size) * batching.batch_size
    taken = 0
    while left and (room is None or taken < room):
        draw = next(order, None)
        if draw is None:
            return
        yield draw[:2]
        taken += _length(prepared, draw[:2]) if packs else 1
        left -= 1


def _length(prepared: Sequence[PreparedSource], draw: tuple[int, int]) -> int:
    source, row = draw
    return prepared[source].examples.lengths[prepared[source].train[row]]


def _drawn(steps: Steps, count: int) -> list[tuple[int, int]]:
    """Rows and tokens that the first ``count`` steps take from every source."""
    rows, tokens = Counter[int](), Counter[int]()
    for at in range(steps.rows_until(count)):
        source = steps.sources[at]
        rows[source] += 1
        tokens[source] += _length(steps.prepared, (source, steps.rows[at]))
    return [(rows[source], tokens[source]) for source in range(len(steps.prepared))]


def _fingerprint(one: PreparedSource) -> str:
    """Of all tokens and of which of them are trained on."""
    digest = hashlib.sha256(one.examples.fingerprint.encode())
    digest.update(array("I", one.train).tobytes())
    return digest.hexdigest()


def _digest(mixture: Mixture, prints: Sequence[str], batching: BatchSpec, wanted: int | None) -> str:
    """The mixture's, and what moves its rows about."""
    digest = mixture.digest(prints)
    if batching.method is Batching.ROWS:
        return digest
    return hashlib.sha256(f"{digest} {batching} {wanted}".encode()).hexdigest()


def _source_manifest(one: PreparedSource, print_: str, share: float) -> SourceManifest:
    examples = one.examples
    return SourceManifest(
        name=one.spec.name,
        origin=one.origin,
        fingerprint=print_,
        read=one.read,
        kept=len(one.train),
        held_out=len(one.held),
        dropped=one.dropped,
        truncated=sum(examples.truncated[index] for index in one.train),
        split=one.split,
        tokens=sum(examples.lengths[index] for index in one.train),
        trained_tokens=sum(examples.trained_tokens[index] for index in one.train),
        planned=share,
        grounded=one.grounded,
        instructed=one.instructed,
    )


def _ended_by(mixture: Mixture, steps: Steps, wanted: int | None) -> str:
    if len(steps) == wanted:
        return StopRule.MAX_STEPS.value
    return mixture.ended_by([count for count, _ in _drawn(steps, len(steps))])
