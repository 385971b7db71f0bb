"""The proof of a mixture: what was planned before the training, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SourceManifest:
    """What one source brings to a run.

    Attributes:
        read: rows the source gave; ``kept`` of them are trained on, ``held_out`` evaluated on.
        dropped: why the others are not used, and how many.
        truncated: kept rows that were cut off to fit.
        split: rows that splitting added: read = kept + held_out + all dropped - split.
        tokens: of the kept rows; ``trained_tokens`` of them count in the loss.
        planned, realised: shares of the rows drawn, in [0, 1]; realised is None before training.
        drawn, drawn_tokens: rows that were trained on, and their tokens.
        passes: how often its rows have come, on average.
        grounded: kept and held-out rows with passages of the memory (``given``), and without, by reason.
        instructed: likewise, by the procedure that matched them.
    """

    name: str
    origin: str
    fingerprint: str
    read: int
    kept: int
    held_out: int
    dropped: Mapping[str, int]
    truncated: int
    split: int
    tokens: int
    trained_tokens: int
    planned: float
    realised: float | None = None
    drawn: int | None = None
    drawn_tokens: int | None = None
    passes: float | None = None
    grounded: Mapping[str, int] = field(default_factory=dict)
    instructed: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MixtureManifest:
    """The plan of a mixture before training, and what came of it after.

    Attributes:
        digest: the same digest, the same order.
        batching: how rows are put together: ``rows``, ``grouped`` or ``packed``.
        ended_by: what ended the order: ``max_steps``, the stop rule, ``max_passes of NAME``, or a signal.
    """

    digest: str
    seed: int
    batching: str
    rows_planned: int
    sources: tuple[SourceManifest, ...]
    ended_by: str | None = None
