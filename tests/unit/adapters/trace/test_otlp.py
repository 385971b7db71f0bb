"""Spans leave in OTLP's JSON; the official protobuf classes read them back as they were."""

from __future__ import annotations

import json
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cesello.adapters.trace.otlp_file import OtlpFile
from cesello.adapters.trace.otlp_http import OtlpHttp
from cesello.adapters.trace.otlp_json import BATCH, messages
from cesello.domain.errors import DataError, RetryableError, UsageError
from cesello.domain.trace import Event, Span, SpanKind, SpanStatus
from cesello.domain.trace_export import Sent
from tests.otlp_server import Answer, collector, parsed, spans_of

SPAN = Span("a" * 32, "b" * 16, None, "step", 10, 20)


def numbered(count: int) -> list[Span]:
    return [
        Span("a" * 32, f"{number:016x}", None, "step", number, number + 1) for number in range(1, count + 1)
    ]


_TEXTS = st.text(max_size=12)
_TIMES = st.integers(0, 2**63 - 1)
_VALUES: st.SearchStrategy[Any] = st.one_of(
    _TEXTS, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.lists(_TEXTS, max_size=3),
    st.lists(st.booleans(), max_size=3), st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3),
)  # fmt: skip
_ATTRIBUTES = st.dictionaries(
    _TEXTS.filter(lambda name: not name.startswith("cesello.")), _VALUES, max_size=4
)
_SPANS = st.builds(
    Span,
    trace_id=st.binary(min_size=16, max_size=16).map(bytes.hex),
    span_id=st.binary(min_size=8, max_size=8).map(bytes.hex),
    parent_id=st.none() | st.binary(min_size=8, max_size=8).map(bytes.hex),
    name=_TEXTS, start=_TIMES, end=_TIMES,
    kind=st.sampled_from(SpanKind), status=st.sampled_from(SpanStatus),
    message=_TEXTS, attributes=_ATTRIBUTES,
    events=st.lists(st.builds(Event, _TEXTS, _TIMES, _ATTRIBUTES), max_size=2),
    run=_TEXTS, rollout=_TEXTS, attempt=st.integers(0, 9), sequence=st.integers(0, 2**40),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(_SPANS, max_size=4))
def test_the_official_classes_read_what_was_written(spans: list[Span]) -> None:
    read = [one for text, _ in messages(spans, "1.2.3") for one in spans_of(parsed(text))]
    assert len(read) == len(spans)
    for span, one in zip(spans, read, strict=True):
        assert one.trace_id.hex() == span.trace_id
        assert one.span_id.hex() == span.span_id
        assert one.parent_span_id.hex() == (span.parent_id or "")
        assert (one.name, one.start_time_unix_nano, one.end_time_unix_nano) == (
            span.name,
            span.start,
            span.end,
        )
        assert one.kind == {SpanKind.INTERNAL: 1, SpanKind.CLIENT: 3}[span.kind]
        assert one.status.code == {SpanStatus.UNSET: 0, SpanStatus.OK: 1, SpanStatus.ERROR: 2}[span.status]
        assert one.status.message == span.message
        told = _plain(one.attributes)
        places = {
            "cesello.run.id": span.run,
            "cesello.rollout.id": span.rollout,
            "cesello.attempt.number": span.attempt,
        }
        expected = {**span.attributes, **{name: value for name, value in places.items() if value}}
        assert repr(told) == repr({**expected, "cesello.sequence": span.sequence})  # NaN equals nothing
        events = [(event.name, event.time_unix_nano, _plain(event.attributes)) for event in one.events]
        assert repr(events) == repr([(event.name, event.at, dict(event.attributes)) for event in span.events])


def _plain(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    return getattr(value, kind)


def test_a_message_tells_who_speaks() -> None:
    [(text, count)] = messages([SPAN], "1.2.3")
    [resource] = parsed(text).resource_spans
    assert count == 1
    assert _plain(resource.resource.attributes) == {"service.name": "cesello", "service.version": "1.2.3"}
    assert resource.scope_spans[0].scope.name == "cesello"


def test_ids_are_hexadecimal_and_long_numbers_are_texts() -> None:
    """As OTLP's JSON differs from protobuf's, which the parser cannot tell."""
    [(text, _)] = messages(
        [Span("0af7" * 8, "b7ad" * 4, "c0de" * 4, "x", 2**62, 2**62 + 1, attributes={"n": 7})], "1"
    )
    span = json.loads(text)["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    assert (span["traceId"], span["spanId"], span["parentSpanId"]) == ("0af7" * 8, "b7ad" * 4, "c0de" * 4)
    assert span["startTimeUnixNano"] == str(2**62)
    assert span["attributes"][0] == {"key": "n", "value": {"intValue": "7"}}
    assert (span["kind"], span["status"]["code"]) == (1, 0)


def test_long_spans_are_sent_apart() -> None:
    long = [Span("a" * 32, "b" * 16, None, "x" * 1_500_000, 1, 2)] * 3
    assert [count for _, count in messages(long, "1")] == [1, 1, 1]


def test_a_file_has_a_message_a_line(tmp_path: Path) -> None:
    file = tmp_path / "new" / "spans.jsonl"
    assert OtlpFile(file, "1").export(numbered(BATCH + 1)) == Sent(BATCH + 1)
    lines = file.read_text().splitlines()
    assert [len(spans_of(parsed(line))) for line in lines] == [BATCH, 1]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["spans.jsonl"]


def test_a_file_that_is_there_stays_unless_it_may_go(tmp_path: Path) -> None:
    file = tmp_path / "spans.jsonl"
    file.write_text("mine")
    with pytest.raises(UsageError, match=r"C163"):
        OtlpFile(file, "1").export([SPAN])
    assert file.read_text() == "mine"
    OtlpFile(file, "1", overwrite=True).export([SPAN])
    assert len(spans_of(parsed(file.read_text()))) == 1


def test_a_failure_on_the_way_leaves_no_half_file(tmp_path: Path) -> None:
    def spans() -> Any:
        yield SPAN
        raise DataError("D030", "gone")

    with pytest.raises(DataError):
        OtlpFile(tmp_path / "spans.jsonl", "1").export(spans())
    assert list(tmp_path.iterdir()) == []


def test_a_collector_gets_every_span(monkeypatch: pytest.MonkeyPatch) -> None:
    with collector() as service:
        sent = OtlpHttp(service.url, "1.2.3", "api-key=a%20b,Other=c").export(numbered(BATCH + 1))
    assert sent == Sent(BATCH + 1)
    ids = [span.span_id.hex() for _, message in service.seen for span in spans_of(message)]
    assert ids == [span.span_id for span in numbered(BATCH + 1)]
    headers, _ = service.seen[0]
    assert headers["Content-Type"] == "application/json"
    assert (headers["api-key"], headers["Other"], headers["User-Agent"]) == ("a b", "c", "cesello/1.2.3")
    assert service.paths == ["/v1/traces"] * 2


@pytest.mark.parametrize("end", ["", "/", "/v1/traces", "/v1/traces/"])
def test_the_path_is_added_where_it_is_missing(end: str) -> None:
    with collector() as service:
        OtlpHttp(service.url + "/otlp" + end, "1").export([SPAN])
    assert service.paths == ["/otlp/v1/traces"]


def test_a_busy_collector_is_asked_again_when_it_says() -> None:
    waited: list[float] = []
    answers: list[Answer] = [
        (429, {"Retry-After": "7"}, ""),
        (503, {}, ""),
        (504, {"Retry-After": "soon"}, ""),
    ]
    with collector(*answers) as service:
        assert OtlpHttp(service.url, "1", wait=waited.append).export([SPAN]) == Sent(1)
    assert waited[0] == 7
    assert 1 < waited[1] < 3 < waited[2] < 5
    assert len(service.seen) == 4


def test_a_collector_that_stays_busy_is_given_up_and_says_what_it_took() -> None:
    waited: list[float] = []
    told = r"T091.*256 spans were taken before.*status 503"
    answers: list[Answer] = [(200, {}, "{}"), *[(503, {}, "")] * 6]
    with collector(*answers) as service, pytest.raises(RetryableError, match=told):
        OtlpHttp(service.url, "1", wait=waited.append).export(numbered(BATCH + 1))
    assert len(waited) == 5


def test_nobody_there_is_told_without_the_key() -> None:
    with collector() as service:
        url = service.url
    with pytest.raises(RetryableError, match=r"T091.*ConnectionRefusedError") as told:
        OtlpHttp(url, "1", "key=hidden", wait=lambda seconds: None).export([SPAN])
    assert "hidden" not in repr(told.value.__dict__)


@pytest.mark.parametrize("status", [400, 401, 404, 415, 500, 301, 307])
def test_a_refusal_is_final(status: int) -> None:
    answer = status, {"Location": "http://127.0.0.1:1/"}, '{"message": "no, Bearer abcdef1234567"}'
    with collector(answer) as service, pytest.raises(DataError, match=r"D062") as told:
        OtlpHttp(service.url, "1", wait=lambda seconds: None).export([SPAN])
    assert f"status {status}" in str(told.value)
    assert "abcdef1234567" not in str(told.value)
    assert len(service.seen) == 1


def test_spans_that_were_not_taken_are_counted() -> None:
    told = json.dumps({"partialSuccess": {"rejectedSpans": "2", "errorMessage": "too old"}})
    with collector((200, {}, told)) as service:
        assert OtlpHttp(service.url, "1").export(numbered(5)) == Sent(3, 2, "too old")


@pytest.mark.parametrize(
    "answer", ["", "{}", "no JSON", "[]", '{"partialSuccess": null}', '{"partialSuccess": {}}']
)
def test_an_answer_that_says_nothing_took_all(answer: str) -> None:
    with collector((200, {}, answer)) as service:
        assert OtlpHttp(service.url, "1").export([SPAN]) == Sent(1)


@pytest.mark.parametrize(
    "endpoint",
    ["", "localhost:4318", "ftp://host", "http://me:word@localhost", "http://token@localhost", "http://localhost:99999",
     "http://localhost/?key=1", "http://collector.example", "https://", "http://[::1"],
)  # fmt: skip
def test_an_endpoint_that_gives_secrets_away_is_refused(endpoint: str) -> None:
    with pytest.raises(UsageError, match=r"C164") as told:
        OtlpHttp(endpoint, "1")
    assert "word" not in str(told.value).replace("password", "")


def test_a_person_may_send_unencrypted() -> None:
    OtlpHttp("http://collector.example", "1", plain=True)
    OtlpHttp("https://collector.example", "1")
    OtlpHttp("http://[::1]:4318", "1")


@pytest.mark.parametrize(
    "headers", ["secret", "=secret", "a b=secret", "key=secret%0d%0aOther: x", "a:b=secret"]
)
def test_headers_that_cannot_be_read_are_refused_and_not_shown(headers: str) -> None:
    with pytest.raises(UsageError, match=r"C165") as told:
        OtlpHttp("http://localhost", "1", headers)
    assert "secret" not in str(told.value)


def test_nothing_is_asked_where_there_are_no_spans() -> None:
    none: Sequence[Span] = ()
    with collector() as service:
        assert OtlpHttp(service.url, "1").export(none) == Sent()
    assert service.seen == []
