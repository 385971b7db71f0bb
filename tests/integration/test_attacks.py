"""The attack corpus: nothing gets out, nothing wrong passes, and honest programs pass after each attack."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cesello.adapters.sandbox.local_sandbox import LocalSandbox
from cesello.domain.code_tests import Grading
from cesello.domain.reward import Verdict
from tests.attack_corpus import KINDS, TOLD, attacks
from tests.attack_tasks import TASKS, told
from tests.ordinary_user import ordinary_user
from tests.repository import ROOT

TIERS = ("landlock", "bubblewrap", "landlock+bubblewrap")
WHO = ("root", "user") if os.geteuid() == 0 else ("user",)
"""Whoever is not root is an ordinary user, and cannot be anybody else."""

QUICK = {("root", "landlock+bubblewrap")} if os.geteuid() == 0 else {("user", "landlock")}
PAIRS = [
    pytest.param(who, tier, marks=[] if (who, tier) in QUICK else pytest.mark.slow)
    for who in WHO
    for tier in TIERS
]
"""Half a minute each: the others are left to `make test-all`."""

Runner = Callable[..., subprocess.CompletedProcess[str]]


class Somebody:
    """Who runs the corpus, and a folder they can write to."""

    def __init__(self, run: Runner, folder: Path) -> None:
        self._run = run
        self._folder = folder

    def outcomes(self, tier: str, *options: str) -> list[dict[str, Any]]:
        """What came of each attack of the corpus, or of some families of it."""
        out = self._folder / f"{tier}.json"
        done = self._run("tests.attack_run", str(out), "--tier", tier, *options)
        assert out.exists(), f"the corpus cannot be run on {tier}: {done.stderr[-2000:]}"
        result = json.loads(out.read_text())
        out.unlink()
        assert not done.stderr, done.stderr[-2000:]
        assert result["tier"] == tier
        return list(result["outcomes"])


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Somebody]]:
    """By name."""
    oneself = Somebody(_as_oneself, tmp_path_factory.mktemp("attacks"))
    if os.geteuid() != 0:
        yield {"user": oneself}
        return
    with ordinary_user() as user:
        yield {"root": oneself, "user": Somebody(user.run, user.home)}


def _as_oneself(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, start_new_session=True, timeout=250
    )


def faults(found: list[dict[str, Any]]) -> list[str]:
    return [f"{each['name']}: {fault}" for each in found for fault in each["faults"]]


@pytest.mark.parametrize(("who", "tier"), PAIRS)
def test_nothing_gets_out_and_nothing_wrong_passes(people: dict[str, Somebody], who: str, tier: str) -> None:
    found = people[who].outcomes(tier, "--families", "host", "reward")
    assert not faults(found)
    assert len(found) == len(attacks("host", "reward"))


@pytest.mark.slow
def test_who_takes_all_there_is_gets_nothing_by_it(people: dict[str, Somebody]) -> None:
    found = people["user"].outcomes("landlock+bubblewrap", "--families", "resources")
    assert not faults(found)
    assert len(found) == len(attacks("resources"))


@pytest.mark.slow
@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("who", WHO)
def test_who_takes_all_there_is_gets_nothing_by_it_anywhere(
    people: dict[str, Somebody], who: str, tier: str
) -> None:
    assert not faults(people[who].outcomes(tier, "--families", "resources"))


@pytest.mark.slow
def test_the_corpus_defeats_a_grader_that_appends_the_tests(people: dict[str, Somebody]) -> None:
    """An attack nobody falls for proves nothing; most of the others are meant for other graders' mistakes."""
    found = people["user"].outcomes("naive", "--families", "host", "reward", "--patience", "0.2")
    assert len([each for each in found if each["faults"]]) >= 100


def test_the_corpus_is_as_large_as_promised() -> None:
    corpus = attacks()
    assert len(corpus) >= 80
    assert {attack.family for attack in corpus} == {"resources", "host", "reward"}
    assert {kind for attack in attacks("reward") for kind in attack.kinds} == set(KINDS)
    assert len({attack.says for attack in corpus}) == len(corpus)
    tasks = TASKS | {name: told(name, "") for name in TOLD}
    assert not [a.name for a in corpus for kind in a.kinds if kind not in tasks[a.task].tests]


@pytest.mark.parametrize("tier", TIERS)
def test_honest_solutions_of_every_task_pass(tier: str) -> None:
    sandbox = LocalSandbox(tier=tier)
    asked = [(name, kind) for name, task in TASKS.items() for kind in task.tests]
    grades = sandbox.grade(
        [Grading(TASKS[name].solution(kind), TASKS[name].tests[kind]) for name, kind in asked]
    )
    sandbox.close()
    assert not [
        (each, grade)
        for each, grade in zip(asked, grades, strict=True)
        if grade.verdict is not Verdict.PASSED
    ]
