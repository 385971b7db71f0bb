"""Say what a training would draw, without training."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from ..domain.mixture_manifest import MixtureManifest
from ..domain.model_spec import LoraSpec
from ..domain.ports.model import ModelProvider, Policy
from ..domain.ports.run import Observer
from ..domain.schedule import TrainingPlan
from .mix_sources import realised
from .prepare_data import DataRequest, PrepareData


@dataclass(frozen=True, slots=True)
class DataPlan:
    """The steps of a training, and the mixture as it is when all of them are done."""

    plan: TrainingPlan
    mixture: MixtureManifest


class PlanData:
    """Prepares the data as a training does, and counts.

    Args:
        prepare: makes the data ready.
    """

    def __init__(self, provider: ModelProvider, prepare: PrepareData, observer: Observer) -> None:
        self._provider = provider
        self._prepare = prepare
        self._observer = observer

    def __call__(self, request: DataRequest, lora: LoraSpec) -> DataPlan:
        """Loads the model only where it answers the prompts of a source, and says so.

        Raises:
            DataError, ModelError: those of the sources, the mixture and the model.
        """
        load = cache(lambda: self._load(request, lora))
        mixed = self._prepare(request, load).mixed
        return DataPlan(mixed.plan, realised(mixed, len(mixed.batches)))

    def _load(self, request: DataRequest, lora: LoraSpec) -> Policy:
        answered = " and ".join(spec.name for spec in request.sources if spec.replay)
        self._observer.note(f"the model is loaded, because it answers the prompts of {answered}")
        self._observer.phase(f"loading {request.model.name}")
        return self._provider.load(request.model, lora, seed=request.plan.seed)
