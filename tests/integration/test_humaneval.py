"""HumanEval: every canonical solution passes, and none that was made wrong."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from cesello.adapters.sandbox.local_sandbox import LocalSandbox
from cesello.domain.code_tests import CodeTests, Grading
from cesello.domain.reward import Verdict
from tests.mutations import mutants


@dataclass(frozen=True, slots=True)
class Problem:
    """The tests may call helpers that the prompt defines: they get their own, not the program's."""

    name: str
    prompt: str
    solution: str
    tests: str
    entry_point: str

    def grading(self, program: str) -> Grading:
        return Grading(program, CodeTests(self.tests, self.prompt, self.entry_point))

    def fails(self, program: str) -> bool:
        """Whether the tests say so in plain Python, before the time is over."""
        whole = f"{program}\n{self.tests}\ncheck({self.entry_point})"
        command = [sys.executable, "-I", "-S", "-c", whole]
        try:
            return subprocess.run(command, stderr=subprocess.DEVNULL, timeout=1.5).returncode != 0
        except subprocess.TimeoutExpired:
            return False


@pytest.fixture(scope="module")
def problems(kit_home: Path) -> list[Problem]:
    (path,) = (kit_home / "kit").rglob("HumanEval.jsonl.gz")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [
        Problem(
            row["task_id"],
            row["prompt"],
            row["prompt"] + row["canonical_solution"],
            row["test"],
            row["entry_point"],
        )
        for row in rows
    ]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[LocalSandbox]:
    made = LocalSandbox()
    yield made
    made.close()


def test_every_canonical_solution_passes(problems: list[Problem], sandbox: LocalSandbox) -> None:
    grades = sandbox.grade([problem.grading(problem.solution) for problem in problems])
    assert len(grades) == 164
    found = zip(problems, grades, strict=True)
    assert not [(each.name, grade) for each, grade in found if grade.verdict is not Verdict.PASSED]


@pytest.mark.slow
def test_no_mutated_solution_passes(problems: list[Problem], sandbox: LocalSandbox) -> None:
    made = [(each, program) for each in problems for program in _some(each)]
    with ThreadPoolExecutor(2) as threads:
        fails = list(threads.map(lambda pair: pair[0].fails(pair[1]), made))
    wrong = [pair for pair, is_wrong in zip(made, fails, strict=True) if is_wrong]
    assert len(wrong) >= 180
    grades = sandbox.grade([each.grading(program) for each, program in wrong])
    found = zip(wrong, grades, strict=True)
    passed = (Verdict.PASSED, Verdict.INFRA_ERROR)
    assert not [(each.name, program, grade) for (each, program), grade in found if grade.verdict in passed]


def _some(problem: Problem) -> list[str]:
    made = mutants(problem.solution, problem.entry_point)
    return [made[0], made[-1]] if len(made) > 1 else made
