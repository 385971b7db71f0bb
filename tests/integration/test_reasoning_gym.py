"""Generated tasks: the same in every process, with what a reward needs; made by the real package."""

from __future__ import annotations

import itertools
import json
import subprocess
from typing import Any

import pytest

from cesello.adapters.data.reasoning_gym_source import ReasoningGymSource
from cesello.domain.errors import DataError
from cesello.domain.row_shapes import to_conversation
from cesello.domain.source import SourceRow

SUMS = {"name": "chain_sum", "min_terms": 2, "max_terms": 2}


def source(*tasks: dict[str, Any], size: int = 3, seed: int = 0) -> ReasoningGymSource:
    return ReasoningGymSource("sums", tasks, size, seed)


def rows(*tasks: dict[str, Any], size: int = 3, seed: int = 0) -> list[SourceRow]:
    return list(source(*tasks, size=size, seed=seed).rows())


def test_tasks_take_turns_and_have_sizes_of_their_own() -> None:
    made = rows(SUMS, {"name": "letter_counting", "size": 1})
    assert [row.place for row in made] == [
        "reasoning-gym chain_sum row 1",
        "reasoning-gym letter_counting row 1",
        "reasoning-gym chain_sum row 2",
        "reasoning-gym chain_sum row 3",
    ]


def test_an_answer_scores_and_what_scores_it_is_plain_data() -> None:
    from reasoning_gym import get_score_answer_fn

    for row in rows(SUMS, {"name": "spell_backward"}, size=2):
        conversation = to_conversation(row, "auto", {})
        kept = json.loads(json.dumps(conversation.reference))["reasoning_gym"]
        score: Any = get_score_answer_fn(kept["task"])
        assert score(conversation.messages[1].content, kept["entry"]) == 1.0
        assert score("something else", kept["entry"]) < 1.0


def test_a_task_without_one_right_answer_is_a_prompt_alone() -> None:
    [row] = rows({"name": "rush_hour"}, size=1)
    assert set(row.values) == {"prompt", "reference"}
    assert len(to_conversation(row, "auto", {}).messages) == 1


def test_rows_do_not_hang_on_the_hash_seed_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for seed in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        made.append(rows({"name": "word_ladder"}, {"name": "ransom_note"}, size=5))
    assert made[0] == made[1]


def test_neighbouring_seeds_share_no_rows() -> None:
    one, other = ({row.values["prompt"] for row in rows(SUMS, size=20, seed=seed)} for seed in (0, 1))
    assert len(one & other) <= 1


def test_the_worker_ends_when_nobody_reads_on(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[str]] = []

    class Seen(subprocess.Popen[str]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Seen)
    given = source(SUMS, size=2_000_000).rows()
    assert len(list(itertools.islice(given, 2))) == 2
    given.close()  # type: ignore[attr-defined]
    assert [process.returncode is not None for process in started] == [True]


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "misspelt": ({"name": "chain_sm"}, "D001", 'did you mean "chain_sum"?'),
    "unknown": ({"name": "zzz"}, "D001", "choose one of its"),
    "a setting out of range": ({**SUMS, "min_terms": -1}, "D003", "min_terms must be positive"),
    "an unknown setting": ({**SUMS, "terms": 1}, "D003", "unexpected keyword argument 'terms'"),
    "one that fails as it goes": (
        {**SUMS, "max_digits": 0.5, "min_digits": 0.5},
        "D003",
        "reasoning-gym failed",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_task_that_is_wrong_is_named(case: str) -> None:
    task, code, reason = WRONG[case]
    with pytest.raises(DataError) as caught:
        rows(task)
    assert (caught.value.code, caught.value.where) == (code, 'source "sums"')
    assert reason in str(caught.value)
    assert caught.value.fix
