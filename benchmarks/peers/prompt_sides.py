"""Contenders of ``benchmarks/prompt_search.py``: the same world, the same kind of edits, the same
rollouts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from statistics import fmean
from typing import Any, Protocol

from gepa.api import optimize as gepa_optimize
from gepa.core.adapter import EvaluationBatch

from cesello.application.search_prompt import PromptSearchRequest, SearchPrompt
from cesello.application.try_prompts import Engine
from cesello.domain.conversation import Conversation
from cesello.domain.generation import Completion, Sampling
from cesello.domain.prompt_program import PromptProgram
from cesello.domain.prompt_search import Budget
from tests.fakes.prompt import (
    ClauseProposer,
    ClauseWorld,
    FakeLedger,
    RightOrWrong,
    edited,
    simulated_parts,
)
from tests.fakes.run import FakeStop, RecordingObserver

CLAUSES = 12
SEED = "Answer."

_optimize: Any = gepa_optimize
"""Its types are of adapters that learn more of a trial than whether it was right."""


class World(Protocol):
    """Where prompts are tried: a model with its tasks, and the truth about both.

    Attributes:
        seed: of what is drawn in a search.
        parts: tasks of cesello's three parts; the others may use all of them as they like.
        clauses: how many a prompt may hold.
        calls: prompts that the model was asked.
    """

    seed: int
    parts: tuple[int, int, int]
    calls: list[Conversation]

    @property
    def clauses(self) -> int: ...

    def generate(self, prompts: Sequence[Conversation], sampling: Sampling) -> Sequence[Completion]: ...

    def solves(self, system: str, question: str, seed: int = 0) -> bool:
        """Whether that question is answered right under that prompt."""
        ...

    def success(self, system: str) -> float:
        """The share of tasks that are solved under a prompt, of tasks that no search has seen."""
        ...


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of world: so many clauses help, so many hurt, each by that much near the seed's success.

    Attributes:
        luck: standard deviation of what a set of clauses has besides the sum of its effects.
    """

    helpful: int
    harmful: int
    luck: float = 0.0
    effects: tuple[float, float] = (0.05, 0.10)
    base: tuple[float, float] = (0.3, 0.5)

    def world(self, seed: int) -> ClauseWorld:
        draw = Random(f"{self}/{seed}")
        effects = [draw.uniform(*self.effects) for _ in range(self.helpful)]
        effects += [-draw.uniform(*self.effects) for _ in range(self.harmful)]
        effects += [0.0] * (CLAUSES - len(effects))
        draw.shuffle(effects)
        return ClauseWorld(seed, effects, base=draw.uniform(*self.base), luck=self.luck)


KINDS = {
    "4 of 12 clauses help, 1 hurts": Kind(4, 1),
    "3 of 12 clauses help, 5 hurt": Kind(3, 5),
    "4 help, 1 hurts, and they do not add up": Kind(4, 1, luck=0.05),
    "none of 12 clauses does anything": Kind(0, 0),
}


@dataclass
class Asker:
    """Counts what a peer asks, each (prompt, task) once: nobody pays twice for what is known."""

    world: World
    budget: int
    asked: dict[tuple[str, int], float] = field(default_factory=dict)

    def scores(self, system: str, tasks: Sequence[int]) -> list[float]:
        for task in tasks:
            if (system, task) not in self.asked:
                self.asked[system, task] = float(self.world.solves(system, f"task {task}"))
        return [self.asked[system, task] for task in tasks]

    def cost(self, system: str, tasks: Sequence[int]) -> int:
        return sum((system, task) not in self.asked for task in dict.fromkeys(tasks))


@dataclass(frozen=True, slots=True)
class Found:
    """What a contender ships, and the rollouts that it took."""

    system: str
    rollouts: int


def cesello(world: World, budget: int) -> Found:
    """As it is."""
    engine = Engine(world, RightOrWrong(), FakeLedger())
    search = SearchPrompt(engine, [ClauseProposer(world.clauses)], RecordingObserver(), FakeStop())
    request = PromptSearchRequest(
        PromptProgram(SEED), ["system"], simulated_parts(*world.parts), Budget(budget), random_seed=world.seed
    )
    return Found(search(request).winner.system, len(world.calls))


def edit(system: str, draw: Random, known: set[str], clauses: int) -> str:
    """An edit of the kind that cesello's candidates are, of a prompt that was not proposed before."""
    tries = 0
    while (new := edited(PromptProgram(system), draw, clauses).system) in known and tries < 200:
        tries += 1
    known.add(new)
    return new


def gepa_with(validation: int) -> Callable[[World, int], Found]:
    """gepa's own ``optimize`` at its defaults (Pareto, minibatches of 3), stopped before the first evaluation
    that the rollouts do not suffice for. It ships the prompt with the best score on all validation tasks.

    Its own cache is off, since it takes a training and a validation task of one number for the same task.
    """

    def search(world: World, budget: int) -> Found:
        asker, draw, known = Asker(world, budget), Random(f"edits {world.seed}"), {SEED}
        adapter = _GepaAdapter(asker, validation)

        def propose(
            candidate: Mapping[str, str], reflective: Mapping[str, Any], components: Sequence[str]
        ) -> dict[str, str]:
            return {"system": edit(candidate["system"], draw, known, world.clauses)}

        tasks = list(range(sum(world.parts)))
        with suppress(_Spent):
            _optimize(
                seed_candidate={"system": SEED},
                trainset=tasks[validation:],
                valset=tasks[:validation],
                adapter=adapter,
                custom_candidate_proposer=propose,
                stop_callbacks=lambda state: len(asker.asked) >= budget,
                logger=_Silent(),
                seed=world.seed,
            )
        return Found(max(adapter.scores, key=lambda one: adapter.scores[one]), len(asker.asked))

    return search


class _Silent:
    def log(self, message: str) -> None:
        pass


class _GepaAdapter:
    propose_new_texts = None

    def __init__(self, asker: Asker, validation: int) -> None:
        self._asker, self._validation = asker, validation
        self.scores: dict[str, float] = {}

    def evaluate(self, batch: list[int], candidate: dict[str, str], capture_traces: bool = False) -> Any:
        system = candidate["system"]
        if len(self._asker.asked) + self._asker.cost(system, batch) > self._asker.budget:
            raise _Spent
        scores = self._asker.scores(system, batch)
        if len(batch) == self._validation:
            self.scores.setdefault(system, fmean(scores))
        return EvaluationBatch(scores, scores, scores if capture_traces else None)

    def make_reflective_dataset(
        self, candidate: dict[str, str], eval_batch: Any, components_to_update: list[str]
    ) -> dict[str, list[dict[str, Any]]]:
        return {
            name: [{"Feedback": str(score)} for score in eval_batch.scores] for name in components_to_update
        }


def agent_lightning_with(beam: int, branch: int, validation: int) -> Callable[[World, int], Found]:
    """The rule of APO in Agent Lightning 0.3, written anew: a beam of prompts, textual gradients, no test.

    The seed is scored on all of the validation tasks. In a round each of ``beam`` parents, drawn from the
    beam or repeated where it is shorter, is asked 4 training tasks and edited, ``branch`` times; the beam and
    the new ones are scored on the same 16 validation tasks and the best ``beam`` are the next beam; its first
    is scored on all of the validation tasks, and shipped in the end if no other has scored higher there.
    Defaults are 4, 4 and 3 rounds; here as many rounds as the rollouts suffice for, the last one cut off
    where they end.
    """

    def search(world: World, budget: int) -> Found:
        rule = _Beam(Asker(world, budget), Random(f"edits {world.seed}"), beam, branch, validation)
        try:
            while rule.round():
                pass
        except _Spent:
            pass
        return Found(rule.best, len(rule.asker.asked))

    return search


class _Spent(Exception):
    """The next evaluation would take more than is left."""


class _Beam:
    def __init__(self, asker: Asker, draw: Random, width: int, branch: int, validation: int) -> None:
        self.asker, self.best, self._known = asker, SEED, {SEED}
        self._draw, self._width, self._branch = draw, width, branch
        tasks = list(range(sum(asker.world.parts)))
        self._validation = tasks[:validation]
        self._gradient = _batches(tasks[validation:], 4, draw)
        self._sample = _batches(self._validation, 16, draw)
        self._beam = [SEED]
        self._best_score = self._score(SEED, self._validation)

    def _score(self, system: str, tasks: Sequence[int]) -> float:
        if len(self.asker.asked) + self.asker.cost(system, tasks) > self.asker.budget:
            raise _Spent
        return fmean(self.asker.scores(system, tasks))

    def round(self) -> bool:
        before = len(self.asker.asked)
        if len(self._beam) < self._width:
            parents = [self._beam[at % len(self._beam)] for at in range(self._width)]
        else:
            parents = self._draw.sample(self._beam, self._width)
        new = []
        for parent in parents:
            for _ in range(self._branch):
                self._score(parent, next(self._gradient))
                new.append(edit(parent, self._draw, self._known, self.asker.world.clauses))
        sample = next(self._sample)
        ranked = sorted([*self._beam, *new], key=lambda one: -self._score(one, sample))
        self._beam = ranked[: self._width]
        score = self._score(self._beam[0], self._validation)
        if score > self._best_score:
            self.best, self._best_score = self._beam[0], score
        return len(self.asker.asked) > before


def _batches(tasks: Sequence[int], size: int, draw: Random) -> Iterator[list[int]]:
    """Shuffled anew each time they have all been given."""
    left: list[int] = []
    while True:
        while len(left) < size:
            left += draw.sample(tasks, len(tasks))
        yield left[:size]
        left = left[size:]


SIDES: Mapping[str, Callable[[World, int], Found]] = {
    "cesello": cesello,
    "gepa 0.1.4, 20 validation tasks": gepa_with(20),
    "gepa 0.1.4, 40 validation tasks": gepa_with(40),
    "gepa 0.1.4, 80 validation tasks": gepa_with(80),
    "Agent Lightning 0.3's rule, beam 4, branch 4": agent_lightning_with(4, 4, 32),
    "Agent Lightning 0.3's rule, beam 2, branch 2": agent_lightning_with(2, 2, 32),
}
