"""``cesello runs tail``, from other processes, of a reinforcement that really trains."""

from __future__ import annotations

import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree
from statistics import fmean

import pytest

from tests.e2e.command import COMMAND, cesello_here
from tests.e2e.test_runs_in_terminal import acting_free, surroundings
from tests.injections import acting
from tests.terminal import Terminal

pytestmark = pytest.mark.usefixtures("one_thread")

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
grpo: {completions: 4, max_completion_tokens: 8, masks_overlong: false}
training: {max_steps: 6, batch_size: 2, callbacks: [{code: "followed:UntilSeen"}]}
evaluation:
  every_steps: 2
  samples: 1
  max_new_tokens: 8
  generate: [{source: chat, reward: blend, rows: 4}]
loggers: []
"""
UNTIL_SEEN = '''
"""The third step comes once somebody has seen the second."""

import time
from pathlib import Path

from lightning.pytorch.callbacks import Callback


class UntilSeen(Callback):
    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        for _ in range(600 if module.steps_done == 3 else 0):
            if Path("seen").exists():
                break
            time.sleep(0.1)
'''
ONCE_THERE = (
    f"until test -e runs/live/manifest.json; do sleep 0.1; done; exec {COMMAND} runs tail --every 0.1"
)


@dataclass(frozen=True)
class Watched:
    """What two people saw, and the status that each one's command ended with; and what a pipe was told."""

    folder: Path
    stayed: str
    status: int
    left: str
    left_with: int
    piped: str

    @property
    def rewards(self) -> list[float]:
        """Of the log, step by step."""
        lines = (self.folder / "runs" / "live" / "metrics.jsonl").read_text().splitlines()
        return [json.loads(line)["reward"] for line in lines]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Watched:
    """A training that one watches to its end, another one leaves by Ctrl-C, and a third reads from a pipe."""
    folder = tmp_path_factory.mktemp("followed")
    copytree(tiny, folder / "tiny")
    (folder / "recipe.yaml").write_text(RECIPE)
    (folder / "followed.py").write_text(UNTIL_SEEN)
    rows = [
        [{"role": "user", "content": f"what is {n}?"}, {"role": "assistant", "content": f"it is {n}"}]
        for n in range(20)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps({"messages": row}) + "\n" for row in rows))
    stays, leaves = (
        Terminal(["sh", "-c", ONCE_THERE], cwd=folder, environment=surroundings()) for _ in range(2)
    )
    pipe = subprocess.Popen(
        ["sh", "-c", ONCE_THERE], cwd=folder, env=surroundings(), stdout=subprocess.PIPE, text=True
    )

    def watch() -> tuple[int, int, str]:
        for one in (stays, leaves):
            one.wait_for(lambda text: "training: step 2 of 6" in text)
        leaves.press(b"\x03")
        left_with = leaves.end()
        (folder / "seen").touch()
        return stays.end(), left_with, pipe.communicate(timeout=60)[0]

    try:
        with ThreadPoolExecutor(1) as pool:
            watching = pool.submit(watch)
            trained = cesello_here("train", "recipe.yaml", "--run", "live", cwd=folder)
            status, left_with, piped = watching.result()
    finally:
        for one in (stays.process, leaves.process, pipe):
            one.kill()  # where nothing trained they wait for ever
    assert trained.returncode == 0, trained.stderr
    return Watched(folder, stays.text, status, leaves.text, left_with, piped)


def rows_of(text: str) -> list[dict[str, str]]:
    """Of each picture the curve of each figure, by its title."""
    pictures = [acting_free(one) for one in text.split("\x1b[J")[:-1]]
    found = [re.findall(r"^(\w[\w/:. -]*?) {2,}([▁▂▃▄▅▆▇█·]+) ", one, re.MULTILINE) for one in pictures]
    return [dict(one) for one in found]


def test_the_curves_grow_while_it_trains(watched: Watched) -> None:
    lengths = [len(one.get("reward", "")) for one in rows_of(watched.stayed)]
    assert lengths == sorted(lengths)
    assert lengths[-1] == 6
    assert {2} <= set(lengths)
    for title in ("reward: length", "reward: format", "dead groups", "cut off", "entropy of a token"):
        assert len(rows_of(watched.stayed)[-1][title]) == 6, title
    assert acting(watched.stayed, redraws=True) == ""


def test_the_figures_of_the_reward_are_those_of_the_log(watched: Watched) -> None:
    *_, last = map(acting_free, watched.stayed.split("\x1b[J")[:-1])
    [told] = re.findall(r"^reward {2,}\S+ +(.+)$", last, re.MULTILINE)
    its = watched.rewards
    expected = (fmean(its[:3]), fmean(its[3:]), min(its), max(its))
    assert told.split() == [f"{value:.3f}" for value in expected]
    assert len(set(told.split())) > 2


def test_a_pipe_is_told_the_reward_of_every_step_and_the_end(watched: Watched) -> None:
    first, *lines = watched.piped.splitlines()
    assert first.startswith("live: running, ")
    told = [re.match(r"step (\d+)  reward (\S+)  ", line) for line in lines]
    assert [one.groups() for one in told if one] == [
        (str(step), f"{reward:.3f}") for step, reward in enumerate(watched.rewards, 1)
    ]
    assert sum(line.startswith("step 4: held-out rows on the way: chat score ") for line in lines) == 1
    assert lines[-2:] == ["completed", "Look at it:  cesello runs show live"]


def test_the_end_is_told_whole_in_a_low_terminal(watched: Watched) -> None:
    assert watched.status == 0
    *_, last = watched.stayed.split("\x1b[J")[:-1]
    lines = acting_free(last).splitlines()
    assert len(lines) > 24
    assert all(len(line) <= 80 for line in lines)
    assert lines[-2:] == ["completed", "Look at it:  cesello runs show live"]
    [alarm] = map(json.loads, (watched.folder / "runs/live/alarms.jsonl").read_text().splitlines())
    assert f"step {alarm['step']}: {alarm['text']}" in " ".join(" ".join(lines).split())


def test_while_it_trains_no_picture_is_higher_than_the_terminal(watched: Watched) -> None:
    *pictures, _ = watched.stayed.split("\x1b[J")[:-1]
    assert max(one.count("\n") for one in pictures) <= 23


def test_who_leaves_does_not_touch_the_training(watched: Watched) -> None:
    assert watched.left_with == 130
    assert "Traceback" not in watched.left
    assert "step 3 of 6" not in watched.left
    run = watched.folder / "runs" / "live"
    manifest = json.loads((run / "manifest.json").read_text())
    assert (manifest["status"], manifest["steps"]) == ("completed", 6)
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 6
