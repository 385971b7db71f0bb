"""Runs leave without secrets, and without what people and models wrote unless it is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from cesello.application.export_traces import ExportRequest, ExportTraces
from cesello.domain import genai_names as names
from cesello.domain.errors import DataError
from cesello.domain.ports.run import Stop
from cesello.domain.secret_text import redactor
from cesello.domain.trace import Event, Span
from cesello.domain.trace_export import ColumnKind, Sent, Table

KEY = "sk-" + "Ab3dEf6hIj9lMn2pQr5t"
SPAN = Span(
    "a" * 32, "b" * 16, None, f"chat {KEY}", 1, 2, message=f"said {KEY}",
    attributes={
        names.INPUT_MESSAGES: f"ask {KEY}", names.REQUEST_MODEL: "tiny", "url": "http://a:b@c",
        "api_key": "x", names.TASK: "do this",
    },
    events=(
        Event(names.EXCEPTION, 1, {names.EXCEPTION_MESSAGE: "boom", names.EXCEPTION_TYPE: "ValueError"}),
        Event(names.EVALUATION, 1, {names.EVALUATION_LABEL: "timeout"}),
        Event(names.EVALUATION, 1, {names.EVALUATION_LABEL: "it says Paris"}),
    ),
    run="first",
)  # fmt: skip


class Store:
    """Two runs of one name, with a span each."""

    def refresh(self) -> Sequence[str]:
        return ()

    def query(
        self, sql: str, *, limit: int | None = None, seconds: float | None = None, stop: Stop | None = None
    ) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
        return ["id", "name"], [("second", "demo"), ("first", "demo")]

    def spans(self, run: str | None = None) -> Iterator[Span]:
        return iter([replace(SPAN, run=one) for one in ("first", "second") if run in (None, one)])

    def tables(self, runs: Sequence[str] | None = None) -> Iterator[Table]:
        text = ColumnKind.TEXT
        yield Table(
            "rollouts",
            {"id": text, "origin": text, "task": text},
            iter([("1", "run", "ask"), ("2", "traced", "t")]),
        )
        yield Table(
            "attempts",
            {"completion": text, "reward": ColumnKind.REAL},
            iter([(f"use {KEY}", 0.5), (None, None)]),
        )
        attributes = json.dumps(dict(SPAN.attributes))
        yield Table("spans", {"message": text, "attributes": text}, iter([("why", attributes)]))

    def counts(self) -> Mapping[str, int]:
        return {}


class Spans:
    def __init__(self) -> None:
        self.taken: list[Span] = []

    def export(self, spans: Iterable[Span]) -> Sent:
        self.taken += spans
        return Sent(len(self.taken))


class Tables:
    def __init__(self) -> None:
        self.taken: dict[str, list[Any]] = {}

    def export(self, tables: Iterable[Table]) -> Mapping[str, int]:
        for table in tables:
            self.taken[table.name] = [tuple(row) for row in table.rows]
        return {name: len(rows) for name, rows in self.taken.items()}


EXPORT = ExportTraces(Store(), redactor({}))


@pytest.mark.parametrize(
    ("asked", "runs"),
    [
        ((), ["first", "second"]),
        (("first",), ["first"]),
        (("latest",), ["second"]),
        (("demo",), ["second"]),
        (("runs/first", "first"), ["first"]),
    ],
)
def test_runs_are_found_as_a_person_names_them(asked: tuple[str, ...], runs: list[str]) -> None:
    spans = Spans()
    assert EXPORT.spans(ExportRequest(asked), spans) == Sent(len(runs))
    assert [span.run for span in spans.taken] == runs


def test_an_unknown_run_is_told() -> None:
    with pytest.raises(DataError, match=r'D030.*"third".*second, first'):
        EXPORT.spans(ExportRequest(("third",)), Spans())


def test_spans_leave_without_content() -> None:
    spans = Spans()
    EXPORT.spans(ExportRequest(("first",)), spans)
    [one] = spans.taken
    assert (one.name, one.message) == ("chat [secret]", "")
    assert one.attributes == {names.REQUEST_MODEL: "tiny", "url": "http://[secret]@c", "api_key": "[secret]"}
    assert one.events[0].attributes == {names.EXCEPTION_TYPE: "ValueError"}
    assert one.events[1].attributes == {names.EVALUATION_LABEL: "timeout"}
    assert one.events[2].attributes == {}


def test_spans_leave_with_content_that_is_asked_for_but_no_secret() -> None:
    spans = Spans()
    EXPORT.spans(ExportRequest(("first",), content=True), spans)
    [one] = spans.taken
    assert one.message == "said [secret]"
    assert one.attributes[names.INPUT_MESSAGES] == "ask [secret]"
    assert one.events[0].attributes[names.EXCEPTION_MESSAGE] == "boom"
    assert KEY not in repr(one)


def test_tables_leave_likewise() -> None:
    tables = Tables()
    assert EXPORT.tables(ExportRequest(), tables) == {"rollouts": 2, "attempts": 2, "spans": 1}
    assert tables.taken["rollouts"] == [("1", "run", None), ("2", "traced", None)]
    assert tables.taken["attempts"] == [(None, 0.5), (None, None)]
    [(message, attributes)] = tables.taken["spans"]
    assert message is None
    assert set(json.loads(attributes)) == {names.REQUEST_MODEL, "url", "api_key"}

    EXPORT.tables(ExportRequest(content=True), tables)
    assert tables.taken["rollouts"][0] == ("1", "run", "ask")
    assert tables.taken["attempts"][0] == ("use [secret]", 0.5)
    assert tables.taken["spans"][0][0] == "why"
    assert KEY not in repr(tables.taken)


def test_no_column_keeps_the_words_of_people_and_models() -> None:
    """A question, an answer and an instruction are told in more places than one."""
    text = ColumnKind.TEXT
    manifest = {
        "error": "ValueError: it said", "seed": 7, "resumes": [{"differences": ["it said"]}],
        "identity": {
            "recipe data.system_prompt": "it said", "recipe data.prompt": "it said", "data": "digest",
            "recipe apo.system": "it said", "recipe apo.values.product": "it said", "recipe seed": "7",
            "recipe apo.replicates": "1", "recipe rewards[0].rubric": "it said",
            "recipe rewards[0].kind": "judge", "recipe algorithm_arguments.hint": "it said",
        },
    }  # fmt: skip
    tables: dict[str, tuple[dict[str, ColumnKind], list[Any]]] = {
        "runs": ({"error": text, "manifest": text}, [("it said", json.dumps(manifest))]),
        "alarms": ({"name": text, "text": text}, [("kl", "it said")]),
        "rewards": ({"label": text}, [("it said",), ("passed",), (None,)]),
        "rollouts": ({"origin": text, "task": text}, [("search", "id"), ("traced", "it said")]),
    }

    class Words(Store):
        def tables(self, runs: Sequence[str] | None = None) -> Iterator[Table]:
            return (Table(name, columns, iter(rows)) for name, (columns, rows) in tables.items())

    without, whole = Tables(), Tables()
    ExportTraces(Words(), redactor({})).tables(ExportRequest(), without)
    assert "it said" not in str(without.taken)
    [(error, left)] = without.taken["runs"]
    assert error is None
    assert json.loads(left) == {
        "seed": 7,
        "identity": {
            "data": "digest", "recipe seed": "7", "recipe apo.replicates": "1",
            "recipe rewards[0].kind": "judge",
        },
    }  # fmt: skip
    assert without.taken["rewards"] == [(None,), ("passed",), (None,)]
    assert without.taken["rollouts"] == [("search", "id"), ("traced", None)]
    ExportTraces(Words(), redactor({})).tables(ExportRequest(content=True), whole)
    assert str(whole.taken).count("it said") == 12
