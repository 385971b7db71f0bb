"""A standard operating procedure (SOP): when it applies, what is done step by step, and what success is.

The folder form is that of Agent Skills (https://agentskills.io/specification), ``SKILL.md``, with
``sop.yaml`` and ``evals.jsonl`` beside it, which other agents leave alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256


class Kind(StrEnum):
    """How what a step gave is checked."""

    REGEX = "regex"
    EXIT_CODE = "exit_code"
    CONTAINS = "contains"
    REWARD = "reward"
    """The score of a reward of the recipe reaches ``value``."""


class Fallback(StrEnum):
    """What comes when a step has failed as often as it may."""

    STOP = "stop"
    ASK_USER = "ask_user"
    NEXT = "next"


@dataclass(frozen=True, slots=True)
class Expect:
    """A check of what a step gave."""

    kind: Kind
    value: str | int | float


@dataclass(frozen=True, slots=True)
class OnFail:
    """What follows a failed step: it is tried again ``retry`` times, then ``goto`` or ``then``.

    Attributes:
        goto: a step's id, at most ``most`` times in a run.
    """

    retry: int = 0
    then: Fallback = Fallback.STOP
    goto: str | None = None
    most: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do.

    Attributes:
        when: a condition (``domain.condition``) on inputs and earlier steps; empty: always.
        tools: that it may use; empty: any.
    """

    id: str
    do: str
    when: str = ""
    tools: tuple[str, ...] = ()
    expect: Expect | None = None
    on_fail: OnFail = OnFail()


@dataclass(frozen=True, slots=True)
class Input:
    """What a procedure wants to know before it begins."""

    name: str
    description: str = ""
    required: bool = False
    default: str = ""


@dataclass(frozen=True, slots=True)
class Triggers:
    """What requests it is for.

    Attributes:
        examples, negatives: requests that it is for, and near ones that it is not for.
        files: globs; where a request names files, one must match. Empty: any.
        min_score: from which it applies; None: the calibrated threshold.
    """

    examples: tuple[str, ...] = ()
    negatives: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    min_score: float | None = None


@dataclass(frozen=True, slots=True)
class Eval:
    """A request with what is right: whether it should trigger the procedure."""

    query: str
    should_trigger: bool


@dataclass(frozen=True, slots=True)
class Procedure:
    """One version of a procedure.

    Attributes:
        name: small letters, digits and hyphens, at most 64; that of its folder.
        description: what it does and when to use it, at most 1,024 characters.
        body: of SKILL.md, in Markdown.
        allowed_tools: empty: any.
        success: the id of the step whose check says whether all of it worked; empty: the last.
        extra: keys of the frontmatter that cesello does not use: license, compatibility, metadata.
    """

    name: str
    description: str
    body: str
    allowed_tools: tuple[str, ...] = ()
    triggers: Triggers = Triggers()
    inputs: tuple[Input, ...] = ()
    steps: tuple[Step, ...] = ()
    success: str = ""
    evals: tuple[Eval, ...] = ()
    extra: Mapping[str, object] = field(default_factory=dict)


class Status(StrEnum):
    """What may be done with a version."""

    DRAFT = "draft"
    TRIAL = "trial"
    """A draft that a person lets half of the requests meet, to be compared with the active version."""
    ACTIVE = "active"
    QUARANTINED = "quarantined"
    """It was taken out of use since it did harm; a person can promote it again."""
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Version:
    """An immutable version: the files as they were, by their hash.

    Attributes:
        sha: of all files of the folder with their names, 64 hexadecimal digits.
        parent: the sha of the version before it; empty: the first.
        author: ``user``, ``import`` or the id of the run that wrote it.
        created: ISO 8601, UTC.
        reason: of its status, for a person.
    """

    name: str
    sha: str
    parent: str
    author: str
    created: str
    status: Status
    reason: str = ""

    @property
    def pin(self) -> dict[str, str]:
        """What a run keeps of it."""
        return {"name": self.name, "sha": self.sha}


def status_of_edit(known: Sequence[Version]) -> Status:
    """What a person's edit becomes: the first that is known of a name is in use at once, likewise the first
    edit of what the person began it from. All else is promoted first, since it stands for something that was
    taken out of use, or for the text of somebody else.

    Args:
        known: all versions of the name.
    """
    begun = [one.author == "user" and one.status is Status.DRAFT for one in known]
    return Status.ACTIVE if begun in ([], [True]) else Status.DRAFT


@dataclass(frozen=True, slots=True)
class Change:
    """A version became something else; ``at`` is ISO 8601, UTC."""

    sha: str
    status: Status
    reason: str
    at: str


@dataclass(frozen=True, slots=True)
class Adopted:
    """A procedure of another program, as this one takes it.

    Attributes:
        notes: what was changed, a sentence each.
    """

    name: str
    files: Mapping[str, bytes]
    notes: tuple[str, ...] = ()


def sha_of(files: Mapping[str, bytes]) -> str:
    """64 hexadecimal digits that stand for files and their names: the same files, the same digits."""
    parts = [[path, sha256(content).hexdigest()] for path, content in sorted(files.items())]
    return sha256(json.dumps(parts).encode()).hexdigest()


class Outcome(StrEnum):
    """How a run of a procedure ended."""

    SUCCESS = "success"
    PARTIAL = "partial"
    FAILURE = "failure"
    ABANDONED = "abandoned"
    UNKNOWN = "unknown"
    """It ended, and nothing judged it."""


@dataclass(frozen=True, slots=True)
class StepRun:
    """One try of one step.

    Attributes:
        passed: None where nothing was checked.
        evidence: what the check saw, cut to 4,000 characters.
    """

    step: str
    attempt: int
    passed: bool | None
    evidence: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ProcedureRun:
    """One use of a procedure for one request, or, where ``held_out``, a matched request that went without.

    Attributes:
        sha: of the version that was, or would have been, used.
        mode: off, catalog, full or guided.
        reward: in [-1, 1] where something judged it; None: the outcome alone is known.
        origin: generate, ask, the id of a training run, or ``user``.
    """

    id: str
    name: str
    sha: str
    request: str
    mode: str
    outcome: Outcome
    started: str
    finished: str
    held_out: bool = False
    reward: float | None = None
    origin: str = "user"
    steps: Sequence[StepRun] = ()
