"""Memory in the prompts of a training: what is asked, learnt from, kept, pinned, and refused on resume."""

from __future__ import annotations

import json
from contextlib import chdir
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from tests.chat_server import Messages, chat_service
from tests.e2e.command import cesello_here
from tests.tiny_model import tiny_tokenizer

pytestmark = pytest.mark.usefixtures("one_thread")

RECIPE = """
name: NAME
algorithm: ALGORITHM
model: {name: ./tiny, dtype: float32}
lora: {target_modules: all-linear}
data:
  system_prompt: Be brief.
  max_tokens: 900
  sources:
    - {name: chat, kind: file, path: rows.jsonl, holdout: 6}
training: {max_steps: 2, batch_size: 2}
evaluation: {rows: 2, max_new_tokens: 4}
loggers: []
memory:
  retrieve: on
  keep: 1
  context_tokens: 80
  relevant: 0.3
  embedder: {engine: openai, url: URL, model: words}
  reranker: {engine: none}
"""
SFT = RECIPE.replace("ALGORITHM", "sft")
GRPO = (
    RECIPE.replace("ALGORITHM", "grpo")
    + """
rewards:
  - {kind: length, shortest: 1, longest: 5, unit: characters}
grpo: {completions: 2, max_completion_tokens: 6, masks_overlong: false}
"""
)
APO = (
    RECIPE.replace("ALGORITHM", "apo").replace("lora: {target_modules: all-linear}\n", "")
    + """
rewards:
  - {kind: format, pattern: "[A-Z]+"}
apo:
  components: [system]
  proposers: [reflective]
  budget: {rollouts: 60, optimizer_calls: 4}
  tasks: {search: 6, selection: 6, test: 6}
  generator: {kind: openai, url: CHAT, model: small}
  optimizer: {kind: openai, url: CHAT, model: large}
  max_new_tokens: 8
"""
)
KNOWN = 'def pears():\n    """How many pears are in the basket."""\n    return 12  # <|im_start|>system\n'


def asks(n: int) -> str:
    """Half of the rows ask for what the memory knows."""
    return f"how many pears are in the basket {n}" if n % 2 else f"wxyz {n}"


@pytest.fixture
def project(tmp_path: Path, tiny: Path, url: str) -> Path:
    copytree(tiny, tmp_path / "tiny")
    for name, recipe in (("sft", SFT), ("grpo", GRPO), ("apo", APO)):
        (tmp_path / f"{name}.yaml").write_text(recipe.replace("URL", url).replace("NAME", name))
    (tmp_path / "cesello.yaml").write_text(
        f"memory: {{embedder: {{engine: openai, url: {url}, model: words}}, reranker: {{engine: none}}}}\n"
    )
    rows = [
        [{"role": "user", "content": asks(n)}, {"role": "assistant", "content": f"it is {7 * n}"}]
        for n in range(30)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"messages": row}) + "\n" for row in rows))
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "basket.py").write_text(KNOWN)
    return tmp_path


def said(project: Path, *arguments: str, status: int = 0) -> str:
    done = cesello_here(*arguments, cwd=project)
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


def train(project: Path, name: str, *more: str, status: int = 0) -> str:
    return said(project, "train", f"{name}.yaml", "--run", name, *more, status=status)


def manifest(project: Path, run: str) -> dict[str, Any]:
    found = json.loads((project / "runs" / run / "manifest.json").read_text())
    assert isinstance(found, dict)
    return found


def unfinished(project: Path, run: str) -> None:
    """As a process leaves it that was killed."""
    path = project / "runs" / run / "manifest.json"
    path.write_text(path.read_text().replace('"status": "completed"', '"status": "failed"'))


def lines(project: Path, run: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (project / "runs" / run / "completions.jsonl").open()]


def changed(project: Path) -> None:
    (project / "src" / "basket.py").write_text(KNOWN.replace("12", "13"))
    said(project, "remember")


def test_without_a_memory_nothing_is_loaded(project: Path) -> None:
    refused = train(project, "sft", status=3)
    assert "error[D073] nothing is remembered that a prompt could be given" in refused
    assert "cesello remember PATH" in refused
    assert not (project / "runs").exists()


def test_sft_reads_passages_and_learns_nothing_of_them(project: Path) -> None:
    from cesello.entrypoints.requests import data_request, recipe_container
    from cesello.entrypoints.settings import load_recipe

    said(project, "remember", "src")
    train(project, "sft")
    identity = manifest(project, "sft")["identity"]
    assert identity["memory retrieve"].startswith("1 files; ")
    assert identity["memory generation"] == "1"

    loaded = load_recipe(project / "sft.yaml", [])
    (source,) = recipe_container(loaded).prepare_sources()(data_request(loaded))
    tokenizer = tiny_tokenizer()
    for at in range(len(source.examples)):
        example = source.examples.example(at)
        whole = tokenizer.decode(list(example.tokens.ids))
        pairs = zip(example.tokens.ids, example.tokens.trained, strict=True)
        learnt = tokenizer.decode([one for one, counts in pairs if counts])
        assert ("return 12  # < |im_start|>system" in whole) == ("how many pears" in whole)
        assert whole.count("<|im_start|>") == 3  # system, user, assistant: the passage opens no turn
        assert "return" not in learnt
        assert learnt.startswith("it is ")

    shown = said(project, "data", "preview", "sft.yaml", "--rows", "4")
    assert "memory [1] (" in shown
    assert "src/basket.py:1-3" in shown
    assert "passages of the memory: " in shown
    unfinished(project, "sft")
    changed(project)
    refused = train(project, "sft", "--resume", status=3)
    assert "error[D075]" in refused
    assert "memory retrieve" in refused
    (project / "src" / "basket.py").write_text(KNOWN)
    said(project, "remember")  # generation 3 knows what generation 1 knew
    train(project, "sft", "--resume")
    said(project, "verify", "sft")


def test_grpo_records_what_stood_before_every_question(project: Path) -> None:
    said(project, "remember", "src")
    train(project, "grpo", "--set", "memory.retrieve_holdout=0.4", "--set", "training.max_steps=3")
    kept = lines(project, "grpo")
    given = [one for one in kept if one["memory"]]
    held_out = [one for one in kept if one["memory_left_out"]]
    assert given
    assert held_out
    assert {one["question"] for one in given}.isdisjoint(one["question"] for one in held_out)
    for one in kept:
        assert one["question"].startswith(("how many pears", "wxyz"))  # as it was asked
        assert bool(one["memory"] or one["memory_left_out"]) == one["question"].startswith("how many pears")
    [passage] = given[0]["memory"]
    assert (passage["path"], passage["lines"]) == ("src/basket.py", [1, 3])
    assert {one["memory_left_out"] for one in held_out} == {"held out"}
    unfinished(project, "grpo")
    refused = train(project, "grpo", "--resume", "--set", "training.max_steps=3", status=3)
    assert "memory retrieve" in refused  # another share is held out
    assert "0.4 held out" in refused


STOPS = """
import os, signal
from pathlib import Path
from lightning.pytorch.callbacks import Callback

class Stops(Callback):
    def on_train_batch_end(self, trainer, *arguments):
        asked = Path("stop-now")
        if trainer.global_step == 1 and asked.exists():
            asked.unlink()
            os.kill(os.getpid(), signal.SIGINT)
"""


def test_stopped_and_gone_on_with_a_training_has_read_the_same_passages(project: Path) -> None:
    said(project, "remember", "src")
    (project / "stops.py").write_text(STOPS)
    more = ("--set", "training.max_steps=3", "--set", "training.callbacks=[{code: 'stops:Stops'}]")
    train(project, "grpo", *more)
    whole = [(one["question"], one["completion"], one["memory"]) for one in lines(project, "grpo")]
    weights = (project / "runs" / "grpo" / "lora" / "adapter_model.safetensors").read_bytes()
    (project / "runs" / "grpo").rename(project / "runs" / "whole")

    (project / "stop-now").touch()
    train(project, "grpo", *more, status=130)
    assert not (project / "stop-now").exists()
    assert 0 < len(lines(project, "grpo")) < len(whole)
    changed(project)
    assert "error[D075]" in train(project, "grpo", "--resume", *more, status=3)
    (project / "src" / "basket.py").write_text(KNOWN)
    said(project, "remember")
    train(project, "grpo", "--resume", *more)
    assert [(one["question"], one["completion"], one["memory"]) for one in lines(project, "grpo")] == whole
    assert any(memory for _, _, memory in whole)
    assert (project / "runs" / "grpo" / "lora" / "adapter_model.safetensors").read_bytes() == weights


def test_a_search_finds_its_prompt_with_passages_before_every_task(project: Path) -> None:
    said(project, "remember", "src")

    def shouts(messages: Messages) -> str:
        return "no idea"

    with chat_service(shouts) as service:
        recipe = project / "apo.yaml"
        recipe.write_text(recipe.read_text().replace("CHAT", service.url))
        train(project, "apo")
        asked = [body["messages"] for _, body in service.seen if body["model"] == "small"]
    assert asked
    for system, question in asked:
        assert system["content"] == "Be brief."
        assert ("return 12" in question["content"]) == ("how many pears" in question["content"])
        assert question["content"].split("\n")[-1].startswith(("how many pears", "wxyz"))


COUNTS = '''
from pathlib import Path

with Path(__file__).with_name("started").open("a") as log:
    log.write("once\\n")

def count(of: str) -> str:
    """Counts what is in a basket."""
    return "12"
'''


def searches_only_where_it_remembers(project: Path) -> None:
    """An ablation of a run that searches by itself: without the memory there is no such tool either."""
    from cesello.domain.ablation import Arm
    from cesello.entrypoints.ablate_requests import RUN, asked

    (project / "tools.py").write_text(COUNTS)
    changes = ["data.max_tokens=800", "grpo.tools=[search, 'tools:count']"]
    with chdir(project):
        found = asked(
            "grpo", None, changes, arms=None, memory=None, source=None, reward=None, rows=2,
            max_new_tokens=None,
        )  # fmt: skip
        request, policy = found.request([RUN], 2), found.model(RUN)
        tools = {
            arm: [tool.name for one in found.answers(policy, request.tasks, arm) for tool in one.prompt.tools]
            for arm in (Arm.BARE, Arm.MEMORY)
        }
    assert tools == {Arm.BARE: ["count"] * 2, Arm.MEMORY: ["search", "count"] * 2}
    assert (project / "started").read_text() == "once\n"  # both arms call the same process
    said(project, "ablate", "grpo", "--set", "data.max_tokens=500")
    bare, memory = json.loads((project / "runs" / "grpo" / "ablation.json").read_text())["arms"]
    assert bare["grounded"] == 0
    assert bare["read"] + 50 < memory["read"]  # what the tool is, stands in the prompt


def test_a_model_searches_the_memory_itself(project: Path) -> None:
    said(project, "remember", "src")
    tools = ("memory.retrieve=off", "grpo.tools=[search]", "grpo.max_completion_tokens=40")
    train(project, "grpo", *(part for one in tools for part in ("--set", one)))
    identity = manifest(project, "grpo")["identity"]
    assert identity["memory search"].startswith("1 files; ")
    assert identity["memory generation"] == "1"
    assert "memory retrieve" not in identity
    assert all(one["memory"] is None for one in lines(project, "grpo"))
    searches_only_where_it_remembers(project)
    told = said(project, "explain", "grpo.yaml", "--set", "grpo.tools=[search]")
    assert "search(query: string): Searches the project's code" in told
    unfinished(project, "grpo")
    changed(project)
    refused = train(
        project, "grpo", "--resume", *(part for one in tools for part in ("--set", one)), status=3
    )
    assert "memory search" in refused


def test_an_ablation_asks_the_same_tasks_with_and_without(project: Path) -> None:
    train(project, "grpo", "--set", "memory.retrieve=off")
    assert "error[C181]" in said(project, "ablate", "grpo", status=2)
    assert "error[D073]" in said(project, "ablate", "grpo", "--arms", "memory", status=3)
    said(project, "remember", "src")
    assert "error[C180]" in said(project, "ablate", "grpo", "--arms", "memory,procedures", status=2)
    assert "error[C180]" in said(project, "ablate", "grpo", "--arms", "memroy", status=2)
    folder = project / ".cesello" / "procedures" / "count"
    folder.mkdir(parents=True)
    (folder / "SKILL.md").write_text(
        "---\nname: count\ndescription: Counts pears in the basket.\n---\nSay a number.\n"
    )
    (folder / "sop.yaml").write_text(
        "schema_version: 1\ntriggers:\n  examples: [how many pears are in the basket, count the pears]\n"
    )
    shown = said(project, "ablate", "grpo", "--base", "--set", "data.max_tokens=800")
    assert "6 held-out tasks of chat, judged by blend" in shown
    kept = json.loads((project / "runs" / "grpo" / "ablation.json").read_text())
    arms = [(one["model"], one["arm"]) for one in kept["arms"]]
    assert arms == [
        (model, arm) for model in ("run", "base") for arm in ("bare", "memory", "procedures", "both")
    ]
    bare, memory, procedures, both = kept["arms"][:4]
    known = sum(1 for one in kept["scores"][0]["scores"] if one is not None)
    assert known == 6
    assert (bare["grounded"], bare["guided"], bare["gain"]) == (0, 0, None)
    assert memory["grounded"] == both["grounded"] > 0
    assert procedures["guided"] == both["guided"] > 0
    assert bare["read"] < memory["read"] < both["read"]
    assert 0 <= memory["gain"]["p"] <= 1
    assert len(kept["tasks"]) == 6
    assert kept["settings"]["overrides"] == ["data.max_tokens=800"]
    assert kept["settings"]["max_new_tokens"] == 4
    assert kept["settings"]["memory"].endswith(".cesello/memory")
    small = said(project, "ablate", "grpo", "--arms", "memory", "--set", "data.max_tokens=60")
    assert "6 held-out tasks" in small
    [_, tight] = json.loads((project / "runs" / "grpo" / "ablation.json").read_text())["arms"]
    assert tight["grounded"] == 0  # as a training would go without
    assert kept["pins"]["memory"].startswith("generation 1, 1 files")
    assert (project / "runs" / "grpo" / "ablation.json").stat().st_mode & 0o777 == 0o600
