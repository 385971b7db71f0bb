"""Procedures that come with cesello, and one to be filled in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable

from ..domain.errors import UsageError

_SKILL = """\
---
name: NAME
description: Say what it does and when to use it, with the words that a request would have. Use when ...
---

# NAME

Say here how it is done, as you would tell a new colleague. An agent that knows SKILL.md reads this file
alone; cesello reads sop.yaml as well.
"""
_SOP = """\
schema_version: 1

# What requests it is for, as people write them, and near ones that it is not for.
triggers:
  examples:
    - first request that NAME is for
    - second request that NAME is for
    - third request that NAME is for
  negatives:
    - a request that sounds alike and is for something else
  # keywords: [traceback]
  # files: ["*.py"]        # where a request names files, one must match
  # min_score: auto        # from which it applies; auto: as `cesello sop calibrate` found

# What it wants to know before it begins; {command} in a step stands for the value.
inputs:
  - {name: command, description: The command that shows whether it worked., default: make test}

# What is done, one step after the other.
steps:
  - id: look
    do: "Run {command} and keep all of its output."
    # tools: [shell]                                  # that the step may use; none: any
    # expect: {kind: regex, value: 'FAILED|Error'}    # or contains, exit_code, reward
    # on_fail: {retry: 1, then: ask_user}             # or stop, next
  - id: change
    when: steps.look.ok                               # names, and, or, not, ==, !=, <, in
    do: Say what is to be changed here.
  - id: verify
    do: "Run {command} again."
    expect: {kind: exit_code, value: 0}
    on_fail: {goto: change, max: 2}                   # no goto without a bound

# The step whose check says whether all of it worked.
success: {step: verify}
"""
_EVALS = """\
{"query": "a request that should trigger NAME", "should_trigger": true}
{"query": "a request that should not", "should_trigger": false}
"""


def skeleton(name: str) -> Mapping[str, bytes]:
    """A procedure that says what goes where."""
    texts = {"SKILL.md": _SKILL, "evals.jsonl": _EVALS, "sop.yaml": _SOP}
    return {path: text.replace("NAME", name).encode() for path, text in texts.items()}


def starters() -> Sequence[str]:
    """The names of those that come with cesello, sorted."""
    return sorted(entry.name for entry in _shipped().iterdir() if entry.joinpath("SKILL.md").is_file())


def starter(name: str) -> Mapping[str, bytes]:
    """The files of one.

    Raises:
        UsageError: C113.
    """
    if name not in starters():
        raise UsageError(
            "C113",
            "no such procedure comes with cesello",
            got=name,
            fix=f"choose one of: {', '.join(starters())}",
        )
    return dict(_files(_shipped().joinpath(name), ""))


def _shipped() -> Traversable:
    return files("cesello.entrypoints").joinpath("procedures")


def _files(folder: Traversable, above: str) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _files(entry, f"{above}{entry.name}/")
        else:
            yield above + entry.name, entry.read_bytes()
