"""Ask proposers for candidates, and let pass what the gate lets pass."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from random import Random

from ..domain.ports.prompt import EvaluationLedger, PromptProposer
from ..domain.prompt_gate import PromptGate
from ..domain.prompt_program import PromptProgram
from ..domain.prompt_report import Spent
from ..domain.prompt_search import CandidateRecord, Proposal, SearchView
from ..domain.proposer_choice import shares
from ..domain.statistics import Beta


class ProposePrompts:
    """Keeps what every proposer has answered in the ledger: none is asked the same twice.

    Args:
        calls: of a language model that proposers may make together; never exceeded. A proposal that did not
            come counts as if it had taken all the calls that it may take.
    """

    def __init__(
        self,
        proposers: Sequence[PromptProposer],
        gate: PromptGate,
        ledger: EvaluationLedger,
        calls: int,
        seed: int,
        seconds: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._proposers = {one.name: one for one in proposers}
        self._gate = gate
        self._ledger = ledger
        self._calls_left = calls
        self._seed = seed
        self._seconds = seconds
        self._record = {one.name: Beta() for one in proposers}
        self._written = list(ledger.candidates())
        self.candidates: list[CandidateRecord] = []
        self.spent = Spent("proposals")

    def __call__(self, view: SearchView, count: int, round_: int) -> list[CandidateRecord]:
        """At most so many new candidates; those who have no more ideas leave their turn to the others.

        Raises:
            RetryableError, ModelError: of the language models that are asked.
        """
        random = Random(f"{self._seed}/{round_}")
        able = list(self._proposers)
        found: list[CandidateRecord] = []
        for turn in range(1 + len(able)):
            wanted = count - len(found)
            for name, slots in shares(able, self._record, wanted, random).items():
                seed = f"{self._seed}/{round_}/{turn}/{name}"
                proposals = self._proposals(self._proposers[name], self._with_known(view), slots, seed)
                passed = self._passed(name, proposals, view.parent)
                found += passed
                if not passed or len(proposals) < slots:
                    able.remove(name)
        return found

    def note(self, proposer: str, won: bool) -> None:
        """A candidate of that proposer was, or was not, better than the incumbent."""
        self._record[proposer] = self._record[proposer].after(won, not won)

    def add(self, candidate: CandidateRecord) -> None:
        """Writes down what a candidate is, unless an earlier process did."""
        self.candidates.append(candidate)
        if candidate not in self._written:
            self._ledger.add_candidate(candidate)
            self._written.append(candidate)

    def _with_known(self, view: SearchView) -> SearchView:
        """What was proposed and not tried is known too, so that nobody proposes it again."""
        proposed = {one.program.id: one.program for one in self.candidates}
        return replace(view, programs={**proposed, **view.programs})

    def _passed(
        self, name: str, proposals: Sequence[Proposal], parent: PromptProgram
    ) -> list[CandidateRecord]:
        passed = []
        for one in proposals:
            refusal = self._gate.refusal(one.program, parent)
            candidate = CandidateRecord(one.program, name, one.edit, tuple(one.parents), refusal)
            self.add(candidate)
            if not refusal:
                passed.append(candidate)
        return passed

    def _proposals(
        self, proposer: PromptProposer, view: SearchView, slots: int, seed: str
    ) -> Sequence[Proposal]:
        if proposer.calls_each:
            slots = min(slots, self._calls_left // proposer.calls_each)
        if not slots:
            return []
        key = f"{digest(view)}/{proposer.name}/{slots}/{seed}"
        known = self._ledger.proposals(key)
        start = self._seconds()
        answer = known
        if answer is None:
            number = int.from_bytes(sha256(seed.encode()).digest()[:4], "big")
            answer = list(proposer.propose(view, slots, number))[:slots]
            self._ledger.add_proposals(key, answer)
        took = 0.0 if known is not None else self._seconds() - start
        self._charge(proposer, slots, answer, took, saved=known is not None)
        return answer

    def _charge(
        self, proposer: PromptProposer, slots: int, answer: Sequence[Proposal], seconds: float, *, saved: bool
    ) -> None:
        calls = sum(one.calls for one in answer) + (slots - len(answer)) * proposer.calls_each
        self._calls_left -= calls
        self.spent = replace(
            self.spent,
            optimizer_calls=self.spent.optimizer_calls + calls,
            tokens=self.spent.tokens + sum(one.tokens for one in answer),
            seconds=self.spent.seconds + seconds,
            saved=self.spent.saved + (calls if saved else 0),
        )


def digest(view: SearchView) -> str:
    """Stands for all that a proposer sees."""
    seen = [
        view.parent.id,
        list(view.editable),
        sorted((task, one.score, one.reasons, one.completion) for task, one in view.trials.items()),
        list(view.scores),
        sorted(view.programs),
        sorted((program, sorted(scores.items())) for program, scores in view.task_scores.items()),
    ]
    return sha256(json.dumps(seen).encode()).hexdigest()[:32]


def seed_record(seed: PromptProgram) -> CandidateRecord:
    """What a search begins with, as a candidate."""
    return CandidateRecord(seed, "seed")
