"""Two processes share a training by torchrun: the loss curve of one, and either goes on with the other's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from cesello.adapters.model.hf_provider import HfModelProvider
from cesello.adapters.model.hub_cache import HubCache
from cesello.adapters.model.quantizers import FourBitQuantizer
from cesello.adapters.training.sharding import shard
from cesello.domain.errors import ModelError
from cesello.domain.model_spec import LoraSpec, ModelSpec
from tests.e2e.command import cesello_here, environment
from tests.tiny_model import make_tiny_model

pytestmark = pytest.mark.usefixtures("one_thread")

RECIPE = """
name: shared
model: {name: ./tiny, dtype: float32}
lora: {r: 4, alpha: 8, dropout: 0.0, target_modules: all-linear}
data:
  max_tokens: 200
  sources:
    - {name: chat, kind: file, path: rows.jsonl, weight: 1.0, holdout: 4}
algorithm: stops:ShortOfMemory
training:
  max_steps: 10
  batch_size: 2
  accumulate: 3
  learning_rate: 1.0e-2
  callbacks: [{code: "stops:AtStep"}]
evaluation: {samples: 0}
loggers: []
"""
STOPS = """
import os, signal
import lightning
from cesello import SftModule

class ShortOfMemory(SftModule):
    def loss(self, rows):
        here = os.environ.get("RANK") == "0" and not self.splitter.splits
        if here and self.steps_done + 1 == int(os.environ.get("SHORT_AT", "0")):
            raise MemoryError
        return super().loss(rows)

class AtStep(lightning.Callback):
    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        if module.steps_done == int(os.environ.get("STOP_AT", "0")) and os.environ.get("RANK", "1") == "1":
            os.kill(os.getpid(), signal.SIGTERM)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, warm: Path) -> Path:
    """Recipe, model and rows, and two runs: by one process, and by two until one of them is stopped.

    Of the two one is short of memory at the third step.
    """
    folder = tmp_path_factory.mktemp("shared")
    make_tiny_model(folder / "tiny")
    (folder / "recipe.yaml").write_text(RECIPE)
    (folder / "stops.py").write_text(STOPS)
    turns = [
        [
            {"role": "user", "content": f"what is {n}?"},
            {"role": "assistant", "content": f"it is {7 * n} of all"},
        ]
        for n in range(70)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps({"messages": turn}) + "\n" for turn in turns))
    alone = cesello_here("train", "recipe.yaml", "--run", "alone", cwd=folder)
    assert alone.returncode == 0, alone.stderr
    done = by_two(warm, folder, "train", "recipe.yaml", "--run", "shared", STOP_AT="6", SHORT_AT="3")
    assert "stopped after step 7 of 10" in done.stderr, done.stderr
    return folder


def by_two(warm: Path, folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    launch = ["--nproc-per-node", "2", "--no-python", "--", str(warm / "cesello")]
    return subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *launch, *arguments],
        cwd=folder,
        env=environment() | {"OMP_NUM_THREADS": "1"} | settings,
        capture_output=True,
        text=True,
        check=False,
    )


def curve(folder: Path, run: str) -> list[float]:
    return [line["loss"] for line in metrics(folder, run)]


def tokens(folder: Path, run: str) -> list[int]:
    return [line["trained_tokens"] for line in metrics(folder, run)]


def metrics(folder: Path, run: str) -> list[dict[str, Any]]:
    lines = (folder / "runs" / run / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_a_signal_to_either_process_stops_both_and_loses_nothing(folder: Path) -> None:
    manifest = json.loads((folder / "runs" / "shared" / "manifest.json").read_text())
    assert (manifest["status"], manifest["steps"]) == ("interrupted", 7)
    assert len(curve(folder, "shared")) == 7


def test_where_one_is_short_of_memory_both_halve_their_passes_and_no_row_is_lost(folder: Path) -> None:
    """Otherwise some rows would be counted twice, or not at all."""
    manifest = json.loads((folder / "runs" / "shared" / "manifest.json").read_text())
    assert manifest["splits"] == 1
    assert curve(folder, "shared")[:7] == pytest.approx(curve(folder, "alone")[:7], abs=1e-6)
    assert tokens(folder, "shared")[:7] == tokens(folder, "alone")[:7]


def test_one_process_goes_on_with_what_two_began_and_the_curve_is_that_of_one(folder: Path) -> None:
    done = cesello_here("train", "recipe.yaml", "--run", "shared", "--resume", cwd=folder)
    assert done.returncode == 0, done.stderr
    alone, shared = curve(folder, "alone"), curve(folder, "shared")
    assert alone[0] - alone[-1] > 0.1
    assert shared == pytest.approx(alone, abs=1e-6)
    [resume] = json.loads((folder / "runs" / "shared" / "manifest.json").read_text())["resumes"]
    assert (resume["step"], resume["differences"]) == (7, ["processes: 2 -> 1"])
    assert largest_difference(folder, "shared") < 1e-5


@pytest.mark.slow
def test_two_processes_that_spread_the_weights_go_on_with_what_one_began(folder: Path, warm: Path) -> None:
    os.environ["STOP_AT"] = "4"
    try:
        begun = cesello_here("train", "recipe.yaml", "--run", "begun", cwd=folder)
    finally:
        del os.environ["STOP_AT"]
    assert "stopped after step 4 of 10" in begun.stderr
    spread = ("--set", "training.strategy=fsdp")
    done = by_two(warm, folder, "train", "recipe.yaml", "--run", "begun", "--resume", *spread)
    assert done.returncode == 0, done.stderr
    assert curve(folder, "begun") == pytest.approx(curve(folder, "alone"), abs=1e-6)
    assert largest_difference(folder, "begun") < 1e-5


GRPO = """
name: shared
algorithm: grpo
model: {name: ./tiny, dtype: float32}
lora: {r: 4, alpha: 8, dropout: 0.0, target_modules: all-linear}
data:
  max_tokens: 200
  sources:
    - {name: chat, kind: file, path: rows.jsonl, weight: 1.0, holdout: 4}
rewards:
  - {kind: function, function: "judge:judged"}
grpo: {completions: 4, max_completion_tokens: 10, masks_overlong: false, updates: 2, beta: 0.05, resample: 1}
training:
  max_steps: 6
  batch_size: 5
  learning_rate: 1.0e-2
  callbacks: [{code: "stops:AtStep"}]
evaluation: {samples: 0}
loggers: []
"""
JUDGE = """
ALIKE = [f"what is {n}?" for n in (38, 41, 56, 4, 48, 45, 62, 26)]

def judged(prompt, completion):
    return 0.0 if prompt in ALIKE else len(completion) % 5 / 4
"""
"""Of the five prompts of the first rollout one teaches nothing, of the second all, of the third one."""


def test_two_processes_share_the_drawing_and_one_goes_on_with_what_they_began(
    tmp_path: Path, warm: Path
) -> None:
    """Five prompts: one process has three of them, and the other two; of one prompt again, one has none."""
    make_tiny_model(tmp_path / "tiny")
    (tmp_path / "grpo.yaml").write_text(GRPO)
    (tmp_path / "judge.py").write_text(JUDGE)
    (tmp_path / "stops.py").write_text(STOPS)
    turns = [
        [{"role": "user", "content": f"what is {n}?"}, {"role": "assistant", "content": "it is"}]
        for n in range(70)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"messages": turn}) + "\n" for turn in turns))
    alone = cesello_here("train", "grpo.yaml", "--run", "alone", cwd=tmp_path)
    assert alone.returncode == 0, alone.stderr
    begun = by_two(warm, tmp_path, "train", "grpo.yaml", "--run", "shared", STOP_AT="4")
    # The signal came to one of them; the next rollout, in which both heard of it, is given up by both.
    assert "stopped after step 4 of 6" in begun.stderr, begun.stderr
    done = cesello_here("train", "grpo.yaml", "--run", "shared", "--resume", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [one.keys() for one in metrics(tmp_path, "shared")] == [
        one.keys() for one in metrics(tmp_path, "alone")
    ]
    for shared, by_one in zip(metrics(tmp_path, "shared"), metrics(tmp_path, "alone"), strict=True):
        assert shared["loss"] == pytest.approx(by_one["loss"], abs=1e-6)
        assert known(shared) == pytest.approx(known(by_one), rel=1e-4, abs=1e-5)
    dead = [one["dead_groups"] for one in metrics(tmp_path, "alone")]
    assert [one == 1 for one in dead] == [False, False, True, True, False, False]
    assert {one["resampled"] for one in metrics(tmp_path, "alone")} == {1}
    assert completions(tmp_path, "shared") == completions(tmp_path, "alone")
    assert largest_difference(tmp_path, "shared") < 1e-4


def known(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: figure for name, figure in figures.items() if figure is not None}


def completions(folder: Path, run: str) -> list[tuple[Any, ...]]:
    lines = (folder / "runs" / run / "completions.jsonl").read_text().splitlines()
    return [
        tuple(line[key] for key in ("step", "prompt", "question", "completion", "reward"))
        for line in map(json.loads, lines)
    ]


AGREE = """
import json, sys
import torch
from torch import distributed
from cesello.adapters.training import workers
from cesello.domain.errors import RetryableError

rank = int(sys.argv[1])
distributed.init_process_group("gloo", init_method=f"file://{sys.argv[2]}", rank=rank, world_size=2)
kinds = (torch.float64, torch.float32, torch.bfloat16, torch.float32)
sums = [torch.full((2,), 10.0 * n + rank, dtype=kind) for n, kind in enumerate(kinds)]
workers.add_up(sums)
found = {
    "sums": [one.tolist() for one in sums],
    "any is": [workers.any_is(rank == 1), workers.any_is(rank == 0), workers.any_is(False)],
    "any of": [workers.any_of(15 if rank else None), workers.any_of(None)],
    "the first's": workers.same_for_all(0.1 + rank, 7.0),
    "least": workers.least(torch.tensor([rank, -rank])).tolist(),
    "told": workers.told_by_all("a" * (1 + 3 * rank)),
}
workers.check_alike(4, 2**40)
try:
    workers.check_alike(4 + rank, 7)
except RetryableError as error:
    found["refused"] = [error.code, error.got]
workers.leave()
print(json.dumps(found))
"""


def test_processes_agree(tmp_path: Path) -> None:
    first, second = by_both(AGREE, tmp_path)
    assert first == second
    assert first == {
        "sums": [[20.0 * n + 1] * 2 for n in range(4)],
        "any is": [True, True, False],
        "any of": [15, None],
        "the first's": [0.1, 7.0],
        "least": [0, -1],
        "told": ["a", "aaaa"],
        "refused": ["T077", "[4, 7] to [5, 7]"],
    }


SHARES = """
import json, math, sys
from torch import distributed
from cesello.adapters.training import workers
from cesello.adapters.training.rollout_shares import of_all_processes
from cesello.domain.errors import CeselloError, SandboxError
from cesello.domain.reinforcement import Judged, JudgedGroup

rank, found = int(sys.argv[1]), {"made": []}
distributed.init_process_group("gloo", init_method=f"file://{sys.argv[2]}", rank=rank, world_size=2)

def make(places):
    assert places, "without a prompt there is nothing to draw"
    found["made"] += places
    return [group(place) for place in places]

def group(place):
    text, reward = "caf\\u00e9 \\ud800", None if place else 0.1
    one = Judged([place], [-place / 3], True, text, reward, {"a": 1 / 3}, ["why"], "wrong")
    return JudgedGroup([7, place], "?", [one], True)

def fails(places):
    if rank:
        raise SandboxError("X010", "the grader fails")
    return make(places)

found["right"] = of_all_processes(5, make) == [group(place) for place in range(5)]
found["one prompt"] = of_all_processes(1, make) == [group(0)]
try:
    of_all_processes(2, fails)
except CeselloError as error:
    found["failed"] = [error.code, error.got]
workers.leave()
print(json.dumps(found))
"""


def test_processes_exchange_what_they_made_and_none_waits_for_one_that_failed(tmp_path: Path) -> None:
    assert by_both(SHARES, tmp_path) == [
        {
            "made": [0, 2, 4, 0, 0],
            "right": True,
            "one prompt": True,
            "failed": ["T078", "error[X010] the grader fails"],
        },
        {"made": [1, 3], "right": True, "one prompt": True, "failed": ["X010", None]},
    ]


def by_both(program: str, folder: Path) -> list[Any]:
    """What two processes print that run it."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(rank), str(folder / "meeting")],
            env=environment() | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    said = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    return [json.loads(one) for one in said]


def test_quantised_weights_are_not_spread(folder: Path) -> None:
    provider = HfModelProvider(FourBitQuantizer("nf4"), HubCache(None))
    policy = provider.load(ModelSpec(str(folder / "tiny"), dtype="float32"), LoraSpec(r=4), seed=0)
    with pytest.raises(ModelError, match="M022"):
        shard(policy.model)


def largest_difference(folder: Path, run: str) -> float:
    """Of LoRA weights from those that one process came to."""
    one, other = (
        load_file(folder / "runs" / name / "lora" / "adapter_model.safetensors") for name in ("alone", run)
    )
    assert one.keys() == other.keys()
    return max(float((one[name] - other[name]).abs().max()) for name in one)
