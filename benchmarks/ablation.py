"""What memory and procedures bring, measured by `cesello ablate`: function calls, questions about code.

One project holds a package that pip has installed and that the model does not know (magiccube), in its
memory, and two procedures written by hand. Two runs are made in it:

functions   the quickstart: SmolLM2-135M learns to call functions. The memory has nothing to say about that.
code        SFT on questions that `cesello data make` wrote about half of the package's functions and classes,
            with passages in the prompts; asked about the other half.

    python -m benchmarks.ablation [--steps 20] [--rows 40]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

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
CODE = """\
name: code
model: {name: HuggingFaceTB/SmolLM2-135M-Instruct, dtype: float32}
quantizer: {name: none}
lora: {r: 16, alpha: 32, dropout: 0.0, target_modules: attention}
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
PROCEDURES = {
    "call-a-function": (
        "Answers a request by calling one of the functions on offer. Use when functions are on offer.",
        "1. Choose the function whose description fits the request.\n"
        "2. Give it every argument that it requires, by the names of its schema, with the request's values.\n"
        "3. Write the call and nothing else.\n",
    ),
    "answer-about-code": (
        "Answers a question about the project's code. Use when somebody asks about a function or a class.",
        "1. Find the definition of what is asked about, in the passages if there are any.\n"
        "2. Read its signature and its docstring.\n"
        "3. Copy the answer from there as it is written, and write nothing else.\n",
    ),
}
"""Name, description and text; what triggers them are questions that are trained on."""


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
        copytree(ROOT / "recipes" / "data", PROJECT / "data")
    (PROJECT / "cesello.yaml").write_text(MEMORY)
    retrieves = MEMORY + "  retrieve: on\n"
    (PROJECT / "code.yaml").write_text(CODE.replace("STEPS", str(steps)) + retrieves)
    (PROJECT / "functions.yaml").write_text((ROOT / "recipes" / "quickstart.yaml").read_text() + MEMORY)
    cesello("remember", PACKAGE)
    made = ["data", "make", "--from", "memory", "--kinds", "question", "--holdout", "0.5"]
    cesello(*made, "--output", "questions.jsonl", "--overwrite")


def procedures() -> None:
    """In use, each triggered by questions of the rows that are trained on."""
    for name, recipe in (("call-a-function", "functions.yaml"), ("answer-about-code", "code.yaml")):
        folder = PROJECT / ".cesello" / "procedures" / name
        folder.mkdir(parents=True, exist_ok=True)
        description, text = PROCEDURES[name]
        (folder / "SKILL.md").write_text(f"---\nname: {name}\ndescription: {description}\n---\n{text}")
        examples = json.dumps(trained_questions(recipe)[:40])
        (folder / "sop.yaml").write_text(f"schema_version: 1\ntriggers: {{examples: {examples}}}\n")
    cesello("sop", "lint")


def trained_questions(recipe: str) -> list[str]:
    """What the rows of the recipe's first source ask that are trained on."""
    from cesello.application.prepare_source import question
    from cesello.entrypoints.requests import data_request, recipe_container
    from cesello.entrypoints.settings import load_recipe

    loaded = load_recipe(PROJECT / recipe, ["memory.retrieve=off"])
    source, *_ = recipe_container(loaded).prepare_sources()(data_request(loaded))
    rows = (source.examples.example(index).conversation for index in source.train)
    return [question(row).messages[-1].content for row in rows]


def trained(name: str) -> None:
    """The run of a recipe, unless it is there."""
    if not (PROJECT / "runs" / name / "lora").is_dir():
        cesello("train", f"{name}.yaml", "--run", name, "--overwrite")


def ablation(name: str, rows: int, *more: str) -> dict[str, Any]:
    """Of both models."""
    found = json.loads(cesello("ablate", name, "--base", "--rows", str(rows), "--json", *more))
    assert isinstance(found, dict)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rows", type=int, default=40)
    chosen = parser.parse_args(arguments)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    project(chosen.steps)
    procedures()
    found = {}
    for name in ("code", "functions"):
        trained(name)
        found[name] = ablation(name, chosen.rows)
        RESULT.write_text(json.dumps(found, indent=2).replace(f"{PROJECT}/", "") + "\n")


if __name__ == "__main__":
    main()
