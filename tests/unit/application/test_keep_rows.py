from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cesello.application.keep_rows import OF_A_SOURCE, SOURCES, TOKENS, keep_rows
from cesello.application.mix_sources import Steps, mix
from cesello.application.prepare_source import PreparedSource
from cesello.domain.conversation import user
from cesello.domain.example import Example
from cesello.domain.mixture import MixtureSpec
from cesello.domain.model_spec import PolicyFacts
from cesello.domain.schedule import TrainingPlan
from cesello.domain.source import SourceSpec
from cesello.domain.tokens import token_row
from tests.fakes.examples import FakeExamples
from tests.fakes.model import FakePolicy
from tests.fakes.run import FakeRunFolder

FACTS = PolicyFacts("fake", "fake", 100, 10, (), "none", "float32", "cpu", "fake")


def source(name: str, rows: int = 6, length: int = 4, weight: float = 1.0) -> PreparedSource:
    examples = [
        Example(f"{name}:{row}", user("x"), token_row(range(length), [False, False, *[True] * (length - 2)]))
        for row in range(rows)
    ]
    return PreparedSource(SourceSpec(name, weight), name, FakeExamples(examples), rows, range(rows), ())


def steps(sources: Sequence[PreparedSource], count: int = 12) -> Steps:
    return mix(sources, MixtureSpec(), TrainingPlan(count, 2, 1), count).batches


def kept(batches: Steps) -> list[dict[str, Any]]:
    run = FakeRunFolder("one", Path("one"), "")
    keep_rows(run, FakePolicy(FACTS), batches)
    rows: list[dict[str, Any]] = json.loads(run.texts["rows.json"])
    return rows


def test_the_first_rows_of_every_source_are_kept_with_their_mask() -> None:
    batches = steps([source("one"), source("other", weight=0.5)])
    rows = kept(batches)
    assert Counter(row["source"] for row in rows) == {"one": OF_A_SOURCE, "other": OF_A_SOURCE}
    first = batches.prepared[batches.sources[0]]
    assert rows[0]["place"] == f"{first.spec.name}:{batches.rows[0]}"
    assert rows[0]["pieces"] == ["0 ", "1 ", "2 ", "3 "]
    assert rows[0]["trained"] == [0, 0, 1, 1]
    assert (rows[0]["tokens"], rows[0]["trained_tokens"], rows[0]["truncated"]) == (4, 2, False)


def test_what_a_run_has_kept_stays_when_it_is_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text("[]")
    run = FakeRunFolder("one", tmp_path, "")
    keep_rows(run, FakePolicy(FACTS), steps([source("one")]))
    assert "rows.json" not in run.texts


def test_a_long_row_is_kept_from_its_beginning_and_told_whole() -> None:
    [row, *_] = kept(steps([source("one", length=TOKENS + 10)]))
    assert len(row["pieces"]) == len(row["trained"]) == TOKENS
    assert row["tokens"] == TOKENS + 10


def test_of_many_sources_some_are_kept() -> None:
    rows = kept(steps([source(f"s{number}") for number in range(SOURCES + 3)], 40))
    assert len({row["source"] for row in rows}) == SOURCES
    assert len(rows) == SOURCES * OF_A_SOURCE


def test_a_source_that_is_never_drawn_has_none() -> None:
    rows = kept(steps([source("one"), source("other", weight=0.0)]))
    assert {row["source"] for row in rows} == {"one"}
