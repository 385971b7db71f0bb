"""What trainings leave in the database of runs, and that they go on where nothing can be left there."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cesello.adapters.trace.run_database import read_only
from tests.e2e.command import cesello_here
from tests.tiny_model import make_tiny_model

pytestmark = pytest.mark.usefixtures("one_thread")

MODEL = """
model: {name: ./tiny, dtype: float32}
lora: {r: 4, alpha: 8, target_modules: all-linear}
loggers: []
"""
SFT = f"""{MODEL}
data:
  sources:
    - {{name: chat, kind: file, path: rows.jsonl, holdout: 4}}
training: {{max_steps: 4, batch_size: 2, callbacks: [{{code: "mine:Watch"}}]}}
evaluation: {{every_steps: 2, samples: 1, max_new_tokens: 4}}
checkpoint: {{every_steps: 2}}
"""
GRPO = f"""{MODEL}
algorithm: grpo
data:
  sources:
    - {{name: chat, kind: file, path: rows.jsonl, holdout: 4}}
rewards:
  - {{kind: length, shortest: 1, longest: 5, unit: characters}}
grpo: {{completions: 3, max_completion_tokens: 6, beta: 0.02, masks_overlong: false, updates: 2}}
training: {{max_steps: 4, batch_size: 2}}
evaluation: {{samples: 0}}
"""
MINE = """
import lightning
from cesello import tracing

class Watch(lightning.Callback):
    @tracing.traced
    def on_train_batch_start(self, trainer, module, batch, index):
        pass
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("traces")
    make_tiny_model(folder / "tiny")
    rows = [
        [{"role": "user", "content": f"what is {n}?"}, {"role": "assistant", "content": f"it is {7 * n}"}]
        for n in range(20)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps({"messages": row}) + "\n" for row in rows))
    (folder / "sft.yaml").write_text(SFT)
    (folder / "grpo.yaml").write_text(GRPO)
    (folder / "mine.py").write_text(MINE)
    for name in ("sft", "grpo"):
        done = cesello_here("train", f"{name}.yaml", "--run", name, cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder


def spans_of(project: Path, run: str) -> list[Mapping[str, Any]]:
    with closing(read_only(project / "runs" / "runs.sqlite")) as connection:
        connection.row_factory = sqlite3.Row
        found = connection.execute("SELECT * FROM spans WHERE run = ? ORDER BY started, sequence", (run,))
        return [dict(row) | {"attributes": json.loads(row["attributes"])} for row in found]


def paths(spans: Sequence[Mapping[str, Any]]) -> Counter[str]:
    """How often a span was recorded within which others."""
    by_id = {one["span_id"]: one for one in spans}

    def path(one: Mapping[str, Any]) -> str:
        above = by_id.get(one["parent_id"] or "")
        return f"{path(above)} > {one['name']}" if above else str(one["name"])

    return Counter(map(path, spans))


def test_a_fine_tuning_tells_its_phases_and_steps(project: Path) -> None:
    spans = spans_of(project, "sft")
    assert paths(spans) == {
        "train": 1,
        "train > prepare data": 1,
        "train > load model": 1,
        "train > evaluate": 2,
        "train > take steps": 1,
        "train > take steps > step": 4,
        "train > take steps > step > forward and backward": 4,
        "train > take steps > evaluate": 1,
        "train > take steps > save checkpoint": 2,
        "train > take steps > on_train_batch_start": 4,
        "train > save weights": 1,
    }
    assert [one["attributes"]["cesello.step"] for one in spans if one["name"] == "step"] == [1, 2, 3, 4]
    assert {one["status"] for one in spans} == {"unset"}
    assert len({one["trace_id"] for one in spans}) == 1


def test_reinforcement_tells_its_answers_and_rewards(project: Path) -> None:
    spans = spans_of(project, "grpo")
    assert (project / "tiny").is_dir()
    found = paths(spans)
    drawn = "train > take steps > draw and judge"
    chat = next(one for one in spans if one["name"].startswith("chat "))
    assert found[drawn] == found[f"{drawn} > score"] == found[f"{drawn} > {chat['name']}"] == 2
    assert found[f"{drawn} > log-probabilities"] == 2 * 2
    assert found["train > take steps > step"] == 4
    log = project / "runs" / "grpo" / "completions.jsonl"
    completions = [json.loads(line) for line in log.read_text().splitlines()]
    told = chat["attributes"]
    assert told["gen_ai.operation.name"] == "chat"
    assert told["gen_ai.request.model"] in chat["name"]
    assert told["gen_ai.request.choice.count"] == 3
    first = [one for one in completions if one["step"] == 1]
    assert told["gen_ai.usage.output_tokens"] == sum(one["tokens"] for one in first)
    with closing(read_only(project / "runs" / "runs.sqlite")) as connection:
        scored = next(one for one in spans if one["name"] == "score")
        rewards = [
            json.loads(attributes)
            for (attributes,) in connection.execute(
                "SELECT attributes FROM events WHERE span_id = ? ORDER BY sequence", (scored["span_id"],)
            )
        ]
    assert [one["gen_ai.evaluation.score.value"] for one in rewards] == [one["reward"] for one in first]
    assert [(one["cesello.prompt"], one["cesello.choice"]) for one in rewards] == [
        (prompt, choice) for prompt in range(2) for choice in range(3)
    ]


def test_what_is_told_of_a_run_that_is_begun_anew_is_that_of_the_new_one(project: Path) -> None:
    before = spans_of(project, "sft")
    done = cesello_here("train", "sft.yaml", "--run", "sft", "--overwrite", cwd=project)
    assert done.returncode == 0, done.stderr
    after = spans_of(project, "sft")
    assert paths(after) == paths(before)
    assert not {one["span_id"] for one in after} & {one["span_id"] for one in before}


def test_a_failure_is_told_where_it_happened(project: Path) -> None:
    (project / "broken.py").write_text(MINE.replace("pass", "raise KeyError('no such thing')"))
    (project / "broken.yaml").write_text(SFT.replace("mine:Watch", "broken:Watch"))
    done = cesello_here("train", "broken.yaml", "--run", "broken", cwd=project)
    assert done.returncode != 0
    failed = {one["name"]: one["message"] for one in spans_of(project, "broken") if one["status"] == "error"}
    assert failed["on_train_batch_start"] == "KeyError: 'no such thing'"
    assert failed.keys() == {"train", "take steps", "on_train_batch_start"}


def test_a_run_that_traces_nothing_makes_no_database(project: Path, tmp_path: Path) -> None:
    options = ("--set", "traces=false", "--set", f"output={tmp_path}/elsewhere")
    done = cesello_here("train", "sft.yaml", "--run", "silent", *options, cwd=project)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["silent"]


def test_a_training_goes_on_where_nothing_can_be_traced_and_says_so_once(
    project: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere" / "runs.sqlite").mkdir(parents=True)
    options = ("--set", f"output={tmp_path}/elsewhere")
    done = cesello_here("train", "sft.yaml", "--run", "sft", *options, cwd=project)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("some of what is traced is not kept: error[I091]") == 1
    for log in ("metrics", "evaluations"):
        mine, other = (
            folder / "sft" / f"{log}.jsonl" for folder in (tmp_path / "elsewhere", project / "runs")
        )
        assert mine.read_bytes() == other.read_bytes()
