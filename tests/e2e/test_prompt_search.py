"""``cesello train`` with apo: what it searches, says, keeps and spends, and what its prompt is used for."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cesello.entrypoints.settings.prompt_file import load_prompt
from tests.chat_server import ChatService, Messages, chat_service
from tests.e2e.command import cesello_here

pytestmark = pytest.mark.usefixtures("one_thread")

RECIPE = """
algorithm: apo
name: capitals
model: {name: ./tiny, dtype: float32}
data:
  system_prompt: Answer.
  sources:
    - {name: chat, kind: file, path: rows.jsonl, holdout: 20}
rewards:
  - {kind: format, pattern: "[A-Z]+"}
apo:
  components: [system]
  proposers: [reflective]
  budget: {rollouts: 160, optimizer_calls: 12}
  generator: {kind: openai, url: URL, model: small}
  optimizer: {kind: openai, url: URL, model: large, api_key_env: CESELLO_TEST_KEY}
  max_new_tokens: 8
loggers: []
"""
LOCAL = """
algorithm: apo
name: local
model: {name: ./tiny, dtype: float32}
data:
  sources:
    - {name: chat, kind: file, path: rows.jsonl, holdout: 20}
rewards:
  - {kind: length, shortest: 1, longest: 5, unit: characters}
apo:
  components: [system, procedure, demos]
  proposers: [rules, demos, merge, reflective]
  budget: {rollouts: 140, optimizer_calls: 6}
  optimizer: {kind: policy, max_new_tokens: 8}
  max_new_tokens: 6
loggers: []
"""


def answers(messages: Messages) -> str:
    """Shouts under one instruction alone; asked to improve a prompt it finds that instruction."""
    system = messages[0]["content"]
    if "You improve prompts" not in system:
        return "YES" if "capital letters" in system else "no"
    lines = messages[-1]["content"].splitlines()
    begin, end = [line for line in lines if line.startswith(("begin ", "end "))][-2:]
    return f"{begin}\nAnswer. Write in capital letters.\n{end}"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatService]:
    monkeypatch.setenv("CESELLO_TEST_KEY", "a key")
    with chat_service(answers) as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path, tiny: Path) -> Path:
    (tmp_path / "tiny").mkdir()
    for file in tiny.iterdir():
        (tmp_path / "tiny" / file.name).write_bytes(file.read_bytes())
    rows = [
        [{"role": "user", "content": f"what is {n}?"}, {"role": "assistant", "content": f"it is {7 * n}"}]
        for n in range(80)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"messages": row}) + "\n" for row in rows))
    (tmp_path / "local.yaml").write_text(LOCAL)
    return tmp_path


def write_recipe(folder: Path, service: ChatService) -> None:
    (folder / "recipe.yaml").write_text(RECIPE.replace("URL", service.url))


def read(folder: Path, run: str, name: str) -> Any:
    return json.loads((folder / "runs" / run / name).read_text())


def asked(service: ChatService, model: str) -> list[str]:
    """What a model was asked, as text."""
    return [json.dumps(body["messages"]) for _, body in service.seen if body["model"] == model]


def test_the_whole_of_a_search_with_servers(folder: Path, service: ChatService) -> None:
    write_recipe(folder, service)
    done = cesello_here("train", "recipe.yaml", "--run", "one", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "proven: it is better on tasks that the search has never seen" in done.stdout
    assert "+Answer. Write in capital letters." in done.stdout
    assert "a key" not in done.stdout + done.stderr

    loaded = load_prompt(folder / "runs" / "one" / "prompt.yaml")
    assert loaded.program.system == "Answer. Write in capital letters."
    its = loaded.file
    assert (its.name, its.version, its.provenance.run) == ("capitals", loaded.program.id, "one")
    assert its.provenance.verdict == "proven"
    assert its.provenance.gain == 2.0  # from -1 to 1
    assert its.provenance.p is not None
    assert its.provenance.p < 0.05

    report, manifest = read(folder, "one", "search.json"), read(folder, "one", "manifest.json")
    assert report["verdict"] == manifest["search"]["verdict"] == "proven"
    assert its.parent == manifest["search"]["seed"]
    spent = manifest["search"]["spent"]
    assert (manifest["status"], manifest["algorithm"]) == ("completed", "apo")
    assert manifest["steps"] == spent["rollouts"] == len(asked(service, "small")) <= 160
    # A proposer that had no idea, and asked nobody, is counted as if it had asked.
    assert 1 <= len(asked(service, "large")) <= spent["optimizer_calls"] <= 12
    assert len(set(asked(service, "small"))) == len(asked(service, "small"))
    keys = {body["model"]: key for key, body in service.seen}
    assert keys == {"small": None, "large": "Bearer a key"}
    assert report["tasks"] == {"search": 38, "selection": 22, "test": 20}

    path = folder / "runs" / "one"
    assert all(
        stat.S_IMODE((path / name).stat().st_mode) == 0o600 for name in ("prompt.yaml", "ledger.sqlite3")
    )
    shown = cesello_here("runs", "show", "one", cwd=folder).stdout
    assert "verdict" in shown
    assert "+2.000" in shown
    assert f"{spent['rollouts']} of 160" in shown
    listed = cesello_here("runs", "list", cwd=folder).stdout
    assert f"{spent['rollouts']}/160" in listed


def test_a_search_that_finds_nothing_says_what_is_so(folder: Path) -> None:
    with chat_service(lambda messages: answers(messages).replace("YES", "no")) as service:
        write_recipe(folder, service)
        done = cesello_here(
            "train", "recipe.yaml", "--run", "none", "--set", "apo.optimizer.api_key_env=null", cwd=folder
        )
    assert done.returncode == 0, done.stderr
    assert "keep yours: nothing better was proven" in done.stdout
    assert read(folder, "none", "search.json")["test"] is None
    assert "in the end the first prompt was estimated best; its held-out score is -1.000" in done.stdout
    shown = load_prompt(folder / "runs" / "none" / "prompt.yaml")
    assert shown.program.system == "Answer."


def test_a_search_that_failed_goes_on_and_repeats_no_call(folder: Path, service: ChatService) -> None:
    write_recipe(folder, service)
    whole = cesello_here("train", "recipe.yaml", "--run", "whole", "--json", cwd=folder)
    assert whole.returncode == 0, whole.stderr
    expected, total = read(folder, "whole", "search.json"), len(service.seen)
    service.seen.clear()
    service.busy_after = 60
    failed = cesello_here("train", "recipe.yaml", "--run", "two", cwd=folder)
    assert failed.returncode == 75
    assert "T090" in failed.stderr
    assert read(folder, "two", "manifest.json")["status"] == "failed"
    assert 0 < read(folder, "two", "manifest.json")["steps"] < 60
    service.busy_after = None
    known = read(folder, "two", "manifest.json")["steps"]
    done = cesello_here("train", "recipe.yaml", "--run", "two", "--resume", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert f"going on with two after rollout {known}\n" in done.stderr
    assert f"after rollout {known}, " in cesello_here("runs", "show", "two", cwd=folder).stdout
    found = read(folder, "two", "search.json")
    for name in ("winner", "verdict", "test", "candidates"):
        assert found[name] == expected[name]
    # Of the four that are asked at a time some were answered when the server became busy.
    assert total <= len(service.seen) < total + 4
    again = cesello_here("train", "recipe.yaml", "--run", "two", "--resume", cwd=folder)
    assert again.returncode == 3
    assert "D032" in again.stderr
    assert "use its prompt.yaml" in again.stderr
    assert "weights" not in again.stderr


def test_another_recipe_does_not_go_on_with_it(folder: Path, service: ChatService) -> None:
    write_recipe(folder, service)
    service.busy_after = 40
    assert cesello_here("train", "recipe.yaml", "--run", "three", cwd=folder).returncode == 75
    service.busy_after = None
    changed = ("train", "recipe.yaml", "--run", "three", "--resume", "--set", "apo.system=Speak.")
    refused = cesello_here(*changed, cwd=folder)
    assert refused.returncode == 2
    assert "C050" in refused.stderr


def test_the_dry_run_prints_the_budget_by_phase(folder: Path, service: ChatService) -> None:
    write_recipe(folder, service)
    done = cesello_here("train", "recipe.yaml", "--dry-run", cwd=folder)
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split()[1] for line in done.stdout.splitlines() if line.strip()}
    phases = [int(rows[name]) for name in ("search", "selection", "test")]
    assert sum(phases) == int(rows["together"]) == 160
    assert "the two that are estimated best" in done.stdout
    assert not service.seen
    assert not (folder / "runs").exists()
    plan = json.loads(cesello_here("train", "recipe.yaml", "--dry-run", "--json", cwd=folder).stdout)["plan"]
    assert [plan[name] for name in ("search", "selection", "test")] == phases


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("C120", "apo.budget.rollouts=20"),
        ("C121", "apo.tasks.selection=1"),
        ("C007", "apo.proposers=[history]"),
        ("C007", "apo.question=What?"),
        ("C007", "rewards=[]"),
        ("C006", "apo.generator={kind: openai, url: 'http://localhost:1/v1'}"),
        ("C007", "apo.generator.url=http://localhost:1/v1"),
        ("C010", "apo.generator={kind: openai, model: a, url: 'ftp://x'}"),
        ("C007", "apo.components=[demos]"),  # rules change no demos
        ("C007", "apo.values={a b: x}"),
        ("C007", "apo.replicates=2"),
        ("C007", "apo.procedure='Do {this}.'"),
        ("C131", "apo.prompt=nowhere.yaml"),
        ("C011", "apo.prompt=../prompt.yaml"),
        ("C007", "data.prompt=prompt.yaml"),
    ],
)
def test_what_cannot_be_searched_is_told_before_anything_is_made(
    folder: Path, code: str, change: str
) -> None:
    offline = ("apo.optimizer=null", "apo.proposers=[rules]")
    options = [part for setting in (*offline, change) for part in ("--set", setting)]
    for dry in ((), ("--dry-run",)):
        done = cesello_here("train", "local.yaml", *options, *dry, cwd=folder)
        assert done.returncode == 2, done.stderr
        assert f"error[{code}]" in done.stderr
        assert re.search("--set|local.yaml:| at apo.|prompt.yaml", done.stderr)  # where it is
        assert done.stdout == ""
        assert not (folder / "runs").exists()


def test_a_local_model_searches_offline_and_its_prompt_is_used(folder: Path) -> None:
    done = cesello_here("train", "local.yaml", "--run", "mine", cwd=folder)
    assert done.returncode == 0, done.stderr
    prompt = folder / "runs" / "mine" / "prompt.yaml"
    manifest = read(folder, "mine", "manifest.json")
    assert manifest["model"]["name"].endswith("tiny")
    assert manifest["search"]["spent"]["rollouts"] <= 140
    assert manifest["search"]["spent"]["optimizer_calls"] <= 6
    report = read(folder, "mine", "search.json")
    assert {one["proposer"] for one in report["candidates"]} >= {"seed", "rules", "demos"}
    ships = manifest["search"]["verdict"] != "keep yours"
    assert (load_prompt(prompt).program.id == manifest["search"]["seed"]) is not ships


PROMPT = """
schema_version: 1
system: You are kind.
procedure: "1. Read."
question: "Q: {question}"
demos:
  - {question: "what is one?", answer: "it is seven"}
"""
SFT = """
model: {name: ./tiny, dtype: float32}
lora: {target_modules: all-linear}
data:
  prompt: prompt.yaml
  sources:
    - {name: chat, kind: file, path: rows.jsonl, holdout: 4}
training: {max_steps: 2, batch_size: 2}
evaluation: {samples: 1, max_new_tokens: 4}
loggers: []
"""
GRPO = (
    SFT.replace("model:", "algorithm: grpo\nmodel:", 1)
    + """
rewards:
  - {kind: length, shortest: 1, longest: 5, unit: characters}
grpo: {completions: 2, max_completion_tokens: 6, masks_overlong: false}
"""
)


def test_a_training_puts_a_prompt_around_its_rows_and_keeps_it(folder: Path) -> None:
    (folder / "prompt.yaml").write_text(PROMPT)
    (folder / "sft.yaml").write_text(SFT)
    done = cesello_here("train", "sft.yaml", "--run", "tuned", cwd=folder)
    assert done.returncode == 0, done.stderr
    kept = load_prompt(folder / "runs" / "tuned" / "prompt.yaml").program
    assert kept == load_prompt(folder / "prompt.yaml").program
    identity = read(folder, "tuned", "manifest.json")["identity"]
    assert identity["recipe data.prompt"] == f'"prompt.yaml {kept.id}"'
    sample = json.loads((folder / "runs" / "tuned" / "samples-before.jsonl").read_text().splitlines()[0])
    assert sample["prompt"].startswith("Q: what is ")
    # Its own prompt is put around a question too, wherever the file is now.
    (folder / "prompt.yaml").rename(folder / "other.yaml")
    asking = ("generate", "what is 3?", "--run", "tuned", "--max-new-tokens", "12")
    own = cesello_here(*asking, cwd=folder)
    assert own.returncode == 0, own.stderr
    same = cesello_here(*asking, "--prompt-file", "other.yaml", cwd=folder)
    assert (same.returncode, same.stdout) == (0, own.stdout)
    (folder / "other.yaml").write_text("schema_version: 1\nquestion: 'zebra zebra {question}'\n")
    other = cesello_here(*asking, "--prompt-file", "other.yaml", cwd=folder)
    assert other.returncode == 0, other.stderr
    assert other.stdout != own.stdout
    # Without its prompt it is another model than the one that was trained.
    (folder / "runs" / "tuned" / "prompt.yaml").unlink()
    gone = cesello_here(*asking, cwd=folder)
    assert gone.returncode == 2
    assert "error[C136]" in gone.stderr
    assert cesello_here(*asking, "--prompt-file", "other.yaml", cwd=folder).returncode == 0


def test_a_reinforcement_puts_a_prompt_around_its_rows_and_keeps_it(folder: Path) -> None:
    (folder / "prompt.yaml").write_text(PROMPT)
    (folder / "grpo.yaml").write_text(GRPO)
    done = cesello_here("train", "grpo.yaml", "--run", "drawn", cwd=folder)
    assert done.returncode == 0, done.stderr
    kept = load_prompt(folder / "runs" / "drawn" / "prompt.yaml").program
    assert kept == load_prompt(folder / "prompt.yaml").program
    sample = json.loads((folder / "runs" / "drawn" / "samples-before.jsonl").read_text().splitlines()[0])
    assert sample["prompt"].startswith("Q: what is ")
    lines = (folder / "runs" / "drawn" / "completions.jsonl").read_text().splitlines()
    questions = [json.loads(line)["question"] for line in lines]
    assert len(questions) == 2 * 2 * 2
    assert all(question.startswith("Q: what is ") for question in questions)
    shown = cesello_here("data", "preview", "grpo.yaml", "--rows", "1", cwd=folder)
    assert shown.returncode == 0, shown.stderr
    for text in ("You are kind.", "1. Read.", "Q: what is one?", "it is seven"):
        assert text in shown.stdout


def test_another_text_in_the_same_file_is_another_training(folder: Path) -> None:
    (folder / "prompt.yaml").write_text(PROMPT)
    (folder / "sft.yaml").write_text(SFT)
    assert cesello_here("train", "sft.yaml", "--run", "a", cwd=folder).returncode == 0
    first = read(folder, "a", "manifest.json")["data"]["digest"]
    (folder / "prompt.yaml").write_text(PROMPT.replace("kind", "curt"))
    assert cesello_here("train", "sft.yaml", "--run", "b", cwd=folder).returncode == 0
    assert read(folder, "b", "manifest.json")["data"]["digest"] != first


def test_a_prompt_file_that_is_wrong_is_told(folder: Path) -> None:
    (folder / "sft.yaml").write_text(SFT)
    (folder / "prompt.yaml").write_text(PROMPT.replace("system:", "sytem:"))
    done = cesello_here("train", "sft.yaml", cwd=folder)
    assert done.returncode == 2
    assert 'error[C132] unknown key "sytem"' in done.stderr
    assert not (folder / "runs").exists()


def test_a_search_has_no_model_of_its_own_to_ask(folder: Path, service: ChatService) -> None:
    write_recipe(folder, service)
    assert cesello_here("train", "recipe.yaml", "--run", "one", cwd=folder).returncode == 0
    asked_search = cesello_here("generate", "what is 3?", "--run", "one", cwd=folder)
    assert asked_search.returncode == 4
    assert "a prompt search" in asked_search.stderr
    assert "--prompt-file" in asked_search.stderr
    exported = cesello_here("export", "one", "--merge", "merged", cwd=folder)
    assert exported.returncode == 4
    assert "a prompt search, which changes no model" in exported.stderr
    assert not (folder / "merged").exists()


def test_a_search_has_no_rows_to_train_on(folder: Path) -> None:
    told = cesello_here("data", "manifest", "local.yaml", cwd=folder)
    assert told.returncode == 2
    assert "error[C135]" in told.stderr
    assert "cesello data preview" in told.stderr
    assert cesello_here("data", "preview", "local.yaml", cwd=folder).returncode == 0


def test_without_an_answer_there_is_nothing_to_put_a_prompt_around(folder: Path) -> None:
    done = cesello_here("ask", "where?", "--prompt-file", "prompt.yaml", cwd=folder)
    assert done.returncode == 2
    assert "--answer" in done.stderr
