"""The body of a procedure is searched, and what is found becomes a version of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from tests.chat_server import ChatService, Messages, chat_service
from tests.e2e.command import cesello_here
from tests.procedures import RUN_CHECKS_SOP, write_run_checks

pytestmark = pytest.mark.usefixtures("one_thread")

RECIPE = """
name: checks
algorithm: apo
model: {name: ./tiny, dtype: float32}
data:
  system_prompt: Be brief.
  sources:
    - {name: chat, kind: file, path: rows.jsonl, holdout: 20}
rewards:
  - {kind: format, pattern: "[A-Z]+"}
apo:
  procedure_of: run-checks
  components: [procedure]
  proposers: [reflective]
  budget: {rollouts: 160, optimizer_calls: 12}
  generator: {kind: openai, url: URL, model: small}
  optimizer: {kind: openai, url: URL, model: large}
  max_new_tokens: 8
loggers: []
"""
HEAD = """\
---
name: run-checks
description: Runs all checks of a module. Use when somebody asks to run the checks.
license: MIT  # kept as it is
---

"""
BODY = 'Run {command} and say {"ok": true}.'
BETTER = f"{BODY}\nWrite in capital letters."


def answers(messages: Messages) -> str:
    """Shouts under one instruction alone; asked to improve a prompt it finds that instruction."""
    system = messages[0]["content"]
    if "You improve prompts" not in system:
        return "YES" if "capital letters" in system else "no"
    lines = messages[-1]["content"].splitlines()
    begin, end = [line for line in lines if line.startswith(("begin ", "end "))][-2:]
    return f"{begin}\n{BETTER}\n{end}"


@pytest.fixture
def service() -> Iterator[ChatService]:
    with chat_service(answers) as made:
        yield made


@pytest.fixture
def skill(tmp_path: Path) -> Path:
    """Its SKILL.md, in a project that searches it."""
    write_run_checks(tmp_path)
    file = tmp_path / ".cesello" / "procedures" / "run-checks" / "SKILL.md"
    file.write_text(f"{HEAD}{BODY}\n")
    return file


@pytest.fixture
def project(tmp_path: Path, tiny: Path, skill: Path, service: ChatService) -> Path:
    copytree(tiny, tmp_path / "tiny")
    (tmp_path / "apo.yaml").write_text(RECIPE.replace("URL", service.url))
    rows = [
        [{"role": "user", "content": f"what is {n}?"}, {"role": "assistant", "content": f"it is {7 * n}"}]
        for n in range(80)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"messages": row}) + "\n" for row in rows))
    return tmp_path


def said(project: Path, *arguments: str, status: int = 0) -> str:
    done = cesello_here(*arguments, cwd=project)
    assert done.returncode == status, done.stderr or done.stdout
    return done.stdout if status == 0 else done.stderr


def sop(project: Path, *arguments: str) -> Any:
    return json.loads(said(project, "sop", *arguments, "--json"))


def imported_before(project: Path, skill: Path) -> None:
    """Somebody else has written what the search has found, in a copy of the project."""
    other = project.parent / "other"
    copytree(project, other)
    given = other / "given" / "run-checks"
    copytree(skill.parent, given)
    (given / "SKILL.md").write_text(f"{HEAD}{BETTER}\n")
    sha = sop(other, "import", "given/run-checks")["sha"]
    found = said(other, "sop", "draft", "run-checks", "--run", "one")
    assert found == f"run-checks {sha[:8]} is known already: draft, written by import\n"


def test_a_better_text_is_found_drafted_tried_and_promoted(
    project: Path, skill: Path, service: ChatService
) -> None:
    first = sop(project, "list")[0]["sha"]
    planned = said(project, "train", "apo.yaml", "--dry-run")
    assert f"procedure  run-checks {first[:8]}, in use" in planned
    ended = said(project, "train", "apo.yaml", "--run", "one")
    assert "proven: it is better" in ended
    assert "Or take it: cesello sop draft run-checks --run runs/one" in ended
    asked = {body["messages"][0]["content"] for _, body in service.seen if body["model"] == "small"}
    assert asked == {f"Be brief.\n\n{BODY}", f"Be brief.\n\n{BETTER}"}  # what is in braces stands for itself
    kept = json.loads((project / "runs" / "one" / "manifest.json").read_text())
    assert kept["search"]["procedure"] == {"name": "run-checks", "sha": first}
    assert first in kept["identity"]["recipe apo.procedure_of.sha"]
    assert f"run-checks {first[:8]}" in said(project, "runs", "show", "one")

    imported_before(project, skill)
    made = sop(project, "draft", "run-checks", "--run", "runs/one")
    assert (made["parent"], made["author"], made["status"]) == (first, "one", "draft")
    assert made["reason"].startswith("proven: gain +2.000 on 20 held-out tasks, p ")
    assert skill.read_text() == f"{HEAD}{BODY}\n"  # nothing is in use yet
    again = said(project, "sop", "draft", "run-checks", "--run", "one")
    assert f"run-checks {made['sha'][:8]} is a draft, written by one: proven" in again
    assert "next: cesello sop diff" in again
    differs = sop(project, "diff", "run-checks", "--new", made["sha"])["files"]
    assert [(one["path"], one["change"]) for one in differs] == [("SKILL.md", "changed")]
    assert differs[0]["diff"].splitlines()[-1] == "+Write in capital letters."

    assert sop(project, "promote", "run-checks", made["sha"], "--trial")["status"] == "trial"
    assert sop(project, "promote", "run-checks", made["sha"])["before"] == first
    known = said(project, "sop", "draft", "run-checks", "--run", "one")
    assert known == f"run-checks {made['sha'][:8]} is known already: active, written by one\n"
    assert skill.read_text() == f"{HEAD}{BETTER}\n"
    assert (skill.parent / "sop.yaml").read_text() == RUN_CHECKS_SOP
    # Another search begins with it, and of this one nothing has changed.
    assert f"run-checks {made['sha'][:8]}, in use" in said(project, "train", "apo.yaml", "--dry-run")
    said(project, "verify", "one", "--quick")


def test_a_search_of_another_text_does_not_go_on_with_it(
    project: Path, skill: Path, service: ChatService
) -> None:
    service.busy_after = 40
    said(project, "train", "apo.yaml", "--run", "two", status=75)
    assert "error[C124]" in said(project, "sop", "draft", "run-checks", "--run", "two", status=2)
    service.busy_after = None
    skill.write_text(f"{HEAD}Run {{command}} twice.\n")
    said(project, "sop", "promote", "run-checks")
    refused = said(project, "train", "apo.yaml", "--run", "two", "--resume", status=2)
    assert "error[C050]" in refused
    assert "apo.procedure_of.sha" in refused


def test_a_procedure_that_is_not_there_is_told_before_anything_is_made(project: Path) -> None:
    for dry in ((), ("--dry-run",)):
        other = ("--set", "apo.procedure_of=nowhere", *dry)
        assert "error[C123]" in said(project, "train", "apo.yaml", *other, status=2)
    assert not (project / "runs").exists()
