"""What came of procedures, and what matching has learnt, kept in lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import mul

from cesello.domain.procedure import ProcedureRun
from cesello.domain.procedure_match import Learnt
from cesello.domain.request_features import Features
from cesello.domain.ridge import RidgeFit


@dataclass
class FakeProcedureLog:
    """Implements ``ProcedureLog``."""

    rows: list[ProcedureRun] = field(default_factory=list)

    def add(self, *runs: ProcedureRun) -> None:
        self.rows += runs

    def runs(self, name: str | None = None, last: int | None = None) -> Sequence[ProcedureRun]:
        newest = {run.id: run for run in self.rows}
        wanted = [run for run in newest.values() if name is None or run.name == name]
        return wanted[::-1][:last]


@dataclass
class FakeMatchingFile:
    """Implements ``MatchingFile``."""

    learnt: Learnt | None = None
    place: str = "matching.json"
    written: int = 0

    def read(self) -> Learnt | None:
        return self.learnt

    def write(self, learnt: Learnt) -> None:
        self.learnt = learnt
        self.written += 1


class FakeRidge:
    """Implements ``RidgeRegression`` by Gauss and Jordan, and leaves each row out by fitting without it."""

    def fit(self, rows: Sequence[Features], targets: Sequence[Sequence[float]], penalty: float) -> RidgeFit:
        products = [[one.likeness(other) for other in rows] for one in rows]
        left_out = []
        for at, near in enumerate(products):
            others = [other for other in range(len(rows)) if other != at]
            votes = _solved(
                [[products[a][b] + penalty * (a == b) for b in others] for a in others],
                [targets[other] for other in others],
            )
            columns = zip(*votes, strict=True) if votes else [()] * len(targets[at])
            left_out.append([sum(map(mul, (near[other] for other in others), column)) for column in columns])
        matrix = [
            [value + penalty * (a == b) for b, value in enumerate(row)] for a, row in enumerate(products)
        ]
        return RidgeFit(_solved(matrix, targets), left_out)


def _solved(matrix: Sequence[Sequence[float]], right: Sequence[Sequence[float]]) -> list[list[float]]:
    """Of a matrix whose diagonal dominates enough to need no pivots: it is positive definite."""
    rows = [[*left, *more] for left, more in zip(matrix, right, strict=True)]
    for at in range(len(rows)):
        pivot = rows[at][at]
        rows[at] = [value / pivot for value in rows[at]]
        for other in range(len(rows)):
            if other != at and (factor := rows[other][at]):
                rows[other] = [a - factor * b for a, b in zip(rows[other], rows[at], strict=True)]
    return [row[len(matrix) :] for row in rows]
