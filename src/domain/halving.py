"""How a prompt search divides what it may spend, and how a round halves its candidates.

A round asks its candidates and the incumbent the same few tasks, drops the worse half, asks the others as
many tasks again, and so on: successive halving (Jamieson & Talwalkar, 2016, "Non-stochastic best arm
identification and hyperparameter optimization"), paired, since on the same tasks much of the noise is common.
Which half is worse is told by ``prompt_estimates``. The next round begins with the tasks after those, so that
an incumbent that was lucky is met on fresh ones.

Where the numbers come from: simulation with the worlds of `benchmarks/prompt_search.py` at 600 rollouts. Six
candidates on 4 and then 8 tasks gain as much as, or more than, fewer of them on more tasks; rounds that all
begin with the same tasks lose more than half of the gain; a test of 50 to 100 tasks, a quarter of the budget,
loses nothing, and it is what keeps worse prompts from being shipped; selection costs a little gain, and
guards against prompts that fit the tasks which proposers see. A test of 126 tasks at the cost of the search
loses 5 to 11 % of the gain; where ideas end before the budget it costs nothing, and small gains are found.
Shipping by the posterior of ``prompt_estimates`` instead of the test's p finds at most 6 % more there, and
half as much with the answers of a real model that `benchmarks/prompt_search_real.py` keeps. To give the test
all that ideas have left gains a tenth more there where prompts hardly matter, and loses 2 % where they do; to
make it as long as the gain that the search has seen asks for is no better than half of what is left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from .errors import UsageError
from .prompt_search import Budget, Task

CANDIDATES = 6
RUNGS = (4, 8)
FINALISTS = 2
TEST_SHARE = 0.25
SELECTION_SHARE = 0.08
LEAST = {"search": 4, "selection": 2, "test": 5}
"""Tasks that a part must have; of five, four must be won and none lost for p <= 0.05."""


@dataclass(frozen=True, slots=True)
class TaskParts:
    """Tasks by what they are for.

    Attributes:
        search: what candidates are tried on; proposers see these alone.
        selection: what the best few are compared on.
        test: asked once, at the end: the seed against the winner.
    """

    search: Sequence[Task]
    selection: Sequence[Task]
    test: Sequence[Task]


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """What a search will spend on what, in rollouts.

    Attributes:
        candidates: of a round, at most.
        rungs: tasks that the candidates of a round have been asked after each halving.
        replicates: answers to a task.
        search, selection, test: rollouts that each phase may take; selection has what search leaves.
        test_tasks: how many of the test part are asked.
        optimizer_calls, tokens: as in the budget.
    """

    candidates: int
    rungs: tuple[int, ...]
    replicates: int
    search: int
    selection: int
    test: int
    test_tasks: int
    optimizer_calls: int = 0
    tokens: int | None = None

    @property
    def reserved(self) -> int:
        """Rollouts that the search must leave."""
        return self.selection + self.test

    def round_cost(self, candidates: int) -> int:
        """Rollouts of a round of so many candidates, the incumbent's included, at most."""
        return self.rungs[-1] * self.replicates + self.candidates_cost(candidates)

    def candidates_cost(self, candidates: int) -> int:
        """Rollouts of the candidates of a round alone, at most."""
        cost, asked, live = 0, 0, candidates
        for rung in self.rungs:
            cost += live * (rung - asked)
            asked, live = rung, max(1, live // 2)
        return cost * self.replicates

    @property
    def rounds(self) -> int:
        """Full rounds that it can afford, at least."""
        return self.search // self.round_cost(self.candidates)

    def affordable(self, rollouts: int) -> int:
        """The candidates of a round that costs no more than that; 0: none."""
        return max((k for k in range(1, self.candidates + 1) if self.round_cost(k) <= rollouts), default=0)

    def without_ideas(self, rollouts: int, tasks: int) -> SearchPlan:
        """What is left of the search when nobody has another idea: half of it to the test.

        Args:
            rollouts: that the search has left.
            tasks: of the test part.
        """
        each = 2 * self.replicates
        more = max(0, min(rollouts // 2 // each, tasks - self.test_tasks))
        return replace(
            self,
            search=self.search - more * each,
            test=self.test + more * each,
            test_tasks=self.test_tasks + more,
        )


def search_plan(budget: Budget, parts: TaskParts, replicates: int = 1, longest: int = 1) -> SearchPlan:
    """Divides a budget.

    Args:
        replicates: answers to a task under one candidate.
        longest: tokens that an answer may have; a limit of tokens is read as so many of the longest answers.

    Raises:
        UsageError: C120 when the budget does not suffice for a round and a test, C121 when a part has too few
            tasks.
    """
    for name, least in LEAST.items():
        if len(tasks := getattr(parts, name)) < least:
            raise UsageError(
                "C121",
                f"a prompt search has too few tasks to {_PURPOSE[name]}",
                got=f"{len(tasks)} in its {name} part",
                expected=f"at least {least}",
                fix="give its sources more rows, or hold out more of them",
            )
    most = budget.rollouts if budget.tokens is None else min(budget.rollouts, budget.tokens // longest)
    test_tasks = min(len(parts.test), int(most * TEST_SHARE) // (2 * replicates))
    test = 2 * replicates * test_tasks
    selection_tasks = min(len(parts.selection), int(most * SELECTION_SHARE) // (FINALISTS * replicates))
    selection = FINALISTS * replicates * selection_tasks
    rungs = tuple(sorted({min(rung, len(parts.search)) for rung in RUNGS}))
    plan = SearchPlan(
        CANDIDATES, rungs, replicates, most - selection - test, selection, test, test_tasks,
        budget.optimizer_calls, budget.tokens,
    )  # fmt: skip
    if test_tasks < LEAST["test"] or not plan.affordable(plan.search):
        raise _too_small(budget, plan, replicates, longest)
    return plan


_PURPOSE = {"search": "try candidates on", "selection": "choose among the best", "test": "test the winner"}


def _too_small(budget: Budget, plan: SearchPlan, replicates: int, longest: int) -> UsageError:
    by_test = 2 * replicates * LEAST["test"] / TEST_SHARE
    by_round = plan.round_cost(1) / (1 - TEST_SHARE - SELECTION_SHARE)
    least = int(max(by_test, by_round)) + 1
    scarce = budget.tokens is not None and budget.tokens // longest < budget.rollouts
    return UsageError(
        "C120",
        "the budget of the prompt search is too small for one round and a test",
        got=f"{budget.tokens} tokens" if scarce else f"{budget.rollouts} rollouts",
        expected=f"at least {least * longest} tokens" if scarce else f"at least {least} rollouts",
        fix="raise it; 600 rollouts are a good start",
    )


def survivors(estimates: Mapping[str, float]) -> list[str]:
    """The better half of the candidates of a round, best first; ties keep their order."""
    return sorted(estimates, key=lambda one: -estimates[one])[: max(1, len(estimates) // 2)]
