"""The tutorial as it is written: what a small model knows of a package, before and after, and with memory.

Runs the commands of ``docs/tutorial.md`` one after the other in an empty folder, takes the time of each, and
writes what ``cesello ablate`` found to ``benchmarks/results/tutorial.json``.

    python benchmarks/tutorial.py
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PAGE = ROOT / "docs" / "tutorial.md"
RESULTS = HERE / "results" / "tutorial.json"
LIBRARIES = ("cesello", "gepa", "torch", "transformers", "peft")


def commands(page: str) -> list[str]:
    """Those of its blocks, in order; a line that ends in a backslash goes on in the next."""
    blocks = re.findall(r"^```(?:bash|sh)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [" ".join(line.split()) for line in lines if line.strip() and not line.startswith("#")]


def run(command: str, folder: Path) -> dict[str, Any]:
    """Runs one as a person does, and says what it took; figures of made rows and of ablations are kept."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    words = shlex.split(command)
    kept = KEPT.get(" ".join(words[1:3])) or KEPT.get(" ".join(words[1:2]))
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euc", f"{command} --json" if kept else command],
        cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{command} ended with {done.returncode}: {done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    step = {"command": command, "processor_seconds": round(used, 1)}
    print(f"{used:8.1f} s  {command}", flush=True)
    return step | ({kept[0]: kept[1](json.loads(done.stdout))} if kept else {})


def guessed(made: dict[str, Any]) -> dict[str, Any]:
    """How many rows, and what the most frequent answer of each sort of question is worth."""
    held = sum(made["held_out"].values())
    return {"rows": sum(made["rows"].values()), "held_out": held, "guessed": made["guessed"]}


def told(found: dict[str, Any]) -> dict[str, Any]:
    """The arms in short."""
    return {
        "source": found["source"],
        "tasks": found["planned"],
        "arms": {
            f"{arm['model']}, {arm['arm']}": {
                "right": round(arm["solved"]["mean"], 4),
                "interval": [round(arm["solved"]["interval"][end], 4) for end in ("low", "high")],
                "over_bare": arm["gain"] and round(arm["gain"]["gain"], 4),
                "read": round(arm["read"]),
                "written": round(arm["written"], 1),
            }
            for arm in found["arms"]
        },
    }


def by_taught_answers(folder: Path) -> dict[str, int]:
    """What the most frequent answers of what was taught are worth where nothing was taught."""
    from cesello.domain.short_answer import accepted_of, is_one_of

    rows, asked = (
        [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]
        for name in ("rows", "untaught")
    )
    answers: dict[str, Counter[str]] = {}
    for row in rows:
        answers.setdefault(row["asks"], Counter())[row["messages"][1]["content"]] += 1
    best = {asks: min(said, key=lambda one: (-said[one], one)) for asks, said in answers.items()}
    right = sum(is_one_of(best.get(row["asks"], ""), accepted_of(row["reference"])) for row in asked)
    return {"right": right, "questions": len(asked)}


KEPT = {"data make": ("made", guessed), "ablate": ("ablation", told)}
"""Of which commands what they print is kept, and what of it."""


def said() -> dict[str, float]:
    """Of the exam, in the current folder: the share of answers of the base model that a right one stands in.

    It writes sentences where one name is asked for, so that next to none of its answers is right as a whole.
    """
    from cesello.domain.reward import Attempt, RewardResult
    from cesello.entrypoints.ablate_requests import BASE, asked

    class Said:
        name, parts, range, reads = "said", (), (0.0, 1.0), frozenset[Any]()

        def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
            return [RewardResult(one.parts["said"]) for one in judge.score(attempts)]

    found = asked(
        "latest", "runs", (), arms=None, memory=None, source="exam", reward="answer", rows=None,
        max_new_tokens=None,
    )  # fmt: skip
    judge = found.container.rewards()["answer"]
    arms = found.ablate(Said())(found.request([BASE], 8)).arms
    return {f"{one.model}, {one.arm}": round(one.score.mean, 4) for one in arms}


def measured(folder: Path) -> dict[str, Any]:
    """All commands in a folder that holds the recipes alone."""
    shutil.copytree(ROOT / "recipes", folder / "recipes")
    steps = [run(command, folder) for command in commands(PAGE.read_text(encoding="utf-8"))]
    of_base = subprocess.run(
        [sys.executable, "-m", "benchmarks.tutorial", "--said"],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, check=True, text=True,
    )  # fmt: skip
    [made] = (folder / "runs").glob("*/manifest.json")
    manifest = json.loads(made.read_text())
    return {
        "machine": f"{platform.machine()}, no GPU, one thread",
        "versions": {name: metadata.version(name) for name in LIBRARIES},
        "steps": manifest["steps"],
        "seconds": round(manifest["seconds"]),
        "digest": manifest["data"]["digest"],
        "held_out_loss": {
            when: {name: round(one["loss"], 4) for name, one in manifest[when]["losses"].items()}
            for when in ("before", "after")
        },
        "tutorial": steps,
        "said_of_the_exam": json.loads(of_base.stdout),
        "untaught_by_taught_answers": by_taught_answers(folder),
    }


def main(arguments: list[str]) -> None:
    """Runs it, and writes the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--folder", type=Path, help="An empty folder to work in, which is kept.")
    parser.add_argument("--said", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.said:
        print(json.dumps(said()))
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as temporary:
        result = measured(chosen.folder or Path(temporary))
    chosen.output.parent.mkdir(exist_ok=True)
    chosen.output.write_text(json.dumps(result, indent=2) + "\n")
    for step in result["tutorial"]:
        for arm, its in step.get("ablation", {"arms": {}})["arms"].items():
            print(f"{step['ablation']['source']:<10} {arm:<16} {its['right']:.0%} {its['interval']}")


if __name__ == "__main__":
    main(sys.argv[1:])
