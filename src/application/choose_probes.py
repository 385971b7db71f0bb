"""Choose what a trained and a merged model are both asked: held-out rows of the run, or built-in ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path

from ..domain.errors import DataError, RetryableError
from ..domain.example import Example
from ..domain.export import Probes, shortened
from ..domain.export_probes import BUILT_IN
from ..domain.model_spec import ModelSpec
from ..domain.ports.model import ModelProvider
from ..domain.ports.run import Observer
from .prepare_data import DataRequest, PrepareData
from .prepare_source import PreparedSource

PROMPTS = 8
"""Rows that are also answered."""

HELD_OUT, BUILT_INS = "held-out rows of the run", "built-in rows of cesello"


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """Whose rows, and how many.

    Attributes:
        model: the base model of the run.
        weights: its LoRA weights.
    """

    model: ModelSpec
    weights: Path
    data: DataRequest
    rows: int


class ChooseProbes:
    """The same run gives the same probes for as long as its data is there."""

    def __init__(self, provider: ModelProvider, prepare: PrepareData, observer: Observer) -> None:
        self._provider = provider
        self._prepare = prepare
        self._observer = observer

    def __call__(self, request: ProbeRequest) -> Probes:
        """Held-out rows of every source in turn; built-in rows, with a note why, where there are none.

        Raises:
            ModelError: those of the provider.
        """
        try:
            rows = self.held_out(request)
        except (DataError, RetryableError) as gone:
            return self.built_in(request, why=f"its data is not there any more: {gone.what}")
        return rows or self.built_in(request, why="it holds none out")

    def held_out(self, request: ProbeRequest) -> Probes | None:
        """Rows of the run; None where it holds none out.

        Raises:
            DataError, RetryableError: when its data is not there any more.
        """
        data = self._prepare(request.data, lambda: self._provider.reopen(request.model, request.weights))
        chosen = list(islice(_in_turn(data.sources, request.rows), request.rows))
        asked = [row.conversation for row in chosen if not row.conversation.is_plain_text]
        if not chosen:
            return None
        return Probes(
            HELD_OUT,
            tuple(shortened(row.tokens) for row in chosen),
            tuple(conversation.prompt() for conversation in asked[:PROMPTS]),
        )

    def built_in(self, request: ProbeRequest, why: str) -> Probes:
        """Rows that need no data."""
        self._observer.note(f"measured on {BUILT_INS}, not on held-out rows of the run: {why}")
        encoded = self._provider.encoder(request.model).encode(BUILT_IN)
        rows = tuple(shortened(row) for row in encoded[: request.rows])
        return Probes(BUILT_INS, rows, tuple(talk.prompt() for talk in BUILT_IN[:PROMPTS]))


def _in_turn(sources: Sequence[PreparedSource], rows: int) -> Iterator[Example]:
    """One row of every source, then the next of every source."""
    columns = [source.held_out(rows) for source in sources if source.held]
    return (row for turn in zip_longest(*columns) for row in turn if row is not None)
