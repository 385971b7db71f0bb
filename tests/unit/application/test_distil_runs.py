"""Runs that are distilled: which answers are kept, and which are not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from cesello.application.distil_runs import DistilRequest, DistilRuns, RunsDistilled
from cesello.domain.conversation import Conversation, user
from cesello.domain.distilled_rows import Wanted
from cesello.domain.errors import DataError, Interrupted
from cesello.domain.held_prompts import prompt_digest
from cesello.domain.recorded_run import Line, RecordedRun
from cesello.domain.run import RunStatus, RunSummary
from tests.fakes.examples import FakeNearCopies
from tests.fakes.run import FakeRunStore, FakeStop, RecordingObserver


@dataclass
class FakeRecords:
    """What runs have kept, by their ids."""

    runs: Mapping[str, RecordedRun]
    searched: Mapping[str, Conversation] = field(default_factory=dict)
    tried: tuple[Mapping[str, Any], ...] = ()

    def read(self, run: RunSummary) -> RecordedRun:
        return self.runs[run.id]

    def held_out(self, run: RunSummary) -> RecordedRun:
        return replace(self.runs[run.id], manifest={}, logs={})

    def tasks(self, run: RunSummary) -> Mapping[str, Conversation]:
        return self.searched

    def trials(self, run: RunSummary) -> Iterator[Mapping[str, Any]]:
        return iter(self.tried)

    def candidates(self, run: RunSummary) -> Sequence[Mapping[str, Any]]:
        return ()


@dataclass
class Store(FakeRunStore):
    """Knows runs by their ids alone."""

    known: tuple[str, ...] = ()
    folder: Path = Path("runs")
    found_at: Path | None = None

    def list(self) -> tuple[RunSummary, ...]:
        return tuple(
            RunSummary(one, one, RunStatus.COMPLETED, "", None, 1, 1, str(self.folder / one))
            for one in self.known
        )

    def find(self, run: str) -> RunSummary:
        found = next(one for one in self.list() if one.id == run)
        return replace(found, path=str(self.found_at)) if self.found_at else found


def line(question: str, completion: str, reward: float = 1.0, prompt: int = 0) -> Line:
    asked = {"messages": [{"role": "user", "content": question}]}
    return {
        "step": 1, "prompt": prompt, "question": question, "asked": asked, "completion": completion,
        "turns": 1, "tokens": len(completion), "finished": True, "reward": reward,
    }  # fmt: skip


def recorded(
    *lines: Line,
    algorithm: str = "grpo",
    sampled: tuple[str, ...] = (),
    held: tuple[str, ...] | None = (),
) -> RecordedRun:
    """A run; with None for its held-out prompts one of an older version, which has kept none."""
    manifest = {"algorithm": algorithm}
    samples = {"after": [{"prompt": one} for one in sampled]}
    digests = None if held is None else frozenset(map(prompt_digest, map(user, held)))
    return RecordedRun("runs/r", "completed", manifest, {"completions": lines}, samples, held_out=digests)


def distilled(records: FakeRecords, *runs: str, **asked: Any) -> RunsDistilled:
    store = Store(known=tuple(reversed(list(records.runs))))  # the newest first
    return use_case(store, records)(DistilRequest(runs, Wanted(asked.pop("least", 0.5)), **asked))


def use_case(store: Store, records: FakeRecords, stop: FakeStop | None = None) -> DistilRuns:
    return DistilRuns(store, records, records, FakeNearCopies(), RecordingObserver(), stop or FakeStop())


def said(done: RunsDistilled) -> list[str]:
    return [row.conversation.messages[-1].content for row in done.rows]


def test_all_runs_in_their_order_or_those_that_are_named() -> None:
    records = FakeRecords({"one": recorded(line("a?", "a")), "two": recorded(line("b?", "b"))})
    assert said(distilled(records)) == ["a", "b"]
    done = distilled(records, "two")
    assert said(done) == ["b"]
    assert done.runs == {"two": 1}


def test_what_any_run_of_the_folder_holds_out_is_no_row() -> None:
    drawn = [line(f"What is {one}?", one) for one in "abc"]
    other = recorded(held=("what  is A?",), sampled=("What is b?",))
    for named in ((), ("one",), ("two", "one")):
        done = distilled(FakeRecords({"one": recorded(*drawn), "two": other}), *named)
        assert said(done) == ["c"]
        assert done.left_out["held out in a run"] == 2
        assert done.untold == []


def test_of_an_older_run_the_samples_are_known_and_that_is_told() -> None:
    drawn = recorded(line("a?", "a"), line("b?", "b"))
    for named in ((), ("one",)):
        done = distilled(FakeRecords({"one": drawn, "old": recorded(sampled=("a?",), held=None)}), *named)
        assert said(done) == ["b"]
        assert (done.untold, done.others_untold) == ([] if named else ["old"], ["old"] if named else [])


def test_a_run_is_the_same_by_a_link_and_by_two_dots(tmp_path: Path) -> None:
    (tmp_path / "runs" / "one").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "runs")
    (tmp_path / "away").mkdir()
    records = FakeRecords({"one": recorded(line("b?", "b"), held=None)})
    for path in ("link/one", "away/../runs/one"):
        store = Store(known=("one",), folder=tmp_path / "runs", found_at=tmp_path / path)
        done = use_case(store, records)(DistilRequest(("one",), Wanted(0.5)))
        assert (done.untold, done.others_untold) == (["one"], [])


def test_it_can_be_stopped_between_other_runs() -> None:
    records = FakeRecords({"one": recorded(line("b?", "b")), "two": recorded(), "three": recorded()})
    stop = FakeStop(at_check=3)  # the first is of the answer
    with pytest.raises(Interrupted):
        use_case(Store(known=("one", "two", "three")), records, stop)(DistilRequest(("one",), Wanted(0.5)))


def test_copies_and_near_copies_of_an_answer() -> None:
    long = "one two three four five six seven eight nine"
    lines = line("a?", long), line("a?", long), line("a?", f"{long} ten"), line("a? b?", long)
    done = distilled(FakeRecords({"one": recorded(*lines)}))
    assert said(done) == [long, long]  # to another prompt it is no copy
    assert done.left_out["a copy, or nearly"] == 2


def test_best_of_group_per_prompt_and_limit() -> None:
    lines = [line("a?", "x" * size, reward) for size, reward in ((3, 0.6), (2, 0.9), (1, 0.9))]
    records = FakeRecords({"one": recorded(*lines, line("b?", "z", 0.7, prompt=1))})
    assert said(distilled(records, best_of_group=True)) == ["x", "z"]
    assert said(distilled(records, per_prompt=2)) == ["xx", "x", "z"]
    assert said(distilled(records, limit=1)) == ["xxx"]
    assert said(distilled(records, least=0.8)) == ["xx", "x"]


def test_a_search_is_distilled_by_its_ledger() -> None:
    trial = {"candidate": "c", "task": "t", "reward": 1.0, "verdict": "", "completion": "YES", "tokens": 1}
    records = FakeRecords({"one": recorded(algorithm="apo")}, {"t": user("Shout.")}, (trial,))
    [row] = distilled(records).rows
    assert row.origin["candidate"] == "c"


def test_secrets_are_no_rows() -> None:
    token = "ghp_0123456789abcdefghijABCDEFGHIJ"
    done = distilled(FakeRecords({"one": recorded(line("a?", f"It is {token}"), line("b?", "b"))}))
    assert said(done) == ["b"]


def test_runs_without_completions_are_told() -> None:
    with pytest.raises(DataError, match="D081"):
        distilled(FakeRecords({"one": recorded()}))
