"""``cesello train``: its dry run on the recipes that are shipped, and the whole command on fakes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from dependency_injector import providers

from cesello.domain.schedule import StepReport
from cesello.entrypoints import requests
from cesello.entrypoints.cli.main import run
from cesello.entrypoints.cli.summary import say_held_out
from cesello.entrypoints.cli.watch import LineObserver
from cesello.entrypoints.container import Container, make_container
from tests.fakes.model import FakeDevices, FakeMemoryPredictor, FakeModelProvider
from tests.fakes.sandbox import FakeSandbox
from tests.fakes.training import FakePolicyOptimizer
from tests.repository import ROOT

RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))
ROWS = [{"instruction": f"question {number}", "response": "yes"} for number in range(12)]
RECIPE = """\
name: small
model: {name: fake}
data:
  sources:
    - {name: chat, kind: file, path: chat.jsonl, holdout: 4}
training: {max_steps: 3, batch_size: 2}
"""


def heavy() -> set[str]:
    names = {"torch", "transformers", "peft", "lightning", "datasets", "chromadb", "numpy"}
    return names & set(sys.modules)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_dry_run_of_a_shipped_recipe_says_the_plan(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train", str(recipe), "--dry-run"]) == 0
    out, err = capsys.readouterr()
    is_begun_with = recipe.stem in ("apo-functions", "grpo-functions")
    assert err.startswith("note: the LoRA weights that this goes on from") if is_begun_with else err == ""
    assert out.splitlines()[0].startswith("model      ")
    assert out.endswith("The recipe is valid. Nothing was loaded, fetched or written.\n")


@pytest.mark.parametrize("name", ["apo-functions", "grpo-functions"])
def test_what_a_shipped_recipe_goes_on_from_is_asked_for_before_anything_is_loaded(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    [recipe] = [one for one in RECIPES if one.stem == name]
    assert run(["train", str(recipe)]) == 4
    err = capsys.readouterr().err
    assert "error[M002]" in err
    assert "`cesello train recipes/quickstart.yaml --run quickstart`" in err


def test_the_plan_tells_model_steps_and_shares(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "small.yaml").write_text(
        """
model: {name: org/tiny}
data:
  sources:
    - {name: code, kind: stdlib, weight: 3}
    - {name: chat, kind: file, path: chat.jsonl, holdout: 4}
training: {max_steps: 30, batch_size: 2, accumulate: 3, learning_rate: 1e-3}
"""
    )
    run(["train", str(tmp_path / "small.yaml"), "--dry-run", "--set", "training.max_steps=7"])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["model", "org/tiny", "(quantizer", "none)"] in lines
    assert ["training", "sft,", "7", "steps", "of", "6", "rows,", "learning", "rate", "0.001"] in lines
    assert ["code", "stdlib", "75%", "24"] in lines
    assert ["chat", "file", "25%", "4"] in lines


def test_the_plan_tells_the_rewards(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "small.yaml").write_text(RECIPE)
    rewards = "rewards=[{kind: coding}, {kind: length, name: short, weight: -0.5}]"
    run(["train", str(tmp_path / "small.yaml"), "--dry-run", "--set", rewards, "--set", "blend=sum"])
    assert "rewards    coding x 1, short x -0.5, blended by sum\n" in capsys.readouterr().out


def test_the_plan_of_a_reinforcement(capsys: pytest.CaptureFixture[str]) -> None:
    run(["train", str(ROOT / "recipes" / "grpo-functions.yaml"), "--dry-run"])
    out = capsys.readouterr().out
    assert "LoRA       that of runs/quickstart\n" in out
    assert "training   grpo, 24 steps of 4 prompts with 8 completions each, learning rate " in out


def test_the_plan_of_a_quantised_model(capsys: pytest.CaptureFixture[str]) -> None:
    run(["train", str(ROOT / "recipes" / "mistral-7b-qlora.yaml"), "--dry-run"])
    assert "(quantizer nf4, double quantisation)" in capsys.readouterr().out


def test_a_plan_as_json_is_the_whole_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    run(["train", str(ROOT / "recipes" / "quickstart.yaml"), "--dry-run", "--json"])
    recipe = json.loads(capsys.readouterr().out)
    assert recipe["name"] == "quickstart"
    assert recipe["evaluation"]["generate"][0]["reward"] == "function_calling"
    assert recipe["training"]["weight_decay"] == 0.01


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_dry_run_loads_no_model_library_and_writes_nothing(recipe: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from cesello.entrypoints.cli.main import run; "
        f"status = run(['train', {str(recipe)!r}, '--dry-run']); "
        "from tests.unit.entrypoints.test_cli_train import heavy; sys.exit(status or ' '.join(heavy()) or 0)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    said = [line for line in done.stderr.splitlines() if not line.startswith("note: the LoRA weights")]
    assert (done.returncode, said) == (0, [])
    assert list(tmp_path.iterdir()) == []


# The whole command on fakes


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe whose container has a fake model and a fake optimiser; the rest is real."""

    def with_fakes(config: Mapping[str, Any] | None = None) -> Container:
        container = make_container(config)
        container.model_provider.override(providers.Object(FakeModelProvider()))
        container.policy_optimizer.override(providers.Object(FakePolicyOptimizer()))
        container.memory_predictor.override(providers.Object(FakeMemoryPredictor()))
        container.devices.override(providers.Object(FakeDevices()))
        return container

    monkeypatch.setattr("cesello.entrypoints.requests.make_container", with_fakes)
    monkeypatch.setenv("CESELLO_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chat.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (tmp_path / "small.yaml").write_text(RECIPE)
    return tmp_path / "small.yaml"


def train(*arguments: str) -> int:
    return run(["--debug", "train", "small.yaml", *arguments])  # --debug leaves the libraries alone


@pytest.mark.usefixtures("recipe")
def test_a_training_says_its_figures_and_what_to_do_next(capsys: pytest.CaptureFixture[str]) -> None:
    assert train() == 0
    out, err = capsys.readouterr()
    [folder] = Path("runs").glob("*/")
    words = [line.split() for line in out.splitlines()]
    assert ["chat", "8", "6", "100.0%", "100.0%", "108", "100.0%", "0.75"] in words
    assert ["chat:", "loss", "2.000", "0.800"] in words
    assert f"Weights: runs/{folder.name}/lora" in out
    assert f"cesello generate --run runs/{folder.name}" in out
    assert "asked   question" in out
    assert "before  base heard question" in out
    assert "after   tuned heard question" in out
    phases = [line for line in err.splitlines() if not line.startswith(" ")]
    assert phases == [
        "loading the tokenizer of fake",
        "reading chat",
        "tokenising chat (0/12)",
        "checking the memory",
        "loading fake",
        "evaluating before (0/7)",
        "training (0/3)",
        "evaluating after (0/7)",
        "saving",
    ]
    assert "  training 3/3" in err


@pytest.mark.usefixtures("recipe")
def test_a_training_as_json_prints_the_manifest(capsys: pytest.CaptureFixture[str]) -> None:
    assert train("--json", "--set", "training.max_steps=2") == 0
    manifest = json.loads(capsys.readouterr().out)
    assert (manifest["name"], manifest["status"], manifest["steps"]) == ("small", "completed", 2)
    assert json.loads((Path("runs") / manifest["id"] / "manifest.json").read_text()) == manifest
    assert "cesello" in manifest["versions"]


@pytest.mark.usefixtures("recipe")
def test_what_was_trained_is_listed_and_asked(capsys: pytest.CaptureFixture[str]) -> None:
    train()
    capsys.readouterr()
    assert run(["runs", "list"]) == 0
    assert "small" in capsys.readouterr().out
    assert run(["--debug", "generate", "hello"]) == 0
    assert capsys.readouterr().out == "tuned heard hello\n"
    assert run(["--debug", "generate", "hello", "--no-lora", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["lora"], answer["completion"]) == (False, "base heard hello")


@pytest.mark.usefixtures("recipe")
def test_a_broken_row_ends_the_command_before_anything_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    Path("chat.jsonl").write_text('{"text": "a"}\n' * 16 + "{\n")
    assert train() == 3
    assert "error[D003] broken JSON" in capsys.readouterr().err
    assert not Path("runs").exists()


# Going on with a run


def stopped_after_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next training is sent a signal by its second step."""

    def step(self: LineObserver, report: StepReport) -> None:
        if report.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(LineObserver, "step", step)


@pytest.mark.usefixtures("recipe")
def test_a_training_that_was_stopped_says_how_to_go_on_and_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        stopped_after_two(patch)
        assert train("--run", "mine") == 143
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == (
        "error[T143] stopped after step 2 of 3; weights: runs/mine/lora"
        " · `cesello train RECIPE --resume --run mine` goes on from there"
    )
    assert train("--run", "mine", "--resume", "--json") == 0
    out, err = capsys.readouterr()
    manifest = json.loads(out)
    assert (manifest["id"], manifest["status"], manifest["steps"]) == ("mine", "completed", 3)
    assert [(one["step"], one["differences"]) for one in manifest["resumes"]] == [(2, [])]
    assert "going on with mine after step 2" in err
    assert "training (2/3)" in err
    assert "evaluating before" not in err
    assert train("--run", "mine", "--resume") == 3
    assert "error[D032] the run is completed at runs/mine" in capsys.readouterr().err


@pytest.mark.usefixtures("recipe")
def test_without_an_id_the_newest_run_of_the_recipes_name_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("--resume") == 3
    assert 'error[D031] there is no run of the name "small" to go on with' in capsys.readouterr().err
    with monkeypatch.context() as patch:
        stopped_after_two(patch)
        assert train() == 143
    assert train("--resume") == 0
    assert len([*Path("runs").glob("*/")]) == 1


@pytest.mark.usefixtures("recipe")
def test_another_recipe_is_refused_and_can_be_forced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        stopped_after_two(patch)
        assert train("--run", "mine") == 143
    change = ("--run", "mine", "--resume", "--set", "training.learning_rate=1e-3")
    assert train(*change) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line == (
        "error[C050] the run cannot be gone on with exactly: the recipe has changed at training.learning_rate"
        " · got 0.001 -> expected 0.0002"
        " · set it back, or give --allow-inexact, which the manifest tells"
    )
    assert train(*change, "--allow-inexact", "--json") == 0
    [resume] = json.loads(capsys.readouterr().out)["resumes"]
    assert resume["differences"] == ["recipe training.learning_rate: 0.0002 -> 0.001"]


@pytest.mark.usefixtures("recipe")
def test_a_used_run_is_begun_anew_only_when_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert train("--run", "mine") == 0
    first = Path("runs/mine/manifest.json").read_text()
    assert train("--run", "mine") == 2
    assert "error[C060] the run's folder is used already at runs/mine" in capsys.readouterr().err
    assert Path("runs/mine/manifest.json").read_text() == first
    assert train("--run", "mine", "--overwrite", "--set", "training.max_steps=2") == 0
    assert json.loads(Path("runs/mine/manifest.json").read_text())["steps"] == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--resume", "--overwrite", "--run", "a"], "--resume goes on with a run and --overwrite loses it"),
        (["--overwrite"], "--overwrite needs --run"),
        (["--allow-inexact"], "--allow-inexact goes with --resume"),
    ],
)
def test_options_that_do_not_go_together_are_refused_before_the_recipe_is_read(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train", "nowhere.yaml", *options]) == 2
    assert words in capsys.readouterr().err


# What judges answers

GRADED = ("--set", "evaluation.generate=[{source: chat, reward: coding, rows: 4}]")
CODE = ("--set", "data.sources.chat.reference={tests: tests}")
PROGRAMS = [
    {"instruction": f"Write a function `f`, number {number}.", "response": "no", "tests": "assert f() == 1"}
    for number in range(12)
]


@pytest.fixture
def sandbox(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSandbox:
    """That of the recipe's container; its rows are programs to be written."""
    fake, before = FakeSandbox(), vars(requests)["make_container"]

    def with_sandbox(config: Mapping[str, Any] | None = None) -> Container:
        container: Container = before(config)
        container.sandbox.override(providers.Object(fake))
        return container

    monkeypatch.setattr(requests, "make_container", with_sandbox)
    recipe.with_name("chat.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PROGRAMS))
    return fake


def test_answers_are_judged_by_the_columns_of_their_rows(
    sandbox: FakeSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(*GRADED, *CODE) == 0
    out, _ = capsys.readouterr()
    words = [line.split() for line in out.splitlines()]
    assert ["chat:", "passes", "(of", "4)", "0", "0"] in words
    assert [line[:3] for line in words if line[:2] == ["chat:", "mean"]] == [["chat:", "mean", "score"]]
    [folder] = Path("runs").glob("*/")
    graded = json.loads((folder / "manifest.json").read_text())["before"]["graded"]["chat"]
    assert (graded["rows"], graded["not_applicable"], graded["infra_errors"]) == (4, 0, 0)
    assert graded["score"] < 0
    assert sandbox.closed == 1


def test_a_reward_that_has_a_name_is_told_by_it(capsys: pytest.CaptureFixture[str]) -> None:
    graded = {"reward": "words", "rows": 6, "parts": {"length": 2.0}, "score": 0.3}
    say_held_out(
        {"before": {"losses": {}, "graded": {"chat": graded, "other": graded | {"reward": "length"}}}}
    )
    words = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["chat:", "words,", "length", "(of", "6)", "2", "-"] in words
    assert ["other:", "length", "(of", "6)", "2", "-"] in words


def test_without_a_sandbox_nothing_is_begun(sandbox: FakeSandbox, capsys: pytest.CaptureFixture[str]) -> None:
    sandbox.broken = True
    assert train(*GRADED, *CODE) == 6
    assert "error[X001]" in capsys.readouterr().err
    assert not Path("runs").exists()
    assert train() == 0, "a recipe that runs no program needs none"


@pytest.mark.parametrize(("option", "tier"), [((), "auto"), (("--unsafe-code-execution",), "unsafe")])
def test_a_sandbox_is_done_without_only_where_the_command_says_so(
    option: tuple[str, ...],
    tier: str,
    recipe: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made: list[str] = []
    before = vars(requests)["make_container"]

    def noting(config: Mapping[str, Any] | None = None) -> Container:
        container: Container = before(config)
        made.append(container.config.sandbox.tier())
        return container

    monkeypatch.setattr(requests, "make_container", noting)
    assert train(*option) == 0
    assert made == [tier]
    assert ("without a sandbox" in capsys.readouterr().err) is bool(option)
    [folder] = Path("runs").glob("*/")
    assert "unsafe" not in (folder / "recipe.yaml").read_text()
