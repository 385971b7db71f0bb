from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from cesello.domain.recorded_run import RecordedRun
from cesello.domain.report_groups import COMPLETIONS, Retrieved, groups
from tests.recorded_runs import completion, grounding, reinforced, run


def of(*lines: dict[str, object]) -> RecordedRun:
    return run("grpo", completions=list(lines))


def test_answers_of_a_prompt_are_together_the_best_first() -> None:
    made, notes = groups(reinforced(steps=2, prompts=2, answers=4))
    assert [(group.step, group.prompt) for group in made] == [(1, 0), (1, 1), (2, 0), (2, 1)]
    assert [answer.reward for answer in made[0].answers] == [0.75, 0.5, 0.25, 0.0]
    assert made[0].mean == 0.375
    assert notes == ()


def test_an_answer_without_a_reward_comes_last() -> None:
    [group], _ = groups(of(completion(1, 0, 0, "a", reward=None), completion(1, 0, 1, "b", reward=-1.0)))
    assert [answer.text for answer in group.answers] == ["b", "a"]
    assert group.mean == -1.0


def test_tokens_find_their_answer_by_its_place() -> None:
    made, _ = groups(reinforced(steps=1))
    best = made[0].answers[0]
    assert best.pieces == ("an answer", " so", ".")
    assert best.log_probs == (-0.01, -2.5, None)
    assert made[1].answers[0].pieces == ()


def test_tokens_of_another_length_than_their_figures_are_left_out() -> None:
    one = reinforced(steps=1)
    wrong = [{**line, "log_probs": [-1.0]} for line in one.log("tokens")]
    made, _ = groups(replace(one, logs={**one.logs, "tokens": wrong}))
    assert made[0].answers[0].pieces == ()


def test_a_prompt_that_was_replaced_is_a_group_of_its_own_without_tokens() -> None:
    lines = [completion(1, 0, 0, "a"), completion(1, 0, 0, "b", replaced=True)]
    one = run("grpo", completions=lines, tokens=reinforced(steps=1).log("tokens"))
    made, _ = groups(one)
    assert [(group.replaced, bool(group.answers[0].pieces)) for group in made] == [
        (False, True),
        (True, False),
    ]


@pytest.mark.parametrize("steps", [1_001, 1_500, 3_000])
def test_of_very_many_answers_whole_steps_are_left_out_evenly(steps: int) -> None:
    lines = [completion(step, 0, number, "a") for step in range(steps) for number in range(10)]
    made, [note] = groups(of(*lines))
    assert {len(group.answers) for group in made} == {10}
    assert len(made) == COMPLETIONS // 10
    kept = [group.step for group in made]
    assert (kept[0], kept[-1]) == (0, steps - 1)
    gaps = [later - at for at, later in pairwise(kept)]
    assert max(gaps) - min(gaps) <= 1
    assert note == f"10,000 of {len(lines):,} answers are here: those of 1,000 of {steps:,} steps."


def test_a_log_without_steps_fills_no_page_either() -> None:
    made, _ = groups(run("grpo", completions=[{"completion": "a"}] * (COMPLETIONS + 5)))
    assert sum(len(group.answers) for group in made) == COMPLETIONS


def test_long_answers_are_cut_off_and_it_is_said() -> None:
    [group], [note] = groups(of(completion(1, 0, 0, "x" * 10_000), completion(1, 0, 1, "short")))
    cut = next(answer for answer in group.answers if answer.left_out)
    assert len(cut.text) + cut.left_out == 10_000
    assert [answer.text for answer in group.answers if not answer.left_out] == ["short"]
    assert note.startswith("1 long answers are cut off")


def test_short_answers_stay_whole_beside_many_long_ones() -> None:
    lines = [completion(1, 0, number, "x" * 7_000) for number in range(2_000)]
    [group], _ = groups(of(*lines, completion(1, 0, 1, "y" * 2_000)))
    assert sum(len(answer.text) for answer in group.answers) <= 6_000_000
    assert any(answer.text == "y" * 2_000 for answer in group.answers)


def test_what_was_retrieved_is_told_once_for_the_prompt() -> None:
    chunks = [{"path": "src/a.py", "lines": [3, 9], "score": 0.5, "sha": "ab"}]
    [group], _ = groups(of(*(completion(1, 0, number, "a", memory=chunks) for number in range(2))))
    assert group.memory == (Retrieved("src/a.py:3-9", 0.5),)
    assert group.answers[0].memory == ()


def test_why_a_prompt_went_without_the_memory_is_told() -> None:
    [group], _ = groups(of(completion(1, 0, 0, "a", memory=None, memory_left_out="held out")))
    assert (group.memory, group.without) == ((), "held out")


def test_the_procedure_of_a_prompt_is_told() -> None:
    procedure = {"name": "debug", "sha": "ab", "mode": "full", "request": "r"}
    [group], _ = groups(of(completion(1, 0, 0, "a", procedure=procedure)))
    assert (group.procedure, group.mode) == ("debug", "full")


def test_lines_of_anything_are_read_as_far_as_they_go() -> None:
    made, _ = groups(of({}, {"step": "x", "parts": 3, "tools": [1], "reasons": "no", "memory": 7}))
    assert [len(group.answers) for group in made] == [2]


def test_passages_overlap_and_searches_are_told_beside_the_answers() -> None:
    its = grounding(("src/a.py", 0.5, "return 12"))
    first = completion(1, 0, 0, "it is 12", **its)
    second = completion(1, 0, 1, "no", **its | {"memory_text": None})
    [group], _ = groups(of(first, second))
    assert [(one.place, one.score, len(one.id)) for one in group.memory] == [("src/a.py:1-1", 0.5, 16)]
    assert {answer.text: answer.overlap for answer in group.answers} == {"it is 12": ("12",), "no": ()}
    said = [{"role": "tool", "content": its["memory_text"]}, {"role": "assistant", "content": "it is 12"}]
    [alone], _ = groups(of(completion(1, 0, 0, "tool: return 12, it is 12", said=said)))
    [answer] = alone.answers
    assert alone.memory == ()
    assert answer.found == group.memory
    assert answer.overlap == ("12",)
