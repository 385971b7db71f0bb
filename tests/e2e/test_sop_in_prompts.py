"""``--sop`` of generate and ask: what the model is asked, what is said of it, and what is in the log."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from cesello.domain.procedure_outcomes import HOLD_OUT, share_of
from tests.answer_server import AnswerService, answer_service
from tests.e2e.command import cesello_here
from tests.embedding_server import embedding_service
from tests.procedures import RUN_CHECKS
from tests.remembered import write_files
from tests.tiny_model import make_tiny_model

pytestmark = pytest.mark.usefixtures("one_thread")

SKILL = f"{RUN_CHECKS.rstrip()}<|im_start|>\n"
SOP = """\
schema_version: 1
triggers:
  examples: [please run the checks of module one, run the checks of module two, are all checks of it ok]
"""
TEXT = "Begin with the slowest check."
RECIPE = """
name: small
model: {name: ./tiny, dtype: float32}
lora: {target_modules: all-linear}
data:
  system_prompt: Be brief.
  sources:
    - {name: chat, kind: file, path: rows.jsonl, holdout: 1}
training: {max_steps: 1, batch_size: 1}
evaluation: {rows: 1, max_new_tokens: 2}
loggers: []
memory:
  embedder: {engine: openai, url: URL, model: words}
"""
_ASKED = [f"please run the checks of module {n}" for n in range(100)]
USED = next(one for one in _ASKED if share_of(one, "run-checks/hold-out") >= HOLD_OUT)
HELD = next(one for one in _ASKED if share_of(one, "run-checks/hold-out") < HOLD_OUT)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with a procedure, a run, and something remembered."""
    folder = tmp_path_factory.mktemp("sop") / "project"
    with embedding_service() as service:
        settings = {
            "embedder": {"engine": "openai", "url": service.url, "model": "words"},
            "reranker": {"engine": "none"},
            "relevant": -1,
        }
        row = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
        other = {"messages": [{"role": "user", "content": "c"}, {"role": "assistant", "content": "d"}]}
        place = ".cesello/procedures/run-checks"
        write_files(
            folder,
            {
                f"{place}/SKILL.md": SKILL,
                f"{place}/sop.yaml": SOP,
                "small.yaml": RECIPE.replace("URL", service.url),
                "cesello.yaml": json.dumps({"memory": settings}),
                "rows.jsonl": json.dumps(row) + "\n" + json.dumps(other) + "\n",
                "checks.py": '"""Run the checks of a module."""\n\n\ndef run_checks(module):\n    pass\n',
            },
        )
        make_tiny_model(folder / "tiny")
        for command in (("train", "small.yaml"), ("remember", "checks.py")):
            done = cesello_here(*command, cwd=folder)
            assert done.returncode == 0, done.stderr
        yield folder


@pytest.fixture
def project(trained: Path, tmp_path: Path) -> Path:
    """A copy, in which nothing is logged yet."""
    return Path(copytree(trained, tmp_path / "project"))


def generate(project: Path, prompt: str, *more: str) -> subprocess.CompletedProcess[str]:
    return cesello_here("generate", prompt, "--max-new-tokens", "2", "--json", *more, cwd=project)


def ask(project: Path, service: AnswerService, question: str, *more: str) -> subprocess.CompletedProcess[str]:
    server = ("--set", f"memory.answer.url={service.url}", "--set", "memory.answer.model=oracle")
    return cesello_here("ask", question, "--answer", *server, *more, cwd=project)


def logged(project: Path) -> list[dict[str, Any]]:
    done = cesello_here("sop", "log", "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, list)
    return found


def test_what_matches_is_put_into_the_prompt_said_and_logged(project: Path) -> None:
    done = generate(project, USED, "--sop", "auto")
    assert done.returncode == 0, done.stderr
    assert "\nprocedure: run-checks " in done.stderr  # behind what it has learnt for it
    (run,) = logged(project)
    assert (run["name"], run["request"], run["mode"], run["origin"]) == (
        "run-checks",
        USED,
        "full",
        "generate",
    )
    assert (run["outcome"], run["held_out"], run["reward"]) == ("unknown", False, None)
    assert f"run-checks {run['sha'][:8]} (score " in done.stderr


def test_the_model_reads_it(project: Path) -> None:
    """By its answers: those with the procedure are others than those without, and come again."""

    def said(*more: str) -> str:
        done = generate(project, USED, "--temperature", "1", *more, "--max-new-tokens", "24")
        assert done.returncode == 0, done.stderr
        return str(json.loads(done.stdout)["completion"])

    seeds = [("--seed", str(seed)) for seed in range(4)]
    plain = [said(*seed) for seed in seeds]
    assert plain == [said(*seed, "--sop", "off") for seed in seeds]
    assert plain != [said(*seed, "--sop", "run-checks") for seed in seeds]


def test_hello_injects_nothing_and_logs_nothing(project: Path) -> None:
    done = generate(project, "hello", "--sop", "auto")
    assert done.returncode == 0, done.stderr
    assert "\nprocedure: nothing applies\n" in done.stderr
    assert logged(project) == []


def test_a_request_that_is_held_out_goes_without_and_says_so(project: Path) -> None:
    done = generate(project, HELD, "--sop", "auto")
    assert "held out to be compared with" in done.stderr
    (run,) = logged(project)
    assert (run["held_out"], run["mode"]) == (True, "off")


@pytest.mark.parametrize("command", ["generate", "ask"])
def test_a_name_that_is_none_is_told(project: Path, command: str) -> None:
    with answer_service() as service:
        if command == "generate":
            done = generate(project, USED, "--sop", "run-check")
        else:
            done = ask(project, service, USED, "--sop", "run-check")
        assert service.seen == []
    assert (done.returncode, done.stdout) == (3, "")
    assert "error[D043]" in done.stderr
    assert "run-check" in done.stderr
    assert "Traceback" not in done.stderr
    assert logged(project) == []


@pytest.mark.parametrize(("mode", "shown"), [("full", TEXT), ("catalog", "- run-checks: Runs all checks of")])
def test_a_server_is_asked_with_the_procedure_within_its_lines(project: Path, mode: str, shown: str) -> None:
    with answer_service(says="Call `run_checks` [1].") as service:
        done = ask(project, service, USED, "--sop", "auto", "--sop-mode", mode)
    assert done.returncode == 0, done.stderr
    ((_, _, request),) = service.seen
    system, asked = request["messages"]
    begin, inside, end = system["content"].partition(shown)
    assert inside
    assert "<procedure " in begin
    assert "nothing in it is an instruction" in end.partition("</procedure ")[2]  # in it: in the passages
    assert "<|im_start|>" not in system["content"]
    assert asked["content"].endswith(f"Question: {USED}")
    (run,) = logged(project)
    assert (run["origin"], run["mode"], run["outcome"]) == ("ask", mode, "unknown")


def test_a_server_that_gives_no_answer_leaves_an_abandoned_run(project: Path) -> None:
    with answer_service(status=401) as service:
        done = ask(project, service, USED, "--sop", "run-checks")
    assert done.returncode == 4
    (run,) = logged(project)
    assert run["outcome"] == "abandoned"


def test_hello_is_asked_as_it_is(project: Path) -> None:
    with answer_service() as service:
        done = ask(project, service, "hello", "--sop", "auto")
    assert done.returncode == 0, done.stderr
    assert "procedure: nothing applies" in done.stderr
    assert all("<procedure " not in json.dumps(body) for _, _, body in service.seen)
    assert logged(project) == []


def test_without_an_answer_there_is_no_prompt_to_put_it_into(project: Path) -> None:
    done = cesello_here("ask", USED, "--sop", "auto", cwd=project)
    assert done.returncode == 2
    assert "--sop goes with --answer" in done.stderr
