"""``cesello runs query`` on run folders written by hand."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from cesello.entrypoints.cli.main import run
from tests.indexed_runs import completion, write_log, write_manifest

HOSTILE = "\x1b[31mred\x1b[0m \x9b2J\x07 \u202egnp\nnext\tline"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_manifest(tmp_path / "runs" / "first", started="2026-01-01T00:00:00+00:00")
    write_manifest(tmp_path / "runs" / "second", algorithm="sft", error=HOSTILE)
    write_log(tmp_path / "runs" / "first", "metrics", [{"step": n, "loss": 1 / n} for n in range(1, 6)])
    write_log(tmp_path / "runs" / "first", "completions", [completion(1, 0, HOSTILE)])
    return tmp_path


def test_rows_are_shown_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs", "query", "SELECT step, value, NULL AS none, 'x' AS x FROM metrics LIMIT 3"]) == 0
    assert capsys.readouterr().out == (
        "step     value  none  x\n   1         1  -     x\n   2       0.5  -     x\n   3  0.333333  -     x\n"
    )


def test_data_cannot_command_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    for form in ([], ["--csv"], ["--json"]):
        query = (
            f"SELECT completion, error, '{HOSTILE}' AS \"{HOSTILE}\" FROM attempts, runs WHERE id = 'second'"
        )
        # The column of attempts is null, that of runs is not.
        assert run(["runs", "query", query.replace(", error,", ", runs.error,"), *form]) == 0
        told = capsys.readouterr().out
        assert "red" in told
        assert not set(told) & set("\x1b\x9b\x07")
        assert form or "\u202e" not in told
    assert run(["runs", "query", f"SELECT {HOSTILE}"]) == 2
    assert not set(capsys.readouterr().err) & set("\x1b\x9b\x07")


def test_json_and_csv_are_whole(capsys: pytest.CaptureFixture[str]) -> None:
    text = "'two' || char(10) || 'lines'"
    query = f"SELECT 'a' AS a, 'b' AS a, x'00ff' AS b, {text} AS text, NULL AS none, 0.1 AS figure"
    assert run(["runs", "query", query, "--json"]) == 0
    [row] = json.loads(capsys.readouterr().out)
    assert row == {"a": "a", "a:1": "b", "b": "00ff", "text": "two\nlines", "none": None, "figure": 0.1}
    assert run(["runs", "query", query, "--csv"]) == 0
    names, values = csv.reader(io.StringIO(capsys.readouterr().out))
    assert names == ["a", "a:1", "b", "text", "none", "figure"]
    assert values == ["a", "b", "00ff", "two\nlines", "", "0.1"]


def test_the_infinite_is_nothing_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs", "query", "SELECT 1e999 AS most, -1e999 AS least", "--json"]) == 0
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail) == [{"most": None, "least": None}]


def test_more_rows_than_wanted_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs", "query", "SELECT step FROM metrics", "--limit", "2"]) == 0
    told = capsys.readouterr()
    assert told.out.split() == ["step", "1", "2"]
    assert told.err == "the first 2 rows: raise --limit for more\n"
    assert run(["runs", "query", "SELECT step FROM metrics", "--limit", "5"]) == 0
    assert capsys.readouterr().err == ""


def test_runs_are_brought_in_first_unless_it_is_not_wanted(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["runs", "query", "SELECT count(*) AS n FROM runs", "--no-refresh"]) == 74
    assert "I091" in capsys.readouterr().err
    for number, options in ((2, []), (2, ["--no-refresh"]), (3, [])):
        assert run(["runs", "query", "SELECT count(*) AS n FROM runs", *options]) == 0
        assert capsys.readouterr().out.split() == ["n", str(number)]
        write_manifest(project / "runs" / "third")


def test_what_cannot_be_read_is_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "runs" / "first" / "alarms.jsonl").write_text("damaged\n")
    assert run(["runs", "query", "SELECT id FROM runs"]) == 0
    assert capsys.readouterr().err == "run first: of alarms.jsonl 1 line was left out: damaged\n"


def test_the_tables_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs", "query", "--tables"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["table", "column", "type"]
    assert ["attempts", "reward", "real"] in lines
    assert {line[0] for line in lines[1:]} == {
        "alarms", "attempts", "evaluations", "events", "ledger", "metrics", "procedure_runs", "rewards",
        "rollouts", "runs", "spans",
    }  # fmt: skip


def test_a_query_comes_from_the_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT id FROM runs\nORDER BY id"))
    assert run(["runs", "query", "-"]) == 0
    assert capsys.readouterr().out.split() == ["id", "first", "second"]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], 2, "C160"),
        (["SELECT 1", "--tables"], 2, "C160"),
        (["SELECT 1", "--csv", "--json"], 2, "C160"),
        (["SELECT wrong FROM runs"], 2, "C160"),
        (["DROP TABLE runs"], 2, "C161"),
        (["SELECT 1", "--limit", "0"], 2, "C000"),
        (["SELECT 1", "--runs", "nowhere"], 3, "D063"),
    ],
)
def test_mistakes_are_told(
    arguments: list[str], status: int, said: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["runs", "query", *arguments]) == status
    assert f"error[{said}]" in capsys.readouterr().err
    assert not (project / "nowhere").exists()
