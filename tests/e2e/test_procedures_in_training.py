"""Procedures in the prompts of a training: what is asked, learnt from, kept, and written down at the end."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from shutil import copytree, rmtree
from typing import Any

import pytest

from cesello.domain.conversation import user
from cesello.domain.held_prompts import prompt_digest
from tests.chat_server import Messages, chat_service
from tests.e2e.command import cesello_here
from tests.procedures import RUN_CHECKS, RUN_CHECKS_SOP, write_run_checks
from tests.tiny_model import tiny_tokenizer

pytestmark = pytest.mark.usefixtures("one_thread")

RECIPE = """
name: NAME
algorithm: ALGORITHM
model: {name: ./tiny, dtype: float32}
lora: {target_modules: all-linear}
data:
  system_prompt: Be brief.
  max_tokens: 700
  sources:
    - {name: chat, kind: file, path: rows.jsonl, holdout: 20}
training: {max_steps: 3, batch_size: 4}
evaluation: {rows: 2, max_new_tokens: 4}
loggers: []
memory:
  procedures: full
  embedder: {engine: openai, url: URL, model: words}
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
  budget: {rollouts: 160, optimizer_calls: 12}
  generator: {kind: openai, url: CHAT, model: small}
  optimizer: {kind: openai, url: CHAT, model: large}
  max_new_tokens: 8
"""
)
TEXT = "Begin with the slowest check."


def asks(n: int) -> str:
    """Half of the rows ask for the procedure."""
    return f"please run the checks of module {n}" if n % 2 else f"a poem on {n} pears"


@pytest.fixture
def project(tmp_path: Path, tiny: Path, url: str) -> Path:
    copytree(tiny, tmp_path / "tiny")
    write_run_checks(tmp_path)
    for name, recipe in (("sft", SFT), ("grpo", GRPO), ("apo", APO)):
        (tmp_path / f"{name}.yaml").write_text(recipe.replace("URL", url).replace("NAME", name))
    rows = [
        [{"role": "user", "content": asks(n)}, {"role": "assistant", "content": f"it is {7 * n}"}]
        for n in range(80)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"messages": row}) + "\n" for row in rows))
    return tmp_path


def train(project: Path, name: str, *more: str) -> str:
    """What it says."""
    done = cesello_here("train", f"{name}.yaml", "--run", name, *more, cwd=project)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def manifest(project: Path, run: str) -> dict[str, Any]:
    found = json.loads((project / "runs" / run / "manifest.json").read_text())
    assert isinstance(found, dict)
    return found


def completions(project: Path, run: str) -> list[dict[str, Any]]:
    return [
        json.loads(line) for line in (project / "runs" / run / "completions.jsonl").read_text().splitlines()
    ]


def logged(project: Path) -> list[dict[str, Any]]:
    done = cesello_here("sop", "log", "--json", "--last", "1000", cwd=project)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, list)
    return found


def distilled(project: Path, run: str, *more: str) -> list[dict[str, Any]]:
    """The rows that are made of a run."""
    made = project / "made.jsonl"
    done = cesello_here(
        "data", "make", "--from", "runs", run, "--output", str(made), "--overwrite", *more, cwd=project
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in made.read_text().splitlines()]


def new_version(project: Path) -> None:
    skill = project / ".cesello" / "procedures" / "run-checks" / "SKILL.md"
    skill.write_text(RUN_CHECKS + "Then the next one.\n")
    done = cesello_here("sop", "promote", "run-checks", cwd=project)
    assert done.returncode == 0, done.stderr


DAMAGED = "note: error[D048] what matching had learnt is damaged"


def damage(project: Path) -> None:
    """Of what matching has learnt, or would have."""
    (project / ".cesello" / "procedures" / "matching.json").write_text('{"form": 1, "labelled": [["mine", nu')


def refused_with_its_name(project: Path, name: str, *more: str) -> None:
    refused = cesello_here("train", f"{name}.yaml", "--run", name, "--resume", *more, cwd=project)
    assert refused.returncode == 2
    assert "error[C050]" in refused.stderr
    assert "memory.procedures" in refused.stderr
    assert refused.stderr.count("run-checks ") == 2  # the version that is there, and the one before


def test_sft_reads_the_procedure_and_learns_nothing_of_it(project: Path) -> None:
    from cesello.entrypoints.requests import data_request, recipe_container
    from cesello.entrypoints.settings import load_recipe

    train(project, "sft")
    assert "run-checks " in manifest(project, "sft")["identity"]["recipe memory.procedures"]
    assert logged(project) == []  # nothing was judged

    loaded = load_recipe(project / "sft.yaml", [])
    (source,) = recipe_container(loaded).prepare_sources()(data_request(loaded))
    tokenizer = tiny_tokenizer()
    for at in source.train:
        example = source.examples.example(at)
        row = example.tokens
        whole = tokenizer.decode(list(row.ids))
        trained = tokenizer.decode([one for one, counts in zip(row.ids, row.trained, strict=True) if counts])
        assert (TEXT in whole) == ("checks of" in whole)
        assert whole.startswith("<|im_start|>system\nBe brief.")
        assert TEXT not in trained
        assert trained.startswith("it is ")


def test_grpo_records_the_procedure_of_every_answer_and_learns_what_came_of_it(project: Path) -> None:
    train(project, "grpo", "--set", "memory.procedure_holdout=0.4")
    kept = completions(project, "grpo")
    assert len(kept) == 3 * 4 * 2
    version = json.loads(cesello_here("sop", "list", "--json", cwd=project).stdout)[0]["sha"]
    used: set[str] = set()
    held: set[str] = set()
    without = 0
    for line in kept:
        its = line["procedure"]
        assert (its is not None) == ("checks of" in line["question"])
        if its is None:
            without += 1
            continue
        assert (its["name"], its["sha"]) == ("run-checks", version)
        assert its["request"] == line["question"]
        (held if its["mode"] == "off" else used).add(line["question"])
    assert used
    assert held
    assert without

    assert distilled(project, "grpo", "--min-reward", "-1") == []  # nothing ended by itself
    log = project / "runs" / "grpo" / "completions.jsonl"
    written = log.read_text()
    log.write_text(written.replace('"finished": false', '"finished": true'))
    rows = distilled(project, "grpo", "--min-reward", "-1", "--procedure", "run-checks")
    assert rows
    for row in rows:
        system, question, answer = row["messages"]
        assert (system["role"], system["content"]) == ("system", "Be brief.")
        assert question["content"] in used
        assert answer["content"] in {
            line["completion"] for line in kept if line["question"] == question["content"]
        }
        assert row["from"]["procedure"] == {"name": "run-checks", "sha": version, "mode": "full"}

    # Another run that holds all of it out, with no sample of any.
    other = project / "runs" / "other"
    copytree(log.parent, other)
    asked = {prompt_digest(user(line["question"])) for line in kept}
    held_out = other / "held-out.json"
    assert not asked & set(json.loads(held_out.read_text()))
    assert manifest(project, "grpo")["files"][held_out.name] == sha256(held_out.read_bytes()).hexdigest()
    assert (log.parent / held_out.name).stat().st_mode & 0o777 == 0o600
    held_out.write_text(json.dumps(sorted(asked)))
    both = (str(log.parent), str(other), "--min-reward", "-1")
    assert distilled(project, *both) == []
    held_out.write_text("[")
    done = cesello_here("data", "make", "--from", "runs", *both, "--output", "new.jsonl", cwd=project)
    assert (
        "runs without a readable held-out.json do not tell which prompts they hold out: "
        "of grpo only the prompts of the samples"
    ) in done.stderr
    rmtree(other)
    log.write_text(written)

    runs = logged(project)
    assert {run["request"] for run in runs} == used | held
    for run in runs:
        rewards = [line["reward"] for line in kept if line["question"] == run["request"]]
        assert run["reward"] == pytest.approx(sum(rewards) / len(rewards))
        assert (run["origin"], run["held_out"]) == ("grpo", run["request"] in held)
        assert run["mode"] == ("off" if run["held_out"] else "full")
    assert json.loads(cesello_here("sop", "stats", "--json", cwd=project).stdout)[0]["judged"] == 0
    of_run = json.loads(cesello_here("sop", "stats", "--of", "grpo", "--json", cwd=project).stdout)[0]
    assert (of_run["judged"], of_run["held_out"]) == (len(used), len(held))

    # As a process leaves it that was killed before it said that it had ended: told again, it is learnt once.
    path = project / "runs" / "grpo" / "manifest.json"
    path.write_text(path.read_text().replace('"status": "completed"', '"status": "running"'))
    train(project, "grpo", "--resume", "--set", "memory.procedure_holdout=0.4")
    again = logged(project)
    assert [(run["id"], run["reward"]) for run in again] == [(run["id"], run["reward"]) for run in runs]

    path.write_text(path.read_text().replace('"status": "completed"', '"status": "running"'))
    refused_with_its_name(project, "grpo")  # another share is held out
    new_version(project)
    refused_with_its_name(project, "grpo", "--set", "memory.procedure_holdout=0.4")


def test_nobody_goes_without_where_the_recipe_does_not_say_so(project: Path) -> None:
    train(project, "grpo", "--set", "training.max_steps=1")
    assert {one["procedure"]["mode"] for one in completions(project, "grpo") if one["procedure"]} == {"full"}
    assert not any(run["held_out"] for run in logged(project))


def shouts(messages: Messages) -> str:
    """Shouts under one instruction alone; asked to improve a prompt it finds that instruction."""
    system = messages[0]["content"]
    if "You improve prompts" not in system:
        return "YES" if "capital letters" in system else "no"
    lines = messages[-1]["content"].splitlines()
    begin, end = [line for line in lines if line.startswith(("begin ", "end "))][-2:]
    return f"{begin}\nBe brief. Write in capital letters.\n{end}"


def test_a_search_asks_with_the_procedure_behind_every_prompt_it_tries(project: Path) -> None:
    with chat_service(shouts) as service:
        recipe = project / "apo.yaml"
        recipe.write_text(recipe.read_text().replace("CHAT", service.url))
        service.busy_after = 40
        assert cesello_here("train", "apo.yaml", "--run", "apo", cwd=project).returncode == 75
        assert logged(project) == []
        service.busy_after = None
        said = train(project, "apo", "--resume")
        assert "proven" in said  # the prompt of tasks with a procedure was searched too
        asked = [body["messages"] for _, body in service.seen if body["model"] == "small"]
        service.busy_after = 0
        new_version(project)
        path = project / "runs" / "apo" / "manifest.json"
        path.write_text(path.read_text().replace('"status": "completed"', '"status": "failed"'))
        refused_with_its_name(project, "apo")
    systems = set()
    for system, question in asked:
        assert (TEXT in system["content"]) == ("checks of" in question["content"])
        systems.add(system["content"])
    assert {text.partition("\n\n")[0] for text in systems} == {
        "Be brief.", "Be brief. Write in capital letters.",
    }  # fmt: skip
    assert len(systems) == 4
    rows = distilled(project, "apo", "--min-reward", "1")
    assert rows  # the prompt that was searched for is what the model learns to do without
    assert {tuple(turn["role"] for turn in row["messages"]) for row in rows} == {("user", "assistant")}
    assert {row["messages"][1]["content"] for row in rows} == {"YES"}
    runs = logged(project)
    assert runs
    assert {(run["origin"], run["mode"], run["reward"], run["outcome"]) for run in runs} == {
        ("apo", "full", -1.0, "failure")  # of the prompt that it began with
    }


def test_a_model_in_training_is_led_step_by_step(project: Path) -> None:
    steps = "steps:\n  - {id: first, do: Run the slowest.}\n  - {id: rest, do: Run the others.}\n"
    (project / ".cesello" / "procedures" / "run-checks" / "sop.yaml").write_text(RUN_CHECKS_SOP + steps)
    changes = ("training.max_steps=1", "grpo.completions=4", "grpo.max_completion_tokens=500")
    guided = ("memory.procedures=guided", "grpo.max_turns=2", "memory.procedure_holdout=0.3", *changes)
    train(project, "grpo", *(part for one in guided for part in ("--set", one)))
    several = [one for one in completions(project, "grpo") if one["turns"] > 1]
    assert several
    for one in several:
        assert one["procedure"]["mode"] == "guided"
        assert "user\nStep 2 of 2, rest: Run the others.<|im_end|>" in one["completion"]
    assert {run["mode"] for run in logged(project)} <= {"guided", "off"}


@pytest.mark.parametrize("name", ["sft", "apo"])
def test_steps_are_for_what_answers_several_times(project: Path, name: str) -> None:
    done = cesello_here("train", f"{name}.yaml", "--set", "memory.procedures=guided", cwd=project)
    assert done.returncode == 2
    assert "error[C007] steps come after answers" in done.stderr
    assert not (project / "runs").exists()


def test_what_is_compared_does_not_hang_on_the_order_of_the_runs(project: Path) -> None:
    damage(project)
    assert train(project, "grpo").count(DAMAGED) == 1
    train(project, "sft", "--set", "memory.procedures=off")
    sent = []
    for runs in (("grpo", "sft"), ("sft", "grpo")):
        damage(project)
        done = cesello_here(
            "compare", *runs, "--source", "chat", "--reward", "length", "--rows", "20", "--json", cwd=project
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr.count(DAMAGED) == 1
        found = json.loads(done.stdout)
        assert found["tasks"] == 20
        sent.append({way["kind"]: way["prompt_characters"] for way in found["ways"]})
        [reinforced] = [way for way in found["ways"] if way["kind"] == "grpo"]
        assert reinforced["cost"]["rollouts"] == 3 * 4 * 2
    assert sent[0] == sent[1]
    assert sent[0]["base"] == sent[0]["sft"]
    # Half of the tasks ask for the procedure, which has matched where it is in use.
    assert sent[0]["grpo"] > sent[0]["sft"] + len(RUN_CHECKS) / 4
    damage(project)
    done = cesello_here(
        "ablate", "grpo", "--source", "chat", "--reward", "length", "--rows", "2", "--json", cwd=project
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(DAMAGED) == 1
