"""What a search has kept, read back: nothing of it is believed, and nothing is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from cesello.adapters.prompt.recorded_answers import RecordedAnswers
from cesello.adapters.prompt.sqlite_ledger import SqliteLedger
from cesello.domain.conversation import user
from cesello.domain.errors import StorageError
from cesello.domain.prompt_json import program_from
from cesello.domain.prompt_program import PromptProgram
from cesello.domain.prompt_search import CandidateRecord, Trial, TrialKey
from cesello.domain.run import RunStatus, RunSummary
from cesello.domain.unfinished_search import unfinished_search


def run(folder: Path) -> RunSummary:
    return RunSummary("r", "r", RunStatus.COMPLETED, "", None, 1, 1, str(folder))


def test_a_run_without_a_search_has_kept_nothing(tmp_path: Path) -> None:
    assert RecordedAnswers().tasks(run(tmp_path)) == {}
    assert list(RecordedAnswers().trials(run(tmp_path))) == []
    assert RecordedAnswers().candidates(run(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


def test_the_answers_of_a_ledger(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3", "engine")
    trial = Trial(TrialKey("c", "t"), 0.5, ("short",), "passed", "Perché\ud800?", 3, seconds=0.25)
    ledger.add_trials([trial])
    ledger.close()
    assert list(RecordedAnswers().trials(run(tmp_path))) == [
        {
            "candidate": "c", "task": "t", "reward": 0.5, "verdict": "passed", "completion": "Perché\ud800?",
            "tokens": 3, "seconds": 0.25, "former": False,
        }
    ]  # fmt: skip


def test_the_candidates_of_a_ledger_that_is_being_written(tmp_path: Path) -> None:
    first = PromptProgram("Answer.")
    shorter = first.with_text("system", "Briefly.")
    ledger = SqliteLedger(tmp_path / "ledger.sqlite3", "engine")
    ledger.add_candidate(CandidateRecord(first, "seed"))
    ledger.add_candidate(CandidateRecord(shorter, "rules", "shorter", (first.id,), "too short"))
    found = RecordedAnswers().candidates(run(tmp_path))
    ledger.close()
    assert [(one["proposer"], one["parents"], one["rejected"]) for one in found] == [
        ("seed", [], ""), ("rules", [first.id], "too short"),
    ]  # fmt: skip
    assert program_from(found[1]["program"]) == shorter


def test_what_another_engine_has_answered_is_marked(tmp_path: Path) -> None:
    """A search may go on with another model or other rewards: scores of both say nothing together."""
    program = PromptProgram("Answer.")
    for engine, score in (("z", 0.0), ("a", 1.0)):
        ledger = SqliteLedger(tmp_path / "ledger.sqlite3", engine)
        ledger.add_candidate(CandidateRecord(program, "seed"))
        ledger.add_trials([Trial(TrialKey(program.id, "t"), score, (), "passed", "x", 3, seconds=1.0)])
        ledger.close()
    answers = RecordedAnswers()
    trials = list(answers.trials(run(tmp_path)))
    assert [(one["reward"], one["former"]) for one in trials] == [(1.0, False), (0.0, True)]
    found = unfinished_search({}, answers.candidates(run(tmp_path)), trials, {"t"})
    assert [(one["trials"], one["mean"]) for one in found["candidates"]] == [(1, 1.0)]
    assert found["spent"] == [{"phase": "search", "rollouts": 2, "tokens": 6, "seconds": 2.0}]


def test_tasks_and_lines_that_are_none(tmp_path: Path) -> None:
    task = '{"id": "t", "asked": {"messages": [{"role": "user", "content": "Shout."}]}}'
    (tmp_path / "tasks.jsonl").write_text(f'{task}\nbroken\n[]\n{{"id": 1}}\n{{"id": "x", "asked": 3}}\n')
    assert RecordedAnswers().tasks(run(tmp_path)) == {"t": user("Shout.")}


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 3\x00" + b"\xff" * 2_000])
def test_a_damaged_ledger_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ledger.sqlite3").write_bytes(content)
    with pytest.raises(StorageError, match="I090"):
        list(RecordedAnswers().trials(run(tmp_path)))
    with pytest.raises(StorageError, match="I090"):
        RecordedAnswers().candidates(run(tmp_path))
