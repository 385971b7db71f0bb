"""``cesello data`` on fakes: what is said where, and how it ends."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from dependency_injector import providers

from cesello.entrypoints.cli.main import run
from cesello.entrypoints.container import Container, make_container
from tests.fakes.examples import FakeExampleStore, FakeNearCopies
from tests.fakes.model import FakeModelProvider
from tests.fakes.run import FakeStop

RECIPE = """\
model: {name: fake}
data:
  system_prompt: null
  sources:
    - {name: chat, kind: file, path: chat.jsonl, holdout: 4, weight: 3}
    - {name: code, kind: file, path: code.jsonl, holdout: 2}
training: {max_steps: 2, batch_size: 2}
"""
REPLAYED = "data.sources.code.kind=replay"


def lines_of(word: str, count: int) -> list[str]:
    return [
        json.dumps({"prompt": f"{word}{n} {word}x{n} {word}y{n}", "completion": f"{word}z{n}"})
        for n in range(count)
    ]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe, its files, and a fake behind every port but the sources."""
    provider, store = FakeModelProvider(), FakeExampleStore()

    def with_fakes(config: Mapping[str, Any] | None = None) -> Container:
        container = make_container(config)
        container.model_provider.override(providers.Object(provider))
        container.example_store.override(providers.Object(store))
        container.near_copies.override(providers.Object(FakeNearCopies()))
        return container

    monkeypatch.setattr("cesello.entrypoints.requests.make_container", with_fakes)
    monkeypatch.chdir(tmp_path)
    write("chat", lines_of("a", 12))
    write("code", lines_of("b", 10))
    Path("recipe.yaml").write_text(RECIPE)
    return tmp_path


pytestmark = pytest.mark.usefixtures("folder")


def write(name: str, lines: list[str]) -> None:
    Path(f"{name}.jsonl").write_text("".join(f"{line}\n" for line in lines))


def data(command: str, *arguments: str) -> int:
    return run(["--debug", "data", command, "recipe.yaml", *arguments])  # --debug leaves the libraries alone


def words(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


# Preview


def test_rows_are_shown_with_what_is_trained_marked(capsys: pytest.CaptureFixture[str]) -> None:
    assert data("preview", "--rows", "1") == 0
    out, err = capsys.readouterr()
    assert out.startswith("Trained tokens stand between ⟦ and ⟧.\n")
    assert "  8 of 12 rows trained on, 75.0% of the rows drawn, 4 held out\n" in out
    [place] = [line for line in out.splitlines() if line.startswith("── chat.jsonl:")]
    number = int(place.split()[1].partition(":")[2]) - 1
    assert place.endswith(" · 8 tokens, 2 trained")
    assert f"user a{number} ax{number} ay{number} <end> assistant ⟦az{number} <end>·⟧\n" in out
    assert out.count("── ") == 2
    assert "tokenising chat (0/12)" in err


def test_one_source_and_its_held_out_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert data("preview", "--source", "code", "--held-out", "--rows", "9") == 0
    out = capsys.readouterr().out
    assert out.count("── code.jsonl:") == 2
    assert "chat" not in out


def test_a_preview_as_json_holds_every_token(capsys: pytest.CaptureFixture[str]) -> None:
    assert data("preview", "--json", "--rows", "2") == 0
    chat, code = json.loads(capsys.readouterr().out)
    assert (chat["name"], chat["share"], code["kept"]) == ("chat", 0.75, 8)
    [first, _] = chat["rows"]
    assert first["tokens"] == len(first["pieces"]) == 8
    assert [piece["trained"] for piece in first["pieces"]] == [False] * 6 + [True] * 2


def test_a_page_is_private_and_written_over(capsys: pytest.CaptureFixture[str]) -> None:
    Path("page.html").write_text("old")
    assert data("preview", "--html", "page.html") == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("wrote page.html: 6 rows of 2 sources\n")
    assert stat.S_IMODE(Path("page.html").stat().st_mode) == 0o600
    assert "<h2>chat</h2>" in Path("page.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--source", "chta"],
            'error[C051] the recipe has no source "chta" at recipe.yaml · expected one of chat, code',
        ),
        (["--html", "recipe.yaml"], "error[C052] a page has another kind of name"),
        (["--rows", "0"], "error[C000] "),
        (["--set", "data.max_token=3"], "error[C001] "),
    ],
)
def test_wrong_arguments_are_explained_before_anything_is_read(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert data("preview", *arguments) == 2
    out, err = capsys.readouterr()
    assert sentence in err
    assert (out, "reading" in err) == ("", False)
    assert Path("recipe.yaml").read_text() == RECIPE


def test_colours_are_for_terminals_and_for_those_who_want_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    data("preview", "--rows", "1")
    assert "⟦" not in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    data("preview", "--rows", "1")
    assert "⟦" in capsys.readouterr().out


def test_a_row_cannot_write_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    write("chat", [*lines_of("a", 4), json.dumps({"prompt": "which way?", "completion": "\u202eback"})])
    assert data("preview", "--source", "chat", "--set", "data.sources.chat.holdout=0", "--rows", "9") == 0
    out = capsys.readouterr().out
    assert "\\u202eback" in out
    assert "\u202e" not in out


def test_a_source_that_waits_for_the_model_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert data("preview", "--set", REPLAYED) == 0
    out, err = capsys.readouterr()
    assert 'source "code" is left out' in err
    assert "code.jsonl" not in out
    assert data("preview", "--set", REPLAYED, "--source", "code") == 3
    assert "error[D023]" in capsys.readouterr().err


# Manifest


def test_the_plan_is_printed_without_training(capsys: pytest.CaptureFixture[str]) -> None:
    assert data("manifest") == 0
    out = capsys.readouterr().out
    assert ["chat", "12", "8", "4", "0", "0", "0", "64", "16"] in words(out)
    assert ["chat", "8", "3", "75.0%", "75.0%", "24", "75.0%", "0.38"] in words(out)
    assert "steps    2 of 2 rows and 16 tokens (batching rows, 1 x 2), ended by max_steps\n" in out
    assert len(out.splitlines()[-1].removeprefix("digest   ")) == 64
    assert not Path("runs").exists()


def test_what_is_left_out_is_said_by_reason(capsys: pytest.CaptureFixture[str]) -> None:
    write("code", [*lines_of("b", 10), *lines_of("b", 3)])
    data("manifest")
    assert "code: left out exact copy (3)\n" in capsys.readouterr().out


def test_a_plan_as_json_is_the_whole_mixture(capsys: pytest.CaptureFixture[str]) -> None:
    write("code", [*lines_of("b", 10), *lines_of("b", 3)])
    assert data("manifest", "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["plan"]["max_steps"] == 2
    assert plan["mixture"]["rows_planned"] == 4
    assert [source["drawn"] for source in plan["mixture"]["sources"]] == [3, 1]
    assert plan["mixture"]["sources"][1]["dropped"] == {"exact copy": 3}


def test_the_model_answers_for_a_plan_and_then_its_rows_can_be_looked_at(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert data("manifest", "--set", REPLAYED) == 0
    assert "the model is loaded, because it answers the prompts of code" in capsys.readouterr().err
    assert data("preview", "--set", REPLAYED, "--source", "code") == 0
    assert "── code.jsonl:" in capsys.readouterr().out


def test_a_wrong_row_ends_the_plan(capsys: pytest.CaptureFixture[str]) -> None:
    write("chat", [*lines_of("a", 6), '{"text": ""}'])
    assert data("manifest") == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert "error[D012]" in err
    assert "chat.jsonl:7" in err


# Check


def test_good_data_is_said_to_be_good(capsys: pytest.CaptureFixture[str]) -> None:
    assert data("check") == 0
    out, err = capsys.readouterr()
    assert ["chat", "12", "8", "4", "0", "0"] in words(out)
    assert out.endswith("\nNo problem found.\n")
    assert "error" not in err


def test_every_problem_is_an_error_and_the_summary_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    write("chat", [*lines_of("a", 6), '{"text": ""}', '{"text": ""}'])
    write("code", [])
    assert data("check") == 3
    out, err = capsys.readouterr()
    errors = [line for line in err.splitlines() if line.startswith("error[")]
    assert [line[6:10] for line in errors] == ["D012", "D012", "D002"]
    assert "error" not in out
    assert ["chat", "8", "2", "4", "2", "2"] in words(out)
    assert ["code", "-", "-", "-", "-", "0"] in words(out)
    assert out.endswith("\nProblems: D012 (2), D002 (1)\n")


def test_problems_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    write("chat", [*lines_of("a", 12), '{"text": ""}'])
    assert data("check", "--json", "--set", "training.max_steps=200") == 3
    row, short = json.loads(capsys.readouterr().out)
    assert set(row) == set(short) == {"code", "what", "where", "got", "expected", "fix", "count"}
    assert (row["code"], row["where"], row["count"]) == ("D012", "chat.jsonl:13", 1)
    assert (short["code"], short["where"]) == ("D026", 'source "chat"')


def test_no_problems_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert data("check", "--json") == 0
    assert json.loads(capsys.readouterr().out) == []


# All of them


@pytest.mark.parametrize("command", ["preview", "manifest", "check"])
def test_a_stop_ends_a_command_with_its_signal(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cesello.entrypoints.cli.watch.SignalStop", lambda **_: FakeStop(at_check=5))
    monkeypatch.setattr("cesello.entrypoints.cli.watch.listening", nullcontext)
    assert data(command) == 130
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("command", ["preview", "manifest", "check"])
def test_a_missing_tokenizer_is_explained(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert data(command, "--set", "model.name=missing") == 4
    assert "error[M001]" in capsys.readouterr().err
