"""What was done to a run since it ended is noticed and named: files, recipe, rows, memory, procedures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.chat_server import Messages, chat_service
from tests.e2e.command import cesello_here
from tests.embedding_server import embedding_service
from tests.procedures import write_run_checks
from tests.tiny_model import make_tiny_model

pytestmark = pytest.mark.usefixtures("one_thread")

RECIPE = """
name: mine
model: {name: ./tiny, dtype: float32}
lora: {r: 4, alpha: 8, target_modules: [q_proj, v_proj]}
data:
  max_tokens: 1500
  copies: {drop: exact}
  sources:
    - {name: checks, kind: file, path: checks.jsonl, holdout: 4}
    - {name: poems, kind: file, path: poems.jsonl, holdout: 0}
training: {max_steps: 4, batch_size: 2}
evaluation: {samples: 1, max_new_tokens: 4}
checkpoint: {every_steps: 2}
loggers: []
"""
MEMORY = """
memory:
  embedder: {engine: openai, url: URL, model: words}
  reranker: {engine: none}
  store: numpy
"""
TRAINED_WITH = """\
  retrieve: "on"
  procedures: full
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with a memory, a procedure, and a run "mine" that was trained with both."""
    folder = tmp_path_factory.mktemp("verified") / "project"
    make_tiny_model(folder / "tiny")
    write_run_checks(folder)
    (folder / "code.py").write_text(
        'def checks(module: int) -> str:\n    """Runs all checks."""\n    return "ok"\n'
    )
    rows("checks", folder, "please run the checks of module {n}", "it is {n}")
    rows("poems", folder, "a poem on {n} pears", "{n} pears, and none is yours")
    with embedding_service() as service:
        memory = MEMORY.replace("URL", service.url)
        (folder / "memory.yaml").write_text(memory)
        (folder / "recipe.yaml").write_text(RECIPE + memory + TRAINED_WITH)
        said(folder, "remember", "code.py", "--config", "memory.yaml")
        said(folder, "train", "recipe.yaml", "--run", "mine")
        yield folder


@pytest.fixture
def project(trained: Path, tmp_path: Path) -> Iterator[Path]:
    """That project, where it was: an absolute path is part of a local model's name."""
    kept = tmp_path / "kept"
    shutil.copytree(trained, kept)
    yield trained
    shutil.rmtree(trained)
    shutil.copytree(kept, trained)


def rows(name: str, folder: Path, question: str, answer: str) -> None:
    pairs = [{"prompt": question.format(n=n), "completion": answer.format(n=n)} for n in range(16)]
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pairs))


def said(folder: Path, *command: str) -> str:
    done = cesello_here(*command, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_of(project: Path) -> Path:
    return project / "runs" / "mine"


def flipped(file: str) -> Callable[[Path], object]:
    """Another last byte."""

    def act(project: Path) -> None:
        content = bytearray((run_of(project) / file).read_bytes())
        content[-1] ^= 1
        (run_of(project) / file).write_bytes(content)

    return act


def replaced(file: str, old: str, new: str) -> Callable[[Path], object]:
    def act(project: Path) -> None:
        text = (project / file).read_text()
        assert old in text
        (project / file).write_text(text.replace(old, new, 1))

    return act


def other_memory(project: Path) -> None:
    replaced("code.py", '"ok"', '"not ok"')(project)
    said(project, "remember", "code.py", "--config", "memory.yaml")


def other_procedure(project: Path) -> None:
    replaced(".cesello/procedures/run-checks/SKILL.md", "slowest", "fastest")(project)
    said(project, "sop", "promote", "run-checks")


def log_without_checkpoints(project: Path) -> None:
    shutil.rmtree(run_of(project) / "checkpoints")
    replaced("runs/mine/metrics.jsonl", '"gradient_norm": ', '"gradient_norm": 1')(project)


def checkpoints_elsewhere(project: Path) -> None:
    checkpoints = run_of(project) / "checkpoints"
    checkpoints.rename(project / "elsewhere")
    checkpoints.symlink_to(project / "elsewhere")


def in_manifest(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    def act(project: Path) -> None:
        file = run_of(project) / "manifest.json"
        values = json.loads(file.read_text())
        change(values)
        file.write_text(json.dumps(values))

    return act


@dataclass(frozen=True)
class Tampered:
    """What is done, and what it is called: the part, the status, the code, and a piece of the sentence."""

    act: Callable[[Path], object]
    part: str
    status: int
    code: str
    change: str


WEIGHTS = "lora/adapter_model.safetensors"
CASES = {
    "weight": Tampered(flipped(WEIGHTS), "weights", 4, "M098", f"{WEIGHTS} was changed"),
    "weights gone": Tampered(
        lambda project: (run_of(project) / WEIGHTS).unlink(), "weights", 4, "M098", f"{WEIGHTS} is missing"
    ),
    "weights added": Tampered(
        lambda project: (run_of(project) / "lora" / "more.bin").write_text("more"),
        "weights", 4, "M098", "lora/more.bin was added",
    ),
    "recipe": Tampered(
        replaced("runs/mine/recipe.yaml", "batch_size: 2", "batch_size: 1"),
        "recipe", 4, "M098", "training.batch_size: 2 then, 1 now",
    ),
    "recipe's layout": Tampered(
        replaced("runs/mine/recipe.yaml", "\n", "\n\n"), "recipe", 4, "M098", "recipe.yaml was changed"
    ),
    "no recipe": Tampered(
        replaced("runs/mine/recipe.yaml", "training:", "[training:"), "recipe", 4, "M098", "it is no recipe: "
    ),
    "checkpoint": Tampered(
        flipped("checkpoints/step-00000002/optimizer.safetensors"),
        "checkpoints", 4, "M098", "step-00000002: optimizer.safetensors: sha256",
    ),
    "log": Tampered(
        replaced("runs/mine/metrics.jsonl", '"loss": ', '"loss": 1'),
        "logs", 4, "M098", "metrics.jsonl was changed",
    ),
    "log without its checkpoints": Tampered(
        log_without_checkpoints,
        "checkpoints, logs", 4, "M098", "step-00000004/MANIFEST.json is missing",
    ),
    "checkpoints elsewhere": Tampered(
        checkpoints_elsewhere,
        "checkpoints, files", 4, "M098", "step-00000004/MANIFEST.json is missing",
    ),
    "sample": Tampered(
        flipped("samples-after.jsonl"), "files", 4, "M098", "samples-after.jsonl was changed"
    ),
    "timings": Tampered(flipped("timings.jsonl"), "logs", 4, "M098", "timings.jsonl was changed"),
    "table": Tampered(flipped("metrics.csv"), "files", 4, "M098", "metrics.csv was changed"),
    "rows": Tampered(flipped("rows.json"), "files", 4, "M098", "rows.json was changed"),
    "added": Tampered(
        lambda project: (run_of(project) / "evil.py").write_text("pass"),
        "files", 4, "M098", "evil.py was added",
    ),
    "figures": Tampered(
        in_manifest(lambda values: values["after"]["losses"]["checks"].update(loss=0.001)),
        "figures", 4, "M099", "the manifest's figures after the training are not those of evaluations.jsonl",
    ),
    "status": Tampered(
        in_manifest(lambda values: values.update(status="interrupted")),
        "status", 4, "M099", "the run is interrupted, not completed",
    ),
    "row": Tampered(
        replaced("poems.jsonl", "none is yours", "one is yours"),
        "data", 3, "D090", 'source "poems": its rows are others',
    ),
    "broken row": Tampered(
        replaced("poems.jsonl", "}\n", "\n"), "data", 3, "D090", "it can be prepared no more: broken JSON"
    ),
    "memory": Tampered(other_memory, "memory", 5, "S015", "memory retrieve: "),
    "memory gone": Tampered(
        lambda project: said(project, "forget", "code.py", "--config", "memory.yaml"),
        "memory", 5, "S015", "now",
    ),
    "procedure": Tampered(other_procedure, "procedures", 5, "S016", "run-checks: version "),
    "tokenizer": Tampered(
        replaced("tiny/tokenizer.json", '"add_prefix_space": false', '"add_prefix_space": true'),
        "base model", 4, "M098", "the tokenizer is another",
    ),
}  # fmt: skip


SEARCH = """
algorithm: apo
name: capitals
model: {name: ./tiny, dtype: float32}
data:
  system_prompt: Answer.
  copies: {drop: exact}
  sources:
    - {name: chat, kind: file, path: rows.jsonl, holdout: 20}
rewards:
  - {kind: format, pattern: "[A-Z]+"}
apo:
  components: [system]
  proposers: [reflective]
  budget: {rollouts: 160, optimizer_calls: 4}
  generator: {kind: openai, url: URL, model: small}
  optimizer: {kind: openai, url: URL, model: large}
  max_new_tokens: 8
loggers: []
"""


def answers(messages: Messages) -> str:
    """Shouts under one instruction alone; asked to improve a prompt it finds that instruction."""
    if "You improve prompts" not in messages[0]["content"]:
        return "YES" if "capital letters" in messages[0]["content"] else "no"
    lines = messages[-1]["content"].splitlines()
    begin, end = [line for line in lines if line.startswith(("begin ", "end "))][-2:]
    return f"{begin}\nAnswer. Write in capital letters.\n{end}"


def checks(stdout: str) -> dict[str, dict[str, Any]]:
    return {check["part"]: check for check in json.loads(stdout)["checks"]}


def test_an_untouched_run_is_whole(trained: Path) -> None:
    found = json.loads(said(trained, "verify", "mine", "--json"))
    assert found["good"]
    assert {check["part"]: check["state"] for check in found["checks"]} == {
        "status": "whole",
        "weights": "whole",
        "recipe": "whole",
        "checkpoints": "whole",
        "logs": "whole",
        "files": "whole",
        "figures": "whole",
        "memory": "whole",
        "procedures": "whole",
        "data": "whole",
        "base model": "not checked",
    }


def test_what_it_says_is_readable(trained: Path) -> None:
    lines = said(trained, "verify", "latest").splitlines()
    assert lines[:2] == [
        "run mine: runs/mine", f"data, memory and procedures are those of {trained.resolve()}"
    ]  # fmt: skip
    assert not any("not in that folder" in line for line in lines)
    assert "data        28 rows of 2 sources as they were" in lines
    assert not any("CHANGED" in line for line in lines)


def test_of_a_copied_project_it_is_said_that_the_original_is_looked_at(trained: Path, tmp_path: Path) -> None:
    copied = tmp_path / "copied"
    shutil.copytree(trained, copied)
    (copied / "checks.jsonl").unlink()
    lines = said(copied, "verify", "mine", "--quick").splitlines()
    assert lines[1] == f"data, memory and procedures are those of {trained.resolve()}"
    assert lines[2].startswith("The run is not in that folder: ")
    found = json.loads(said(copied, "verify", "mine", "--quick", "--json"))
    assert (found["root"], found["below_root"]) == (str(trained.resolve()), False)


@pytest.mark.parametrize("name", CASES)
def test_what_was_tampered_with_is_named(project: Path, name: str) -> None:
    case = CASES[name]
    case.act(project)
    done = cesello_here("verify", "runs/mine", "--json", cwd=project)
    assert "Traceback" not in done.stderr
    found = checks(done.stdout)
    changed = [part for part, check in found.items() if check["state"] == "changed"]
    assert changed == case.part.split(", "), found
    assert any(case.change in change for part in changed for change in found[part]["changes"]), found
    last = done.stderr.strip().splitlines()[-1]
    assert (done.returncode, last[:11]) == (case.status, f"error[{case.code}]"), last
    assert "runs/mine" in last


def test_a_search_is_checked_by_its_prompt_and_its_tasks(tmp_path: Path) -> None:
    make_tiny_model(tmp_path / "tiny")
    pairs = [{"prompt": f"what is {n}?", "completion": f"it is {7 * n}"} for n in range(80)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pairs))
    with chat_service(answers) as service:
        (tmp_path / "recipe.yaml").write_text(SEARCH.replace("URL", service.url))
        said(tmp_path, "train", "recipe.yaml", "--run", "mine")
    whole = checks(said(tmp_path, "verify", "mine", "--json"))
    assert {part: check["state"] for part, check in whole.items()} == {
        "status": "whole", "recipe": "whole", "prompt": "whole", "logs": "whole", "files": "whole",
        "data": "whole", "base model": "not checked",
    }  # fmt: skip
    for file, part in (("tasks.jsonl", "logs"), ("held-out.json", "files"), ("search.json", "files")):
        before = (run_of(tmp_path) / file).read_bytes()
        flipped(file)(tmp_path)
        done = cesello_here("verify", "mine", "--quick", "--json", cwd=tmp_path)
        assert (done.returncode, f"{file} was changed" in checks(done.stdout)[part]["changes"]) == (4, True)
        (run_of(tmp_path) / file).write_bytes(before)
    replaced("rows.jsonl", "it is 7", "it is 8")(tmp_path)
    done = cesello_here("verify", "mine", "--json", cwd=tmp_path)
    assert (done.returncode, checks(done.stdout)["data"]["changes"]) == (3, ["the tasks are others"])
    replaced("runs/mine/prompt.yaml", "verdict: proven", "verdict: promising")(tmp_path)
    done = cesello_here("verify", "mine", "--json", cwd=tmp_path)
    told = "prompt.yaml says otherwise than the search (verdict promising, the manifest proven)"
    assert (done.returncode, checks(done.stdout)["prompt"]["changes"]) == (4, [told])
    replaced("runs/mine/prompt.yaml", "verdict: promising", "verdict: proven")(tmp_path)
    replaced("runs/mine/prompt.yaml", "in capital letters", "in small letters")(tmp_path)
    done = cesello_here("verify", "mine", "--json", cwd=tmp_path)
    found = checks(done.stdout)
    told = "the prompt was changed since its version was written"
    assert (done.returncode, found["prompt"]["changes"]) == (4, [told])
    assert found["data"]["unchecked"] == "rows follow from what has changed: prompt"


def test_all_that_was_tampered_with_is_told_at_once(project: Path) -> None:
    for name in ("weight", "recipe", "memory", "procedure"):
        CASES[name].act(project)
    done = cesello_here("verify", "mine", cwd=project)
    assert done.returncode == 4
    told = [line.split("CHANGED")[0].strip() for line in done.stdout.splitlines() if "CHANGED" in line]
    assert list(filter(None, told)) == ["weights", "recipe", "memory", "procedures"]
    assert "not checked: rows follow from what has changed: recipe, memory, procedures" in done.stdout


def test_quick_leaves_the_rows_out(project: Path) -> None:
    CASES["row"].act(project)
    quick = said(project, "verify", "mine", "--quick")
    assert "data        not checked: --quick leaves it out" in quick
    CASES["weight"].act(project)
    assert cesello_here("verify", "mine", "--quick", cwd=project).returncode == 4


def test_data_that_is_elsewhere_is_not_called_changed(project: Path) -> None:
    (project / "poems.jsonl").unlink()
    told = said(project, "verify", "mine")
    assert 'data        not checked: the files of source "poems" do not exist' in told


def test_nothing_is_written_into_the_run(project: Path) -> None:
    def content() -> dict[str, bytes]:
        files = [path for path in run_of(project).rglob("*") if path.is_file()]
        return {str(path): path.read_bytes() for path in files}

    before = content()
    said(project, "verify", "mine")
    assert content() == before


def test_what_is_neither_run_nor_export_is_told(project: Path) -> None:
    done = cesello_here("verify", "another", cwd=project)
    assert done.returncode == 3
    assert 'error[D030] there is no run "another"' in done.stderr
