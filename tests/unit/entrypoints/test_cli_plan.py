"""``cesello plan`` on fakes: what is said, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import pytest
from dependency_injector import providers

from cesello.entrypoints.cli.main import run
from cesello.entrypoints.cli.plan import Size
from cesello.entrypoints.cli.plan_text import in_words
from cesello.entrypoints.container import Container, make_container
from tests.fakes.model import MIB, FakeDevices, FakeMemoryPredictor, FakeModelProvider
from tests.fakes.training import FakePolicyOptimizer

RECIPE = """\
model: {name: fake}
lora: {r: 4}
data:
  max_tokens: 128
  sources:
    - {name: chat, kind: file, path: chat.jsonl, holdout: 0}
training: {max_steps: 5, batch_size: 2, accumulate: 3}
evaluation: {samples: 0}
"""
ROWS = [{"prompt": f"question {number}", "completion": "yes"} for number in range(12)]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a recipe, whose container has fakes for what is heavy."""

    def with_fakes(config: Mapping[str, Any] | None = None) -> Container:
        container = make_container(config)
        container.model_provider.override(providers.Object(FakeModelProvider()))
        container.policy_optimizer.override(providers.Object(FakePolicyOptimizer()))
        container.memory_predictor.override(providers.Object(FakeMemoryPredictor()))
        container.devices.override(providers.Object(FakeDevices(free=600 * MIB)))
        return container

    monkeypatch.setattr("cesello.entrypoints.requests.make_container", with_fakes)
    monkeypatch.setenv("CESELLO_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    Path("recipe.yaml").write_text(RECIPE)
    Path("chat.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))


def plan(*arguments: str) -> int:
    return run(["--debug", "plan", "recipe.yaml", *arguments])  # --debug leaves the libraries alone


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What was said, with columns set close."""
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_parameters_steps_and_memory_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert plan("--set", "training.batch_size=1") == 0
    said = lines(capsys)
    assert "model fake: llama, 1 layers, 1,000 parameters" in said
    assert "trained 10 weights, 1.00%: LoRA r 4 on attention" in said
    assert "with r 4: attention 320, mlp 240, all-linear 560" in said
    assert "steps 5, of 3 rows of at most 128 tokens, at most 1,920 tokens in all" in said
    assert "activations 128.0 MiB 12.8 MiB" in said
    assert "peak of a step 532.0 MiB 416.8 MiB" in said
    assert "fits: 532.0 MiB needed, 600.0 MiB are free on a device" in said
    assert any(line.startswith("tight:") for line in said)
    assert not Path("runs").exists()


def test_of_reinforcement_the_answers_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("recipe.yaml").write_text(
        f"{RECIPE}algorithm: grpo\nrewards: [{{kind: length, longest: 5}}]\n"
        "grpo: {completions: 4, max_completion_tokens: 30}\n"
    )
    plan()
    said = lines(capsys)
    most = 5 * 6 * (128 + 4 * 30)
    assert f"steps 5, of 6 prompts of at most 128 tokens, at most {most:,} tokens asked and drawn" in said
    assert "all answers to a prompt have at most 120 tokens together" in said


@pytest.mark.parametrize(
    ("prompt", "answer", "said"), [(226, 30, []), (227, 30, ["257"]), (100, 200, ["300"])]
)
def test_rows_that_are_longer_than_the_model_was_made_for_are_told(
    prompt: int, answer: int, said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    grpo = f"algorithm: grpo\nrewards: [{{kind: length}}]\ngrpo: {{max_completion_tokens: {answer}}}\n"
    Path("recipe.yaml").write_text(RECIPE.replace("max_tokens: 128", f"max_tokens: {prompt}") + grpo)
    plan()
    rest = "and the model was made for 256: lower data.max_tokens or grpo.max_completion_tokens"
    assert [line for line in lines(capsys) if "made for" in line] == [
        f"a row may have {longest} tokens, {rest}" for longest in said
    ]


def test_of_a_row_that_is_learnt_there_is_no_answer_besides(capsys: pytest.CaptureFixture[str]) -> None:
    plan("--set", "data.max_tokens=257")
    assert "a row may have 257 tokens, and the model was made for 256: lower data.max_tokens" in lines(capsys)


@pytest.mark.parametrize(("upcast", "said"), [("false", "in bfloat16;"), ("true", "in float32;")])
def test_what_upcasting_costs_is_told(capsys: pytest.CaptureFixture[str], upcast: str, said: str) -> None:
    plan("--set", "quantizer.name=nf4", "--set", f"quantizer.upcast={upcast}")
    assert any(line.startswith("embeddings, head and norms take") and said in line for line in lines(capsys))


def test_what_does_not_fit_ends_with_4_and_says_what_to_change(capsys: pytest.CaptureFixture[str]) -> None:
    assert plan() == 4
    said = lines(capsys)
    assert "does not fit: 660.0 MiB needed, 600.0 MiB are free on a device" in said
    [remedy] = [line for line in said if line.startswith("--set")]
    assert remedy.startswith("--set training.batch_size=1 --set training.accumulate=6 532.0 MiB, fits:")


def test_the_column_that_the_recipe_means_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    for checkpointing, marked in (("false", "kept"), ("true", "again")):
        plan("--set", f"training.gradient_checkpointing={checkpointing}")
        [heading] = [line for line in lines(capsys) if line.startswith("memory")]
        assert f"{marked} *" in heading


def test_a_gpu_that_is_not_here_is_planned_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert plan("--device-memory", "24GiB") == 0
    assert "23.41 GiB are free on a GPU with 24.00 GiB" in capsys.readouterr().out
    assert plan("--device-memory", "1MiB", "--set", "training.device=cpu") == 4
    assert "on a machine with 1.0 MiB" in capsys.readouterr().out


def test_several_devices_are_added_up(capsys: pytest.CaptureFixture[str]) -> None:
    plan("--devices", "4")
    assert "base weights 400.0 MiB 400.0 MiB 1.56 GiB" in lines(capsys)


def test_a_probe_tells_the_time(capsys: pytest.CaptureFixture[str]) -> None:
    assert plan("--probe", "--set", "training.batch_size=1") == 0
    [said] = [line for line in lines(capsys) if line.startswith("time")]
    assert said.startswith("time 0 min 5 s for 5 steps, ")
    assert not Path("runs").exists()


def test_a_probe_wants_the_device(capsys: pytest.CaptureFixture[str]) -> None:
    assert plan("--probe", "--device-memory", "24GiB") == 2
    assert "--probe takes steps on the device" in capsys.readouterr().err


def test_what_does_not_fit_is_not_probed(capsys: pytest.CaptureFixture[str]) -> None:
    assert plan("--probe") == 4
    assert not [line for line in lines(capsys) if line.startswith("time")]


def test_as_json_it_has_all_figures_in_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    assert plan("--json", "--probe", "--set", "quantizer.name=nf4", "--set", "training.batch_size=1") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["memory"]["footprint"]["weights"] == 100 * MIB
    assert said["sums"]["bits"] == 4.0
    assert said["sums"]["training"] == (103 + 129) * MIB
    assert (said["tokens"], said["probe"]["steps"]) == (1920, 5)


@pytest.mark.parametrize(
    ("text", "size"),
    [("8GiB", 8 * 2**30), ("24GB", 24 * 10**9), ("1.5 gib", 3 * 2**29), ("512MiB", 2**29), ("1000", 1000)],
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert Size().convert(text, None, None) == size


@pytest.mark.parametrize("text", ["", "GiB", "8 bananas", "-8GiB", "0"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="8GiB or 24GB"):
        Size().convert(text, None, None)


def test_bytes_in_words() -> None:
    assert [in_words(count) for count in (0, 2**20, 2**30 - 1, 3 * 2**29)] == [
        "0.0 MiB",
        "1.0 MiB",
        "1024.0 MiB",
        "1.50 GiB",
    ]
