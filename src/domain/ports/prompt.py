"""Where prompts are tried, where every trial is written down, and who thinks of better ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from ..conversation import Conversation
from ..prompt_search import CandidateRecord, Proposal, SearchView, Trial, TrialKey
from ..run import RunSummary


class EvaluationLedger(Protocol):
    """All that a search has paid for: nothing in it is ever paid for again.

    One search writes it at a time. What a call has written outlasts the process being killed when it returns;
    of a call that was killed all is there or nothing.
    """

    def trials(self, keys: Sequence[TrialKey]) -> Mapping[TrialKey, Trial]:
        """Those of these that are known."""
        ...

    def add_trials(self, trials: Sequence[Trial]) -> None:
        """Writes them down; one that is known already is left as it is, unless its grading has failed.

        Raises:
            RetryableError: T075 when the disk is full, T098 when another process keeps it busy. StorageError:
                I003 when it cannot be written.
        """
        ...

    def proposals(self, key: str) -> Sequence[Proposal] | None:
        """What a proposer has answered when it was asked under that key; None: it was not asked."""
        ...

    def add_proposals(self, key: str, proposals: Sequence[Proposal]) -> None:
        """Writes down an answer, an empty one too; the same errors."""
        ...

    def add_candidate(self, candidate: CandidateRecord) -> None:
        """Remembers what a candidate is and where it comes from, the same one once; the same errors."""
        ...

    def candidates(self) -> Sequence[CandidateRecord]:
        """All of them, as they were added."""
        ...

    def close(self) -> None:
        """Lets another search write."""
        ...


class SearchAnswers(Protocol):
    """What a prompt search has kept in its run's folder, read only."""

    def tasks(self, run: RunSummary) -> Mapping[str, Conversation]:
        """The prompts that were searched on, by the ids of their tasks; those held out are not among them."""
        ...

    def trials(self, run: RunSummary) -> Iterator[Mapping[str, Any]]:
        """Every answer: candidate, task, reward, verdict, completion, tokens, seconds.

        ``former``: by a model, a library or rewards that the search has not gone on with.

        Raises:
            StorageError: I090 where the ledger is damaged.
        """
        ...

    def candidates(self, run: RunSummary) -> Sequence[Mapping[str, Any]]:
        """Every candidate that was thought of, in that order: program, proposer, edit, parents, rejected.

        Raises:
            StorageError: I090 where the ledger is damaged.
        """
        ...


class PromptProposer(Protocol):
    """Thinks of prompts that may be better. The same view and seed give the same proposals, where it can."""

    @property
    def name(self) -> str:
        """As in the recipe: rules, demos, merge, reflective, history, gepa."""
        ...

    @property
    def calls_each(self) -> int:
        """Calls of a language model that a proposal takes at most; 0: it needs none."""
        ...

    def propose(self, view: SearchView, count: int, seed: int) -> Sequence[Proposal]:
        """At most ``count``; none where it has no idea.

        Raises:
            RetryableError, ModelError: those of the language model that it asks.
        """
        ...
