"""Prepare the data of a recipe: every source read, copies kept apart, all of it in one order of steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..domain.batching import BatchSpec
from ..domain.conversation import Conversation
from ..domain.generation import Completion, Sampling
from ..domain.mixture import MixtureSpec
from ..domain.model_spec import ModelSpec
from ..domain.ports.data import DatasetSource
from ..domain.ports.model import Encoder, ModelProvider, Policy
from ..domain.ports.run import Observer
from ..domain.schedule import TrainingPlan
from ..domain.source import SourceSpec
from .drop_copies import CopyRules, DropCopies
from .mix_sources import MixedData, mix
from .prepare_source import PreparedSource, PrepareSource, RowRules

LoadPolicy = Callable[[], Policy]
"""Gives the model; called only when a source is to be answered by it."""


@dataclass(frozen=True, slots=True)
class DataRequest:
    """What the data of a training depends on.

    Attributes:
        max_steps: None trains until the mixture ends.
    """

    model: ModelSpec
    sources: Sequence[SourceSpec]
    mixture: MixtureSpec
    plan: TrainingPlan
    max_steps: int | None
    rules: RowRules = field(default_factory=RowRules)
    copies: CopyRules = field(default_factory=CopyRules)
    batching: BatchSpec = field(default_factory=BatchSpec)


@dataclass(frozen=True, slots=True)
class PreparedData:
    """The sources and the steps made of them."""

    sources: Sequence[PreparedSource]
    mixed: MixedData

    def with_plan(self, plan: TrainingPlan) -> PreparedData:
        """The same data for another plan of the same steps."""
        return replace(self, mixed=replace(self.mixed, plan=plan))


class PrepareData:
    """Everything that comes before the first step, but the model.

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
        self._observer = observer
        self._prepare = prepare
        self._drop_copies = drop_copies

    def __call__(self, request: DataRequest, load: LoadPolicy) -> PreparedData:
        """Reads with the tokenizer alone; the model is loaded only for sources that it answers itself.

        Raises:
            DataError, ModelError: those of the sources, the mixture and the tokenizer.
        """
        sources = self._drop_copies(self._sources(request, load), request.copies)
        asked = request.mixture, request.plan, request.max_steps, request.batching
        mixed = mix(sources, *asked, asks=request.rules.asks)
        self._say_if_shorter(mixed, request.max_steps)
        return PreparedData(sources, mixed)

    def _sources(self, request: DataRequest, load: LoadPolicy) -> list[PreparedSource]:
        """Every source by itself, in the recipe's order; those that need the model are read last."""
        self._observer.phase(f"loading the tokenizer of {request.model.name}")
        encoder = self._provider.encoder(request.model)
        prepared = {
            spec.name: self._source(spec, encoder, request, load)
            for spec in sorted(request.sources, key=lambda spec: spec.replay is not None)
        }
        return [prepared[spec.name] for spec in request.sources]

    def _source(
        self, spec: SourceSpec, encoder: Encoder, request: DataRequest, load: LoadPolicy
    ) -> PreparedSource:
        def ask(prompts: Sequence[Conversation], sampling: Sampling) -> Sequence[Completion]:
            return load().generate(prompts, sampling, lora=False)

        return self._prepare(
            self._datasets[spec.name],
            spec,
            encoder,
            request.rules,
            ask=ask if spec.replay else None,
            answered_by=self._provider.identity(request.model) if spec.replay else "",
        )

    def _say_if_shorter(self, mixed: MixedData, wanted: int | None) -> None:
        if wanted is not None and mixed.plan.max_steps < wanted:
            self._observer.note(
                f"{mixed.plan.max_steps} of {wanted} steps: the rows end by {mixed.manifest.ended_by}; "
                "more rows or a higher data.mixture.max_passes give more"
            )
