"""A run that is not what it was is not gone on with: what changed is named, and nothing is touched."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from cesello.domain.schedule import cosine_factor
from tests.e2e.command import cesello_here
from tests.tiny_model import make_tiny_model

pytestmark = pytest.mark.usefixtures("one_thread")

RECIPE = """
name: resumed
model: {name: ./tiny}
lora: {r: 4, alpha: 8, target_modules: [q_proj, v_proj]}
data:
  sources:
    - {name: rows, kind: file, path: rows.jsonl, holdout: 4}
training:
  max_steps: 8
  batch_size: 2
  callbacks: [{code: "stops:AtStep"}]
evaluation: {samples: 0}
checkpoint: {every_steps: 2}
loggers: []
"""
STOPS = """
import os, signal
import lightning

class AtStep(lightning.Callback):
    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        if module.steps_done == 5 and not os.path.exists("runs/mine/checkpoints/step-00000005"):
            os.kill(os.getpid(), signal.SIGTERM)
"""
RESUME = ("train", "recipe.yaml", "--resume")


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose run "mine" was stopped after step 5 of 8, with checkpoints of steps 4 and 5."""
    folder = tmp_path_factory.mktemp("stopped") / "project"
    make_tiny_model(folder / "tiny")
    rows = [{"prompt": f"say {n}", "completion": f"number {n}, as you asked"} for n in range(40)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "recipe.yaml").write_text(RECIPE)
    (folder / "stops.py").write_text(STOPS)
    done = cesello_here("train", "recipe.yaml", "--run", "mine", cwd=folder)
    assert done.returncode == 143, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error[T143] stopped after step 5 of 8; weights: runs/mine/lora · ")
    assert last.endswith("`cesello train RECIPE --resume --run mine` goes on from there")
    assert checkpoints(folder) == ["step-00000004", "step-00000005"]
    return folder


@pytest.fixture
def project(stopped: Path, tmp_path: Path) -> Iterator[Path]:
    """That project, where it was: an absolute path is part of a local model's name."""
    kept = tmp_path / "kept"
    shutil.copytree(stopped, kept)
    yield stopped
    shutil.rmtree(stopped)
    shutil.copytree(kept, stopped)


def checkpoints(project: Path) -> list[str]:
    return sorted(path.name for path in (project / "runs" / "mine" / "checkpoints").iterdir())


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def edit(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    values = json.loads(file.read_text())
    change(values)
    file.write_text(json.dumps(values))


def with_recipe(old: str, new: str) -> Callable[[Path], None]:
    def act(project: Path) -> None:
        text = (project / "recipe.yaml").read_text()
        assert old in text
        (project / "recipe.yaml").write_text(text.replace(old, new))

    return act


def other_rows(project: Path) -> None:
    lines = (project / "rows.jsonl").read_text().splitlines()
    (project / "rows.jsonl").write_text("\n".join([lines[0].replace("number", "figure"), *lines[1:]]) + "\n")


def another_model(project: Path) -> None:
    shutil.copytree(project / "tiny", project / "other")
    with_recipe("./tiny", "./other")(project)


def other_weights(project: Path) -> None:
    from safetensors.torch import load_file, save_file

    file = project / "tiny" / "model.safetensors"
    weights = load_file(file)
    name = "model.layers.0.mlp.up_proj.weight"
    save_file(weights | {name: weights[name] + 1e-3}, file, {"format": "pt"})


def other_tokenizer(project: Path) -> None:
    def change(values: dict[str, Any]) -> None:
        vocabulary = values["model"]["vocab"]
        vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]

    edit(project / "tiny" / "tokenizer.json", change)


def other_template(project: Path) -> None:
    turn = "{{ message['role'] + ': ' + message['content'] + '<|im_end|>' }}"
    text = "{% for message in messages %}" + turn + "{% endfor %}"
    (project / "tiny" / "chat_template.jinja").write_text(text)


def with_stored(name: str, value: str) -> Callable[[Path], None]:
    """Edits what every checkpoint says was there when it was made, and seals it again as cesello would."""

    def act(project: Path) -> None:
        from cesello.adapters.run import plain_json

        for folder in (project / "runs" / "mine" / "checkpoints").iterdir():
            state = plain_json.loads((folder / "state.json").read_bytes())
            assert name in state["identity"]
            state["identity"][name] = value
            (folder / "state.json").write_bytes(plain_json.dumps(state, indent=1))
            manifest = plain_json.loads((folder / "MANIFEST.json").read_bytes())
            written = (folder / "state.json").read_bytes()
            manifest["files"]["state.json"] = {
                "sha256": hashlib.sha256(written).hexdigest(),
                "size": len(written),
            }
            del manifest["checksum"]
            checksum = hashlib.sha256(plain_json.canonical(manifest)).hexdigest()
            (folder / "MANIFEST.json").write_bytes(plain_json.canonical({**manifest, "checksum": checksum}))

    return act


def damaged(project: Path) -> None:
    for folder in (project / "runs" / "mine" / "checkpoints").iterdir():
        file = folder / "optimizer.safetensors"
        whole = bytearray(file.read_bytes())
        whole[-1] ^= 1
        file.write_bytes(whole)


def other_log(project: Path) -> None:
    log = project / "runs" / "mine" / "metrics.jsonl"
    log.write_text(re.sub(r'"loss": \d', '"loss": 0', log.read_text(), count=1))


def completed(project: Path) -> None:
    edit(
        project / "runs" / "mine" / "manifest.json", lambda values: values.update(status="completed", steps=8)
    )


@dataclass(frozen=True)
class Tampered:
    """What is changed, and the refusal: its code, status, place, and what stands behind got and expected."""

    act: Callable[[Path], object]
    code: str
    status: int
    where: str
    got: str | None = None
    expected: str | None = None
    fix: str = "--allow-inexact"
    options: tuple[str, ...] = ("--run", "mine")


DIGEST = r"[0-9a-f]{64}"
CASES: Mapping[str, Tampered] = {
    "learning rate": Tampered(
        with_recipe("batch_size: 2", "batch_size: 2\n  learning_rate: 1e-3"),
        "C050", 2, "training.learning_rate", "0.001", "0.0002",
    ),
    "rank": Tampered(with_recipe("r: 4", "r: 8"), "C050", 2, "lora.r", "8", "4", "set it back"),
    "target modules": Tampered(
        with_recipe("[q_proj, v_proj]", "[q_proj, k_proj]"),
        "C050", 2, "lora.target_modules", r'\["q_proj", "k_proj"\]', r'\["q_proj", "v_proj"\]',
        "set it back",
    ),
    "own code": Tampered(
        lambda project: (project / "stops.py").write_text(STOPS + "\n"),
        "C059", 2, "own code stops:AtStep", DIGEST, DIGEST,
    ),
    "base model": Tampered(another_model, "C050", 2, "model.name", r'"\./other"', r'"\./tiny"'),
    "number format": Tampered(
        with_recipe("{name: ./tiny}", "{name: ./tiny, dtype: bfloat16}"),
        "C050", 2, "model.dtype", '"bfloat16"', '"auto"',
    ),
    "library": Tampered(with_stored("library torch", "1.0"), "C051", 2, "torch", r"2\.\S+", r"1\.0"),
    "rows": Tampered(other_rows, "D050", 3, "data", DIGEST, DIGEST),
    "the model's folder": Tampered(
        with_stored("base model", "/elsewhere/tiny"),
        "M050", 4, "base model", ".*/tiny", "/elsewhere/tiny",
    ),
    "base weights": Tampered(other_weights, "M051", 4, "base weights", DIGEST, DIGEST),
    "tokenizer": Tampered(other_tokenizer, "M052", 4, "tokenizer", DIGEST, DIGEST),
    "chat template": Tampered(other_template, "M053", 4, "chat template", DIGEST, DIGEST),
    "number format of another machine": Tampered(
        with_stored("number format", "float16"), "M055", 4, "number format", "b?float(32|16)", "float16"
    ),
    "device": Tampered(with_stored("device", "cuda"), "M056", 4, "device", "cpu", "cuda"),
    "checkpoints": Tampered(
        damaged,
        "D033", 3, "runs/mine", ".*step-00000005.*optimizer.safetensors: sha256.*", None, "--overwrite",
    ),
    "log": Tampered(other_log, "I041", 74, "runs/mine/metrics.jsonl", "sha256 .* bytes", ".*", "--overwrite"),
    "completed": Tampered(
        completed, "D032", 3, "runs/mine", "all 8 steps done", None, "lora.continue_from"
    ),
    "no run": Tampered(
        lambda project: shutil.rmtree(project / "runs" / "mine"),
        "D031", 3, "", None, None, "leave --resume out", (),
    ),
}  # fmt: skip


def refusal(stderr: str) -> str:
    assert "Traceback" not in stderr
    return stderr.strip().splitlines()[-1]


@pytest.mark.parametrize("name", CASES)
def test_what_was_tampered_with_is_named_and_nothing_is_touched(project: Path, name: str) -> None:
    case = CASES[name]
    case.act(project)
    before = content(project / "runs")
    done = cesello_here(*RESUME, *case.options, cwd=project)
    line = refusal(done.stderr)
    assert (done.returncode, line[:11]) == (case.status, f"error[{case.code}]"), done.stderr
    place = f" at {case.where} " if case.where else " "
    assert place in line
    if case.got is not None:
        behind = "" if case.expected is None else f" -> expected {case.expected}"
        assert re.search(f" · got {case.got}{behind} · ", line), line
    fix = line.rsplit(" · ", 1)[1]
    assert fix == case.fix if case.fix == "set it back" else case.fix in fix
    assert content(project / "runs") == before, "something of the run was changed"


def test_every_refusal_is_another() -> None:
    assert len({(case.code, case.where) for case in CASES.values()}) == len(CASES) >= 12


def test_nothing_changed_and_it_goes_on(project: Path) -> None:
    """Without this the refusals above might be for another reason."""
    done = cesello_here(*RESUME, "--run", "mine", "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    manifest = json.loads(done.stdout)
    assert (manifest["status"], manifest["steps"]) == ("completed", 8)
    assert [(one["step"], one["differences"]) for one in manifest["resumes"]] == [(5, [])]
    assert "going on with mine after step 5" in done.stderr


def test_the_newest_of_the_recipes_name_is_found_without_an_id(project: Path) -> None:
    done = cesello_here(*RESUME, cwd=project)
    assert done.returncode == 0, done.stderr
    assert "going on with mine after step 5" in done.stderr


def test_of_two_checkpoints_the_whole_one_is_taken_and_that_is_said(project: Path) -> None:
    newest = project / "runs" / "mine" / "checkpoints" / "step-00000005" / "lora.safetensors"
    newest.write_bytes(newest.read_bytes()[:-4])
    done = cesello_here(*RESUME, "--run", "mine", "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    assert (
        "the checkpoint step-00000005 is damaged and was passed over: lora.safetensors: size" in done.stderr
    )
    assert json.loads(done.stdout)["resumes"][0]["step"] == 4
    metrics = (project / "runs" / "mine" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in metrics] == list(range(1, 9))


def test_inexact_goes_on_and_the_manifest_tells(project: Path) -> None:
    CASES["learning rate"].act(project)
    done = cesello_here(*RESUME, "--run", "mine", "--allow-inexact", "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    [resume] = json.loads(done.stdout)["resumes"]
    assert resume["differences"] == ["recipe training.learning_rate: 0.0002 -> 0.001"]
    lines = (project / "runs" / "mine" / "metrics.jsonl").read_text().splitlines()
    rates = [json.loads(line)["learning_rate"] for line in lines]
    peaks = [2e-4] * 5 + [1e-3] * 3
    assert rates == pytest.approx([peak * cosine_factor(n, 8, 0.0) for n, peak in enumerate(peaks)])
    assert "learning_rate: 0.001" in (project / "runs" / "mine" / "recipe.yaml").read_text()


def test_inexact_does_not_take_weights_of_another_shape(project: Path) -> None:
    CASES["rank"].act(project)
    before = content(project / "runs")
    done = cesello_here(*RESUME, "--run", "mine", "--allow-inexact", cwd=project)
    line = refusal(done.stderr)
    assert (done.returncode, line[:11]) == (4, "error[M054]")
    assert line.endswith(" · set lora and model back")
    assert content(project / "runs") == before


def test_inexact_does_not_take_damaged_checkpoints(project: Path) -> None:
    damaged(project)
    done = cesello_here(*RESUME, "--run", "mine", "--allow-inexact", cwd=project)
    assert refusal(done.stderr).startswith("error[D033]")


def test_what_no_step_depends_on_may_change(project: Path) -> None:
    with_recipe("checkpoint: {every_steps: 2}", "checkpoint: {every_steps: 3, keep_last: 1}")(project)
    with_recipe("loggers: []", "loggers: [tensorboard]")(project)
    done = cesello_here(*RESUME, "--run", "mine", cwd=project)
    assert done.returncode == 0, done.stderr
    assert checkpoints(project) == ["step-00000008"]


def test_a_run_that_another_process_writes_is_let_alone(project: Path) -> None:
    edit(project / "runs" / "mine" / "manifest.json", lambda values: values.update(status="running"))
    before = content(project / "runs")
    with FileLock(project / "runs" / "mine" / ".lock"):
        done = cesello_here(*RESUME, "--run", "mine", cwd=project)
    assert done.returncode == 75, done.stderr
    line = refusal(done.stderr)
    assert line == "error[T074] another process writes this run at runs/mine · wait for it to end"
    assert content(project / "runs") == before


@pytest.mark.parametrize("options", [(), ("--resume",)], ids=["anew", "resumed"])
def test_files_that_are_no_runs_are_let_alone(project: Path, options: tuple[str, ...]) -> None:
    (project / "runs" / "notes").mkdir()
    (project / "runs" / "notes" / "diary.txt").write_text("mine")
    done = cesello_here("train", "recipe.yaml", "--run", "notes", *options, cwd=project)
    assert done.returncode == 2, done.stderr
    assert refusal(done.stderr).startswith("error[C060] the run's folder is used already at runs/notes")
    assert "loading" not in done.stderr
    assert content(project / "runs" / "notes") == {"diary.txt": b"mine"}


def test_a_used_folder_wants_a_word(project: Path) -> None:
    before = content(project / "runs")
    done = cesello_here("train", "recipe.yaml", "--run", "mine", cwd=project)
    line = refusal(done.stderr)
    assert done.returncode == 2
    assert line.startswith("error[C060] the run's folder is used already at runs/mine · got a run · ")
    assert "--resume goes on with it, --overwrite begins it anew" in line
    assert "loading" not in done.stderr
    assert content(project / "runs") == before
    anew = cesello_here("train", "recipe.yaml", "--run", "mine", "--overwrite", cwd=project)
    assert anew.returncode == 143
    assert "training (0/8)" in anew.stderr


WRONG = {
    "--resume --overwrite --run mine": "give one of them",
    "--overwrite": "--overwrite needs --run",
    "--allow-inexact": "--allow-inexact goes with --resume",
    "--run latest": "error[C061]",
    "--run ../mine": "error[C061]",
}


@pytest.mark.parametrize("options", WRONG)
def test_options_that_do_not_go_together_are_refused(project: Path, options: str) -> None:
    done = cesello_here("train", "recipe.yaml", *options.split(), cwd=project)
    assert done.returncode == 2
    assert WRONG[options] in refusal(done.stderr)
    assert "loading" not in done.stderr
