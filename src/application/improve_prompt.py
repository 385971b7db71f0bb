"""Improve the prompt of a recipe: prepare its tasks, search, test, and keep the winner in a run's folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ..domain.conversation import Conversation
from ..domain.errors import CeselloError, Interrupted
from ..domain.genai_names import REQUEST_MODEL
from ..domain.generation import Sampling
from ..domain.halving import SearchPlan, TaskParts, search_plan
from ..domain.model_spec import LoraSpec, ModelSpec, PolicyFacts
from ..domain.open_span import span
from ..domain.ports.grading import Rewards
from ..domain.ports.prompt import EvaluationLedger, PromptProposer
from ..domain.ports.run import Clock, Observer, RunFolder, RunStore, Stop
from ..domain.ports.text import TextGenerator
from ..domain.procedure import Version
from ..domain.prompt_program import PromptProgram
from ..domain.prompt_report import SearchReport, Spent
from ..domain.prompt_search import Budget, CandidateRecord, Proposal, Task, Trial, TrialKey
from ..domain.reinforcement import asked_record, procedure_record
from ..domain.run import RunManifest, RunStatus
from ..domain.tracer import NO_TRACER, Tracer
from .keep_held_out import keep_held_out
from .learn_from_training import LearnFromTraining
from .open_run import Opened, OpenRun, RunChoice
from .prepare_data import DataRequest
from .prepare_tasks import PrepareTasks, TaskLimits
from .run_record import RunRecord
from .same_training import named
from .search_prompt import PromptSearchRequest, SearchPrompt
from .try_prompts import Engine

PROMPT, REPORT, LEDGER, TASKS = "prompt.yaml", "search.json", "ledger.sqlite3", "tasks.jsonl"

_ANY = Task("", Conversation(()))


@dataclass(frozen=True, slots=True)
class Answering:
    """Who answers tasks, and who thinks of prompts.

    Attributes:
        identity: what decides the answers: the same texts, the same answers.
        facts: of the model that was loaded here; None where a server answers.
        proposers: with the language models that they ask.
        thinking: what decides what these propose.
        together: prompts that the generator answers at a time, where that is no more than a few: the answers
            of a batch that are there when one fails are lost.
    """

    generator: TextGenerator
    identity: Mapping[str, str]
    facts: PolicyFacts | None
    proposers: Sequence[PromptProposer]
    thinking: Mapping[str, str] = field(default_factory=dict)
    together: int | None = None

    def search(self, search: PromptSearchRequest) -> PromptSearchRequest:
        """A search that is asked of these."""
        batch = min(search.batch, self.together or search.batch)
        return replace(search, batch=batch, model=_digest(dict(self.thinking)))


LoadAnswering = Callable[[ModelSpec, LoraSpec, int], Answering]
"""Model, LoRA weights to go on from, seed."""
OpenLedger = Callable[[Path, str], EvaluationLedger]
"""The file, and what stands for all that decides a trial."""
WritePrompt = Callable[[PromptProgram, str, str, Mapping[str, Any]], str]
"""The text of a prompt file: its program, a name, the first prompt's id, and where it comes from."""


@dataclass(frozen=True, slots=True)
class ImproveRequest:
    """All that a prompt search needs to know.

    Attributes:
        recipe: the resolved recipe's text, kept with the run.
        data: the sources; of its rules those of prompts.
        limits: of tasks.
        seed: the prompt to improve; ``editable``, what of it may change.
        reward: its name.
        replicates, batch: see ``PromptSearchRequest``.
        grading: what decides a score, by name.
        settings: the recipe's values that decide the search, by dotted key.
        versions: of the libraries at work; ``machine`` in words.
        procedure: whose body is searched; None: no procedure's.
    """

    name: str
    recipe: str
    data: DataRequest
    lora: LoraSpec
    limits: TaskLimits
    seed: PromptProgram
    editable: Sequence[str]
    budget: Budget
    reward: str
    sampling: Sampling = field(default_factory=Sampling)
    replicates: int = 1
    batch: int = 8
    grading: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    machine: str = ""
    choice: RunChoice = field(default_factory=RunChoice)
    procedure: Version | None = None

    @property
    def plan(self) -> SearchPlan:
        """What may be spent on what, where the sources have as many rows as they may give.

        Raises:
            UsageError: C120, C121.
        """
        some = {name: [_ANY] * count for name, count in asdict(self.limits).items()}
        return search_plan(self.budget, TaskParts(**some), self.replicates, self.sampling.max_new_tokens)

    def search(self, parts: TaskParts) -> PromptSearchRequest:
        """The search itself."""
        return PromptSearchRequest(
            self.seed, self.editable, parts, self.budget, self.sampling, self.replicates, self.batch,
            self.data.plan.seed,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Improved:
    """A completed search."""

    manifest: RunManifest
    report: SearchReport
    path: Path


class ImprovePrompt:
    """The main job of a recipe that searches a prompt.

    Args:
        rewards: what grades answers; they are closed when a run ends.
        load: gives who answers; called when the tasks are known to be good.
        ledger: of a run's folder.
        write: makes the text of a prompt file.
        procedures: is told what came of those in the prompts; None: there are none.
        tracer: keeps what the run does and how long that takes.
    """

    def __init__(
        self,
        prepare: PrepareTasks,
        rewards: Rewards,
        load: LoadAnswering,
        ledger: OpenLedger,
        write: WritePrompt,
        runs: RunStore,
        observer: Observer,
        stop: Stop,
        clock: Clock,
        procedures: LearnFromTraining | None = None,
        tracer: Tracer = NO_TRACER,
    ) -> None:
        self._procedures = procedures
        self._tracer = tracer
        self._prepare = prepare
        self._rewards = rewards
        self._load = load
        self._ledger = ledger
        self._write = write
        self._open = OpenRun(runs, observer, clock)
        self._observer = observer
        self._stop = stop
        self._clock = clock

    def __call__(self, request: ImproveRequest) -> Improved:
        """Runs it all; the run's folder is made once model and tasks are known to be good.

        Raises:
            UsageError C120, C121, C122, SandboxError X001, DataError, ModelError: before anything is written.
            SandboxError X010, RetryableError, StorageError: the run is marked failed. Interrupted: it is
                marked so. It can be gone on with either way, and repeats no call but those of the batch, or
                the proposal, that was not written down yet.
        """
        self._open.check(request.name, request.choice)
        _ = request.plan  # a budget that is too small is told before the rows are read
        with self._tracer.opened("search prompt", {REQUEST_MODEL: request.data.model.name}):
            try:
                return self._run(request)
            finally:
                self._rewards.close()

    def _run(self, request: ImproveRequest) -> Improved:
        self._rewards.check([request.reward])
        with span("prepare data"):
            parts = self._prepare(request.data, request.limits)
        search = request.search(parts)
        plan = search.plan
        self._observer.phase(f"loading {request.data.model.name}")
        with span("load model"):
            answering = self._load(request.data.model, request.lora, request.data.plan.seed)
        self._stop.check()
        now = self._manifest(request, answering, parts, plan)
        opened = self._open(request.recipe, request.choice, now)
        self._tracer.begin(opened.run.id, anew=request.choice.overwrite)
        try:
            return self._improve(opened, answering, answering.search(search), request)
        finally:
            opened.run.close()

    def _manifest(
        self, request: ImproveRequest, answering: Answering, parts: TaskParts, plan: SearchPlan
    ) -> RunManifest:
        settings = named(request.settings)
        libraries = {f"library {name}": version for name, version in request.versions.items()}
        tasks = _tasks(parts)
        return RunManifest(
            id="",
            name=request.name,
            algorithm="apo",
            status=RunStatus.RUNNING,
            started=self._clock.now(),
            recipe_sha256=hashlib.sha256(request.recipe.encode()).hexdigest(),
            seed=request.data.plan.seed,
            versions=request.versions,
            machine=request.machine,
            planned_steps=request.budget.rollouts,
            model=answering.facts,
            identity={
                **settings,
                **libraries,
                **answering.identity,
                **answering.thinking,
                "data": tasks_digest(parts),
            },
            search={
                "seed": request.seed.id,
                "plan": asdict(plan),
                "tasks": {name: len(ids) for name, ids in tasks.items()},
                **({"procedure": request.procedure.pin} if request.procedure else {}),
            },
        )

    def _improve(
        self, opened: Opened, answering: Answering, search: PromptSearchRequest, request: ImproveRequest
    ) -> Improved:
        sampled = {name: str(value) for name, value in asdict(request.sampling).items()}
        libraries = {f"library {name}": version for name, version in request.versions.items()}
        batch = {"batch": str(search.batch)}  # a model on a GPU may answer otherwise in another company
        engine = _digest({**answering.identity, **sampled, **batch, **libraries, **request.grading})
        with self._recorded(opened, search.batch) as record:
            _keep_tasks(opened.run, search.parts)
            held_out = (*search.parts.selection, *search.parts.test)
            keep_held_out(opened.run, (task.conversation for task in held_out))
            ledger = _Counted(self._ledger(opened.run.path / LEDGER, engine), record)
            try:
                asking = Engine(answering.generator, self._rewards[request.reward], ledger)
                report = SearchPrompt(asking, answering.proposers, self._observer, self._stop)(search)
            finally:
                ledger.close()
            self._keep(opened.run, request.name, report, record.manifest)
            record.update(search={**record.manifest.search, **_summary(report)})
            self._learn(opened.run.id, record.manifest.started, search, ledger.scores)
            manifest = record.finish(RunStatus.COMPLETED, self._clock.now())
        return Improved(manifest, report, opened.run.path)

    def _learn(
        self, run: str, started: str, search: PromptSearchRequest, scores: Mapping[TrialKey, float | None]
    ) -> None:
        """By the answers under the prompt that the search began with: others are compared by other tasks."""
        if self._procedures is None:
            return
        parts = search.parts
        tasks = (*parts.search, *parts.selection, *parts.test)
        records = {task.id: procedure_record(task.conversation) for task in tasks}
        of_seed = (
            (records[key.task], score) for key, score in scores.items() if key.candidate == search.seed.id
        )
        self._procedures(run, started, ((given, score) for given, score in of_seed if given))

    def _keep(self, run: RunFolder, name: str, report: SearchReport, manifest: RunManifest) -> None:
        """The report and the prompt; where the first prompt is kept, the file holds it and says so."""
        whole = {"run": run.id, "tasks": manifest.search["tasks"], **report.as_json()}
        run.write_text(REPORT, json.dumps(whole, ensure_ascii=False, indent=2) + "\n")
        come = {"run": run.id, **_summary(report)}
        where_from = {key: come[key] for key in ("run", "verdict", "gain", "interval", "p", "spent")}
        run.write_text(PROMPT, self._write(report.winner, name, report.seed.id, where_from))

    @contextmanager
    def _recorded(self, opened: Opened, batch: int) -> Iterator[RunRecord]:
        """Whatever ends the run, its manifest says so."""
        record = RunRecord(opened.run, opened.manifest)
        again = (
            f"`cesello train RECIPE --resume --run {opened.run.id}` goes on from there, and asks again no "
            f"more than what was being asked: at most {batch} answers and one proposal"
        )
        try:
            yield record
        except Interrupted as end:
            record.finish(RunStatus.INTERRUPTED, self._clock.now(), end.what)
            end.fix = again
            raise
        except BaseException as end:
            reason = str(end) if isinstance(end, CeselloError) else f"{type(end).__name__}: {end}"
            record.fail(self._clock.now(), reason)
            raise


def _keep_tasks(run: RunFolder, parts: TaskParts) -> None:
    """What was searched on, so that the ledger's answers can be read: of the tasks it has the ids alone."""
    lines = (json.dumps({"id": task.id, "asked": asked_record(task.conversation)}) for task in parts.search)
    run.write_text(TASKS, "".join(f"{line}\n" for line in lines))


def tasks_digest(parts: TaskParts) -> str:
    """What stands for the data of a search: which tasks, in which order and part."""
    return _digest(_tasks(parts))


def _tasks(parts: TaskParts) -> dict[str, list[str]]:
    return {name: [task.id for task in getattr(parts, name)] for name in ("search", "selection", "test")}


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _summary(report: SearchReport) -> dict[str, Any]:
    """What a list of runs tells, as JSON has it."""
    test = report.as_json()["test"]
    return {
        "verdict": report.verdict.value,
        "winner": report.winner.id,
        "best": report.best.id,
        "before": report.seed_figure.mean,
        "after": report.test.new.mean if report.test else None,
        "gain": report.test.gain if report.test else None,
        "interval": [test["interval"]["low"], test["interval"]["high"]] if test else None,
        "p": report.test.p if report.test else None,
        "test_tasks": report.seed_figure.tasks,
        "rounds": report.rounds,
        "spent": _together(report.spent),
    }


def _together(spent: Sequence[Spent]) -> dict[str, int]:
    names = ("rollouts", "optimizer_calls", "tokens")
    return {name: sum(getattr(one, name) for one in spent) for name in names}


class _Counted:
    """A ledger that tells the run's manifest how far the search is.

    Attributes:
        rollouts: that were used, of this process or an earlier one.
        seconds: that they took when they were paid for.
        scores: of all of them.
    """

    def __init__(self, ledger: EvaluationLedger, record: RunRecord) -> None:
        self._ledger = ledger
        self._record = record
        self.rollouts = 0
        self.seconds = 0.0
        self.scores: dict[TrialKey, float | None] = {}

    def trials(self, keys: Sequence[TrialKey]) -> Mapping[TrialKey, Trial]:
        known = self._ledger.trials(keys)
        self._count(list(known.values()))
        return known

    def add_trials(self, trials: Sequence[Trial]) -> None:
        self._ledger.add_trials(trials)
        self._count(trials)

    def _count(self, trials: Sequence[Trial]) -> None:
        if trials:
            self.seconds += sum(trial.seconds for trial in trials if trial.key not in self.scores)
            self.scores |= {trial.key: trial.score for trial in trials}
            self.rollouts = len(self.scores)
            self._record.update(steps=self.rollouts, seconds=self.seconds)

    def proposals(self, key: str) -> Sequence[Proposal] | None:
        return self._ledger.proposals(key)

    def add_proposals(self, key: str, proposals: Sequence[Proposal]) -> None:
        self._ledger.add_proposals(key, proposals)

    def add_candidate(self, candidate: CandidateRecord) -> None:
        self._ledger.add_candidate(candidate)

    def candidates(self) -> Sequence[CandidateRecord]:
        return self._ledger.candidates()

    def close(self) -> None:
        self._ledger.close()
