from __future__ import annotations

from dataclasses import replace

import pytest

from cesello.domain.report_time import Phase, time_spent
from cesello.domain.trace import SpanTime
from tests.recorded_runs import changed, reinforced, run, searched, tuned

SPANS = (
    SpanTime("train", 1, 1.0, outermost=20.0),
    SpanTime("take steps", 1, 3.0, dropped=2),
    SpanTime("chat tiny", 12, 12.0, 500, 90),
    SpanTime("chat other", 1, 2.0, 10, 5),
    SpanTime("execute_tool search", 3, 1.0),
    SpanTime("save checkpoint", 2, 0.5),
    SpanTime("save weights", 1, 0.5),
    SpanTime("mine", 7, 0.0),
)


def test_spans_tell_phases_with_counts_tokens_and_shares() -> None:
    made = time_spent(replace(reinforced(), spans=SPANS))
    assert made is not None
    assert made.phases == (
        Phase("drawing answers", 14.0, 0.7, 13, 510, 95),
        Phase("tool search", 1.0, 0.05, 3),
        Phase("saving", 1.0, 0.05, 3),
        Phase("mine", 0.0, 0.0, 7),
        Phase("the rest", 4.0, 0.2),
    )
    assert (made.spans, made.dropped, made.took) == (28, 2, 20.0)


def test_spans_of_a_part_of_the_run_tell_less_than_its_log() -> None:
    made = time_spent(replace(reinforced(), spans=SPANS[:1]))  # 19.2 s are in the log
    assert made is not None
    assert (made.phases[0].name, made.spans) == ("drawing answers", 0)


def test_the_log_tells_where_nothing_was_traced() -> None:
    made = time_spent(tuned())
    assert made is not None
    assert [(one.name, one.seconds, one.count) for one in made.phases] == [
        ("steps", 80.0, 0), ("evaluating, saving", 220.0, 0),
    ]  # fmt: skip
    assert sum(one.share for one in made.phases) == pytest.approx(1.0)


def test_a_search_tells_what_it_was_spent_on() -> None:
    made = time_spent(searched())
    assert made is not None
    assert made.phases[0] == Phase("search", 4.0, 4.0 / 300.0)
    assert made.phases[-1].name == "thinking of prompts, saving"


def test_a_run_of_no_steps_tells_none() -> None:
    assert time_spent(run("sft")) is None


def test_pauses_are_no_time() -> None:
    made = time_spent(changed(tuned(), resumes=[{"step": 3, "at": "then", "differences": []}]))
    assert made is not None
    assert [one.name for one in made.phases] == ["steps"]


def test_names_of_spans_beyond_some_are_told_together() -> None:
    many = [SpanTime(f"mine {number}", 1, 1.0) for number in range(40)]
    made = time_spent(replace(tuned(), logs={}, spans=many))
    assert made is not None
    assert len(made.phases) == 21
    assert (made.phases[-1].name, made.phases[-1].seconds) == ("the rest", 20.0)
