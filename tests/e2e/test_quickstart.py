"""The main job on real input: the recipe of the README trains a real model on three real sources."""

from __future__ import annotations

import json
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import cesello, cesello_here
from tests.repository import ROOT

RECIPE = ROOT / "recipes" / "quickstart.yaml"
STEPS = 12
"""Of two rows; the recipe has 32 of four, and `make test-all` takes all of them."""
ROWS = 5
"""Of each source that are answered and whose loss is measured; 16 or 24 are held out."""
GRADED = f"{{source: functions, reward: function_calling, rows: {ROWS}}}"
FEWER = f"training.max_steps={STEPS}", "training.accumulate=1"
CHANGES = *FEWER, f"evaluation.rows={ROWS}", f"evaluation.generate=[{GRADED}]"
SHORTER = tuple(part for change in CHANGES for part in ("--set", change))


@dataclass(frozen=True)
class Quickstart:
    folder: Path
    run: Path
    output: str
    manifest: dict[str, Any]


@pytest.fixture(scope="session")
def quickstart(kit_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Quickstart:
    """One shorter run of the quickstart for all tests of this file but those of what it learns."""
    return trained(tmp_path_factory.mktemp("quickstart"), *SHORTER)


@pytest.fixture(scope="session")
def whole_quickstart(kit_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Quickstart:
    """The quickstart as the README has it; it takes minutes."""
    return trained(tmp_path_factory.mktemp("whole-quickstart"))


def trained(folder: Path, *options: str) -> Quickstart:
    done = cesello("train", RECIPE, *options, cwd=folder)
    assert done.returncode == 0, done.stderr
    (run,) = (folder / "runs").glob("*/")
    return Quickstart(folder, run, done.stdout, json.loads((run / "manifest.json").read_text()))


pytestmark = pytest.mark.timeout(1200)


def test_the_form_of_function_calls_is_learned_in_a_few_steps(quickstart: Quickstart) -> None:
    before = quickstart.manifest["before"]["graded"]["functions"]
    after = quickstart.manifest["after"]["graded"]["functions"]
    assert before["rows"] == after["rows"] == ROWS
    assert before["parts"]["valid_json"] <= 1
    assert after["parts"]["valid_json"] >= 4
    assert after["parts"]["right_function"] >= 4


@pytest.mark.slow
def test_function_calls_are_learned(whole_quickstart: Quickstart) -> None:
    before = whole_quickstart.manifest["before"]["graded"]["functions"]
    after = whole_quickstart.manifest["after"]["graded"]["functions"]
    assert before["rows"] == after["rows"] == 24
    assert before["parts"]["valid_json"] <= 2
    assert before["parts"]["right_function"] <= 2
    assert before["parts"]["exact_call"] == 0
    assert after["parts"]["valid_json"] >= 20
    assert after["parts"]["right_function"] >= 18
    assert after["parts"]["exact_call"] >= 8


def test_nothing_is_forgotten(quickstart: Quickstart) -> None:
    no_loss_grows(quickstart, ROWS)


@pytest.mark.slow
def test_nothing_is_forgotten_in_all_steps(whole_quickstart: Quickstart) -> None:
    no_loss_grows(whole_quickstart, 16)


def no_loss_grows(run: Quickstart, rows: int) -> None:
    before, after = run.manifest["before"]["losses"], run.manifest["after"]["losses"]
    assert set(before) == {"functions", "coding", "chat"}
    for source, loss in before.items():
        assert after[source]["loss"] <= loss["loss"], source
        assert after[source]["rows"] >= rows


def test_the_shares_follow_the_plan(quickstart: Quickstart) -> None:
    data = quickstart.manifest["data"]
    drawn = sum(source["drawn"] for source in data["sources"])
    assert drawn == data["rows_planned"] == STEPS * 2
    for source in data["sources"]:
        assert abs(source["drawn"] - source["planned"] * drawn) < 1
        assert source["passes"] <= 1
        assert source["read"] == source["kept"] + source["held_out"] + sum(source["dropped"].values())
    assert len(data["digest"]) == 64


def test_the_output_tells_figures_sample_and_next_step(quickstart: Quickstart) -> None:
    assert f"functions: exact call (of {ROWS})" in quickstart.output
    assert "<tool_call>" in quickstart.output
    assert f"cesello generate --run runs/{quickstart.run.name}" in quickstart.output


def test_the_run_folder_is_whole_and_private(quickstart: Quickstart) -> None:
    run = quickstart.run
    files = {
        path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file() and path.name != ".lock"
    }
    assert files >= {
        "manifest.json",
        "metrics.jsonl",
        "recipe.yaml",
        "samples-before.jsonl",
        "samples-after.jsonl",
        "scores.jsonl",
        "lora/README.md",
        "lora/adapter_config.json",
        "lora/adapter_model.safetensors",
        "lora/tokenizer.json",
        "lora/tokenizer_config.json",
    }
    assert not [
        name for name in files if "partial" in name or name.endswith((".bin", ".pt", ".pkl", ".ckpt"))
    ]
    for name in files:
        assert stat.S_IMODE((run / name).stat().st_mode) == 0o600, name
    assert quickstart.manifest["status"] == "completed"
    assert set(quickstart.manifest["weights"]) == {name[5:] for name in files if name.startswith("lora/")}


def test_metrics_hold_a_line_a_step(quickstart: Quickstart) -> None:
    lines = [json.loads(line) for line in (quickstart.run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    assert {"loss", "perplexity", "token_accuracy", "learning_rate", "gradient_norm"} <= set(lines[0])
    timings = [json.loads(line) for line in (quickstart.run / "timings.jsonl").read_text().splitlines()]
    assert [line["step"] for line in timings] == list(range(1, STEPS + 1))
    assert all(0 < line["roofline"] < 1.5 for line in timings[1:])
    assert max(line["learning_rate"] for line in lines) == pytest.approx(1.5e-3)


def test_the_model_card_tells_where_the_weights_come_from(quickstart: Quickstart) -> None:
    card = (quickstart.run / "lora" / "README.md").read_text()
    assert card.startswith("---\nbase_model: HuggingFaceTB/SmolLM2-135M-Instruct\n")
    assert quickstart.manifest["data"]["digest"] in card
    assert quickstart.manifest["recipe_sha256"] in card
    assert f"functions: exact_call of {ROWS}" in card


def test_plain_peft_loads_the_weights(quickstart: Quickstart, kit_home: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from cesello.adapters.model.hub_cache import HubCache

    name = "HuggingFaceTB/SmolLM2-135M-Instruct"
    where = HubCache(kit_home / "hub").arguments(name)
    base = AutoModelForCausalLM.from_pretrained(name, adapter_kwargs=where, **where)
    tuned = PeftModel.from_pretrained(base, str(quickstart.run / "lora")).eval()
    tokenizer = AutoTokenizer.from_pretrained(str(quickstart.run / "lora"))
    ids = tokenizer("def add(a, b):", return_tensors="pt")
    with torch.no_grad():
        with_weights = tuned(**ids).logits
        with tuned.disable_adapter():
            without = tuned(**ids).logits
    assert not torch.allclose(with_weights, without, atol=0.1)


def test_the_kept_recipe_is_the_recipe(quickstart: Quickstart) -> None:
    kept = quickstart.run / "recipe.yaml"
    done = cesello_here("train", kept, "--dry-run", "--json", cwd=quickstart.folder)
    first = cesello_here("train", RECIPE, *SHORTER, "--dry-run", "--json", cwd=quickstart.folder)
    ours, theirs = json.loads(done.stdout), json.loads(first.stdout)
    assert {**ours, "root": None} == {**theirs, "root": None}


def test_runs_are_listed_and_shown(quickstart: Quickstart) -> None:
    listed = json.loads(cesello_here("runs", "list", "--json", cwd=quickstart.folder).stdout)
    assert [(run["id"], run["status"]) for run in listed] == [(quickstart.run.name, "completed")]
    shown = cesello_here("runs", "show", "latest", cwd=quickstart.folder).stdout
    assert quickstart.run.name in shown
    assert f"functions: exact call (of {ROWS})" in shown
    assert (
        json.loads(cesello_here("runs", "show", "quickstart", "--json", cwd=quickstart.folder).stdout)[
            "status"
        ]
        == "completed"
    )


def test_generate_answers_with_and_without_the_weights(quickstart: Quickstart, warm: Path) -> None:
    question = ("generate", "--run", "latest", "--max-new-tokens", "24", "--json", "Come stai oggi?")
    tuned = cesello_here(*question, cwd=quickstart.folder)
    base = cesello_here(*question, "--no-lora", cwd=quickstart.folder)
    assert tuned.returncode == base.returncode == 0, tuned.stderr + base.stderr
    answers = [json.loads(done.stdout)["completion"] for done in (tuned, base)]
    assert all(answers)
    assert answers[0] != answers[1]
    streamed = cesello(*question[:-2], question[-1], cwd=quickstart.folder, command=warm / "cesello")
    assert streamed.stdout.strip() == answers[0].strip()
