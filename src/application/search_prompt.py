"""Search for a better prompt, and say honestly whether it is one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil, inf, log2
from statistics import fmean

from ..domain.generation import Sampling
from ..domain.halving import FINALISTS, SearchPlan, TaskParts, search_plan, survivors
from ..domain.ports.prompt import PromptProposer
from ..domain.ports.run import Observer, Stop
from ..domain.prompt_estimates import PromptEstimates
from ..domain.prompt_gate import GateLimits, PromptGate, asked, check_editable
from ..domain.prompt_program import PromptProgram
from ..domain.prompt_report import CandidateResult, SearchReport, prompt_diff
from ..domain.prompt_search import Budget, CandidateRecord, SearchView, Task
from ..domain.prompt_verdict import Comparison, Figure, compared, figure, verdict
from .propose_prompts import ProposePrompts, seed_record
from .try_prompts import Engine, TryPrompts

_IDLE_ROUNDS = 2
"""Rounds in a row without a candidate after which nobody has an idea any more."""

_SPENT = "the budget of the search is spent"

_NO_IDEA = "no proposer has another idea"

_TOO_FEW = "too few tasks are left to search on that no demo shows"

_UNTRIED = "there was no budget, or there were too few tasks that no demo shows, to try it"


@dataclass(frozen=True, slots=True)
class PromptSearchRequest:
    """What is searched.

    Attributes:
        seed: the prompt to improve.
        editable: components that may change, ``demos`` among them where solved tasks may be shown.
        parts: tasks to search with, to choose with, and to test with.
        replicates: answers to a task; 1 where they are greedy.
        batch: prompts that the generator is asked at a time.
        random_seed: of all that is drawn.
        model: stands for the language model that proposers ask.
    """

    seed: PromptProgram
    editable: Sequence[str]
    parts: TaskParts
    budget: Budget
    sampling: Sampling = field(default_factory=Sampling)
    replicates: int = 1
    batch: int = 8
    random_seed: int = 0
    limits: GateLimits = field(default_factory=GateLimits)
    model: str = ""

    @property
    def plan(self) -> SearchPlan:
        """Raises UsageError C120, C121 or C122 where it cannot be carried out."""
        check_editable(self.seed, self.editable, self.parts.search)
        return search_plan(self.budget, self.parts, self.replicates, self.sampling.max_new_tokens)


class SearchPrompt:
    """Rounds of candidates against the incumbent, a choice among the last few, one test.

    A pure function of its request and of what the ledger, the generator, the reward and the proposers answer.
    So a search that was killed goes on when it is called again with the same ledger: it comes by the same way
    to where it was, and what the ledger knows is not asked again.
    """

    def __init__(
        self,
        engine: Engine,
        proposers: Sequence[PromptProposer],
        observer: Observer,
        stop: Stop,
        seconds: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._engine = engine
        self._proposers = proposers
        self._observer = observer
        self._stop = stop
        self._seconds = seconds

    def __call__(self, request: PromptSearchRequest) -> SearchReport:
        """Runs it all.

        Raises:
            UsageError: C120, C121, C122, before anything is asked. SandboxError: X010. Interrupted,
                RetryableError, StorageError, ModelError: it can be called again.
        """
        plan = request.plan
        trying = TryPrompts(
            self._engine, request.budget, request.sampling, self._observer, self._stop,
            replicates=request.replicates, batch=request.batch, seconds=self._seconds,
        )  # fmt: skip
        gate = PromptGate(request.seed, request.editable, request.parts, request.limits)
        proposing = ProposePrompts(
            self._proposers, gate, self._engine.ledger, request.budget.optimizer_calls,
            request.random_seed, self._stop, self._seconds, request.model,
        )  # fmt: skip
        search = _Search(request, plan, trying, proposing, self._observer)
        search.run()
        best, selection = search.chosen()
        test, of_seed = search.tested(best)
        return search.report(best, selection, test, of_seed)


class _Search:
    """One search: its incumbent, and those before it."""

    def __init__(
        self,
        request: PromptSearchRequest,
        plan: SearchPlan,
        trying: TryPrompts,
        proposing: ProposePrompts,
        observer: Observer,
    ) -> None:
        self._request = request
        self._plan = plan
        self._try = trying
        self._propose = proposing
        self._observer = observer
        self._accepted: list[PromptProgram] = [request.seed]
        self._programs = {request.seed.id: request.seed}
        self._tasks = {task.id: task for task in request.parts.search}
        self._next = 0
        self._rounds = 0
        self._ended = ""
        self._why_idle = ""
        self._estimates = PromptEstimates(request.seed)
        proposing.add(seed_record(request.seed))

    @property
    def _incumbent(self) -> PromptProgram:
        return self._accepted[-1]

    def run(self) -> None:
        """Rounds until the budget or the ideas are spent."""
        self._observer.phase("searching", self._plan.search)
        idle = 0
        while not self._ended:
            count = self._plan.affordable(self._left)
            if not count:
                self._ended = _SPENT
                return
            idle = 0 if self._round(count) else idle + 1
            if idle == _IDLE_ROUNDS:
                idle = 0
                self._without_ideas()

    @property
    def _left(self) -> int:
        return self._try.left - self._plan.reserved

    def _without_ideas(self) -> None:
        """Half of what is left goes to the test, and half of the rest to telling apart those that were tried.

        If one leads then from which nobody has gone on, the search does; else it ends with a last comparison.
        """
        self._plan = self._plan.without_ideas(self._left, len(self._request.parts.test))
        known = {one.id for one in self._accepted}
        self._compare(self._left // 2)
        if self._incumbent.id in known:
            self._ended = self._why_idle
            self._compare(self._left)

    def _compare(self, rollouts: int) -> None:
        """Successive halving of all that were tried, for so many rollouts.

        Each halving gets an equal share of what is left, and asks those that are left the same tasks, new
        ones first.
        """
        means = self._means()
        live = sorted(means, key=lambda one: -means[one])
        halvings = ceil(log2(len(live))) if len(live) > 1 else 0
        end = self._left - rollouts
        for left in range(halvings, 0, -1):
            programs = [self._programs[one] for one in live]
            share = (self._left - end) // left
            tasks = self._least_asked(programs, share // (len(live) * self._plan.replicates))
            self._try([(one, task) for one in programs for task in tasks], "search")
            means = self._means()
            live = sorted(live, key=lambda one: -means[one])[: ceil(len(live) / 2)]
        self._move([])

    def _least_asked(self, programs: Sequence[PromptProgram], count: int) -> list[Task]:
        """Tasks that fewest of the programs were asked, none of which shows its answer."""
        known = [self._try.scores(one.id) for one in programs]
        tasks = self._tasks_for(programs, len(self._tasks))
        return sorted(tasks, key=lambda task: sum(task.id in its for its in known))[:count]

    def _round(self, count: int) -> bool:
        """One round; whether there was anything to try."""
        self._rounds += 1
        first, last = self._plan.rungs[0], self._plan.rungs[-1]
        # What the incumbent gets wrong on the tasks to come is what proposers have to go by.
        self._try([(self._incumbent, task) for task in self._tasks_for([self._incumbent], first)], "search")
        proposed = self._propose(self._view(), count, self._rounds)
        self._why_idle = _TOO_FEW if proposed else _NO_IDEA
        candidates = self._affordable(self._askable(proposed))
        if candidates:
            for one in candidates:
                self._programs[one.program.id] = one.program
                self._estimates.add(one.program)
            self._halved(candidates, self._tasks_for([one.program for one in candidates], last))
            self._next = (self._next + last) % len(self._tasks)
            self._move(candidates)
        return bool(candidates)

    def _askable(self, candidates: Sequence[CandidateRecord]) -> Sequence[CandidateRecord]:
        """Those that leave tasks enough to compare them on: what one of them shows is asked of none."""
        found: list[CandidateRecord] = []
        for one in candidates:
            programs = [its.program for its in (*found, one)]
            if len(self._tasks_for(programs, self._plan.rungs[0])) == self._plan.rungs[0]:
                found.append(one)
        return found

    def _affordable(self, candidates: Sequence[CandidateRecord]) -> Sequence[CandidateRecord]:
        """As many as can be tried: their demos may move the round to tasks that are new to the incumbent."""
        left = self._try.left - self._plan.reserved
        for count in range(len(candidates), 0, -1):
            tasks = self._tasks_for([one.program for one in candidates[:count]], self._plan.rungs[-1])
            of_incumbent = self._try.cost([(self._incumbent, task) for task in tasks])
            if of_incumbent + self._plan.candidates_cost(count) <= left:
                return candidates[:count]
        if candidates:
            self._ended = _SPENT
        return []

    def _halved(self, candidates: Sequence[CandidateRecord], tasks: Sequence[Task]) -> None:
        """Asks all of them and the incumbent the same tasks, the better half more, and so on."""
        live = [one.program.id for one in candidates]
        for rung in self._plan.rungs:
            if rung > self._plan.rungs[0]:
                means = self._means()
                live = survivors({one: means.get(one, -inf) for one in live})
            programs = [self._incumbent, *(self._programs[one] for one in live)]
            self._try([(one, task) for one in programs for task in tasks[:rung]], "search")

    def _move(self, candidates: Sequence[CandidateRecord]) -> None:
        """To the program that is estimated best, whenever it was tried."""
        means = self._means()
        for one in candidates:
            won = means.get(one.program.id, -inf) > means[self._incumbent.id]
            self._propose.note(one.proposer, won)
        best = max(means, key=lambda one: means[one])
        if best != self._incumbent.id:
            self._accepted.append(self._programs[best])
            edit = next((one.edit for one in candidates if one.program.id == best), "back to an earlier one")
            self._observer.note(f"round {self._rounds}: {edit}")

    def _means(self) -> dict[str, float]:
        """Of those that could be judged on some task, and of the seed and the incumbent."""
        scores = {one: self._try.scores(one) for one in self._programs}
        means = self._estimates.means(scores)
        own = (self._request.seed.id, self._incumbent.id)
        return {one: mean for one, mean in means.items() if scores[one] or one in own}

    def _tasks_for(self, programs: Sequence[PromptProgram], count: int) -> list[Task]:
        """The next tasks whose answer none of the programs, nor the incumbent, shows."""
        shown = {demo.question for one in (*programs, self._incumbent) for demo in one.demos}
        tasks = list(self._request.parts.search)
        in_turn = tasks[self._next :] + tasks[: self._next]
        return [task for task in in_turn if asked(task.conversation) not in shown][:count]

    def _view(self) -> SearchView:
        scores = {id: found for id in self._programs if (found := self._try.scores(id))}
        means = [(id, fmean(by_task.values()), len(by_task)) for id, by_task in scores.items()]
        return SearchView(
            parent=self._incumbent,
            editable=tuple(self._request.editable),
            trials=(trials := self._try.trials(self._incumbent.id)),
            tasks={id: self._tasks[id] for id in trials},
            scores=sorted(means, key=lambda one: -one[1]),
            programs={id: self._programs[id] for id in scores},
            task_scores=scores,
        )

    def chosen(self) -> tuple[PromptProgram, tuple[Figure, ...]]:
        """The best of the finalists after they were asked the selection part as well.

        Finalists are those estimated best; they get what the search has left. Where the seed is the first of
        them there is nothing to choose. Else it is among them on merit only: the test compares with it.
        """
        means = self._means()
        ranked = sorted(means, key=lambda one: -means[one])
        if ranked[0] == self._request.seed.id:
            return self._request.seed, ()
        finalists = [self._programs[one] for one in ranked[:FINALISTS]]
        each = (self._try.left - self._plan.test) // (len(finalists) * self._plan.replicates)
        tasks = self._request.parts.selection[: max(0, each)]
        self._observer.phase("choosing", len(finalists) * len(tasks) * self._plan.replicates)
        self._try([(one, task) for one in finalists for task in tasks], "selection")
        means = self._means()
        return max(finalists, key=lambda one: means[one.id]), tuple(self._figures(finalists, tasks))

    def _figures(self, programs: Sequence[PromptProgram], tasks: Sequence[Task]) -> list[Figure]:
        """Of the tasks on which all could be judged."""
        scores = [self._try.scores(one.id) for one in programs]
        common = [task.id for task in tasks if all(task.id in one for one in scores)]
        return [
            figure(program.id, [its[id] for id in common])
            for program, its in zip(programs, scores, strict=True)
        ]

    def tested(self, best: PromptProgram) -> tuple[Comparison | None, Figure]:
        """Opens the test part, once: the seed against the best, or the seed alone where nothing was found."""
        seed, tasks = self._request.seed, self._request.parts.test[: self._plan.test_tasks]
        programs = [seed] if best == seed else [seed, best]
        self._observer.phase("testing", len(programs) * len(tasks) * self._plan.replicates)
        self._try([(one, task) for one in programs for task in tasks], "test")
        [of_seed, *_] = self._figures(programs, tasks)
        if best == seed:
            return None, of_seed
        old, new = self._try.scores(seed.id), self._try.scores(best.id)
        pairs = [(old[task.id], new[task.id]) for task in tasks if task.id in old and task.id in new]
        return compared(seed.id, best.id, pairs, self._request.random_seed, mid=True), of_seed

    def report(
        self,
        best: PromptProgram,
        selection: tuple[Figure, ...],
        test: Comparison | None,
        of_seed: Figure,
    ) -> SearchReport:
        """All that is to be told."""
        decided = verdict(test)
        return SearchReport(
            verdict=decided,
            seed=self._request.seed,
            winner=best if decided.ships else self._request.seed,
            best=best,
            diff=prompt_diff(self._request.seed, best),
            selection=selection,
            test=test,
            seed_figure=of_seed,
            candidates=tuple(self._results()),
            spent=(*self._try.spent, self._propose.spent),
            plan=self._plan,
            rounds=self._rounds,
            ended=self._ended,
        )

    def _results(self) -> Iterator[CandidateResult]:
        accepted = {one.id for one in self._accepted}
        for one in self._propose.candidates:
            tried = not one.rejected and one.program.id in self._programs
            scores = self._try.scores(one.program.id) if tried else {}
            known = [score for task, score in scores.items() if task in self._tasks]
            yield CandidateResult(
                one.program, one.proposer, one.edit, one.parents, len(known),
                fmean(known) if known else None,
                tried and one.program.id in accepted, one.rejected or ("" if tried else _UNTRIED),
            )  # fmt: skip
