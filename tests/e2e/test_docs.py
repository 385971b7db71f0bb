"""The documents tell the truth: each command is explained, each command shown exists and is run here.

A page's commands and its ``python`` blocks are run in order, in one shell, in a folder of their own that
holds the recipes, and the page's blocks that have a file's name as their title. Nothing is left out silently:
what is not run as it stands has a row in ``INSTEAD``.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cesello.entrypoints.cli.main import cli
from tests.e2e.markdown import Block, Command, blocks, commands
from tests.repository import ROOT, name_of

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted(ROOT.glob("docs/**/*.md")),
]
DRY_RUN = "--dry-run"
SCHEMA = "recipe.schema.json"


@dataclass(frozen=True, slots=True)
class Instead:
    """What is run in the place of a command.

    Args:
        why: why it is not run as it stands.
        run: what is run in its place; nothing, where it is empty.
        tested_by: the test that runs the command whole, as pytest names it.
    """

    why: str
    run: str = ""
    tested_by: str = ""


_QUICKSTART = "tests/e2e/test_quickstart.py"
_PLAN = "tests/e2e/test_plan.py"
_REPORT = "tests/e2e/test_reinforcement.py"
_EXPORT = "tests/e2e/test_export.py"
_STORY = Instead(
    "it needs the files that the page shows",
    tested_by="tests/e2e/test_rewards.py::test_the_story_ends_as_the_page_says",
)
_ASKED = Instead(
    "it needs a finished run", tested_by=f"{_QUICKSTART}::test_generate_answers_with_and_without_the_weights"
)
_TUTORIAL = {
    command.text: Instead(
        "all of it together, with fewer steps",
        tested_by="tests/e2e/test_tutorial.py::test_every_command_works_in_order",
    )
    for block in blocks(ROOT / "docs" / "tutorial.md")
    for command in commands(block)
    if command.text != "cesello kit install"
}
INSTEAD: dict[str, Instead] = _TUTORIAL | {
    "cesello train recipes/quickstart.yaml": Instead(
        "it takes minutes", tested_by=f"{_QUICKSTART}::test_function_calls_are_learned"
    ),
    'cesello generate --run latest "What\'s the area of a circle with a radius of 4?"': _ASKED,
    'cesello generate --run latest --no-lora "What\'s the area of a circle with a radius of 4?"': _ASKED,
    "cesello plan recipes/quickstart.yaml": Instead(
        "libraries are loaded once for all plans", tested_by=f"{_PLAN}::test_the_quickstart_fits_a_laptop"
    ),
    "cesello plan recipes/mistral-7b-qlora.yaml --device-memory 12GiB": Instead(
        "libraries are loaded once for all plans",
        tested_by=f"{_PLAN}::test_the_plan_of_mistral_says_what_attention_and_all_layers_have",
    ),
    "cesello export latest --merge my-model": Instead(
        "it needs a finished run",
        tested_by=f"{_EXPORT}::test_the_command_tells_what_it_merged_into_and_how_alike_it_is",
    ),
    "cesello export latest": Instead(
        "it needs a finished run",
        tested_by=f"{_EXPORT}::test_the_programs_that_are_printed_load_the_same_model",
    ),
    "cesello verify my-model": Instead("it needs an export", tested_by=f"{_EXPORT}::test_an_export_verifies"),
    "cesello export latest --merge my-model --overwrite --gguf gguf/my-model.gguf": Instead(
        "it needs a finished run and llama.cpp's converter",
        tested_by=f"{_EXPORT}::test_a_gguf_file_is_made_for_ollama",
    ),
    "cesello train recipes/quickstart.yaml --run mine": Instead(
        "it takes minutes", run="cesello train recipes/quickstart.yaml --run mine --dry-run"
    ),
    "cesello train recipes/quickstart.yaml --run mine --resume": Instead(
        "it takes minutes", run="cesello train recipes/quickstart.yaml --run mine --resume --dry-run"
    ),
    "cesello verify mine": Instead(
        "it needs a finished run",
        tested_by="tests/e2e/test_verify_run.py::test_an_untouched_run_is_whole",
    ),
    "cesello reward test last_line:reward": _STORY,
    "cesello reward test naive:reward": _STORY,
    "cesello reward test coding --cases naive.cases.yaml": _STORY,
    "cesello train recipes/quickstart.yaml --run quickstart": Instead(
        "it takes minutes", run="cesello train recipes/quickstart.yaml --run quickstart --dry-run"
    ),
    "cesello train recipes/grpo-functions.yaml": Instead(
        "it goes on from a run of minutes", run="cesello train recipes/grpo-functions.yaml --dry-run"
    ),
    "cesello train recipes/apo-functions.yaml": Instead(
        "it goes on from a run of minutes", run="cesello train recipes/apo-functions.yaml --dry-run"
    ),
    "cesello compare recipes/quickstart.yaml recipes/apo-functions.yaml recipes/grpo-functions.yaml": Instead(
        "it needs finished runs",
        tested_by="tests/e2e/test_compare.py::test_a_searched_prompt_is_a_way_without_weights",
    ),
    "cesello ablate quickstart --base": Instead(
        "it needs a finished run",
        tested_by="tests/e2e/test_memory_in_training.py::test_an_ablation_asks_the_same_tasks_with_and_without",
    ),
    "cesello train recipes/grpo-reasoning.yaml": Instead(
        "it takes minutes", run="cesello train recipes/grpo-reasoning.yaml --dry-run"
    ),
    "cesello runs compare first second": Instead(
        "it needs finished runs",
        tested_by="tests/unit/entrypoints/test_cli_runs.py::test_what_differs_is_compared",
    ),
    "cesello runs tail": Instead(
        "it needs a run",
        tested_by="tests/e2e/test_runs_in_terminal.py::test_a_run_is_followed_to_its_end_in_its_place",
    ),
    "cesello runs export --format otlp-http --endpoint http://localhost:4318"
    " --header-env OTEL_EXPORTER_OTLP_HEADERS": Instead(
        "it needs a collector",
        tested_by="tests/unit/entrypoints/test_cli_runs_export.py"
        "::test_spans_over_http_with_a_key_out_of_a_variable",
    ),
    "cesello report latest": Instead(
        "it needs a finished run", tested_by=f"{_REPORT}::test_a_run_is_reported"
    ),
    "cesello report latest --html run.html": Instead(
        "it needs a finished run", tested_by=f"{_REPORT}::test_a_run_is_reported"
    ),
    "cesello data make --from runs --output learnt.jsonl --min-reward 1 --best-of-group"
    " --procedure run-checks": Instead(
        "it needs a finished run",
        tested_by="tests/e2e/test_procedures_in_training.py"
        "::test_grpo_records_the_procedure_of_every_answer_and_learns_what_came_of_it",
    ),
    "cesello train tickets.yaml": Instead("it takes minutes", run="cesello train tickets.yaml --dry-run"),
    "cesello train queues.yaml": Instead("it takes minutes", run="cesello train queues.yaml --dry-run"),
    "cesello runs show latest": Instead(
        "it needs a finished run", tested_by=f"{_QUICKSTART}::test_runs_are_listed_and_shown"
    ),
}
"""By a command of a page. A row needs a test that runs the whole, or a dry run in the command's place."""

OTHERS = {
    "cd": "the folder is made by a command that is not ours",
    "git": "it needs the repository's address",
    "pip": "test_wheel.py installs what is built",
    "torchrun": "tests/integration/test_two_processes.py runs it with a tiny model",
    "python3": "the Makefile makes the environment",
}
"""First words of commands that are not ours to test, and why they are not run."""


def shown() -> list[Command]:
    return [command for page in PAGES for block in blocks(page) for command in commands(block)]


def place(command: Command) -> str:
    return f"{name_of(command.page)}:{command.line}"


def leaves(command: click.Command, context: click.Context) -> Iterator[str]:
    """Every command that does something, as it is typed."""
    if not isinstance(command, click.Group):
        yield context.command_path
        return
    for name in command.list_commands(context):
        sub = command.get_command(context, name)
        assert sub is not None
        yield from leaves(sub, click.Context(sub, info_name=name, parent=context))


@pytest.mark.parametrize("path", list(leaves(cli, click.Context(cli, info_name="cesello"))))
def test_each_command_is_explained(path: str) -> None:
    assert any(re.search(rf"\b{path}\b", page.read_text()) for page in PAGES)


@pytest.mark.parametrize("command", shown(), ids=place)
def test_each_command_shown_exists_with_its_options(command: Command) -> None:
    for name, *arguments in command.words():
        if name == "cesello":
            result = CliRunner().invoke(cli, [*arguments, "--help"], prog_name="cesello")
            assert result.exit_code == 0, result.output
        elif name == "make":
            done = subprocess.run(["make", "--dry-run", *arguments], cwd=ROOT, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr


@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_a_page_shows_works(page: Path, tmp_path: Path, warm: Path) -> None:
    # Pages remember the folder, and the schema is more than half of its text.
    without = [] if f"recipes/{SCHEMA}" in page.read_text() else [SCHEMA]
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes", ignore=shutil.ignore_patterns(*without))
    path = os.pathsep.join([str(warm), str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", script(page, tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:]


def script(page: Path, folder: Path) -> str:
    """A page as one script that says at which line of the page it failed."""
    steps = ["trap 'echo failed at $at' ERR"]
    for block in blocks(page):
        for line, text in runnable(block, folder):
            steps += [f"at={shlex.quote(f'{name_of(page)}:{line}')}", text]
    return "\n".join(steps)


def runnable(block: Block, folder: Path) -> Iterator[tuple[int, str]]:
    if block.file:
        (folder / block.file).write_text("\n".join(block.lines) + "\n")
    if block.language == "python":
        program = folder / f"line_{block.line}.py"
        # Empty lines in front, so that a traceback names the line of the page.
        program.write_text("\n" * (block.line - 1) + "\n".join(block.lines))
        yield block.line, f"python {program.name}"
    for command in commands(block):
        if (text := what_to_run(command)) is not None:
            yield command.line, text


def what_to_run(command: Command) -> str | None:
    if row := INSTEAD.get(command.text):
        return row.run or None
    first = command.words()[0][0]
    # The targets of the Makefile are what CI runs; that they exist is tested above.
    return None if first == "make" or first in OTHERS else command.text


def test_every_row_of_the_table_is_shown_somewhere() -> None:
    assert INSTEAD.keys() <= {command.text for command in shown()}


def test_what_is_not_run_whole_is_run_by_a_test_or_dry() -> None:
    assert all(row.why and is_covered(row) for row in INSTEAD.values())


def is_covered(row: Instead) -> bool:
    return is_a_test(row.tested_by) if row.tested_by else DRY_RUN in row.run.split()


def is_a_test(node: str) -> bool:
    """Whether there is such a test: ``tests/e2e/test_x.py::test_y``, within a class or not."""
    file, _, name = node.partition("::")
    functions = {
        each.name
        for each in ast.walk(ast.parse((ROOT / file).read_text()))
        if isinstance(each, ast.FunctionDef)
    }
    return name.split("::")[-1].partition("[")[0] in functions


def test_no_page_has_a_gap() -> None:
    assert not [name_of(page) for page in PAGES if "@@" in page.read_text()]


PAGE = r"""
Text with `code`.

```console
$ cesello kit list --json | head -n 3  # the first
{
$ cesello train recipe.yaml \
>     --set training.max_steps=2
```

1. In a list:

   ```bash
   # not a command
   make check && cesello --version
   ```

```python
print("a program")
```

```yaml title="a.yaml"
$ not: a command
```
"""


def test_a_page_is_read_as_a_person_reads_it(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    found = [command for block in blocks(page) for command in commands(block)]
    assert [(command.line, command.words()) for command in found] == [
        (5, [["cesello", "kit", "list", "--json"], ["head", "-n", "3"]]),
        (7, [["cesello", "train", "recipe.yaml", "--set", "training.max_steps=2"]]),
        (15, [["make", "check"], ["cesello", "--version"]]),
    ]
    assert [(block.line, block.language) for block in blocks(page)] == [
        (5, "console"),
        (14, "bash"),
        (19, "python"),
        (23, "yaml"),
    ]
    assert [block.file for block in blocks(page)] == ["", "", "", "a.yaml"]


def test_what_a_page_calls_a_file_is_there_when_its_commands_run(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    for block in blocks(page):
        list(runnable(block, tmp_path))
    assert (tmp_path / "a.yaml").read_text() == "$ not: a command\n"


@pytest.mark.parametrize("command", shown(), ids=place)
def test_no_command_has_a_backtick_that_the_shell_would_run(command: Command) -> None:
    assert "`" not in re.sub(r"'[^']*'|\\`", "", command.text)


def test_a_row_of_the_table_needs_a_test_or_a_dry_run() -> None:
    me = "tests/e2e/test_docs.py::test_a_row_of_the_table_needs_a_test_or_a_dry_run"
    assert is_covered(Instead("it is long", tested_by=f"{me}[x]"))
    assert is_covered(Instead("it wants a GPU", run="cesello train recipe.yaml --dry-run"))
    assert not is_covered(Instead("it is long", tested_by="tests/e2e/test_docs.py::test_nothing"))
    assert not is_covered(Instead("it is long", run="cesello train recipe.yaml"))
