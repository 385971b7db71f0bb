"""Prepare the sources of a recipe without mixing them: which rows it trains on, and which it holds out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..domain.ports.data import DatasetSource
from ..domain.ports.model import ModelProvider
from ..domain.ports.run import Observer
from .drop_copies import DropCopies
from .prepare_data import DataRequest
from .prepare_source import PreparedSource, PrepareSource


class PrepareSources:
    """Reads with the tokenizer alone.

    Args:
        datasets: the dataset of every source of the request, by name.
    """

    def __init__(
        self,
        provider: ModelProvider,
        datasets: Mapping[str, DatasetSource],
        prepare: PrepareSource,
        drop_copies: DropCopies,
        observer: Observer,
    ) -> None:
        self._provider = provider
        self._datasets = datasets
        self._prepare = prepare
        self._drop_copies = drop_copies
        self._observer = observer

    def __call__(self, request: DataRequest) -> Sequence[PreparedSource]:
        """In the recipe's order, copies apart; sources whose answers only the model knows are left out.

        Raises:
            DataError, ModelError: those of the sources and the tokenizer.
        """
        self._observer.phase(f"loading the tokenizer of {request.model.name}")
        encoder = self._provider.encoder(request.model)
        prepared = [
            self._prepare(self._datasets[spec.name], spec, encoder, request.rules)
            for spec in request.sources
            if spec.replay is None
        ]
        return self._drop_copies(prepared, request.copies)
