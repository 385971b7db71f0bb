"""Ask proposers for candidates, and let pass what the gate lets pass."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from random import Random

from ..domain.ports.prompt import EvaluationLedger, PromptProposer
from ..domain.ports.run import Stop
from ..domain.prompt_gate import PromptGate
from ..domain.prompt_program import PromptProgram
from ..domain.prompt_report import Spent
from ..domain.prompt_search import CandidateRecord, Proposal, SearchView
from ..domain.proposer_choice import shares
from ..domain.statistics import Beta
from ..domain.traced import traced


class ProposePrompts:
    """Keeps what every proposer has answered in the ledger: none is asked the same twice.

    One that asks a language model is asked for one proposal at a time, and that it is asked is written down
    before. So a call that failed or was killed is paid for, and all processes that go on with one ledger
    together make no more calls than one may.

    Args:
        calls: of a language model that proposers may make together; never exceeded. A proposal counts as if
            it had taken all the calls that it may take.
        model: stands for that language model: what another one has written is not seen.
    """

    def __init__(
        self,
        proposers: Sequence[PromptProposer],
        gate: PromptGate,
        ledger: EvaluationLedger,
        calls: int,
        seed: int,
        stop: Stop,
        seconds: Callable[[], float] = time.perf_counter,
        model: str = "",
    ) -> None:
        self._proposers = {one.name: one for one in proposers}
        self._gate = gate
        self._ledger = ledger
        self._calls = calls
        self._seed = seed
        self._stop = stop
        self._model = model
        self._begun = 0
        while ledger.proposals(self._mark(self._begun)) is not None:
            self._begun += 1
        self._seconds = seconds
        self._record = {one.name: Beta() for one in proposers}
        self._written = list(ledger.candidates())
        self.candidates: list[CandidateRecord] = []
        self.spent = Spent("proposals", optimizer_calls=self._begun)

    @traced("propose prompts")
    def __call__(self, view: SearchView, count: int, round_: int) -> list[CandidateRecord]:
        """At most so many new candidates; those who have no more ideas leave their turn to the others.

        Raises:
            RetryableError, ModelError: of the language models that are asked. Interrupted: a stop was
                requested before one of them was.
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
        if slots and not proposer.calls_each:
            return self._kept(proposer, view, slots, seed) or []
        found: list[Proposal] = []
        for slot in range(slots):
            one = self._kept(proposer, view, 1, f"{seed}/{slot}")
            if not one:
                break
            found += one
            view = replace(view, programs={**view.programs, **{its.program.id: its.program for its in one}})
        return found

    def _kept(
        self, proposer: PromptProposer, view: SearchView, count: int, seed: str
    ) -> Sequence[Proposal] | None:
        """From the ledger where it was asked before; None where no call is left to ask it."""
        model = f"/{self._model}" if proposer.calls_each else ""
        key = f"{digest(view)}/{proposer.name}{model}/{count}/{seed}"
        known = self._ledger.proposals(key)
        if known is not None:
            self.spent = replace(
                self.spent, tokens=self.spent.tokens + _tokens(known),
                saved=self.spent.saved + proposer.calls_each,
            )  # fmt: skip
            return known
        if proposer.calls_each:
            if self._begun + proposer.calls_each > self._calls:
                return None
            self._stop.check()
            self._begin(proposer.calls_each)
        start = self._seconds()
        number = int.from_bytes(sha256(seed.encode()).digest()[:4], "big")
        answer = list(proposer.propose(view, count, number))[:count]
        self._ledger.add_proposals(key, answer)
        self.spent = replace(
            self.spent, tokens=self.spent.tokens + _tokens(answer),
            seconds=self.spent.seconds + self._seconds() - start,
        )  # fmt: skip
        return answer

    def _begin(self, calls: int) -> None:
        """Pays for calls before they are made."""
        for _ in range(calls):
            self._ledger.add_proposals(self._mark(self._begun), [])
            self._begun += 1
        self.spent = replace(self.spent, optimizer_calls=self._begun)

    def _mark(self, number: int) -> str:
        """The key under which it is written down that a call was begun."""
        return f"call {number} of {self._model}"


def _tokens(proposals: Sequence[Proposal]) -> int:
    return sum(one.tokens for one in proposals)


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
