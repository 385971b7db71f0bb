from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

import cesello.adapters.reward
from cesello.adapters.prompt.reason_clauses import CLAUSES, GENERAL, OWN, clauses_for
from cesello.adapters.prompt.rule_proposer import RuleProposer
from cesello.domain.conversation import user
from cesello.domain.halving import TaskParts
from cesello.domain.prompt_gate import PromptGate
from cesello.domain.prompt_program import PromptProgram
from cesello.domain.prompt_search import SearchView, Task, Trial, TrialKey
from tests.fakes.prompt import simulated_parts

SEED = PromptProgram("A person's own sentence.")
NOT_OF_THE_ANSWER = {
    # The row or the grader is meant, or no instruction is known that helps.
    "no_reference", "no_code_asked", "no_reference_text", "untested", "broken_tests", "no_grade",
    "malformed_tests", "malformed_reference", "unreadable_reference", "invalid_score", "unknown_task",
    "failed", "row_is_no_json", "sandbox_failed", "no_reward_for_task", "judge_failed",
    "pattern_timeout", "pattern_too_large",
}  # fmt: skip


def view(parent: PromptProgram, *reasons: str, editable: tuple[str, ...] = ("system",)) -> SearchView:
    """Tasks that failed for these reasons, one each."""
    tasks = {str(at): Task(str(at), user(f"task {at}")) for at in range(len(reasons))}
    trials = {str(at): Trial(TrialKey(parent.id, str(at)), 0.0, (why,)) for at, why in enumerate(reasons)}
    return SearchView(parent, editable, trials, tasks, programs={parent.id: parent})


def firsts(parent: PromptProgram, *reasons: str) -> Counter[str]:
    """The line that is added before all others, with many seeds."""
    found = Counter[str]()
    for seed in range(60):
        [one, *_] = RuleProposer().propose(view(parent, *reasons), 1, seed)
        assert one.program.system.startswith(parent.system)
        found[(set(one.program.system.splitlines()) - set(parent.system.splitlines())).pop()] += 1
    return found


def test_every_reason_that_a_reward_gives_has_an_instruction() -> None:
    """The texts in the code of the rewards that a result's reasons are made of."""
    said = set()
    for file in Path(str(cesello.adapters.reward.__file__)).parent.glob("*_reward.py"):
        for call in ast.walk(ast.parse(file.read_text())):
            if isinstance(call, ast.Call) and ast.unparse(call.func).endswith(("_result", "infra_error")):
                texts = (one.value for one in ast.walk(call) if isinstance(one, ast.Constant))
                said |= {text for text in texts if isinstance(text, str) and re.fullmatch("[a-z_]+", text)}
    assert {"no_call", "wrong_function", "wrong", "no_answer", "does_not_parse"} <= said
    assert said - NOT_OF_THE_ANSWER <= CLAUSES.keys()


@pytest.mark.parametrize("reason", ["no_call", "functions:no_call", "no_call:anything"])
def test_a_reason_is_known_whatever_stands_beside_it(reason: str) -> None:
    assert clauses_for(reason) == CLAUSES["no_call"]
    assert clauses_for("nothing:known") == ()


def test_a_frequent_reason_is_likelier_to_be_answered_first_and_not_always() -> None:
    often, rare = CLAUSES["missing_parameter"][0], CLAUSES["needless_call"][0]
    found = firsts(SEED, *["missing_parameter"] * 4, "needless_call")
    assert found[often] > 2 * found[rare] > 0


def test_an_instruction_is_not_given_twice() -> None:
    held, other = CLAUSES["no_code"]
    parent = SEED.with_text("system", f"{SEED.system}\n{held}")
    assert set(firsts(parent, "no_code")) == {other}


def test_where_reasons_are_unknown_there_are_general_instructions() -> None:
    proposals = RuleProposer().propose(view(SEED, "strange", "strange"), 20, 0)
    added = {line for one in proposals for line in one.program.system.splitlines()} - {SEED.system}
    assert added == set(GENERAL)


def test_own_sentences_of_a_person_are_neither_moved_nor_removed() -> None:
    parent = SEED.with_text("system", f"{SEED.system}\n{CLAUSES['no_call'][0]}\n{GENERAL[0]}")
    proposals = RuleProposer().propose(view(parent, "no_call", editable=("system", "procedure")), 40, 3)
    assert all(SEED.system in one.program.system.splitlines() for one in proposals)
    edits = " ".join(one.edit for one in proposals)
    assert all(word in edits for word in ("added", "took away", "to the front", "to procedure"))


def test_its_edits_add_up_to_programs_that_differ_in_whole_lines() -> None:
    parent = SEED
    for round_ in range(6):
        [one, *_] = RuleProposer().propose(view(parent, "no_call", "wrong_type", "wrong_function"), 3, round_)
        assert set(one.program.system.splitlines()) - {SEED.system} <= OWN
        parent = one.program
    assert len(parent.system.splitlines()) > 3


def test_the_gate_lets_instructions_pass() -> None:
    parts = simulated_parts(4, 2, 5)
    gate = PromptGate(SEED, ("system",), TaskParts(parts.search, parts.selection, parts.test))
    for clause in sorted(OWN):
        assert gate.refusal(SEED.with_text("system", f"{SEED.system}\n{clause}"), SEED) == ""
