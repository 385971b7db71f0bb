"""``cesello runs export``: what other programs get of runs."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cesello.domain import genai_names as names
from cesello.domain.trace import Span
from cesello.entrypoints.cli.main import run
from cesello.entrypoints.trace_wiring import span_sink
from tests.indexed_runs import completion, write_log, write_manifest
from tests.otlp_server import collector, parsed, spans_of

SECRET = "made-up-secret-7"
TEXT = f"what a model said, with {SECRET}"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CESELLO_KEY", SECRET)
    for name in ("first", "second"):
        write_manifest(tmp_path / "runs" / name)
        write_log(tmp_path / "runs" / name, "completions", [completion(1, 0, TEXT)])
    sink = span_sink(tmp_path / "runs", print)
    for number, name in enumerate(("first", "second"), start=1):
        attributes = {names.OUTPUT_MESSAGES: TEXT, names.REQUEST_MODEL: "tiny", "note": SECRET}
        sink.put(Span("a" * 32, f"{number:016x}", None, "chat tiny", 1, 2, attributes=attributes, run=name))
    sink.close()
    return tmp_path


@pytest.mark.parametrize("content", [False, True])
def test_spans_in_a_file(content: bool, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--content"] if content else []
    assert run(["runs", "export", "--format", "otlp", "--output", "out.jsonl", *options]) == 0
    assert capsys.readouterr().out == "2 spans in out.jsonl\n"
    text = (project / "out.jsonl").read_text()
    [message] = map(parsed, text.splitlines())
    assert [span.span_id.hex() for span in spans_of(message)] == [f"{number:016x}" for number in (1, 2)]
    assert ("what a model said" in text) is content
    assert SECRET not in text


@pytest.mark.parametrize("content", [False, True])
def test_tables_in_a_folder(content: bool, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--content"] if content else []
    assert run(["runs", "export", "first", "--format", "parquet", "--output", "out", *options]) == 0
    assert capsys.readouterr().out == "5 rows of 11 tables in out\n"
    [attempt] = pq.read_table(project / "out" / "attempts.parquet").to_pylist()
    assert attempt["completion"] == (TEXT.replace(SECRET, "[secret]") if content else None)
    assert [one["id"] for one in pq.read_table(project / "out" / "runs.parquet").to_pylist()] == ["first"]


def test_spans_over_http_with_a_key_out_of_a_variable(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_HEADERS", "api-key=swordfish")
    with collector() as service:
        place = ["--endpoint", service.url, "--header-env", "MY_HEADERS"]
        assert run(["runs", "export", "second", "--format", "otlp-http", *place]) == 0
    assert capsys.readouterr().out == f"1 span taken by {service.url}\n"
    [(headers, message)] = service.seen
    assert headers["api-key"] == "swordfish"
    assert [span.span_id.hex() for span in spans_of(message)] == [f"{2:016x}"]


def test_what_a_collector_does_not_take_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    told = '{"partialSuccess": {"rejectedSpans": 1, "errorMessage": "too \\u001b[31mold"}}'
    with collector((200, {}, told)) as service:
        assert run(["runs", "export", "--format", "otlp-http", "--endpoint", service.url]) == 0
    assert capsys.readouterr().err == "not taken: 1 span: too old\n"


def test_a_run_without_spans_is_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_manifest(project / "runs" / "third")
    assert run(["runs", "export", "third", "--format", "otlp", "--output", "out.jsonl"]) == 0
    assert "no spans are known" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--format", "otlp"], 2, "C166"),
        (["--format", "parquet", "--endpoint", "http://localhost"], 2, "C166"),
        (["--format", "otlp-http", "--output", "x"], 2, "C166"),
        (["--format", "otlp", "--output", "x", "--header-env", "PATH"], 2, "C166"),
        (["--format", "otlp-http", "--endpoint", "http://localhost", "--header-env", "NO_SUCH"], 2, "C165"),
        (["--format", "otlp-http", "--endpoint", "http://elsewhere.example"], 2, "C164"),
        (["--format", "otlp", "--output", "taken"], 2, "C163"),
        (["--format", "parquet", "--output", "taken"], 2, "C163"),
        (["nowhere", "--format", "otlp", "--output", "x"], 3, "D030"),
        (["--format", "otlp", "--output", "taken/x"], 74, "I093"),
    ],
)
def test_mistakes_are_told(
    arguments: list[str], status: int, said: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "taken").write_text("mine")
    before = sorted(project.iterdir())
    assert run(["runs", "export", *arguments]) == status
    assert f"error[{said}]" in capsys.readouterr().err
    assert sorted(project.iterdir()) == before
    assert (project / "taken").read_text() == "mine"
