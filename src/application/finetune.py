"""Fine-tune a model on mixed sources: prepare, evaluate, train, evaluate again, save."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cache

from ..domain.errors import CeselloError, Interrupted
from ..domain.evaluation import EvaluationSpec
from ..domain.footprint import Evaluating, Footprint, ForwardPass, RowSize
from ..domain.model_card import model_card
from ..domain.model_spec import LoraSpec
from ..domain.ports.model import ModelProvider, Policy
from ..domain.ports.reward import RewardModel
from ..domain.ports.run import Clock, Observer, RunFolder, RunStore, Stop
from ..domain.ports.training import PolicyOptimizer
from ..domain.run import RunManifest, RunStatus
from ..domain.schedule import StepReport, TrainingOutcome, TrainingPlan
from .check_memory import CheckMemory, MemoryCheck, MemoryRequest
from .evaluate import Evaluate
from .load_policy import load_policy
from .mix_sources import MixedData, realised
from .prepare_data import DataRequest, PrepareData, PreparedData


@dataclass(frozen=True, slots=True)
class FinetuneRequest:
    """All that a fine-tuning needs to know.

    Attributes:
        recipe: the resolved recipe's text, kept with the run.
        data: the model's name, the sources, and the plan.
        versions: of the libraries at work; ``machine`` in words.
        quantizer: its name.
        checks_memory: refuse what does not fit the memory before it is loaded.
    """

    name: str
    recipe: str
    data: DataRequest
    lora: LoraSpec
    evaluation: EvaluationSpec = field(default_factory=EvaluationSpec)
    algorithm: str = "sft"
    versions: Mapping[str, str] = field(default_factory=dict)
    machine: str = ""
    quantizer: str = "none"
    checks_memory: bool = True


_SMALLEST = ForwardPass((RowSize(2, 1),))
"""What is known of the steps before the model has answered the prompts of a source."""


def memory_request(request: FinetuneRequest, work: ForwardPass) -> MemoryRequest:
    """What ``CheckMemory`` is asked about a training whose largest forward pass is known."""
    data, evaluation = request.data, request.evaluation
    writes = bool(evaluation.samples or evaluation.graded)
    longest = data.rules.max_tokens + evaluation.max_new_tokens
    return MemoryRequest(
        model=data.model,
        quantizer=request.quantizer,
        lora=request.lora,
        work=work,
        evaluating=Evaluating(evaluation.batch_size if writes else 0, longest, data.rules.max_tokens),
        batch_size=data.plan.batch_size,
        accumulate=data.plan.accumulate,
    )


def forward_pass(rows: tuple[RowSize, ...], plan: TrainingPlan) -> ForwardPass:
    """Such rows, as the plan has them computed."""
    offloads = plan.gradient_checkpointing and plan.activation_offload
    return ForwardPass(rows, plan.padded, plan.gradient_checkpointing, offloads, plan.accumulate > 1)


class Finetune:
    """The main job.

    Args:
        prepare: makes the data ready.
        check_memory: tells what the training takes before anything is loaded.
        rewards: what grades answers, by name.
    """

    def __init__(
        self,
        provider: ModelProvider,
        prepare: PrepareData,
        check_memory: CheckMemory,
        optimizer: PolicyOptimizer,
        rewards: Mapping[str, RewardModel],
        runs: RunStore,
        observer: Observer,
        stop: Stop,
        clock: Clock,
    ) -> None:
        self._provider = provider
        self._prepare = prepare
        self._check_memory = check_memory
        self._optimizer = optimizer
        self._runs = runs
        self._observer = observer
        self._stop = stop
        self._clock = clock
        self._evaluate = Evaluate(rewards, observer, stop)

    def __call__(self, request: FinetuneRequest) -> RunManifest:
        """Runs it all; the run's folder is made once model and data are known to be good.

        Returns:
            The manifest of the completed run.

        Raises:
            DataError, ModelError: before anything is written. RetryableError, StorageError: the run is marked
                failed. Interrupted: the run is marked so and keeps the weights of the steps done.
        """
        load = cache(lambda: load_policy(self._provider, self._observer, request.data, request.lora))
        replays = any(source.replay for source in request.data.sources)
        if replays:
            self._memory(request, [_SMALLEST])
        data = self._prepare(request.data, load)
        memory = self._memory(request, self._passes(request, data.mixed), loaded=replays)
        policy = load()
        self._stop.check()
        run = self._runs.create(request.name, request.recipe)
        try:
            data = data.with_plan(replace(data.mixed.plan, tight_memory=bool(memory and memory.tight)))
            footprint = memory.footprint if memory else None
            manifest = self._started(run, request, policy, data.mixed, footprint)
            with self._recorded(run, manifest) as record:
                return self._tune(run, record, policy, data, request)
        finally:
            run.close()

    def _memory(
        self, request: FinetuneRequest, passes: Sequence[ForwardPass], *, loaded: bool = False
    ) -> MemoryCheck | None:
        """What the training takes; refused before the model is loaded where that is too much."""
        if not request.checks_memory:
            return None
        self._observer.phase("checking the memory")
        asked = [replace(memory_request(request, work), loaded=loaded) for work in passes]
        return max(map(self._check_memory.or_refuse, asked), key=lambda check: check.footprint.peak)

    def _passes(self, request: FinetuneRequest, mixed: MixedData) -> list[ForwardPass]:
        """The forward passes that can take most: the one with most tokens, and the heaviest with its labels.

        What a token and a label take is told by the first.
        """
        if not request.checks_memory:
            return []
        longest = forward_pass(mixed.batches.largest(mixed.plan.padded), mixed.plan)
        footprint = self._check_memory.footprint(memory_request(request, longest))
        label = footprint.logits * longest.tokens / max(footprint.activations * longest.labels, 1)
        heaviest = forward_pass(mixed.batches.largest(mixed.plan.padded, label=label), mixed.plan)
        return list(dict.fromkeys([longest, heaviest]))

    def _started(
        self,
        run: RunFolder,
        request: FinetuneRequest,
        policy: Policy,
        mixed: MixedData,
        footprint: Footprint | None,
    ) -> RunManifest:
        manifest = RunManifest(
            id=run.id,
            name=request.name,
            algorithm=request.algorithm,
            status=RunStatus.RUNNING,
            started=self._clock.now(),
            recipe_sha256=hashlib.sha256(request.recipe.encode()).hexdigest(),
            seed=request.data.plan.seed,
            versions=request.versions,
            machine=request.machine,
            planned_steps=mixed.plan.max_steps,
            model=policy.facts,
            footprint=footprint,
            data=mixed.manifest,
        )
        run.write_manifest(manifest)
        return manifest

    def _tune(
        self,
        run: RunFolder,
        record: _Record,
        policy: Policy,
        data: PreparedData,
        request: FinetuneRequest,
    ) -> RunManifest:
        mixed = data.mixed
        before = self._evaluate(policy, data.sources, request.evaluation, "before")
        run.write_samples("before", before.samples)
        record.update(before=replace(before, samples=()))
        outcome = self._train(run, policy, mixed)
        record.update(
            steps=outcome.steps,
            seconds=outcome.seconds,
            final_loss=outcome.final_loss,
            data=realised(mixed, outcome.steps, outcome.stopped_by),
        )
        stopped_by = outcome.stopped_by
        try:
            if stopped_by is None:
                after = self._evaluate(policy, data.sources, request.evaluation, "after")
                run.write_samples("after", after.samples)
                record.update(after=replace(after, samples=()))
        except Interrupted as end:
            stopped_by = end.signal_number
        finally:
            self._save(run, record, policy)
        if stopped_by is not None:
            raise Interrupted(
                stopped_by,
                f"stopped after step {outcome.steps} of {mixed.plan.max_steps}; weights: {run.path}/lora",
                fix="start the run again to have all its steps and figures",
            )
        return record.finish(RunStatus.COMPLETED, self._clock.now())

    def _train(self, run: RunFolder, policy: Policy, mixed: MixedData) -> TrainingOutcome:
        self._observer.phase("training", mixed.plan.max_steps)

        def on_step(report: StepReport) -> None:
            run.append_metrics(step_metrics(report))
            self._observer.step(report)

        return self._optimizer.optimize(policy, mixed.batches, mixed.plan, on_step=on_step, stop=self._stop)

    def _save(self, run: RunFolder, record: _Record, policy: Policy) -> None:
        self._observer.phase("saving")
        record.update(weights=run.save_weights(policy.save, model_card(record.manifest)))

    @contextmanager
    def _recorded(self, run: RunFolder, manifest: RunManifest) -> Iterator[_Record]:
        """Whatever ends the run, its manifest says so."""
        record = _Record(run, manifest)
        try:
            yield record
        except Interrupted as end:
            record.finish(RunStatus.INTERRUPTED, self._clock.now(), end.what)
            raise
        except BaseException as end:
            reason = str(end) if isinstance(end, CeselloError) else f"{type(end).__name__}: {end}"
            record.fail(self._clock.now(), reason)
            raise


class _Record:
    """The manifest of a run while it changes; every change is on the disk at once."""

    def __init__(self, run: RunFolder, manifest: RunManifest) -> None:
        self._run = run
        self.manifest = manifest

    def update(self, **changes: object) -> None:
        self.manifest = replace(self.manifest, **changes)  # type: ignore[arg-type]
        self._run.write_manifest(self.manifest)

    def finish(self, status: RunStatus, finished: str, error: str | None = None) -> RunManifest:
        self.update(status=status, finished=finished, error=error)
        return self.manifest

    def fail(self, finished: str, reason: str) -> None:
        """Marks the run failed; where not even that can be written, it stays ``running`` without a lock."""
        try:
            self.finish(RunStatus.FAILED, finished, reason)
        except CeselloError:
            return


def step_metrics(report: StepReport) -> dict[str, float]:
    """A line of ``metrics.jsonl``."""
    return asdict(report) | {
        "perplexity": report.perplexity,
        "tokens_per_second": report.tokens_per_second,
    }
