"""A ledger in memory, a world in which some clauses of a prompt help, and proposers that know the clauses."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from cesello.domain.conversation import Conversation, Message, Role
from cesello.domain.generation import Completion, Sampling
from cesello.domain.halving import TaskParts
from cesello.domain.prompt_program import PromptProgram
from cesello.domain.prompt_search import FAILED, CandidateRecord, Proposal, SearchView, Task, Trial, TrialKey
from cesello.domain.reward import Attempt, Reads, RewardResult


@dataclass
class FakeLedger:
    """What was written; nothing outlasts the process."""

    known: dict[TrialKey, Trial] = field(default_factory=dict)
    answers: dict[str, tuple[Proposal, ...]] = field(default_factory=dict)
    records: list[CandidateRecord] = field(default_factory=list)
    closed: bool = False

    def trials(self, keys: Sequence[TrialKey]) -> Mapping[TrialKey, Trial]:
        return {key: self.known[key] for key in keys if key in self.known}

    def add_trials(self, trials: Sequence[Trial]) -> None:
        for trial in trials:
            known = self.known.get(trial.key)
            if known is None or known.verdict == FAILED:
                self.known[trial.key] = trial

    def proposals(self, key: str) -> Sequence[Proposal] | None:
        return self.answers.get(key)

    def add_proposals(self, key: str, proposals: Sequence[Proposal]) -> None:
        self.answers.setdefault(key, tuple(proposals))

    def add_candidate(self, candidate: CandidateRecord) -> None:
        if candidate not in self.records:
            self.records.append(candidate)

    def candidates(self) -> Sequence[CandidateRecord]:
        return tuple(self.records)

    def close(self) -> None:
        self.closed = True


def clause(number: int) -> str:
    """A line that a prompt may hold."""
    return f"Clause {number}."


def clauses_in(text: str) -> frozenset[int]:
    """The numbers of those that a text holds."""
    return frozenset(int(line[7:-1]) for line in text.splitlines() if line.startswith("Clause "))


def simulated_task(number: int) -> Task:
    """Asks for nothing but its number."""
    asked = Conversation((Message(Role.USER, f"task {number}"),))
    return Task(f"{number:04d}", asked)


def simulated_parts(search: int, selection: int, test: int) -> TaskParts:
    """So many tasks of each part, all different."""
    tasks = [simulated_task(number) for number in range(search + selection + test)]
    return TaskParts(tasks[:search], tasks[search : search + selection], tasks[search + selection :])


@dataclass
class ClauseWorld:
    """A model whose answers are right more or less often by the clauses of its system prompt.

    Task t is solved under a prompt with probability sigmoid(m + d_t + the effects of its clauses), where d_t
    is normal with deviation ``spread`` and m is such that the mean over all tasks is about ``base``. An
    answer depends on prompt, task and seed alone: the same one comes each time, as from greedy decoding.

    Attributes:
        effects: of every clause on the mean success, near ``base``.
        luck: standard deviation of what each set of clauses has besides, for these do not simply add up.
        parts: tasks of a search's three parts.
        calls: prompts that it was asked, in order.
    """

    seed: int
    effects: Sequence[float]
    base: float = 0.4
    spread: float = 1.5
    tokens: int = 5
    luck: float = 0.0
    parts: tuple[int, int, int] = (150, 90, 120)
    calls: list[Conversation] = field(default_factory=list)

    def __post_init__(self) -> None:
        flat = math.log(self.base / (1 - self.base))
        # Averaging over tasks flattens the sigmoid by about this (Zeger, Liang & Albert, 1988).
        stretch = math.sqrt(1 + 0.346 * self.spread**2)
        self._middle = flat * stretch
        self._slope = self.base * (1 - self.base) / stretch
        self._logits = [effect / self._slope for effect in self.effects]
        self._grid = [Random(f"grid {at}").gauss(0, self.spread) for at in range(300)]

    @property
    def clauses(self) -> int:
        """How many there are."""
        return len(self.effects)

    def generate(self, prompts: Sequence[Conversation], sampling: Sampling) -> list[Completion]:
        self.calls += prompts
        return [Completion(self._answer(prompt, sampling.seed), self.tokens, True) for prompt in prompts]

    def _answer(self, prompt: Conversation, seed: int) -> str:
        system = prompt.messages[0].content if prompt.messages[0].role is Role.SYSTEM else ""
        return "right" if self.solves(system, prompt.messages[-1].content, seed) else "wrong"

    def solves(self, system: str, question: str, seed: int = 0) -> bool:
        """Whether that question is answered right under that system prompt."""
        difficulty = _normal(f"{self.seed}/{question}") * self.spread
        chance = _sigmoid(self._middle + difficulty + self._effect(system))
        return _uniform(f"{self.seed}/{sorted(clauses_in(system))}/{question}/{seed}") < chance

    def success(self, system: str) -> float:
        """The true mean over all tasks there could be, without noise."""
        effect = self._effect(system)
        return sum(_sigmoid(self._middle + d + effect) for d in self._grid) / len(self._grid)

    def _effect(self, system: str) -> float:
        held = clauses_in(system)
        own = _normal(f"{self.seed}/{sorted(held)}") * self.luck / self._slope if held and self.luck else 0.0
        return sum(self._logits[number] for number in held) + own


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def _bits(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=16).digest(), "big")


def _uniform(key: str) -> float:
    return (_bits(key) >> 64) / 2**64


def _normal(key: str) -> float:
    """By Box and Muller (1958)."""
    bits = _bits(key)
    one, other = ((bits >> 64) + 1) / 2**64, (bits & (2**64 - 1)) / 2**64
    return math.sqrt(-2 * math.log(one)) * math.cos(2 * math.pi * other)


class RightOrWrong:
    """The reward of ``ClauseWorld``."""

    name = "right"
    parts: tuple[str, ...] = ()
    range = (0.0, 1.0)
    reads = frozenset({Reads.COMPLETION})

    def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
        return [self._result(attempt.completion) for attempt in attempts]

    def _result(self, completion: str) -> RewardResult:
        right = completion == "right"
        return RewardResult(float(right), reasons=() if right else ("wrong",))


@dataclass
class ClauseProposer:
    """Adds a clause, or, one time in five, takes one away.

    Attributes:
        clauses: how many there are.
        calls_each: what it says that a proposal costs, and costs.
        asked: (count, seed) of every call.
    """

    clauses: int = 12
    name: str = "clauses"
    calls_each: int = 0
    asked: list[tuple[int, int]] = field(default_factory=list)

    def propose(self, view: SearchView, count: int, seed: int) -> list[Proposal]:
        self.asked.append((count, seed))
        random = Random(seed)
        programs = (edited(view.parent, random, self.clauses) for _ in range(20 * count))
        new = {one.id: one for one in programs if one.id not in view.programs}
        return [
            Proposal(one, f"to {sorted(clauses_in(one.system))}", (view.parent.id,), self.calls_each, 7)
            for one in list(new.values())[:count]
        ]


def edited(program: PromptProgram, random: Random, clauses: int) -> PromptProgram:
    """One clause more or, one time in five, one less."""
    held = sorted(clauses_in(program.system))
    absent = [number for number in range(clauses) if number not in held]
    if held and (not absent or random.random() < 0.2):
        held.remove(random.choice(held))
    else:
        held = sorted([*held, random.choice(absent)])
    return program.with_text("system", "\n".join(["Answer.", *map(clause, held)]))


@dataclass
class ScriptedProposer:
    """Proposes these programs, in turn.

    Attributes:
        programs: those that are left.
    """

    programs: list[PromptProgram]
    name: str = "scripted"
    calls_each: int = 0

    def propose(self, view: SearchView, count: int, seed: int) -> list[Proposal]:
        now, self.programs = self.programs[:count], self.programs[count:]
        return [Proposal(one, "scripted", (view.parent.id,)) for one in now]
