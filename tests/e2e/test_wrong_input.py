"""Wrong input, a full disk, a signal: one sentence, an exit status, nothing that looks whole but is not."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.command import COMMAND, cesello_here, environment
from tests.tiny_model import make_tiny_model


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def project(tmp_path: Path, tiny_model: Path) -> Path:
    """A folder with a tiny model, forty rows and a recipe that trains in seconds."""
    shutil.copytree(tiny_model, tmp_path / "tiny")
    rows = [{"prompt": f"say {n}", "completion": f"number {n}, as you asked"} for n in range(40)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "recipe.yaml").write_text(
        """
model: {name: ./tiny}
data:
  sources:
    - {name: rows, kind: file, path: rows.jsonl, holdout: 4}
training: {max_steps: 4, batch_size: 2}
evaluation: {samples: 1, max_new_tokens: 4}
"""
    )
    return tmp_path


ENDLESS = ("--set", "training.max_steps=100000", "--set", "data.mixture.max_passes=100000")


def nothing_looks_whole(project: Path) -> bool:
    """No run is completed, and none has weights unless it says that it was interrupted."""
    runs = (
        [path for path in (project / "runs").glob("*/") if path.is_dir()]
        if (project / "runs").exists()
        else []
    )
    manifests = [json.loads((run / "manifest.json").read_text()) for run in runs]
    partial = [path for run in runs for path in run.rglob("*partial*")]
    return not partial and all(manifest["status"] in ("failed", "interrupted") for manifest in manifests)


def test_the_good_recipe_trains(project: Path) -> None:
    done = cesello_here("train", "recipe.yaml", "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    manifest = json.loads(done.stdout)
    assert manifest["status"] == "completed"
    assert manifest["steps"] == 4


def test_the_same_recipe_and_seed_give_the_same_weights(project: Path) -> None:
    digests = []
    for _ in range(2):
        done = cesello_here("train", "recipe.yaml", "--json", cwd=project)
        digests.append(json.loads(done.stdout)["weights"]["adapter_model.safetensors"])
    assert digests[0] == digests[1]


CASES = {
    "missing source": ("data.sources.rows.path=other.jsonl", 3, "D001", "other.jsonl"),
    "missing model": ("model.name=./nothing", 4, "M001", "nothing"),
    "wrong target module": ("lora.target_modules=[w_proj]", 4, "M010", "q_proj, k_proj, v_proj, o_proj"),
    "no row fits": (
        "data={max_tokens: 3, overlong: drop, sources: [{name: rows, kind: file, path: rows.jsonl}]}",
        3,
        "D014",
        "rows",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_recipe_is_explained(project: Path, case: str) -> None:
    change, status, code, place = CASES[case]
    done = cesello_here("train", "recipe.yaml", "--set", change, cwd=project)
    assert done.returncode == status, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"error[{code}] ")
    assert place in last
    assert "Traceback" not in done.stderr
    assert not (project / "runs").exists()


CODE_REWARDS = {
    "no tier holds": ("sandbox.tier=bubblewrap", 6, "X001", "bwrap is not installed"),
    "no token": (
        "sandbox={tier: remote, url: 'https://a', token_env: CESELLO_NONE}",
        2,
        "C012",
        "export",
    ),
    "no such column": ("data.sources.rows.reference={tests: tset}", 3, "D011", "rows.jsonl:1"),
}


@pytest.mark.parametrize("case", CODE_REWARDS)
def test_what_a_code_reward_lacks_is_told_before_the_training(
    project: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    change, status, code, place = CODE_REWARDS[case]
    monkeypatch.setenv("PATH", str(project))
    graded = "evaluation.generate=[{source: rows, reward: coding}]"
    done = cesello_here("train", "recipe.yaml", "--set", graded, "--set", change, cwd=project)
    assert done.returncode == status, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"error[{code}] ")
    assert place in last
    assert "Traceback" not in done.stderr
    assert not (project / "runs").exists()


def test_weights_that_are_pickled_or_bring_code_are_refused(project: Path) -> None:
    assert cesello_here("train", "recipe.yaml", cwd=project).returncode == 0
    (run,) = (project / "runs").glob("*/")
    config = run / "lora" / "adapter_config.json"
    plain = config.read_text()
    config.write_text(json.dumps(json.loads(plain) | {"auto_mapping": {"parent_library": "os"}}))
    refused = cesello_here("generate", "--run", run, "say 1", cwd=project)
    assert refused.returncode == 4
    assert "error[M008] LoRA weights are not safe to load" in refused.stderr
    assert "auto_mapping" in refused.stderr
    config.write_text(plain)
    (run / "lora" / "adapter_model.safetensors").unlink()
    (run / "lora" / "adapter_model.bin").write_bytes(b"PK a pickle, which nobody opens")
    refused = cesello_here("generate", "--run", run, "say 1", cwd=project)
    assert refused.returncode == 4
    assert "error[M040]" in refused.stderr
    assert "adapter_model.bin" in refused.stderr


HOSTILE = {
    "pytorch_model.bin": (b"PK a pickle, which nobody opens", "M040", "remove it"),
    "chat_template.jinja": (b"{{ cycler.__init__.__globals__.os.system('touch it-ran') }}", "M047", "ChatML"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_model_that_could_run_code_is_refused(project: Path, name: str) -> None:
    content, code, fix = HOSTILE[name]
    (project / "tiny" / name).write_bytes(content)
    before = sorted(project.rglob("*"))
    done = cesello_here("train", "recipe.yaml", cwd=project)
    assert done.returncode == 4, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"error[{code}] ")
    assert f"tiny/{name}" in last
    assert fix in last
    assert "Traceback" not in done.stderr
    assert sorted(project.rglob("*")) == before, "something was written"


def test_a_run_answers_without_the_project_it_was_made_in(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert cesello_here("train", "recipe.yaml", cwd=project).returncode == 0
    (run,) = (project / "runs").glob("*/")
    moved = tmp_path_factory.mktemp("elsewhere") / "my run"
    shutil.move(run, moved)
    for name in ("recipe.yaml", "rows.jsonl"):
        (project / name).unlink()
    done = cesello_here("generate", "--run", moved, "--max-new-tokens", "4", "say 1", cwd=moved.parent)
    assert done.returncode == 0, done.stderr


def test_fewer_steps_than_asked_for_are_told(project: Path) -> None:
    changes = ("--set", "training.max_steps=400", "--set", "data.mixture.max_passes=1")
    done = cesello_here("train", "recipe.yaml", *changes, cwd=project)
    assert done.returncode == 0, done.stderr
    assert "18 of 400 steps: the rows end by max_passes of rows" in done.stderr


def test_an_empty_file_is_named(project: Path) -> None:
    (project / "rows.jsonl").write_text("")
    done = cesello_here("train", "recipe.yaml", cwd=project)
    assert done.returncode == 3
    assert 'error[D002] a source is empty at source "rows" (file rows.jsonl)' in done.stderr
    assert not (project / "runs").exists()


def test_a_broken_line_is_named(project: Path) -> None:
    lines = (project / "rows.jsonl").read_text().splitlines()
    lines[16] = '{"prompt": "say 17", '
    (project / "rows.jsonl").write_text("\n".join(lines))
    done = cesello_here("train", "recipe.yaml", cwd=project)
    assert done.returncode == 3
    assert "at rows.jsonl:17" in done.stderr


def test_a_model_without_a_tokenizer_is_refused(project: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (project / "tiny" / name).unlink()
    done = cesello_here("train", "recipe.yaml", cwd=project)
    assert done.returncode == 4, done.stderr
    assert "error[M003] a model has no usable tokenizer" in done.stderr
    assert not (project / "runs").exists()


def test_truncated_weights_are_refused(project: Path) -> None:
    weights = project / "tiny" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    done = cesello_here("train", "recipe.yaml", cwd=project)
    assert done.returncode == 4, done.stderr
    assert "error[M045] the header of a safetensors file cannot be trusted" in done.stderr
    assert not (project / "runs").exists()


def test_a_full_disk_while_saving_leaves_no_weights(project: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        done = cesello_here("train", "recipe.yaml", "--set", "lora.r=64", cwd=project)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert done.returncode == 75, done.stderr
    assert "error[T075] the disk is full" in done.stderr
    assert nothing_looks_whole(project)
    (run,) = (path for path in (project / "runs").glob("*/"))
    assert not (run / "lora").exists()
    assert "failed" in cesello_here("runs", "list", cwd=project).stdout


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_a_signal_in_the_training_keeps_the_weights_so_far(
    project: Path, warm: Path, number: signal.Signals, status: int
) -> None:
    with subprocess.Popen(
        [warm / "cesello", "train", "recipe.yaml", *ENDLESS],
        cwd=project, env=environment(), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        _wait_for_step(project, process)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == status, errors
    assert "stopped after step" in errors
    assert nothing_looks_whole(project)
    (run,) = (project / "runs").glob("*/")
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["status"] == "interrupted"
    assert 1 <= manifest["steps"] < 100_000
    assert (run / "lora" / "adapter_model.safetensors").exists()
    assert len((run / "metrics.jsonl").read_text().splitlines()) == manifest["steps"]


def test_a_killed_run_is_listed_as_failed(project: Path) -> None:
    with subprocess.Popen(
        [str(COMMAND), "train", "recipe.yaml", *ENDLESS],
        cwd=project, env=environment(), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        _wait_for_step(project, process)
        assert "running" in cesello_here("runs", "list", cwd=project).stdout
        process.kill()
    assert "failed" in cesello_here("runs", "list", cwd=project).stdout
    answer = cesello_here("generate", "--run", "latest", "hello", cwd=project)
    assert answer.returncode == 4
    assert "error[M007] the run holds no LoRA weights" in answer.stderr


def _wait_for_step(project: Path, process: subprocess.Popen[str]) -> None:
    """Until the first step is in the metrics."""
    for _ in range(600):
        if any(file.stat().st_size for file in project.glob("runs/*/metrics.jsonl")):
            return
        assert process.poll() is None, "the training ended before it could be stopped"
        time.sleep(0.1)
    raise AssertionError("no step was taken")


def test_a_model_too_big_for_the_memory_is_refused_before_it_is_loaded(project: Path) -> None:
    config = project / "tiny" / "config.json"
    large = {"hidden_size": 65536, "intermediate_size": 262144, "num_attention_heads": 512, "head_dim": 128}
    config.write_text(json.dumps(json.loads(config.read_text()) | large))
    done = cesello_here("train", "recipe.yaml", cwd=project)
    assert done.returncode == 4, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error[M006] the training does not fit the memory at ")
    assert "/tiny on CPU" in last
    assert "GiB needed at the peak -> expected at most" in last
    assert "`cesello plan` shows what takes how much" in last
    assert "loading" not in [line.split()[0] for line in done.stderr.splitlines() if "tokenizer" not in line]
    assert not (project / "runs").exists()
