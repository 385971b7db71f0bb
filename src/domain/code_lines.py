"""Whether lines of code are the lines that were asked for.

Case and indentation are code: nothing is written away as in a short answer. Python is compared by its syntax,
so that quotes, blanks within a line and comments make no difference; what is no Python by its lines.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from contextlib import suppress
from textwrap import dedent
from typing import Any

from .code_answer import parsed
from .short_answer import said_in, unfenced


def compared_as(reference: Mapping[str, Any]) -> str | None:
    """How the answers of a row are compared: ``python``, ``lines``; None where they are short answers."""
    named = reference.get("compare")
    return named if named in ("python", "lines") else None


def claimed_lines(completion: str) -> str | None:
    """The code that a completion is, in one fence or without; None where it says nothing."""
    said = completion.rpartition("</think>")[2].strip("\r\n")
    fenced = unfenced(said_in(completion))
    return (fenced if fenced != said.strip() else said).rstrip() or None


def is_same_code(answer: str, accepted: tuple[str, ...], compared: str) -> bool:
    """Whether an answer is one of the right ones."""
    given = _forms(answer, compared)
    return any(given & _forms(one, compared) for one in accepted)


def _forms(code: str, compared: str) -> set[str]:
    """What a piece of code is like: its lines, and of Python its syntax."""
    lines = [line.rstrip() for line in dedent(code.expandtabs()).strip("\r\n").splitlines()]
    forms = {"\n".join(lines).strip("\n")}
    tree = parsed("\n".join(lines)) if compared == "python" else None
    if tree is not None and tree.body:
        with suppress(RecursionError):
            forms.add(f"syntax:{ast.dump(tree)}")
    return forms
