from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cesello.domain.recorded_run import LOGS, RecordedRun
from cesello.domain.run_report import duration, run_report
from cesello.domain.trace import SpanTime
from tests.recorded_runs import changed, manifest, reinforced, searched, source, tuned

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-(10**20), 10**20) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def test_a_fine_tuning_has_all_of_its_parts() -> None:
    made = run_report(tuned())
    assert dict(made.facts)["steps"] == "40 of 40"
    assert dict(made.facts)["training and evaluations took"] == "5 min 0 s"
    assert dict(made.facts)["tokens"] == "8,000, 4,000 of them trained"
    assert [(one.name, one.tokens_share) for one in made.mixture] == [("chat", 1.0)]
    assert made.rows[0].pieces[2] == ("it", True)
    assert (made.groups, made.search, made.given) == ((), None, None)


def test_what_a_run_took_is_what_its_table_of_time_adds_up_to() -> None:
    spans = (SpanTime("prepare data", 1, 32.0), SpanTime("train", 1, 192.0, outermost=224.0))
    one = replace(tuned(), spans=spans)
    made = run_report(one)
    assert made.time is not None
    assert sum(phase.seconds for phase in made.time.phases) == 224.0
    assert dict(made.facts)["took"] == "3 min 44 s"
    assert "took" not in dict(run_report(replace(one, status="running")).facts)


def test_pauses_are_told_where_nothing_was_traced() -> None:
    resumed = changed(tuned(), resumes=[{"step": 3, "at": "then", "differences": []}])
    assert "training and evaluations took, pauses included" in dict(run_report(resumed).facts)


def test_a_reinforcement_has_its_answers_phases_and_alarms() -> None:
    made = run_report(reinforced())
    assert len(made.groups) == 24
    assert made.time is not None
    assert [one.name for one in made.time.phases][:3] == ["drawing answers", "judging", "learning"]
    assert [one.name for one in made.alarms] == ["cut_off"]


def test_a_search_has_its_candidates_and_its_time() -> None:
    made = run_report(searched())
    assert made.search is not None
    assert made.time is not None


def test_the_shares_of_tokens_are_of_all_tokens() -> None:
    sources = [source("one", drawn_tokens=3000), source("other", drawn_tokens=1000)]
    made = run_report(changed(tuned(), data={"sources": sources}))
    assert [one.tokens_share for one in made.mixture] == [0.75, 0.25]


def test_where_it_comes_from_names_resumes_and_the_weights() -> None:
    resumes = [{"step": 3, "at": "then", "differences": ["seed"]}]
    made = run_report(changed(tuned(), resumes=resumes, best_step=20, ended_by="patience"))
    facts = dict(made.provenance)
    assert facts["gone on with"] == "after step 3, then; not exactly: seed"
    assert facts["weights"] == "of step 20, the best by held-out rows"
    assert facts["ended by"] == "patience"


def test_what_could_not_be_read_is_noted() -> None:
    made = run_report(replace(tuned(), damaged=("2 lines of metrics.jsonl cannot be read",)))
    assert made.notes == ("2 lines of metrics.jsonl cannot be read",)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0, "0.0 s"),
        (0.0002, "< 1 ms"),
        (0.0404, "40 ms"),
        (9.96, "10.0 s"),
        (12.0, "12 s"),
        (59.9, "60 s"),
        (61, "1 min 1 s"),
        (7260, "2 h 1 min"),
    ],
)
def test_a_duration_is_said_as_a_person_would(seconds: float, said: str) -> None:
    assert duration(seconds) == said


@given(st.dictionaries(st.sampled_from([*manifest(), "search", "best_step"]), JSON, max_size=4), JSON, JSON)
@settings(max_examples=200)
def test_whatever_the_files_hold_there_is_a_report_or_a_plain_error(
    values: dict[str, Any], one: Any, other: Any
) -> None:
    line = one if isinstance(one, dict) else {"step": one, "loss": other, "parts": one, "losses": other}
    logs = {name: [line, {"step": 1, "completion": other}] for name in LOGS}
    samples = {"before": [line], "after": [line]}
    search = other if isinstance(other, dict) else {"candidates": other, "test": one}
    made = RecordedRun("runs/one", "completed", manifest() | values, logs, samples, [line], search)
    try:
        report = run_report(made)
    except (ValueError, TypeError, KeyError, IndexError, OverflowError):
        return
    assert {field.name for field in fields(report)} >= {"verdict", "health"}


def test_a_search_trains_nothing_and_took_what_it_counted() -> None:
    one = changed(searched(), data=None, identity={"data": "ab12"}, finished=manifest()["started"])
    made = run_report(one)
    facts = dict(made.facts)
    assert "trained weights" not in facts
    assert (facts["weights"], facts["answers took"]) == ("1,000", "1 min 20 s")
    assert dict(made.provenance)["data"] == "digest ab12"
    assert made.notes == ()


@pytest.mark.parametrize(("status", "again"), [("interrupted", True), ("failed", True), ("running", False)])
def test_a_search_without_a_report_says_so(status: str, again: bool) -> None:
    made = run_report(replace(searched(), status=status, search={}))
    [note] = made.notes
    assert "has not come to its end" in note
    assert ("--resume" in note) is again
    assert made.search is None


def test_tokens_of_a_row_that_were_not_kept_are_counted() -> None:
    row = dict(tuned().rows[0]) | {"tokens": 2000}
    assert [one.left_out for one in run_report(replace(tuned(), rows=[row])).rows] == [1996]
    assert [one.left_out for one in run_report(tuned()).rows] == [0]
