from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cesello.domain.prompt_json import program_values
from cesello.domain.prompt_program import PromptProgram
from cesello.domain.report_search import search_view
from cesello.domain.run_report import run_report
from cesello.domain.unfinished_search import unfinished_search
from tests.recorded_runs import manifest, run

FIRST = PromptProgram("Answer.")
BETTER, REFUSED = FIRST.with_text("system", "Briefly."), FIRST.with_text("system", "X")


def candidate(program: PromptProgram, proposer: str = "rules", rejected: str = "") -> dict[str, Any]:
    return {
        "program": program_values(program), "proposer": proposer, "edit": "shorter",
        "parents": [] if proposer == "seed" else [FIRST.id], "rejected": rejected,
    }  # fmt: skip


def trial(program: PromptProgram, task: str, reward: float | None) -> dict[str, Any]:
    return {"candidate": program.id, "task": task, "reward": reward, "tokens": 5, "seconds": 0.5}


TRIALS = [
    trial(FIRST, "a", 0.0), trial(FIRST, "a", 1.0), trial(FIRST, "b", 1.0), trial(BETTER, "a", 1.0),
    trial(BETTER, "b", None), trial(BETTER, "of the test", 0.0),
]  # fmt: skip
CANDIDATES = [candidate(FIRST, "seed"), candidate(BETTER), candidate(REFUSED, rejected="too short")]


def test_candidates_have_the_means_that_the_report_would_give_them() -> None:
    plan = {"search": {"plan": {"search": 60}}}
    found = unfinished_search(manifest("apo", **plan), CANDIDATES, TRIALS, {"a", "b"})
    made = search_view(replace(run("apo"), search=found))
    assert made is not None
    assert [(one.role, one.trials, one.mean, one.rejected) for one in made.candidates] == [
        ("seed", 2, 0.75, ""), ("", 1, 1.0, ""), ("", 0, None, "too short"),
    ]  # fmt: skip
    assert [one.depth for one in made.candidates] == [0, 1, 1]
    assert (made.unfinished, made.verdict, made.tested, made.budget) == (True, "", (), {"search": 60})
    assert made.spent == (
        {"phase": "search", "rollouts": 5, "tokens": 25, "seconds": 2.5},
        {"phase": "choosing and testing", "rollouts": 1, "tokens": 5, "seconds": 0.5},
    )


def test_what_is_known_so_far_is_said_to_be_no_more() -> None:
    found = unfinished_search(manifest("apo"), CANDIDATES, TRIALS, {"a", "b"})
    made = run_report(replace(run("apo"), status="interrupted", search=found))
    assert made.notes == (
        "The search has not come to its end, and has neither a test nor a verdict; a candidate's score is of "
        "the tasks that it was tried on so far: `cesello train RECIPE --resume --run RUN` goes on to it.",
    )
    assert made.verdict[1] == (
        "3 prompts so far, 2 of them tried: the best mean is 1.000 on 1 task, that of the first prompt 0.750 "
        "on 2 tasks. Nothing is tested yet."
    )
    bare = run_report(replace(run("apo"), status="interrupted"))
    assert "nothing of it can be shown" in bare.notes[0]
    assert bare.search is None


@pytest.mark.parametrize("wrong", [{}, {"program": 3}, {"program": {"system": 1}}])
def test_what_is_no_candidate_is_passed_over(wrong: dict[str, Any]) -> None:
    assert unfinished_search({}, [wrong], [{}, {"task": 3, "reward": "x"}], ())["candidates"] == []
    assert unfinished_search({}, [], TRIALS, ()) == {}
