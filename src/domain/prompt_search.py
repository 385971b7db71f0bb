"""The words of a prompt search: tasks, trials, candidates, proposals and what may be spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .conversation import Conversation
from .prompt_program import PromptProgram
from .reward import Verdict


@dataclass(frozen=True, slots=True)
class Task:
    """Something to be asked.

    Attributes:
        id: of its content, the same in every process.
        conversation: what is asked, without an answer; its ``reference`` is for the reward.
        answer: the right answer as the row has it, for demos; empty where it has none.
    """

    id: str
    conversation: Conversation
    answer: str = ""


@dataclass(frozen=True, slots=True)
class TrialKey:
    """What a trial is known by, within a ledger that one engine fills.

    Attributes:
        candidate: a program's id.
        task: a task's id.
        replicate: 0 for greedy answers; drawn ones of the same task differ in it, and in their seed.
    """

    candidate: str
    task: str
    replicate: int = 0


FAILED = Verdict.INFRA_ERROR.value
"""The verdict of a trial whose grader failed: it is graded again when the search goes on."""

UNJUDGED = "unjudged"
"""The verdict of one that the search has gone on without: to judge it later would change its way."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One answer to one task under one candidate, judged.

    Attributes:
        score: of the reward, in [-1, 1]; None where it does not apply or its grader failed.
        reasons: codes of the reward.
        verdict: of the reward, or ``UNJUDGED``.
        tokens: of the answer.
        prompt_characters: what was sent.
        seconds: its share of the time of the batch it was answered in.
    """

    key: TrialKey
    score: float | None
    reasons: tuple[str, ...] = ()
    verdict: str = ""
    completion: str = ""
    tokens: int = 0
    prompt_characters: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Proposal:
    """A program somebody thought of.

    Attributes:
        edit: what was changed and why, in a sentence.
        parents: ids of the programs that it was made from.
        calls: of a language model that it took.
        tokens: that these wrote.
    """

    program: PromptProgram
    edit: str
    parents: tuple[str, ...]
    calls: int = 0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class CandidateRecord:
    """A candidate of a search.

    Attributes:
        proposer: its name; "seed" for what the search began with.
        rejected: why it was not tried; empty: it was.
    """

    program: PromptProgram
    proposer: str
    edit: str = ""
    parents: tuple[str, ...] = ()
    rejected: str = ""


@dataclass(frozen=True, slots=True)
class Budget:
    """What a search may spend, test included; none of it is ever exceeded.

    Attributes:
        rollouts: answers to tasks.
        optimizer_calls: calls of a language model that proposes.
        tokens: that answers may have together; None: not limited.
    """

    rollouts: int
    optimizer_calls: int = 0
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class SearchView:
    """What a proposer sees: tasks of the search part alone, never those that choose or test.

    Attributes:
        parent: the program to improve.
        editable: components that may be changed, ``demos`` among them where solved tasks may be shown.
        trials: of the parent, by task id.
        tasks: by id, those of ``trials``.
        scores: of every program tried so far, its mean score over the tasks it was tried on and how many
            these are, best first.
        programs: those of ``scores`` and all others that were proposed, by id: none is worth proposing again.
        task_scores: of every program tried so far, its score by task.
    """

    parent: PromptProgram
    editable: Sequence[str]
    trials: Mapping[str, Trial]
    tasks: Mapping[str, Task]
    scores: Sequence[tuple[str, float, int]] = ()
    programs: Mapping[str, PromptProgram] = field(default_factory=dict)
    task_scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
