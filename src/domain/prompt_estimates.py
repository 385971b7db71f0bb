"""How good each prompt of a search is, from all that is known, what it shares with others included.

A few tasks say little about one prompt, but prompts of a search are made from each other, and a line that was
good in five of them is likely to be good in the sixth. The score of program p on task t is taken as

    y_pt = m + f_p + u_t + e_pt,   f ~ N(0, K),   u_t ~ N(0, a),   e_pt ~ N(0, s),

with a level m, a task effect u_t, which pairs programs that were asked the same tasks, and noise. K_pq adds
up, over the changes to the seed that p and q have in common, what a change is expected to do; an edit of
several lines is expected to do no more than one of a single line. Each program has something of its own
besides, since lines do not simply add up. This is the mixed model of Henderson (1950), or a Gaussian process
with a linear and a white kernel; the posterior mean of f is its best linear unbiased prediction.

All variances are shares of the variance of the scores, so that no reward's scale matters. In the worlds of
`benchmarks/prompt_search.py` a search that goes by these estimates gains a fifth to a half more than one
that goes by the paired difference of the last round, with the same rollouts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from operator import mul

from .prompt_program import COMPONENTS, PromptProgram

_TASK, _NOISE = 0.3, 0.7
"""Shares of tasks that are hard for all, and of chance; scores of right and wrong answers divide about so."""

_EDIT, _OWN = 0.1, 0.04
"""Standard deviations of what an edit does, and of what a program has of its own; of that of the scores."""


class PromptEstimates:
    """Knows programs by how they differ from the seed."""

    def __init__(self, seed: PromptProgram) -> None:
        self._seed = _lines(seed)
        self._changes: dict[str, frozenset[tuple[str, str, int, bool]]] = {}
        self._weights: dict[tuple[str, str, int, bool], float] = {}
        self._covariance: dict[str, dict[str, float]] = {}
        self.add(seed)

    def add(self, program: PromptProgram) -> None:
        """Lets a program be estimated; first those that others were made from."""
        lines = _lines(program)
        changes = frozenset(
            (*line, added) for added, some, others in ((True, lines, self._seed), (False, self._seed, lines))
            for line in some - others
        )  # fmt: skip
        new = changes - self._weights.keys()
        self._weights |= {change: _EDIT**2 / len(new) for change in new}
        self._changes[program.id] = changes
        its = self._covariance[program.id] = {}
        for other, others in self._changes.items():
            shared = sum(self._weights[change] for change in changes & others)
            its[other] = self._covariance[other][program.id] = shared
        its[program.id] += _OWN**2

    def means(self, scores: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
        """The posterior mean of f by program, in the scores' unit; comparable with each other alone.

        Args:
            scores: by program that was added, and by task.
        """
        programs = [one for one in self._changes if scores.get(one)]
        every = [score for one in programs for score in scores[one].values()]
        level = sum(every) / max(1, len(every))
        spread = sum((score - level) ** 2 for score in every) / max(1, len(every))
        if not spread:
            return dict.fromkeys(self._changes, 0.0)
        by_task: dict[str, list[tuple[int, float]]] = {}
        for at, one in enumerate(programs):
            for task, score in scores[one].items():
                by_task.setdefault(task, []).append((at, score - level))
        precision, pull = _evidence(by_task, len(programs), spread)
        prior = {one: [its[other] * spread for other in programs] for one, its in self._covariance.items()}
        # f = K (I + P K)^-1 b, which needs no inverse of K.
        system = [[_product(row, prior[one]) for one in programs] for row in precision]
        for at in range(len(programs)):
            system[at][at] += 1.0
        weights = _solved(system, pull)
        return {one: _product(row, weights) for one, row in prior.items()}


def _product(one: Sequence[float], other: Sequence[float]) -> float:
    return float(sum(map(mul, one, other)))


def _lines(program: PromptProgram) -> frozenset[tuple[str, str, int]]:
    """Component and line; the k-th of equal lines is another one. A demo is a line."""
    found: Counter[tuple[str, str]] = Counter()
    lines = [
        (component, line.strip())
        for component in COMPONENTS
        for line in program.text(component).splitlines()
        if line.strip()
    ]
    lines += [("demos", f"{demo.question}\0{demo.answer}") for demo in program.demos]
    numbered = []
    for line in lines:
        numbered.append((*line, found[line]))
        found[line] += 1
    return frozenset(numbered)


def _evidence(
    by_task: Mapping[str, Sequence[tuple[int, float]]], programs: int, spread: float
) -> tuple[list[list[float]], list[float]]:
    """Precision and precision-weighted sum of the scores, the task effects integrated out.

    Of n scores on one task the covariance is s I + a 1 1', whose inverse is (I - a / (s + n a) 1 1') / s.
    """
    noise, common = _NOISE * spread, _TASK * spread
    precision = [[0.0] * programs for _ in range(programs)]
    pull = [0.0] * programs
    for seen in by_task.values():
        share = common / (noise + len(seen) * common)
        total = sum(score for _, score in seen)
        for at, score in seen:
            pull[at] += (score - share * total) / noise
            precision[at][at] += 1 / noise
            for other, _ in seen:
                precision[at][other] -= share / noise
    return precision, pull


def _solved(system: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    """The solution of a linear system, by Gaussian elimination with partial pivoting."""
    rows = [[*row, value] for row, value in zip(system, right, strict=True)]
    n = len(rows)
    for at in range(n):
        best = max(range(at, n), key=lambda row: abs(rows[row][at]))
        rows[at], rows[best] = rows[best], rows[at]
        pivot = rows[at]
        for row in rows[at + 1 :]:
            factor = row[at] / pivot[at]
            if factor:
                row[at:] = [value - factor * above for value, above in zip(row[at:], pivot[at:], strict=True)]
    solution = [0.0] * n
    for at in range(n - 1, -1, -1):
        known = sum(rows[at][other] * solution[other] for other in range(at + 1, n))
        solution[at] = (rows[at][n] - known) / rows[at][at]
    return solution
