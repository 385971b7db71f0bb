"""Two trainings and the base model, asked the same held-out rows through the command."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.e2e.command import cesello_here
from tests.tiny_model import make_tiny_model

RECIPE = """
name: {name}
model: {{name: ./tiny, dtype: float32}}
lora: {{r: 4, alpha: 8, dropout: 0.0, target_modules: all-linear}}
data:
  max_tokens: 200
  sources:
    - {{name: chat, kind: file, path: rows.jsonl, holdout: {holdout}}}
training: {{max_steps: 4, batch_size: 2, learning_rate: {rate}}}
rewards: [{{kind: length, shortest: 10, longest: 40, unit: characters}}]
evaluation:
  samples: 0
  max_new_tokens: 6
  generate: [{{source: chat, reward: length, rows: 8}}]
loggers: []
"""


SEARCH = """
algorithm: apo
name: searched
model: {name: ./tiny, dtype: float32}
data:
  max_tokens: 200
  sources: [{name: chat, kind: file, path: rows.jsonl, holdout: 8}]
rewards: [{kind: length, shortest: 10, longest: 40, unit: characters}]
apo:
  components: [system]
  budget: {rollouts: 80}
  max_new_tokens: 6
loggers: []
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recipes with a completed run each; the second holds fewer rows out."""
    folder = tmp_path_factory.mktemp("compare")
    make_tiny_model(folder / "tiny")
    rows = ({"prompt": f"say {number}", "completion": f"it is {number}"} for number in range(24))
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name, rate, holdout in (("slow", 1e-5, 8), ("fast", 1e-2, 5)):
        (folder / f"{name}.yaml").write_text(RECIPE.format(name=name, rate=rate, holdout=holdout))
        done = cesello_here("train", f"{name}.yaml", "--run", name, cwd=folder)
        assert done.returncode == 0, done.stderr
    (folder / "search.yaml").write_text(SEARCH)
    done = cesello_here("train", "search.yaml", "--run", "searched", cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "never.yaml").write_text(RECIPE.format(name="never", rate=1e-3, holdout=8))
    return folder


def test_runs_are_asked_what_none_of_them_was_trained_on(project: Path) -> None:
    done = cesello_here("compare", "slow.yaml", "fast.yaml", "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["source"], found["reward"]) == ("chat", "length")
    assert (found["tasks"], found["seen_by_some"]) == (5, 3)  # three of the eight are trained on by "fast"
    assert [(way["name"], way["kind"]) for way in found["ways"]] == [
        ("base model", "base"),
        ("slow", "sft"),
        ("fast", "sft"),
    ]
    base, slow, fast = found["ways"]
    assert base["beside_first"] is None
    for way in (slow, fast):
        assert way["figure"]["tasks"] == 5
        assert way["beside_first"]["gain"] == pytest.approx(way["figure"]["mean"] - base["figure"]["mean"])
        assert way["cost"]["seconds"] > 0
    assert found["training"]["prompt"] == "base model"


def test_a_searched_prompt_is_a_way_without_weights(project: Path) -> None:
    done = cesello_here("compare", "slow.yaml", "search.yaml", "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    base, _, searched = found["ways"]
    assert (searched["kind"], found["tasks"]) == ("apo", 8)
    assert searched["begins_with"] == "base model"  # it began with the same prompt
    assert 0 < searched["cost"]["rollouts"] <= 80
    spent = json.loads((project / "runs" / "searched" / "search.json").read_text())["spent"]
    assert searched["cost"]["rollouts"] == sum(phase["rollouts"] for phase in spent)
    assert base["cost"]["rollouts"] == 0


def test_a_search_on_tuned_weights_stands_beside_them(project: Path) -> None:
    begun = SEARCH.replace("name: searched", "name: on-fast\nlora: {continue_from: runs/fast}")
    (project / "on-fast.yaml").write_text(begun.replace("apo:", "apo:\n  system: Be brief."))
    done = cesello_here("train", "on-fast.yaml", "--run", "on-fast", cwd=project)
    assert done.returncode == 0, done.stderr
    found = cesello_here("compare", "fast", "on-fast", cwd=project)
    assert found.returncode == 0, found.stderr
    assert "on-fast over on-fast, first prompt, which it began with: " in found.stdout
    assert "the best prompt alone (base model)" in found.stdout
    ways = json.loads(cesello_here("compare", "fast", "on-fast", "--json", cwd=project).stdout)["ways"]
    assert [(one["name"], one["kind"]) for one in ways] == [
        ("base model", "base"),
        ("fast", "sft"),
        ("on-fast, first prompt", "seed"),
        ("on-fast", "apo"),
    ]


def test_a_prompt_for_another_model_is_not_compared(project: Path) -> None:
    run = project / "runs" / "served"
    shutil.copytree(project / "runs" / "searched", run)
    recipe = (run / "recipe.yaml").read_text()
    for old, new in (("kind: policy", "kind: openai"), ("url: null", "url: http://localhost:1/v1")):
        assert old in recipe
        recipe = recipe.replace(old, new, 1)
    start, _, rest = recipe.partition("generator:")
    (run / "recipe.yaml").write_text(f"{start}generator:{rest.replace('model: null', 'model: m', 1)}")
    done = cesello_here("compare", "runs/served", cwd=project)
    assert "error[C152]" in done.stderr
    assert done.returncode == 2


def test_a_person_reads_a_table_and_what_to_do(project: Path) -> None:
    done = cesello_here("compare", "slow", "--runs", "runs", "--rows", "4", cwd=project)
    assert done.returncode == 0, done.stderr
    assert "4 held-out tasks of chat, judged by length" in done.stdout
    assert done.stdout.splitlines()[-1].startswith(("Training pays", "Keep the prompt", "Not settled"))


@pytest.mark.parametrize(
    ("arguments", "code", "fix"),
    [
        (["never.yaml"], "C150", "cesello train never.yaml"),
        (["nothing.yaml"], "C020", ""),
        (["slow", "--source", "other"], "C151", "--source"),
        (["slow", "--reward", "blen"], "C009", ""),
        (["nobody"], "D030", ""),
        (["slow", "runs/slow"], "C153", "name it once"),
        (["slow", "--reward", "function_calling"], "D061", "--reward"),
    ],
)
def test_what_cannot_be_compared_is_said(project: Path, arguments: list[str], code: str, fix: str) -> None:
    done = cesello_here("compare", *arguments, cwd=project)
    assert done.returncode != 0
    assert f"error[{code}]" in done.stderr
    assert fix in done.stderr
    assert "Traceback" not in done.stderr
