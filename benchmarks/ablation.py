"""What memory and procedures bring, measured by `cesello ablate`: function calls, questions about code.

A project holds in its memory a package that pip has installed and that the model does not know (magiccube),
and pages about functions of the Berkeley leaderboard: what each does, up to two requests with their calls.
Two procedures are written by hand. Two runs are made in it:

code        SFT on questions that `cesello data make` wrote about half of the package's functions and classes,
            with passages in the prompts; asked about the other half.
functions   SFT on calls of BFCL's live_multiple, of the functions alone that are called; half of the prompts
            with passages, half with procedures. Asked what live_simple asks of other functions.

A request is an example on a page, or trained on, or asked; and an example whose call would be right for
one that is asked, by the reward, is on no page. All of these functions have a page, so that this says what a
memory brings that knows something about what is asked.

    python -m benchmarks.ablation [--steps 20] [--rows 48] [--base] [--half functions]

The project is made once, in build/ablation; delete it to begin anew.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from shutil import copytree, ignore_patterns, rmtree
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cesello.domain.conversation import Conversation, ToolCall

ROOT = Path(__file__).resolve().parent.parent
PROJECT = ROOT / "build" / "ablation" / "project"
RESULT = ROOT / "benchmarks" / "results" / "ablation.json"
PACKAGE = "magiccube"

MEMORY = """\
memory:
  keep: 1
  context_tokens: 300
  reranker: {engine: none}
"""
MODEL = """\
model: {name: HuggingFaceTB/SmolLM2-135M-Instruct, dtype: float32}
quantizer: {name: none}
lora: {r: 16, alpha: 32, dropout: 0.0, target_modules: attention}
"""
CODE = """\
name: code
data:
  system_prompt: You answer questions about a Python project.
  max_tokens: 640
  overlong: drop
  sources:
    - {name: questions, kind: file, path: questions.jsonl, max_samples: 120}
    - {name: others, kind: file, path: questions-heldout.jsonl, weight: 0, holdout: 60}
rewards:
  - {kind: answer}
training: {max_steps: STEPS, batch_size: 2, accumulate: 2, learning_rate: 1.0e-3, warmup_steps: 2}
evaluation:
  rows: 8
  samples: 1
  max_new_tokens: 24
  generate:
    - {source: others, reward: answer, rows: 8}
"""
FUNCTIONS = """\
name: functions
data:
  system_prompt: You are a helpful AI assistant specialized in coding.
  max_tokens: 896
  overlong: drop
  sources:
    - {name: calls, kind: file, path: calls.jsonl, shape: bfcl, holdout: 0}
    - {name: asked, kind: file, path: calls-asked.jsonl, shape: bfcl, weight: 0, holdout: 64}
rewards:
  - {kind: function_calling}
training: {max_steps: STEPS, batch_size: 2, accumulate: 2, learning_rate: 1.5e-3, warmup_steps: 2}
evaluation:
  rows: 8
  samples: 1
  max_new_tokens: 64
  generate:
    - {source: asked, reward: function_calling, rows: 8}
"""
HALVES = {"code": 24, "functions": 128}
"""The tokens of an answer at most, of each: of 48 calls that are asked, five of six have 80 or fewer."""

TRAINED, ASKED = "BFCL_v4_live_multiple", "BFCL_v4_live_simple"

PER_PAGE, PER_FUNCTION, LONGEST_REQUEST = 2, 3, 300
"""Examples on a page, requests that are trained on or asked, characters of an example's request."""

PROCEDURES = {
    "call-a-function": (
        "Answers a request by calling one of the functions on offer. Use when functions are on offer.",
        "1. Where a passage shows a call of the function, write values in the form that they have there.\n"
        "2. Else write them as the description of each parameter says: a city, a date, a unit.\n"
        "3. Give every parameter that is required, and no other that the request says nothing of.\n"
        "4. Write numbers without quotes and units.\n"
        "5. Write the call and nothing else.\n",
    ),
    "answer-about-code": (
        "Answers a question about the project's code. Use when somebody asks about a function or a class.",
        "1. Find the definition of what is asked about, in the passages if there are any.\n"
        "2. Read its signature and its docstring.\n"
        "3. Copy the answer from there as it is written, and write nothing else.\n",
    ),
}
"""Name, description and text; what triggers them are questions that are trained on."""

MOST = 120
"""Of these questions."""

LOWEST = {"call-a-function": 0.0}
"""Scores from which one applies that is for whatever is asked; else as calibrated."""


def cesello(*arguments: str) -> str:
    """What a command prints; it runs in the project."""
    command = [str(Path(sys.executable).with_name("cesello")), *arguments]
    print("$ cesello", *arguments, file=sys.stderr)
    return subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=True).stdout


def project(steps: int) -> None:
    """The package, what is remembered of it, the recipes and the rows."""
    spec = find_spec(PACKAGE)
    assert spec, f"pip install {PACKAGE}"
    assert spec.origin
    if not (PROJECT / PACKAGE).is_dir():
        PROJECT.mkdir(parents=True, exist_ok=True)
        copytree(Path(spec.origin).parent, PROJECT / PACKAGE, ignore=ignore_patterns("__pycache__"))
    (PROJECT / "cesello.yaml").write_text(MEMORY)
    retrieves = MEMORY + "  retrieve: on\n"
    (PROJECT / "code.yaml").write_text(MODEL + CODE.replace("STEPS", str(steps)) + retrieves)
    helped = "  retrieve: on\n  retrieve_holdout: 0.5\n  procedures: full\n  procedure_holdout: 0.5\n"
    (PROJECT / "functions.yaml").write_text(MODEL + FUNCTIONS.replace("STEPS", str(steps)) + MEMORY + helped)
    cesello("remember", PACKAGE)
    made = ["data", "make", "--from", "memory", "--kinds", "question", "--holdout", "0.5", "--path", PACKAGE]
    cesello(*made, "--output", "questions.jsonl", "--overwrite")
    calls()
    cesello("remember", "functions")


# Function calls


@dataclass(frozen=True)
class Call:
    """A request that one call answers.

    Attributes:
        row: as a source reads it, with the function alone that is called.
    """

    row: dict[str, Any]
    read: Conversation

    @property
    def call(self) -> ToolCall:
        return self.read.messages[-1].tool_calls[0]

    @property
    def request(self) -> str:
        return " ".join(self.read.messages[-2].content.split())


def calls() -> None:
    """The pages, the rows that are trained on and those that are asked."""
    asked_of = requests_of(ASKED)
    trained_of = {name: its for name, its in requests_of(TRAINED).items() if name not in asked_of}
    pages, rows = dict[str, str](), dict[str, list[dict[str, Any]]]()
    for file, functions in (("calls.jsonl", trained_of), ("calls-asked.jsonl", asked_of)):
        for name, its in functions.items():
            examples = [one for one in its if len(one.request) <= LONGEST_REQUEST][
                : min(PER_PAGE, len(its) - 1)
            ]
            tasks = [one for one in its if one not in examples][:PER_FUNCTION]
            shown = [one for one in examples if not any(is_right(one.call, task.read) for task in tasks)]
            if shown:
                pages[name] = page(shown)
                rows.setdefault(file, []).extend(task.row for task in tasks)
    rmtree(PROJECT / "functions", ignore_errors=True)
    (PROJECT / "functions").mkdir()
    for name, text in pages.items():
        (PROJECT / "functions" / (re.sub(r"[^\w.-]+", "-", name) + ".md")).write_text(text)
    for file, made in rows.items():
        (PROJECT / file).write_text("".join(json.dumps(row) + "\n" for row in made))


def page(examples: Sequence[Call]) -> str:
    """What a function is for, with requests and their calls."""
    [tool] = examples[0].read.tools
    shown = [
        f"Request: {one.request}\n\nCall: `{json.dumps(written(one.call), ensure_ascii=False)}`\n"
        for one in examples
    ]
    return f"# {tool.name}\n\n{tool.description}\n\n" + "\n".join(shown)


def requests_of(file: str) -> dict[str, list[Call]]:
    """The rows of a file that one call answers, by function; those with two requests or more."""
    from cesello.domain.errors import DataError
    from cesello.domain.row_shapes import to_conversation
    from cesello.domain.source import SourceRow

    right = {row["id"]: row["ground_truth"] for row in lines_of(f"possible_answer/{file}.json")}
    found: dict[str, dict[str, Call]] = {}
    for row in lines_of(f"{file}.json"):
        called = [name for one in right[row["id"]] for name in one]
        functions = [one for one in row["function"] if one["name"] in called]
        if len(called) != 1 or len(functions) != 1:
            continue
        values = {"question": row["question"], "function": functions, "ground_truth": right[row["id"]]}
        with suppress(DataError):
            one = Call(values, to_conversation(SourceRow(row["id"], values), "bfcl", {}))
            found.setdefault(called[0], {}).setdefault(one.request.casefold(), one)
    return {name: list(its.values()) for name, its in found.items() if len(its) > 1}


def written(call: ToolCall) -> dict[str, Any]:
    """A call as an answer has it."""
    return {"name": call.name, "arguments": call.decoded()}


def lines_of(name: str) -> list[Any]:
    """A file of BFCL's data, as the kit has brought it."""
    from cesello.entrypoints.home import home

    path = home() / "kit" / "bfcl-eval" / "bfcl_eval" / "data" / name
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def is_right(call: ToolCall, task: Conversation) -> bool:
    """Whether the reward takes a call for the answer to a task."""
    from cesello.adapters.reward.function_calling_reward import FunctionCallingReward
    from cesello.domain.reward import Attempt

    said = Attempt(task.prompt(), f"<tool_call>\n{json.dumps(written(call))}\n</tool_call>")
    return FunctionCallingReward().score([said])[0].score == 1.0


def procedures() -> None:
    """In use, each triggered by questions of the rows that are trained on."""
    from cesello.application.prepare_source import question

    for name, recipe in (("call-a-function", "functions.yaml"), ("answer-about-code", "code.yaml")):
        folder = PROJECT / ".cesello" / "procedures" / name
        folder.mkdir(parents=True, exist_ok=True)
        description, text = PROCEDURES[name]
        (folder / "SKILL.md").write_text(f"---\nname: {name}\ndescription: {description}\n---\n{text}")
        requests = [question(row).messages[-1].content for row in trained_rows(recipe)[:MOST]]
        triggers: dict[str, Any] = {"examples": requests}
        if name in LOWEST:
            triggers["min_score"] = LOWEST[name]
        (folder / "sop.yaml").write_text(f"schema_version: 1\ntriggers: {json.dumps(triggers)}\n")
    cesello("sop", "lint")


def trained_rows(recipe: str) -> list[Conversation]:
    """The rows of the first source that are trained on."""
    from cesello.entrypoints.requests import data_request, recipe_container
    from cesello.entrypoints.settings import load_recipe

    loaded = load_recipe(PROJECT / recipe, ["memory.retrieve=off", "memory.procedures=off"])
    source, *_ = recipe_container(loaded).prepare_sources()(data_request(loaded))
    return [source.examples.example(index).conversation for index in source.train]


def trained(name: str) -> None:
    """The run of a recipe, unless it is there."""
    if not (PROJECT / "runs" / name / "lora").is_dir():
        cesello("train", f"{name}.yaml", "--run", name, "--overwrite")


def ablation(name: str, rows: int, tokens: int, *more: str) -> dict[str, Any]:
    """Of the run, and with ``--base`` of the model that it began with."""
    limits = ["--rows", str(rows), "--max-new-tokens", str(tokens)]
    found = json.loads(cesello("ablate", name, *limits, "--json", *more))
    assert isinstance(found, dict)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rows", type=int, default=48)
    parser.add_argument("--base", action="store_true", help="Ask the untrained model too: twice the time.")
    parser.add_argument("--half", choices=HALVES, action="append", help="This one alone; can be repeated.")
    chosen = parser.parse_args(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if not (PROJECT / "calls.jsonl").exists():
        project(chosen.steps)
        procedures()
    for name in chosen.half or HALVES:
        trained(name)
        its = ablation(name, chosen.rows, HALVES[name], *["--base"] * chosen.base)
        found = json.loads(RESULT.read_text()) | {name: its}
        RESULT.write_text(json.dumps(found, indent=2).replace(f"{PROJECT}/", "") + "\n")


if __name__ == "__main__":
    main()
