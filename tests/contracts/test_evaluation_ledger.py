from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cesello.adapters.prompt.sqlite_ledger import SqliteLedger
from cesello.domain.errors import CeselloError, RetryableError, StorageError
from cesello.domain.ports.prompt import EvaluationLedger
from cesello.domain.prompt_program import Demo, PromptProgram
from cesello.domain.prompt_search import FAILED, UNJUDGED, CandidateRecord, Proposal, Trial, TrialKey
from tests.fakes.prompt import FakeLedger

PROGRAM = PromptProgram(
    "Be brief.\n{style}", "1. Read.", "Q: {question}", (Demo("2 + 2?", "4"),), {"style": "Kind."}
)
STRANGE = "half \ud83d, a nul \0, a line\r\nand 'quotes\""


def trial(task: str, score: float | None = 1.0, replicate: int = 0) -> Trial:
    key = TrialKey(PROGRAM.id, task, replicate)
    return Trial(key, score, ("wrong", "named:no_call"), "passed", STRANGE, 7, 120, 0.1 + 0.2)


@pytest.fixture(params=["fake", "sqlite"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EvaluationLedger]:
    made: EvaluationLedger = (
        FakeLedger()
        if request.param == "fake"
        else SqliteLedger(tmp_path / "run" / "ledger.sqlite3", "engine")
    )
    yield made
    made.close()


def test_an_empty_ledger_knows_nothing(ledger: EvaluationLedger) -> None:
    assert dict(ledger.trials([trial("a").key])) == {}
    assert dict(ledger.trials([])) == {}
    assert ledger.proposals("asked") is None
    assert list(ledger.candidates()) == []


def test_trials_come_back_to_the_bit_in_the_order_they_are_asked_for(ledger: EvaluationLedger) -> None:
    written = [trial("a"), trial("b", None), trial("b", 1 / 3, replicate=1), trial("c", -1.0)]
    ledger.add_trials(written)
    keys = [one.key for one in reversed(written)]
    found = ledger.trials([keys[0], TrialKey(PROGRAM.id, "unknown"), *keys[1:], keys[0]])
    assert list(found.items()) == [(one.key, one) for one in reversed(written)]


def test_many_are_found_at_once(ledger: EvaluationLedger) -> None:
    written = [trial(str(number)) for number in range(1_000)]
    ledger.add_trials(written)
    assert list(ledger.trials([one.key for one in written]).values()) == written


def test_what_is_known_is_left_as_it_is(ledger: EvaluationLedger) -> None:
    ledger.add_trials([trial("a", 1.0)])
    ledger.add_trials([trial("a", 0.0), trial("b", 0.5)])
    found = ledger.trials([trial("a").key, trial("b").key])
    assert [one.score for one in found.values()] == [1.0, 0.5]


def test_a_grading_that_failed_is_replaced_and_what_a_search_went_on_without_is_not(
    ledger: EvaluationLedger,
) -> None:
    failed = replace(trial("a", None), reasons=("no_sandbox",), verdict=FAILED)
    ledger.add_trials([failed, replace(failed, key=trial("b").key)])
    settled = replace(failed, key=trial("b").key, verdict=UNJUDGED)
    ledger.add_trials([trial("a", 0.5), settled])
    ledger.add_trials([trial("a", 0.0), trial("b", 1.0)])
    found = ledger.trials([trial("a").key, trial("b").key])
    assert list(found.values()) == [trial("a", 0.5), settled]


def test_answers_of_proposers_are_kept_empty_ones_too(ledger: EvaluationLedger) -> None:
    answer = [Proposal(PROGRAM, f"said: {STRANGE}", ("a", "b"), 2, 99), Proposal(PromptProgram(), "none", ())]
    ledger.add_proposals("asked", answer)
    ledger.add_proposals("asked in vain", [])
    ledger.add_proposals("asked", [])
    assert list(ledger.proposals("asked") or ()) == answer
    none = ledger.proposals("asked in vain")
    assert none is not None
    assert list(none) == []
    assert ledger.proposals("not asked") is None


def test_candidates_are_kept_in_order_each_once(ledger: EvaluationLedger) -> None:
    first = CandidateRecord(PROGRAM, "seed")
    refused = CandidateRecord(PROGRAM, "rules", "added a line", ("a",), "the same prompt was tried before")
    for one in (first, refused, first, replace(refused, rejected="")):
        ledger.add_candidate(one)
    assert list(ledger.candidates()) == [first, refused, replace(refused, rejected="")]


class TestFile:
    def test_another_process_finds_what_was_written(self, tmp_path: Path) -> None:
        file = tmp_path / "ledger.sqlite3"
        ledger = SqliteLedger(file, "engine")
        ledger.add_trials([trial("a")])
        ledger.add_proposals("asked", [])
        ledger.close()
        again = SqliteLedger(file, "engine")
        assert list(again.trials([trial("a").key]).values()) == [trial("a")]
        assert again.proposals("asked") == []
        again.close()

    def test_what_another_engine_has_answered_is_not_seen(self, tmp_path: Path) -> None:
        file = tmp_path / "ledger.sqlite3"
        one = SqliteLedger(file, "one")
        one.add_trials([trial("a", 1.0)])
        one.add_proposals("asked", [])
        one.add_candidate(CandidateRecord(PROGRAM, "seed"))
        one.close()
        other = SqliteLedger(file, "other")
        assert dict(other.trials([trial("a").key])) == {}
        assert other.proposals("asked") is None
        assert list(other.candidates()) == []
        other.add_trials([trial("a", 0.0)])
        other.close()
        one = SqliteLedger(file, "one")
        assert one.trials([trial("a").key])[trial("a").key].score == 1.0
        one.close()

    def test_nothing_is_made_before_its_first_use(self, tmp_path: Path) -> None:
        SqliteLedger(tmp_path / "run" / "ledger.sqlite3", "engine").close()
        assert list(tmp_path.iterdir()) == []

    def test_nobody_else_may_read_it(self, tmp_path: Path) -> None:
        ledger = SqliteLedger(tmp_path / "ledger.sqlite3", "engine")
        ledger.add_trials([trial("a")])
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        ledger.close()
        assert {"ledger.sqlite3", "ledger.sqlite3-wal"} <= modes.keys()
        assert set(modes.values()) == {0o600}

    def test_two_searches_do_not_write_at_a_time(self, tmp_path: Path) -> None:
        first, second = (SqliteLedger(tmp_path / "ledger.sqlite3", "engine") for _ in range(2))
        first.add_trials([trial("a")])
        with pytest.raises(RetryableError) as refused:
            second.add_trials([trial("b")])
        assert refused.value.code == "T074"
        first.close()
        second.add_trials([trial("b")])
        assert len(second.trials([trial("a").key, trial("b").key])) == 2
        second.close()

    def test_a_call_that_fails_writes_nothing(self, tmp_path: Path) -> None:
        ledger = SqliteLedger(tmp_path / "ledger.sqlite3", "engine")
        ledger.add_trials([trial("a")])
        with pytest.raises(CeselloError):
            ledger.add_trials([trial("b"), replace(trial("c"), tokens="many")])  # type: ignore[arg-type]
        assert list(ledger.trials([trial(task).key for task in "abc"])) == [trial("a").key]
        ledger.close()

    @pytest.mark.parametrize(
        "damage",
        [
            b"no database at all" * 100,
            b"SQLite format 3\0" + bytes(4096),
        ],
        ids=["other bytes", "a header alone"],
    )
    def test_a_damaged_file_is_told(self, tmp_path: Path, damage: bytes) -> None:
        file = tmp_path / "ledger.sqlite3"
        file.write_bytes(damage)
        self.refused(file)

    def test_a_page_in_its_middle(self, tmp_path: Path) -> None:
        file = tmp_path / "ledger.sqlite3"
        ledger = SqliteLedger(file, "engine")
        ledger.add_trials([trial(str(number)) for number in range(500)])
        ledger.close()
        content = bytearray(file.read_bytes())
        content[4096 * 3 : 4096 * 12] = b"\xff" * (4096 * 9)
        file.write_bytes(content)
        self.refused(file)

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE meta SET value = '9'",
            "DELETE FROM meta",
            "DROP TABLE trials",
            "CREATE TABLE strange(x)",
            "UPDATE trials SET reasons = '{}'",
            "UPDATE trials SET completion = '[1'",
        ],
    )
    def test_a_file_of_another_form_is_told(self, tmp_path: Path, change: str) -> None:
        file = tmp_path / "ledger.sqlite3"
        ledger = SqliteLedger(file, "engine")
        ledger.add_trials([trial("0")])
        ledger.close()
        with sqlite3.connect(file) as connection:
            connection.execute(change)
        connection.close()
        self.refused(file)

    @pytest.mark.parametrize(
        "answer", ["[", "[1]", '[{"program": {}}]', '{"a": 1}', "null"], ids=lambda answer: answer
    )
    def test_an_answer_that_is_none_is_told(self, tmp_path: Path, answer: str) -> None:
        file = tmp_path / "ledger.sqlite3"
        ledger = SqliteLedger(file, "engine")
        ledger.add_proposals("asked", [Proposal(PROGRAM, "", ())])
        ledger.close()
        with sqlite3.connect(file) as connection:
            connection.execute("UPDATE proposals SET answer = ?", (answer,))
        connection.close()
        ledger = SqliteLedger(file, "engine")
        with pytest.raises(StorageError) as refused:
            ledger.proposals("asked")
        ledger.close()
        assert refused.value.code == "I090"

    def test_a_link_is_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").write_text("")
        (tmp_path / "ledger.sqlite3").symlink_to(tmp_path / "elsewhere")
        ledger = SqliteLedger(tmp_path / "ledger.sqlite3", "engine")
        with pytest.raises(StorageError) as refused:
            ledger.candidates()
        ledger.close()
        assert refused.value.code == "I003"

    @staticmethod
    def refused(file: Path) -> None:
        ledger = SqliteLedger(file, "engine")
        with pytest.raises(StorageError) as refused:
            ledger.trials([trial(str(number)).key for number in range(500)])
        ledger.close()
        assert refused.value.code == "I090"
        assert str(file) in str(refused.value)
