"""With a hub that can be reached and no kit, names of the hub just work, through the unmodified libraries.

Commands run in another process, since the libraries read where the hub is when they are loaded. Most share
one, which loads them once.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import COMMAND, cesello_here
from tests.hub_server import HubServer
from tests.tiny_model import make_tiny_model

Done = subprocess.CompletedProcess[str]
Command = Callable[..., Done]

FILE: dict[str, Any] = {"kind": "file", "name": "rows", "path": "rows.jsonl", "holdout": 4}
PAIRS: dict[str, Any] = {
    "kind": "hub", "name": "pairs", "repo": "someone/pairs", "config": "code", "split": "test", "holdout": 4,
}  # fmt: skip

CARD = """---
license: mit
configs:
- config_name: talk
  default: true
  data_files:
  - {split: train, path: talk/train.parquet}
  - {split: test, path: talk/test.parquet}
- config_name: code
  data_files:
  - {split: train, path: data/code/train.parquet}
  - {split: test, path: data/code/test-*.parquet}
---

# Pairs
"""


def rows(of: str, count: int) -> list[dict[str, str]]:
    return [{"prompt": f"say {n} of {of}", "completion": f"number {n} of {of}"} for n in range(count)]


def write_pairs(folder: Path, commit: str, count: int) -> Path:
    """Two configurations of two splits; the split ``test`` of ``code`` lies in two files."""
    import pyarrow as arrow
    from pyarrow import parquet

    files = {
        "talk/train": 30,
        "talk/test": 10,
        "data/code/train": 24,
        "data/code/test-0": count,
        "data/code/test-1": 5,
    }
    for name, number in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        table = arrow.Table.from_pylist(rows(f"{name} in {commit}", number))
        parquet.write_table(table, folder / f"{name}.parquet")
    (folder / "README.md").write_text(CARD)
    return folder


@dataclass
class World:
    """A hub, and a machine that knows nothing of it yet.

    Attributes:
        first: the commit of the dataset before its newest.
        main: the newest.
        pickled: a model's folder without safetensors.
    """

    hub: HubServer
    folder: Path
    first: str
    main: str
    pickled: Path

    @property
    def environment(self) -> dict[str, str]:
        """Of commands; the hub is not switched off."""
        ours = {key: text for key, text in os.environ.items() if not key.startswith(("HF_", "CESELLO_"))}
        return ours | {
            "HF_ENDPOINT": self.hub.address,
            "HF_HOME": str(self.folder / "huggingface"),
            "CESELLO_HOME": str(self.folder / "no kit"),
        }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    model = make_tiny_model(folder / "tiny")
    pickled = shutil.copytree(model, folder / "pickled")
    (pickled / "model.safetensors").unlink()
    (pickled / "pytorch_model.bin").write_bytes(b"a pickle, which nobody opens")
    with HubServer() as hub:
        hub.push("models", "someone/tiny-llama", model)
        hub.push("models", "someone/pickled", pickled)
        first = hub.push("datasets", "someone/pairs", write_pairs(folder / "pairs", "first", 8))
        main = hub.push("datasets", "someone/pairs", write_pairs(folder / "pairs", "main", 9))
        yield World(hub, folder, first, main, pickled)


@pytest.fixture(scope="module")
def same_process(world: World) -> Iterator[Command]:
    """Runs commands one after another in another process, which finds the hub in its environment."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, _take, (world.environment,)) as pool:
        yield lambda *arguments, cwd: pool.submit(cesello_here, *arguments, cwd=cwd).result()


def _take(environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)


def cesello(world: World, *arguments: str | Path, cwd: Path, **changes: str) -> Done:
    """Runs the command as a person does."""
    return subprocess.run(
        [str(COMMAND), *map(str, arguments)],
        cwd=cwd,
        env=world.environment | changes,
        capture_output=True,
        text=True,
        check=False,
    )


def write_recipe(folder: Path, source: Mapping[str, Any], model: str = "someone/tiny-llama") -> None:
    """A recipe that trains in a second, and the rows of its source when they are the person's own."""
    folder.mkdir(exist_ok=True)
    recipe = {
        "model": {"name": model},
        "data": {"sources": [source]},
        "training": {"max_steps": 2, "batch_size": 2},
        "evaluation": {"samples": 1, "max_new_tokens": 4},
    }
    (folder / "recipe.yaml").write_text(json.dumps(recipe))
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows("mine", 20)))


def test_a_model_of_the_hub_is_tuned_and_asked_and_then_needs_no_hub(
    world: World, same_process: Command, tmp_path: Path
) -> None:
    write_recipe(tmp_path, FILE)
    trained = same_process("train", "recipe.yaml", "--json", cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    manifest = json.loads(trained.stdout)
    assert (manifest["status"], manifest["steps"]) == ("completed", 2)
    assert manifest["model"]["name"] == "someone/tiny-llama"
    (run,) = (tmp_path / "runs").glob("*/")
    saved = json.loads((run / "lora" / "tokenizer_config.json").read_text())
    assert "local_files_only" not in saved, "where the files were found is no part of the result"
    question = ("generate", "--run", "latest", "--max-new-tokens", "4", "--json", "say 1")
    asked = same_process(*question, cwd=tmp_path)
    assert asked.returncode == 0, asked.stderr

    before = len(world.hub.requests)
    offline = cesello(world, *question, cwd=tmp_path, HF_HUB_OFFLINE="1")
    assert offline.stdout == asked.stdout, offline.stderr
    assert len(world.hub.requests) == before
    began = time.monotonic()
    away = cesello(world, *question, cwd=tmp_path, HF_ENDPOINT=nobody())
    assert away.stdout == asked.stdout, away.stderr
    assert "Retrying" not in away.stderr
    assert time.monotonic() - began < 40, "the hub was asked for every file, again and again"


def nobody() -> str:
    """An address where nothing listens any more."""
    with HubServer() as stopped:
        return stopped.address


def test_the_pinned_commit_config_and_split_are_read(
    world: World, same_process: Command, tmp_path: Path
) -> None:
    def source_of(name: str, **changes: object) -> tuple[str, dict[str, Any]]:
        write_recipe(tmp_path / name, PAIRS | changes)
        done = same_process("train", "recipe.yaml", "--json", cwd=tmp_path / name)
        assert done.returncode == 0, done.stderr
        data = json.loads(done.stdout)["data"]
        return data["digest"], data["sources"][0]

    digest, pinned = source_of("pinned", revision=world.first)
    assert pinned["read"] == 8 + 5
    assert world.first in pinned["origin"]
    answers = (next((tmp_path / "pinned" / "runs").glob("*/")) / "samples-before.jsonl").read_text()
    assert "of data/code/test-" in answers
    assert "in first" in answers
    streamed_digest, streamed = source_of("streamed", revision=world.first, streaming=True)
    assert streamed_digest == digest
    assert streamed["fingerprint"] == pinned["fingerprint"]
    _, newest = source_of("newest")
    assert newest["read"] == 9 + 5
    assert newest["fingerprint"] != pinned["fingerprint"]
    _, by_default = source_of("default", config=None)
    assert by_default["read"] == 10


WRONG = {
    "model": (FILE, "someone/nothing", 4, "M001", "someone/nothing"),
    "dataset": (PAIRS | {"repo": "someone/nothing"}, None, 3, "D001", "someone/nothing"),
    "streamed dataset": (PAIRS | {"repo": "someone/no", "streaming": True}, None, 3, "D001", "someone/no"),
    "revision": (PAIRS | {"revision": "0" * 40}, None, 3, "D001", "0" * 40),
    "config": (PAIRS | {"config": "speech"}, None, 3, "D003", "speech"),
    "split": (PAIRS | {"split": "dev"}, None, 3, "D003", "dev"),
    "pickled model": (FILE, "someone/pickled", 4, "M002", "pytorch_model.bin -> expected safetensors"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_the_hub_has_not_or_we_refuse_is_explained_at_once(
    same_process: Command, tmp_path: Path, case: str
) -> None:
    source, model, status, code, got = WRONG[case]
    write_recipe(tmp_path, source, model or "someone/tiny-llama")
    same_process("--help", cwd=tmp_path)  # starting the process is not what takes the time below
    began = time.monotonic()
    done = same_process("train", "recipe.yaml", cwd=tmp_path)
    assert time.monotonic() - began < 20, "somebody waited and asked again"
    assert done.returncode == status, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"error[{code}] ")
    assert got in last
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_pickled_model_is_neither_fetched_nor_converted(
    world: World, same_process: Command, tmp_path: Path
) -> None:
    before = len(world.hub.requests)
    write_recipe(tmp_path, FILE, "someone/pickled")
    assert same_process("train", "recipe.yaml", cwd=tmp_path).returncode == 4
    assert world.hub.requests[before:] == ["GET /api/models/someone/pickled"]


def test_a_pickled_model_in_a_folder_is_refused_too(
    world: World, same_process: Command, tmp_path: Path
) -> None:
    shutil.copytree(world.pickled, tmp_path / "pickled")
    write_recipe(tmp_path, FILE, "./pickled")
    done = same_process("train", "recipe.yaml", cwd=tmp_path)
    assert done.returncode == 4, done.stderr
    assert "error[M040] a model's folder holds pickles" in done.stderr


def test_a_plan_fetches_the_configuration_alone(world: World, same_process: Command, tmp_path: Path) -> None:
    world.hub.push("models", "someone/unseen", world.folder / "tiny")
    before = len(world.hub.requests)
    write_recipe(tmp_path, FILE, "someone/unseen")
    done = same_process("plan", "recipe.yaml", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["shape"]["parameters"] > 0
    asked = world.hub.requests[before:]
    assert any("config.json" in one for one in asked)
    assert not [one for one in asked if "safetensors" in one or "tokenizer" in one]
