from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cesello.application.report_run import ReportRun
from cesello.domain.conversation import Conversation, user
from cesello.domain.errors import DataError, StorageError
from cesello.domain.prompt_json import program_values
from cesello.domain.prompt_program import PromptProgram
from cesello.domain.recorded_run import RecordedRun
from cesello.domain.report_time import Phase
from cesello.domain.run import RunManifest, RunStatus, RunSummary
from cesello.domain.secret_text import Redact, redacted, redactor
from cesello.domain.trace import SpanTime
from tests.fakes.run import FakeRunStore
from tests.recorded_runs import changed, completion, grounding, run, searched, tuned


class FakeRunReader:
    """Reads the same whatever the run."""

    def __init__(self, one: RecordedRun) -> None:
        self._one = one

    def read(self, run: RunSummary) -> RecordedRun:
        return self._one

    def held_out(self, run: RunSummary) -> RecordedRun:
        return self._one


class FakeSearchAnswers:
    """What a search has kept: a candidate, and an answer under it.

    Args:
        problem: what it raises instead.
        rewards: of answers to the same task.
    """

    def __init__(self, problem: StorageError | None = None, rewards: Sequence[float] = (0.5,)) -> None:
        self._problem = problem
        self._rewards = rewards

    def candidates(self, run: RunSummary) -> Sequence[Mapping[str, Any]]:
        if self._problem:
            raise self._problem
        return [{"program": program_values(PromptProgram("Answer.")), "proposer": "seed", "parents": []}]

    def tasks(self, run: RunSummary) -> Mapping[str, Conversation]:
        return {"a": user("?")}

    def trials(self, run: RunSummary) -> Iterator[Mapping[str, Any]]:
        if self._problem:
            raise self._problem
        for reward in self._rewards:
            yield {"candidate": PromptProgram("Answer.").id, "task": "a", "reward": reward}
        yield {"candidate": PromptProgram("Answer.").id, "task": "a", "reward": None}


class FakeSpanTimes:
    """All time went into one kind of span."""

    def times(self, run: RunSummary) -> Sequence[SpanTime]:
        return [SpanTime("train", 1, 100.0)]


def report(
    one: RecordedRun, answers: FakeSearchAnswers | None = None, redact: Redact = redacted
) -> ReportRun:
    return ReportRun(store(), FakeRunReader(one), answers or FakeSearchAnswers(), FakeSpanTimes(), redact)


def store() -> FakeRunStore:
    runs = FakeRunStore()
    run = runs.create("quick", "")
    run.write_manifest(
        RunManifest(run.id, "quick", "sft", RunStatus.COMPLETED, "2026-11-28", "", 0, {}, "a machine")
    )
    return runs


def test_a_run_is_found_read_and_reported() -> None:
    made = report(tuned())("quick")
    assert made.name == "quick"
    assert made.time is not None
    assert made.time.phases == (Phase("the rest", 100.0, 1.0),)


def test_a_run_that_is_not_there_is_said() -> None:
    with pytest.raises(DataError) as refused:
        report(tuned())("other")
    assert refused.value.code == "D030"


def test_files_that_hold_anything_end_in_a_sentence() -> None:
    wrong = changed(tuned(), before={"graded": {"chat": {"score": 0.5, "rows": -9}}})
    with pytest.raises(StorageError) as refused:
        report(wrong)("quick")
    assert refused.value.code == "I096"
    assert Path(str(refused.value.where)).name


def test_a_search_that_has_not_ended_shows_what_its_ledger_knows() -> None:
    made = report(replace(searched(), status="interrupted", search={}))("quick").search
    assert made is not None
    assert made.unfinished
    assert [(one.trials, one.mean) for one in made.candidates] == [(1, 0.5)]


def test_a_search_that_has_ended_is_told_by_its_report() -> None:
    made = report(searched(), FakeSearchAnswers(StorageError("I090", "damaged")))("quick")
    assert made.search is not None
    assert not made.search.unfinished
    assert "damaged" in made.notes


@pytest.mark.parametrize("ended", [True, False])
def test_a_reward_below_zero_in_the_ledger_widens_what_is_known_of_all_means(ended: bool) -> None:
    one = searched() if ended else replace(searched(), search={})
    found = [report(one, FakeSearchAnswers(rewards=its))("quick").search for its in ((0.3, 0.1), (0.6, -0.2))]
    known, below = ([c.interval for c in its.candidates if c.interval] for its in found if its)
    assert known
    assert all(wide.low < its.low for wide, its in zip(below, known, strict=True))


def test_a_ledger_that_cannot_be_read_is_told() -> None:
    problem = StorageError("I090", "the ledger of a prompt search is damaged")
    made = report(replace(searched(), search={}), FakeSearchAnswers(problem))("quick")
    assert made.search is None
    assert made.notes[0] == "the ledger of a prompt search is damaged"


def test_words_are_taken_from_texts_without_secrets_of_the_environment() -> None:
    its = grounding(("conf.py", 0.9, "the word is tr0ub4dor-and-horse"))
    one = run("grpo", completions=[completion(1, 0, 0, "the word: tr0ub4dor-and-horse", **its)])
    made = report(one, redact=redactor({"MY_API_TOKEN": "tr0ub4dor-and-horse"}))("quick")
    [group] = made.groups
    assert [answer.overlap for answer in group.answers] == [("word",)]
