"""A run: one training, what went in, what came out, and whether it is whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePath
from typing import Any

from .footprint import Footprint
from .mixture_manifest import MixtureManifest
from .model_spec import PolicyFacts
from .reward import RewardResult, part_totals
from .schedule import perplexity


class RunStatus(StrEnum):
    """A run is whole only when it is ``completed``."""

    RUNNING = "running"
    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class SourceLoss:
    """Loss on the held-out rows of one source, in nats per trained token."""

    rows: int
    tokens: int
    loss: float

    @property
    def perplexity(self) -> float:
        return perplexity(self.loss)


@dataclass(frozen=True, slots=True)
class GradedSet:
    """Answers to held-out prompts, graded.

    Attributes:
        rows: those that the reward applies to and could judge.
        parts: their sum, part by part: where it is 0 or 1, how many of ``rows`` reached it.
        score: the mean of their scores; None where there are none.
        not_applicable: rows that the reward does not apply to.
        infra_errors: rows whose answer could not be judged since the grader failed.
    """

    reward: str
    rows: int
    parts: Mapping[str, float]
    score: float | None = None
    not_applicable: int = 0
    infra_errors: int = 0


def graded_set(reward: str, results: Sequence[RewardResult]) -> GradedSet:
    """The figures of such results."""
    scores = [result.score for result in results if result.score is not None]
    failed = sum(result.is_infra_error for result in results)
    return GradedSet(
        reward,
        len(scores),
        part_totals(results),
        sum(scores) / len(scores) if scores else None,
        len(results) - len(scores) - failed,
        failed,
    )


@dataclass(frozen=True, slots=True)
class Sample:
    """One prompt and the answer to it, kept to be read.

    Attributes:
        score: of its reward; None where there is none, or where it does not apply.
    """

    source: str
    prompt: str
    completion: str
    expected: str
    parts: Mapping[str, float] = field(default_factory=dict)
    score: float | None = None


@dataclass(frozen=True, slots=True)
class RowScore:
    """What the answer to one graded row scored, to be paired with another answer to the same row.

    Attributes:
        prompt: digest of what was asked, and no text; see ``prompt_digest``.
        score: None where the reward does not apply, or could not judge.
    """

    source: str
    prompt: str
    score: float | None
    parts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Held-out figures by source, answers to read, and the scores of all graded rows in their order."""

    losses: Mapping[str, SourceLoss]
    graded: Mapping[str, GradedSet]
    samples: tuple[Sample, ...] = ()
    scores: tuple[RowScore, ...] = ()

    @property
    def loss(self) -> float | None:
        """The mean of the sources' losses, each of the same weight; None where no source holds rows out."""
        losses = [source.loss for source in self.losses.values()]
        return sum(losses) / len(losses) if losses else None

    @property
    def score(self) -> float | None:
        """The mean of the graded sets' mean scores, each of the same weight; None where none applies."""
        scores = [one.score for one in self.graded.values() if one.score is not None]
        return sum(scores) / len(scores) if scores else None


def evaluation_from(values: Mapping[str, Any]) -> Evaluation:
    """From what ``asdict`` made of one, without its samples and the scores of its rows."""
    return Evaluation(
        {name: SourceLoss(**one) for name, one in values["losses"].items()},
        {name: GradedSet(**one) for name, one in values["graded"].items()},
    )


@dataclass(frozen=True, slots=True)
class Resume:
    """That a run was gone on with.

    Attributes:
        step: after which.
        at: ISO 8601, UTC.
        differences: what was not as before, and was allowed to be; empty: an exact resume.
    """

    step: int
    at: str
    differences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunManifest:
    """All that is known of a run; written when it starts and rewritten as it goes.

    Attributes:
        started, finished: ISO 8601, UTC.
        recipe_sha256: of the resolved recipe beside it.
        footprint: the memory it was predicted to take.
        weights: sha256 of every file of the LoRA weights, by name.
        files: sha256 of every other file of a completed run, by path; nothing where it may change later.
        identity: what must be the same for the run to be gone on with exactly, by name.
        resumes: each time that it was gone on with.
        skipped: steps that were left out, since their loss or gradient was not finite.
        splits: how often forward passes were halved for want of memory.
        best_step: whose weights were saved, where they are not those of the last step.
        ended_by: why it ended before its last step without a signal.
        search: of a prompt search, what it spent and what came of it; empty otherwise.
        error: the sentence that ended a failed run.
    """

    id: str
    name: str
    algorithm: str
    status: RunStatus
    started: str
    recipe_sha256: str
    seed: int
    versions: Mapping[str, str]
    machine: str
    finished: str | None = None
    steps: int = 0
    planned_steps: int = 0
    seconds: float = 0.0
    final_loss: float | None = None
    model: PolicyFacts | None = None
    footprint: Footprint | None = None
    data: MixtureManifest | None = None
    before: Evaluation | None = None
    after: Evaluation | None = None
    weights: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    identity: Mapping[str, str] = field(default_factory=dict)
    resumes: tuple[Resume, ...] = ()
    skipped: int = 0
    splits: int = 0
    best_step: int | None = None
    ended_by: str | None = None
    search: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A line of ``cesello runs list``."""

    id: str
    name: str
    status: RunStatus
    started: str
    model: str | None
    steps: int
    planned_steps: int
    path: str
    manifest: Mapping[str, Any] = field(default_factory=dict)


def of_id(runs: Iterable[RunSummary], run: str) -> list[RunSummary]:
    """The runs of an id, first the one whose folder is called so: a copy in another folder has it too."""
    return sorted((one for one in runs if one.id == run), key=lambda one: PurePath(one.path).name != run)
