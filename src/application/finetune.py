"""Fine-tune a model on mixed sources: prepare, evaluate, train, evaluate again, save; or go on with that."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache

from ..domain.checkpoint import Checkpoint, CheckpointPlan
from ..domain.errors import CeselloError, Interrupted
from ..domain.evaluation import EvaluationSpec
from ..domain.footprint import Evaluating, ForwardPass, RowSize
from ..domain.genai_names import REQUEST_MODEL
from ..domain.model_card import model_card
from ..domain.model_spec import LoraSpec
from ..domain.open_span import span
from ..domain.ports.grading import Rewards
from ..domain.ports.logs import LoggedRun, MetricsLog
from ..domain.ports.model import ModelProvider, Policy
from ..domain.ports.run import Clock, Observer, RunFolder, RunStore, Stop
from ..domain.ports.training import PolicyOptimizer
from ..domain.reward import InfraErrors
from ..domain.run import Evaluation, RunManifest, RunStatus
from ..domain.schedule import TrainingOutcome, TrainingPlan
from ..domain.tracer import NO_TRACER, Tracer
from .check_memory import CheckMemory, MemoryCheck, MemoryRequest
from .evaluate import Evaluate
from .keep_held_out import held_prompts, keep_held_out
from .keep_rows import keep_rows
from .keep_scores import keep_scores
from .learn_from_training import LearnFromTraining
from .load_policy import load_policy
from .mix_sources import MixedData, realised
from .open_run import Opened, OpenRun, RunChoice
from .prepare_data import DataRequest, PrepareData, PreparedData
from .run_record import RunRecord
from .same_training import identity_of_training
from .training_progress import Progress
from .watch_training import WatchTraining, evaluation_figures


@dataclass(frozen=True, slots=True)
class FinetuneRequest:
    """All that a fine-tuning needs to know.

    Attributes:
        recipe: the resolved recipe's text, kept with the run.
        settings: those of its values that decide the steps, by dotted key.
        data: the model's name, the sources, and the plan.
        versions: of the libraries at work; ``machine`` in words.
        quantizer: its name.
        checks_memory: refuse what does not fit the memory before it is loaded.
        checkpoints: when the training is saved on its way.
        choice: which run it is, and whether it is a new one.
        processes: that share the work, of which this is one.
        trained_on: names of rewards that the training makes more of.
        group: what a prompt's completions take at most, where prompts are the rows.
        answers: tokens of them at most, all completions of a prompt together.
        prompt_file: of the prompt around the rows, kept with the run; empty: there is none.
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
    settings: Mapping[str, str] = field(default_factory=dict)
    checkpoints: CheckpointPlan = field(default_factory=CheckpointPlan)
    choice: RunChoice = field(default_factory=RunChoice)
    processes: int = 1
    trained_on: Sequence[str] = ()
    group: RowSize | None = None
    answers: int = 0
    prompt_file: str = ""


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
        rewards: what grades answers; they are closed when a run ends.
        logs: where the figures go besides the run's own files.
        procedures: is told what came of those in the prompts; None: there are none.
        tracer: keeps what the run does and how long that takes.
    """

    def __init__(
        self,
        provider: ModelProvider,
        prepare: PrepareData,
        check_memory: CheckMemory,
        optimizer: PolicyOptimizer,
        rewards: Rewards,
        runs: RunStore,
        logs: MetricsLog,
        observer: Observer,
        stop: Stop,
        clock: Clock,
        procedures: LearnFromTraining | None = None,
        tracer: Tracer = NO_TRACER,
    ) -> None:
        self._procedures = procedures
        self._tracer = tracer
        self._provider = provider
        self._prepare = prepare
        self._check_memory = check_memory
        self._optimizer = optimizer
        self._open = OpenRun(runs, observer, clock)
        self._logs = logs
        self._observer = observer
        self._stop = stop
        self._clock = clock
        self._rewards = rewards
        self._evaluate = Evaluate(rewards, observer, stop, optimizer)

    def __call__(self, request: FinetuneRequest) -> RunManifest:
        """Runs it all; the run's folder is made once model and data are known to be good.

        Returns:
            The manifest of the completed run.

        Raises:
            SandboxError X001, DataError, ModelError: before anything is written. SandboxError X010,
                RetryableError, StorageError: the run is marked failed. Interrupted: the run is marked so, and
                can be gone on with where it was stopped.
        """
        self._open.check(request.name, request.choice)
        with self._tracer.opened("train", {REQUEST_MODEL: request.data.model.name}):
            try:
                self._rewards.check(dict.fromkeys([*request.trained_on, *_graders(request)]))
                return self._run(request)
            finally:
                self._rewards.close()

    def _run(self, request: FinetuneRequest) -> RunManifest:
        load = cache(lambda: load_policy(self._provider, self._observer, request.data, request.lora))
        replays = any(source.replay for source in request.data.sources)
        if replays:
            self._memory(request, [_SMALLEST])
        with span("prepare data"):
            data = self._prepare(request.data, load)
        memory = self._memory(request, self._passes(request, data.mixed), loaded=replays)
        policy = load()
        self._stop.check()
        data = data.with_plan(replace(data.mixed.plan, tight_memory=bool(memory and memory.tight)))
        now = self._manifest(request, policy, data.mixed, memory)
        opened = self._open(request.recipe, request.choice, now)
        self._tracer.begin(opened.run.id, anew=request.choice.overwrite)
        try:
            with self._recorded(opened) as record:
                return self._tune(opened, record, policy, data, request)
        finally:
            opened.run.close()

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
        if request.group is not None:
            # A pass with one prompt and all its completions: it can be cut, but not known to fit before.
            return [forward_pass((request.group,), mixed.plan)]
        longest = forward_pass(mixed.batches.largest(mixed.plan.padded), mixed.plan)
        footprint = self._check_memory.footprint(memory_request(request, longest))
        label = footprint.logits * longest.tokens / max(footprint.activations * longest.labels, 1)
        heaviest = forward_pass(mixed.batches.largest(mixed.plan.padded, label=label), mixed.plan)
        return list(dict.fromkeys([longest, heaviest]))

    def _manifest(
        self, request: FinetuneRequest, policy: Policy, mixed: MixedData, memory: MemoryCheck | None
    ) -> RunManifest:
        """All that is known of a run before it has a folder."""
        return RunManifest(
            id="",
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
            footprint=memory.footprint if memory else None,
            data=mixed.manifest,
            identity=identity_of_training(
                request.settings, request.versions, policy, mixed.manifest, request.processes
            ),
        )

    def _tune(
        self, opened: Opened, record: RunRecord, policy: Policy, data: PreparedData, request: FinetuneRequest
    ) -> RunManifest:
        run, mixed, progress = opened.run, data.mixed, opened.progress
        errors = InfraErrors()
        if request.prompt_file:
            run.write_text("prompt.yaml", request.prompt_file)
        keep_held_out(run, held_prompts(data.sources))
        if not request.trained_on:
            keep_rows(run, policy, mixed.batches)
        # Weights in float32 with two moments each.
        run.checkpoints.check_room(3 * 4 * policy.facts.trainable_parameters, request.checkpoints)

        def evaluate(when: str) -> Evaluation:
            with span("evaluate", {"cesello.when": when}):
                evaluation = self._evaluate(policy, data.sources, request.evaluation, when, errors)
            run.write_samples(when, evaluation.samples)
            keep_scores(run, when, evaluation.scores)
            return replace(evaluation, samples=(), scores=())

        watch = WatchTraining(
            run, self._logs, self._observer, mixed.batches, mixed.plan, request.evaluation,
            request.checkpoints, record.manifest.identity, progress, evaluate,
            opened.checkpoint, by_score=bool(request.trained_on),
        )  # fmt: skip
        self._optimizer.prepare(policy, mixed.plan)
        if progress.before is None:
            progress.before = evaluate("before")
            watch.write_evaluation(0, "before", progress.before)
            self._logs.log(0, evaluation_figures(progress.before, "eval"))
        record.update(before=progress.before)
        stopped_by = self._train(watch, policy, mixed, opened.checkpoint)
        self._record_training(record, progress, mixed, watch, stopped_by)
        try:
            if stopped_by is None:
                if request.checkpoints.ends_with_best and (best := run.checkpoints.best()):
                    self._optimizer.load_weights(policy, best)
                    record.update(best_step=best.state.step)
                after = evaluate("after")
                watch.write_last(after)
                record.update(after=after)
        except Interrupted as end:
            stopped_by = end.signal_number
        finally:
            self._save(run, record, policy)
        if stopped_by is not None:
            steps = f"step {progress.step} of {mixed.plan.max_steps}"
            raise Interrupted(stopped_by, f"stopped after {steps}; weights: {run.path}/lora")
        if record.manifest.after is not None:
            # Last of all: a run that is gone on with from here would tell it again.
            self._logs.log(progress.step, evaluation_figures(record.manifest.after, "final"))
        if self._procedures is not None:
            drawn = run.lines("completions")
            answers = ((one["procedure"], one["reward"]) for one in drawn if one["procedure"])
            self._procedures(run.id, record.manifest.started, answers)
        return record.finish(RunStatus.COMPLETED, self._clock.now())

    def _train(
        self, watch: WatchTraining, policy: Policy, mixed: MixedData, start: Checkpoint | None
    ) -> int | None:
        """All steps that are left, with a checkpoint of the last one; the signal that ended them early."""
        self._observer.phase("training", mixed.plan.max_steps, watch.progress.step)
        outcome = TrainingOutcome(watch.progress.step)
        if start is not None:
            self._optimizer.load_weights(policy, start)
        try:
            watch.catch_up()
        except Interrupted as end:
            return end.signal_number
        if not watch.settled and outcome.steps < mixed.plan.max_steps:
            with span("take steps"):
                outcome = self._optimizer.optimize(
                    policy, mixed.batches, mixed.plan, on_step=watch, stop=self._stop, start=start
                )
        watch.save()
        return watch.interrupted or outcome.stopped_by

    def _record_training(
        self,
        record: RunRecord,
        progress: Progress,
        mixed: MixedData,
        watch: WatchTraining,
        stopped_by: int | None,
    ) -> None:
        record.update(
            steps=progress.step,
            seconds=progress.seconds,
            final_loss=progress.final_loss,
            skipped=progress.skipped,
            splits=progress.splits,
            data=realised(mixed, progress.step, stopped_by),
            ended_by=_ended_by(watch, mixed.plan, stopped_by),
        )

    def _save(self, run: RunFolder, record: RunRecord, policy: Policy) -> None:
        self._observer.phase("saving")
        with span("save weights"):
            record.update(weights=run.save_weights(policy.save, model_card(record.manifest)))

    @contextmanager
    def _recorded(self, opened: Opened) -> Iterator[RunRecord]:
        """Whatever ends the run, its manifest says so, and so do the logs."""
        record = RunRecord(opened.run, opened.manifest)
        # What was logged before a first checkpoint is logged anew, that of step 0 too.
        again = opened.reopened and opened.checkpoint is None
        self._logs.begin(_logged(opened), -1 if again else opened.progress.step)
        try:
            yield record
        except Interrupted as end:
            record.finish(RunStatus.INTERRUPTED, self._clock.now(), end.what)
            end.fix = f"`cesello train RECIPE --resume --run {opened.run.id}` goes on from there"
            raise
        except BaseException as end:
            reason = str(end) if isinstance(end, CeselloError) else f"{type(end).__name__}: {end}"
            record.fail(self._clock.now(), reason)
            raise
        finally:
            self._logs.end(record.manifest.status.value)


def _graders(request: FinetuneRequest) -> list[str]:
    return [graded.reward for graded in request.evaluation.graded]


def _ended_by(watch: WatchTraining, plan: TrainingPlan, stopped_by: int | None) -> str | None:
    """Why a training has ended before its last step, but for a signal."""
    if stopped_by is not None or watch.progress.step >= plan.max_steps:
        return None
    return "early stopping" if watch.settled else "a callback"


def _logged(opened: Opened) -> LoggedRun:
    settings = {
        name.removeprefix("recipe "): json.loads(value)
        for name, value in opened.manifest.identity.items()
        if name.startswith("recipe ")
    }
    return LoggedRun(
        id=opened.run.id,
        name=opened.manifest.name,
        folder=opened.run.path,
        settings=settings,
        resumed=opened.reopened,
    )
