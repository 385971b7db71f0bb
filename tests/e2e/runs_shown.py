"""A program that shows runs whose every text is somebody's injection; a test runs it in a terminal.

python -m tests.e2e.runs_shown FOLDER
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any

from cesello.entrypoints.cli.main import run
from tests.injections import INJECTIONS
from tests.run_folders import STEPS, rewarded_line, timings_line, write_log, write_run

COMMANDS = (
    ["list"],
    ["list", "--json"],
    ["show", "runs/one"],
    ["show", "runs/two"],
    ["show", "runs/one", "--json"],
    ["compare", "runs/one", "runs/two"],
    ["compare", "runs/one", "runs/two", "--json"],
    ["tail", "runs/one", "--once"],
    ["tail", "runs/one"],
    ["tail", "runs/two"],
)
QUERIES = (
    ["query", "SELECT * FROM runs WHERE id = 'three'"],
    ["query", "SELECT * FROM runs WHERE id = 'three'", "--json", "--no-refresh"],
)


def plant(folder: Path, text: str) -> None:
    """Runs with the text wherever there is room for one."""
    graded = {"reward": text, "rows": 8, "parts": {text: 2.0, f"b{text}": 1.0}, "score": 0.25}
    held = {"losses": {text: {"rows": 8, "tokens": 9, "loss": 1.0}}, "graded": {text: graded}}
    source = {"name": text, "fingerprint": text, "held_out": 8, "kept": 9, "planned": 0.5, "drawn": 3}
    texts: dict[str, Any] = {
        "id": text,
        "name": text,
        "status": "failed",
        "error": text,
        "started": text,
        "finished": text,
        "seed": text,
        "machine": text,
        "ended_by": text,
        "versions": {text: text, "torch": text},
        "model": {"name": text},
        "data": {"digest": text, "sources": [source]},
        "before": held,
        "after": held,
        "resumes": [{"step": 1, "at": text, "differences": [text]}],
        "identity": {f"recipe {text}": text, "recipe x": text, "tokenizer": text, "data": text},
    }
    one = write_run(folder, "one", rewarded=True, **texts)
    names = {f"reward/{text}": 1.0, f"reward/b{text}": 1.0, f"seconds_{text}": 1.0}
    write_log(one, "metrics", (rewarded_line(step, **names) for step in range(1, STEPS + 1)))
    write_log(one, "timings", (timings_line(step, **names) for step in range(1, STEPS + 1)))
    write_log(one, "alarms", [{"step": 3, "name": text, "text": text}])
    write_log(one, "evaluations", [{"step": 2, "when": when, **held} for when in ("step", text)])
    write_log(one, "samples-after", [{"source": text, "prompt": text, "completion": text, "parts": {}}])
    write_log(
        one, "completions", [{"step": 1, "prompt": 0, "question": text, "completion": text, "reward": 1.0}]
    )
    search = {"verdict": text, "winner": text, "seed": text, "spent": {text: 1}}
    # One whose fields are of the kinds that they should be.
    three = write_run(folder, "three", name=text, error=text, model={"name": text}, machine=text)
    write_log(three, "alarms", [{"step": 3, "name": text, "text": text}])
    write_run(folder, "two", algorithm=text, model={"name": f"x{text}"}, search=search)


def main() -> int:
    """Shows all of them; the status is that of the worst command."""
    worst, folder = 0, Path(sys.argv[1])
    for stream in (sys.stdout, sys.stderr):
        assert isinstance(stream, io.TextIOWrapper)
        stream.reconfigure(errors="backslashreplace")  # as the command does
    for number, text in enumerate(INJECTIONS.values()):
        place = folder / str(number)
        plant(place / "runs", text)
        os.chdir(place)
        for command in COMMANDS + QUERIES:
            sys.stdout.write(f"== {number} {' '.join(command)}\n")
            sys.stdout.flush()
            worst = max(worst, run(["runs", *command]))
    return worst


if __name__ == "__main__":
    sys.exit(main())
