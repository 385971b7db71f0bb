"""Algorithms and callbacks of somebody's own, by the recipe; and what the training does when they fail."""

from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import cesello, cesello_here
from tests.tiny_model import make_tiny_model

pytestmark = pytest.mark.usefixtures("one_thread")

RECIPE = """
name: own
model: {name: ./tiny, dtype: float32}
lora: {r: 4, alpha: 8, dropout: 0.0, target_modules: all-linear}
data:
  sources:
    - {name: rows, kind: file, path: rows.jsonl, holdout: 4}
training: {max_steps: 4, batch_size: 4, learning_rate: 1.0e-2}
evaluation: {samples: 0}
checkpoint: {every_steps: 1, keep_last: 9}
loggers: []
"""
MINE = '''
"""Algorithms of somebody's own."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import lightning
import torch

from cesello import Scores, SftModule


class Scaled(SftModule):
    """A loss of another size."""

    def __init__(self, *given, by: float = 1.0, **named):
        super().__init__(*given, **named)
        self.by = by

    def loss(self, rows) -> Scores:
        whole = super().loss(rows)
        return replace(whole, loss=whole.loss * self.by)


class Silent(SftModule):
    """Takes no step and says nothing."""

    def training_step(self, step_batch, index):
        pass


class Exact(SftModule):
    """Says all that it takes."""

    def __init__(self, policy, plan, on_step, stop, start=None, peak=None, *, often: int):
        super().__init__(policy, plan, on_step, stop, start, peak)


class Greedy(SftModule):
    """Has memory for passes of so many rows; notes how many it was given."""

    def __init__(self, *given, most: int, failure: str = "MemoryError", at: int = 0, **named):
        super().__init__(*given, **named)
        self.most, self.failure, self.at = most, failure, at

    def loss(self, rows) -> Scores:
        with Path("passes.txt").open("a") as log:
            log.write(f"{self.steps_done + 1} {len(rows)}\\n")
        if len(rows) > self.most and self.steps_done + 1 >= self.at:
            if self.failure == "MemoryError":
                raise MemoryError
            raise RuntimeError(self.failure)
        return super().loss(rows)


class Spoiled(SftModule):
    """Its loss is not finite at some steps."""

    def __init__(self, *given, steps: list[int], weights: bool = False, **named):
        super().__init__(*given, **named)
        self.steps, self.weights = steps, weights

    def loss(self, rows) -> Scores:
        whole = super().loss(rows)
        if self.steps_done + 1 not in self.steps:
            return whole
        # Either the loss itself, or a gradient while the loss is a number.
        spoil = (whole.loss * 0).sqrt() if self.weights else float("nan")
        return replace(whole, loss=whole.loss + spoil)


class Watching(lightning.Callback):
    """Notes every step; sends a signal after one of them, the first time."""

    def __init__(self, file: str, stop_after: int = 0):
        self.file, self.stop_after = Path(file), stop_after

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        with self.file.open("a") as log:
            log.write(f"{module.steps_done}\\n")
        if module.steps_done == self.stop_after and not Path("stopped").exists():
            Path("stopped").touch()
            os.kill(os.getpid(), signal.SIGTERM)


class Tiring(SftModule):
    """Every step counts less than the one before, and what it has come to is kept."""

    factor = 1.0

    def training_step(self, step_batch, index):
        super().training_step(step_batch, index)
        self.factor *= 0.9

    def loss(self, rows):
        whole = super().loss(rows)
        return replace(whole, loss=whole.loss * self.factor)

    def own_state(self):
        return {"factor": self.factor}

    def load_own_state(self, state):
        self.factor = state["factor"]


class Remembering(lightning.Callback):
    """Writes how many steps it has seen, and stops the training after some."""

    def __init__(self, name: str, stop_after: int = 0):
        self.name, self.stop_after, self.seen = name, stop_after, []

    @property
    def state_key(self):
        return self.name

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        self.seen.append(module.steps_done * (1 if self.name == "a" else 10))
        Path(f"{self.name}.txt").write_text(str(self.seen))
        if module.steps_done == self.stop_after:
            trainer.should_stop = True

    def state_dict(self):
        return {"seen": list(self.seen)}

    def load_state_dict(self, state):
        self.seen = state["seen"]


class Failing(lightning.Callback):
    """Fails after the second step."""

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        if module.steps_done == 2:
            {}["nothing"]


class NoAlgorithm:
    """Derives from nothing."""


def function(policy):
    """No class."""


NUMBER = 7
'''


@pytest.fixture(scope="module")
def tiny_here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture
def project(tiny_here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(tiny_here, tmp_path / "tiny")
    rows = [
        {"prompt": f"say {n}", "completion": f"number {n}, as you asked" + "!" * (n % 7)} for n in range(40)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(run: str, *changes: str, status: int = 0) -> str:
    """What the command says on its standard error."""
    options = [part for change in changes for part in ("--set", change)]
    done = cesello_here("train", "recipe.yaml", "--run", run, "--resume", *options, cwd=Path.cwd())
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def refused(code: str, *changes: str, status: int = 2) -> str:
    """The last line, of a command that began nothing and loaded no model."""
    said = train("refused", *changes, status=status)
    assert "loading" not in said
    assert not Path("runs").exists()
    line = said.strip().splitlines()[-1]
    assert line.startswith(f"error[{code}] ")
    return line


def metrics(run: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path("runs", run, "metrics.jsonl").read_text().splitlines()]


def losses(run: str) -> list[float | None]:
    return [line["loss"] for line in metrics(run)]


def manifest(run: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(Path("runs", run, "manifest.json").read_text())
    return values


def tensors(run: str, step: int) -> list[bytes]:
    folder = Path("runs", run, "checkpoints", f"step-{step:08d}")
    return [(folder / name).read_bytes() for name in ("lora.safetensors", "optimizer.safetensors")]


def passes() -> list[tuple[int, int]]:
    """Step and rows of every forward pass that a greedy algorithm was asked for."""
    lines = Path("passes.txt").read_text().splitlines()
    return [(int(step), int(rows)) for step, rows in map(str.split, lines)]


# Algorithms


def test_an_algorithm_of_ones_own_is_made_with_its_arguments(project: Path) -> None:
    train("sft")
    train("mine", "algorithm=mine:Scaled", "algorithm_arguments={by: 0.5}")
    assert metrics("mine")[0]["loss"] == pytest.approx(metrics("sft")[0]["loss"] / 2, rel=1e-6)
    assert metrics("mine")[0]["gradient_norm"] == pytest.approx(
        metrics("sft")[0]["gradient_norm"] / 2, rel=1e-4
    )
    assert (manifest("mine")["algorithm"], manifest("mine")["status"]) == ("mine:Scaled", "completed")
    train("same", "algorithm=mine:Scaled")
    assert metrics("same") == metrics("sft")


def test_an_installed_package_can_offer_one(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = project / "installed"
    info = installed / "offered-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: offered\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[cesello.algorithms]\nscaled = offered_algorithms:Scaled\nbroken = offered_algorithms:Missing\n"
    )
    (installed / "offered_algorithms.py").write_text(MINE)
    line = refused("C005", "algorithm=scaled")
    assert "scaled" in line
    monkeypatch.syspath_prepend(str(installed))
    importlib.invalidate_caches()
    line = refused("C005", "algorithm=scald")
    assert '"scaled"' in line
    line = refused("C054", "algorithm=broken")
    assert '"broken" cannot be loaded at algorithm · got AttributeError: ' in line
    train("sft")
    train("offered", "algorithm=scaled", "algorithm_arguments={by: 0.5}")
    assert metrics("offered")[0]["loss"] == pytest.approx(metrics("sft")[0]["loss"] / 2, rel=1e-6)


WRONG_ALGORITHMS = {
    "mine:NoAlgorithm": (
        "C052",
        2,
        "got the class NoAlgorithm -> expected a class derived from cesello.SftModule",
    ),
    "mine:function": ("C052", 2, "got a function -> expected"),
    "mine:NUMBER": ("C052", 2, "got a int -> expected"),
    "mine:Watching": ("C052", 2, "got the class Watching"),
    "mine:SftModule": ("D001", 3, 'only imports its "SftModule"'),
    "mine:Nothing": ("D001", 3, "at algorithm"),
    "nowhere:Mine": ("D001", 3, "write nowhere.py there"),
    "os:system": ("D001", 3, 'no module "os" is under the root at algorithm'),
    "broken:Mine": ("C054", 2, '"broken:Mine" cannot be loaded at algorithm · got ZeroDivisionError: '),
}


@pytest.mark.parametrize("name", WRONG_ALGORITHMS)
def test_what_is_no_algorithm_is_refused_before_anything_is_loaded(project: Path, name: str) -> None:
    code, status, words = WRONG_ALGORITHMS[name]
    (project / "broken.py").write_text("1 / 0\n")
    assert words in refused(code, f"algorithm={name}", status=status)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("{}", "missing a required argument: 'often'"),
        ("{often: 1, least: 2}", "unexpected keyword argument 'least'"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_loaded(
    project: Path, arguments: str, words: str
) -> None:
    line = refused("C055", "algorithm=mine:Exact", f"algorithm_arguments={arguments}")
    assert words in line


# Callbacks


def test_an_algorithm_that_says_nothing_of_its_steps_is_told(project: Path) -> None:
    said = train("silent", "algorithm=mine:Silent", status=2)
    assert "error[C066] the algorithm says nothing of its steps at Silent.training_step" in said


def test_callbacks_of_the_recipe_watch_the_training(project: Path) -> None:
    one, two = (f'{{code: "mine:Watching", arguments: {{file: {name}.txt}}}}' for name in "ab")
    train("watched", f"training.callbacks=[{one}, {two}]")
    assert Path("a.txt").read_text() == Path("b.txt").read_text() == "1\n2\n3\n4\n"
    train("alone")
    assert metrics("alone") == metrics("watched")


WRONG_CALLBACKS = {
    '{code: "mine:NoAlgorithm"}': ("C053", 2, "got the class NoAlgorithm"),
    '{code: "mine:function"}': ("C053", 2, "got a function"),
    '{code: "mine:Watching"}': ("C053", 2, "missing 1 required positional argument: 'file'"),
    '{code: "mine:Watching", arguments: {files: a}}': ("C053", 2, "unexpected keyword argument 'files'"),
    '{code: "mine:Nothing"}': ("D001", 3, "at training.callbacks"),
    '{code: "mine"}': ("C010", 2, "for example my_callbacks:Watch"),
}


@pytest.mark.parametrize("callback", WRONG_CALLBACKS)
def test_what_is_no_callback_is_refused_before_anything_is_loaded(project: Path, callback: str) -> None:
    code, status, words = WRONG_CALLBACKS[callback]
    assert words in refused(code, f"training.callbacks=[{callback}]", status=status)


def test_what_own_code_keeps_is_found_again_to_the_bit(project: Path) -> None:
    stop = '{code: "mine:Watching", arguments: {file: steps.txt, stop_after: 2}}'
    names = ", ".join(f'{{code: "mine:Remembering", arguments: {{name: {name}}}}}' for name in "ab")
    own = ("algorithm=mine:Tiring", f"training.callbacks=[{names}, {stop}]")
    Path("stopped").touch()
    train("whole", *own)
    assert Path("a.txt").read_text() == "[1, 2, 3, 4]"
    Path("stopped").unlink()
    train("resumed", *own, status=143)
    assert Path("b.txt").read_text() == "[10, 20]"
    train("resumed", *own)
    assert (Path("a.txt").read_text(), Path("b.txt").read_text()) == ("[1, 2, 3, 4]", "[10, 20, 30, 40]")
    assert metrics("resumed") == metrics("whole")
    assert tensors("resumed", 4) == tensors("whole", 4)


def test_a_callback_can_end_the_training(project: Path) -> None:
    callback = '{code: "mine:Remembering", arguments: {name: a, stop_after: 3}}'
    train("ended", f"training.callbacks=[{callback}]")
    assert (manifest("ended")["status"], manifest("ended")["steps"]) == ("completed", 3)
    assert manifest("ended")["ended_by"] == "a callback"
    assert manifest("ended")["after"] is not None


def test_own_code_that_fails_is_told_with_its_place_and_nothing_is_lost(project: Path, warm: Path) -> None:
    failing = 'training.callbacks=[{code: "mine:Failing"}]'
    line = train("failing", failing, status=2).strip().splitlines()[-1]
    number = next(n for n, text in enumerate(MINE.splitlines(), 1) if '{}["nothing"]' in text)
    assert line == (
        f"error[C057] the recipe's own code failed in on_train_batch_end at {project / 'mine.py'}:{number}"
        " · got KeyError: 'nothing'"
        " · correct it, and --resume --allow-inexact goes on; --debug shows the traceback"
    )
    assert (manifest("failing")["status"], len(metrics("failing"))) == ("failed", 1)
    (project / "mine.py").write_text(MINE.replace('{}["nothing"]', "pass"))
    assert "error[C059]" in train("failing", failing, status=2)
    again = ("train", "recipe.yaml", "--run", "failing", "--resume", "--allow-inexact", "--set", failing)
    # This process has loaded the module as it was.
    done = cesello(*again, cwd=project, command=warm / "cesello")
    assert done.returncode == 0, done.stderr
    [resume] = manifest("failing")["resumes"]
    assert resume["step"] == 1
    assert resume["differences"][0].startswith("own code mine:Failing: ")


# Where the memory does not suffice


GREEDY = "algorithm=mine:Greedy"
NO_MEMORY = {
    "python": "MemoryError",
    "torch on a CPU": "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory",
    "CUDA": "CUDA out of memory. Tried to allocate 2.00 GiB.",
    "cuBLAS": "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
}


@pytest.mark.parametrize(
    ("failure", "most", "splits"),
    [("python", 2, 1), ("torch on a CPU", 1, 2), ("CUDA", 1, 2), ("cuBLAS", 2, 1)],
)
def test_passes_are_halved_until_they_fit_and_the_steps_stay_the_same(
    project: Path, failure: str, most: int, splits: int
) -> None:
    train("roomy")
    arguments = json.dumps({"most": most, "failure": NO_MEMORY[failure], "at": 2})
    said = train("tight", GREEDY, f"algorithm_arguments={arguments}")
    assert losses("tight") == pytest.approx(losses("roomy"), abs=1e-6)
    assert losses("roomy")[0] != pytest.approx(losses("roomy")[-1], abs=1e-2)
    for line, other in zip(metrics("tight"), metrics("roomy"), strict=True):
        assert (line["tokens"], line["trained_tokens"]) == (other["tokens"], other["trained_tokens"])
        assert line["gradient_norm"] == pytest.approx(other["gradient_norm"], rel=1e-4)
    assert (manifest("tight")["splits"], manifest("roomy")["splits"]) == (splits, 0)
    tried = [rows for step, rows in passes() if step == 2]
    assert tried == ([4, 2, 2] if splits == 1 else [4, 2, 1, 1, 1, 1])
    assert [rows for step, rows in passes() if step > 2] == [most] * (2 * 4 // most)
    assert said.count("the memory did not suffice at step 2: forward passes are cut into") == 1
    assert f"cut into {2**splits} parts" in said


def test_halved_passes_outlast_a_resume_to_the_bit(project: Path) -> None:
    arguments = "algorithm_arguments={most: 1}"
    callbacks = 'training.callbacks=[{code: "mine:Watching", arguments: {file: steps.txt, stop_after: 2}}]'
    Path("stopped").touch()
    train("whole", GREEDY, arguments, callbacks)
    Path("stopped").unlink()
    said = train("resumed", GREEDY, arguments, callbacks, status=143)
    assert "the memory did not suffice at step 1" in said
    Path("passes.txt").unlink()
    said = train("resumed", GREEDY, arguments, callbacks)
    assert "the memory did not suffice" not in said
    assert {rows for _, rows in passes()} == {1}, "large passes were tried again"
    assert metrics("resumed") == metrics("whole")
    assert tensors("resumed", 4) == tensors("whole", 4)
    assert manifest("resumed")["splits"] == 2


def test_rows_that_do_not_fit_one_by_one_are_refused(project: Path) -> None:
    said = train("tight", GREEDY, "algorithm_arguments={most: 0, at: 3}", status=4)
    line = said.strip().splitlines()[-1]
    assert line.startswith("error[M021] the memory does not suffice for a step at passes of 1 rows")
    assert "training.gradient_checkpointing" in line
    assert (manifest("tight")["status"], len(metrics("tight"))) == ("failed", 2)
    assert tensors("tight", 2), "what was done is not lost"


def test_they_are_halved_three_times_at_most(project: Path) -> None:
    said = train("tight", GREEDY, "algorithm_arguments={most: 1}", "training.batch_size=16", status=4)
    assert "error[M021] the memory does not suffice for a step at passes of 2 rows" in said
    assert [rows for _, rows in passes()] == [16, 8, 4, 2]


def test_another_failure_is_not_taken_for_want_of_memory(project: Path) -> None:
    said = train("odd", GREEDY, "algorithm_arguments={most: 2, failure: a shape is wrong}", status=2)
    assert "RuntimeError: a shape is wrong" in said
    assert [rows for _, rows in passes()] == [4]
    assert manifest("odd")["status"] == "failed"


# Where the loss is not finite


@pytest.mark.parametrize("weights", ["false", "true"], ids=["the loss", "the gradient alone"])
def test_a_step_that_is_not_finite_ends_the_training_before_it_reaches_the_weights(
    project: Path, weights: str
) -> None:
    arguments = f"algorithm_arguments={{steps: [3], weights: {weights}}}"
    said = train("spoiled", "algorithm=mine:Spoiled", arguments, status=4)
    line = said.strip().splitlines()[-1]
    assert line.startswith("error[M020] the loss or its gradient is not finite at step 3 · got loss ")
    kept = Path("runs/spoiled/bad-batches/step-00000003.jsonl")
    assert str(kept) in line
    rows = [json.loads(row) for row in kept.read_text().splitlines()]
    assert len(rows) == 4
    assert all(len(row["ids"]) == len(row["trained"]) > 10 for row in rows)
    assert sum(sum(row["trained"]) for row in rows) == metrics("spoiled")[2]["trained_tokens"]
    figure = "gradient_norm" if weights == "true" else "loss"
    assert [line[figure] is None for line in metrics("spoiled")] == [False, False, True]
    assert manifest("spoiled")["status"] == "failed"
    assert not Path("runs/spoiled/checkpoints/step-00000003").exists()


@pytest.mark.parametrize("weights", ["false", "true"], ids=["the loss", "the gradient alone"])
def test_it_can_be_left_out_and_nothing_of_it_stays(project: Path, weights: str) -> None:
    arguments = f"algorithm_arguments={{steps: [3], weights: {weights}}}"
    said = train("spoiled", "algorithm=mine:Spoiled", arguments, "training.on_nonfinite=skip")
    assert said.count("step 3 was left out: its loss or gradient is not finite") == 1
    assert tensors("spoiled", 3) == tensors("spoiled", 2)
    assert tensors("spoiled", 4) != tensors("spoiled", 3)
    assert (manifest("spoiled")["skipped"], manifest("spoiled")["status"]) == (1, "completed")
    assert manifest("spoiled")["final_loss"] == losses("spoiled")[3]


def test_a_fourth_in_a_row_ends_the_training(project: Path) -> None:
    steps = "algorithm_arguments={steps: [2, 3, 4, 5]}"
    said = train(
        "spoiled", "algorithm=mine:Spoiled", steps, "training={max_steps: 6, on_nonfinite: skip}", status=4
    )
    assert "error[M020] the loss or its gradient is not finite at step 5" in said
    assert said.count("was left out") == 3
