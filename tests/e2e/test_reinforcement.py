"""``cesello train`` with grpo on a tiny model: what it says and keeps, as docs/reinforcement.md has it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cesello.domain.alarms import Alarm
from tests.e2e.command import cesello_here
from tests.repository import ROOT
from tests.rollout_server import rollout_server
from tests.tiny_model import make_tiny_model

pytestmark = pytest.mark.usefixtures("one_thread")

PAGE = (ROOT / "docs" / "reinforcement.md").read_text()
RECIPE = """
algorithm: grpo
model: {name: ./tiny, dtype: float32}
lora: {target_modules: all-linear}
data:
  sources:
    - {name: chat, kind: file, path: rows.jsonl, holdout: 4}
rewards:
  - {kind: length, shortest: 1, longest: 5, unit: characters}
  - {kind: format, pattern: "[a-m].*", weight: 0.5}
grpo: {completions: 4, max_completion_tokens: 8, beta: 0.02, masks_overlong: false}
training: {max_steps: 6, batch_size: 2}
checkpoint: {final: best}
evaluation:
  every_steps: 3
  samples: 1
  max_new_tokens: 8
  generate: [{source: chat, reward: blend, rows: 4}]
loggers: []
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("grpo")
    make_tiny_model(folder / "tiny")
    (folder / "recipe.yaml").write_text(RECIPE)
    rows = [
        [{"role": "user", "content": f"what is {n}?"}, {"role": "assistant", "content": f"it is {7 * n}"}]
        for n in range(20)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps({"messages": row}) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="module")
def told(folder: Path) -> tuple[str, str]:
    """What a training says, to its two outputs."""
    done = cesello_here("train", "recipe.yaml", "--run", "plain", cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@pytest.mark.parametrize("engine", ["transformers", "vllm"])
def test_another_engine_draws_the_answers(folder: Path, engine: str) -> None:
    changes = [
        "training.max_steps=2",
        "evaluation.every_steps=null",
        "checkpoint.final=last",
        f"grpo.engine={engine}",
    ]
    with rollout_server() as server:
        if engine == "vllm":
            changes.append(f"grpo.vllm.url={server.url}")
        options = [part for change in changes for part in ("--set", change)]
        done = cesello_here("train", "recipe.yaml", "--run", engine, *options, cwd=folder)
    assert done.returncode == 0, done.stderr
    steps = [
        json.loads(line) for line in (folder / "runs" / engine / "metrics.jsonl").read_text().splitlines()
    ]
    assert [line["step"] for line in steps] == [1, 2]
    assert all(line["weight"] > 0 for line in steps), "the engine's log-probabilities are not ours"
    drawn = (folder / "runs" / engine / "completions.jsonl").read_text().splitlines()
    assert len(drawn) == 2 * 2 * 4
    if engine == "vllm":
        assert len(set(server.had)) == 2, "every step has weights of its own"
        assert server.loaded == {}
        assert not (folder / "vllm-lora").exists()


def lines(folder: Path, log: str) -> list[dict[str, Any]]:
    return [
        json.loads(line) for line in (folder / "runs" / "plain" / f"{log}.jsonl").read_text().splitlines()
    ]


def in_first_column(heading: str) -> set[str]:
    """Names between backticks in the first column of the first table of a section."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def test_every_step_is_told_with_its_reward_and_its_seconds(told: tuple[str, str]) -> None:
    steps = [line for line in told[1].splitlines() if line.startswith("  training ")]
    assert len(steps) == 6
    for line in steps:
        assert re.search(r"reward -?[\d.]+  dead \d+%  cut off \d+%  tokens \d+  ", line), line
        assert re.search(r"generate [\d.]+ s  score [\d.]+ s  log p [\d.]+ s  update [\d.]+ s", line), line


def test_the_end_compares_scores_and_the_first_steps_with_the_last(
    told: tuple[str, str], folder: Path
) -> None:
    shown = cesello_here("runs", "show", "plain", cwd=folder).stdout
    figures = ["reward", "reward: length", "cut off"]
    for text, heading, more in ((told[0], "steps, 3 averaged", []), (shown, "figure", ["means of 3 steps"])):
        titles = [line.split("  ")[0].removeprefix("first and last: ") for line in text.splitlines()]
        order = ["chat: mean score", "chat: loss", heading, *figures, *more]
        assert [title for title in titles if title in order] == order
    assert "the highest held-out score" in shown


def test_an_alarm_is_told_kept_and_told_again(told: tuple[str, str], folder: Path) -> None:
    [alarm] = [Alarm(**line) for line in lines(folder, "alarms")]
    assert (alarm.name, alarm.step) == ("cut_off", 5)
    assert f"step 5: {alarm.text}\n" in told[0]
    assert f"step 5: {alarm.text}\n" in told[1]


@pytest.mark.usefixtures("told")
def test_every_answer_is_kept_with_the_keys_of_the_page(folder: Path) -> None:
    kept = lines(folder, "completions")
    assert [(line["step"], line["prompt"]) for line in kept] == [
        (step, prompt) for step in range(1, 7) for prompt in (0, 1) for _ in range(4)
    ]
    assert {frozenset(line) for line in kept} == {frozenset(in_first_column("What is kept"))}


@pytest.mark.usefixtures("told")
def test_the_tokens_of_one_group_a_step_are_kept_with_their_probabilities(folder: Path) -> None:
    answers: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for line in lines(folder, "completions"):
        answers.setdefault((line["step"], line["prompt"]), []).append(line)
    kept = lines(folder, "tokens")
    assert [line["step"] for line in kept] == [step for step in range(1, 7) for _ in range(4)]
    for line in kept:
        group = answers[line["step"], line["prompt"]]
        answer = group[line["number"]]
        if "<|" not in (whole := "".join(line["pieces"])):  # names of special tokens are no part of an answer
            assert whole == answer["completion"]
        assert len(line["pieces"]) == len(line["log_probs"]) == answer["tokens"]
        assert all(value <= 0 for value in line["log_probs"])
        other = answers[line["step"], 1 - line["prompt"]]
        spread = [
            max(rewards) - min(rewards)
            for rewards in ([one["reward"] for one in its] for its in (group, other))
        ]
        assert spread[0] >= spread[1]


@pytest.mark.usefixtures("told")
def test_a_run_is_reported(folder: Path) -> None:
    said = cesello_here("report", "latest", cwd=folder)
    assert said.returncode == 0, said.stderr
    assert "At the end " in said.stdout
    done = cesello_here("report", "latest", "--html", "run.html", cwd=folder)
    assert done.returncode == 0, done.stderr
    page = (folder / "run.html").read_text()
    assert page.count('"log_probs":') == 24


@pytest.mark.usefixtures("told")
def test_every_figure_is_explained_on_the_page(folder: Path) -> None:
    explained = in_first_column("How to read the figures")
    of_another_engine = {"weight", "weights_cut"}
    figures = set(lines(folder, "metrics")[0]) - {
        "step", "perplexity", "token_accuracy", "learning_rate", "gradient_norm", "tokens", "trained_tokens",
    }  # fmt: skip
    assert {re.sub(r"/.*", "/NAME", figure) for figure in figures} == explained - of_another_engine


def test_every_alarm_and_every_key_of_the_recipe_is_on_the_page() -> None:
    from cesello.entrypoints.settings.grpo_settings import GrpoSettings

    assert in_first_column("Alarms") == {"dead_groups", "cut_off", "kl", "weight", "entropy", "held_out"}
    assert in_first_column("The recipe") == set(GrpoSettings.model_fields)


def test_a_quantised_base_is_reinforced(folder: Path) -> None:
    changes = ("--set", "quantizer.name=nf4", "--set", "training.max_steps=2")
    done = cesello_here("train", "recipe.yaml", "--run", "nf4", "--json", *changes, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "completed"
