"""The head of a ``SKILL.md``: reading it, and changing it for another name and for other readers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...domain.errors import DataError, InvalidProcedure, Place, UsageError
from ...domain.procedure_check import SKILL
from .document import Document, Where
from .procedure_text import skill_text
from .yaml_limits import Mark
from .yaml_text import read_yaml

_HEAD = re.compile(r"---[ \t]*\n(?P<head>.*?)^---[ \t]*(?:\n(?P<body>.*))?\Z", re.DOTALL | re.MULTILINE)
_NAME = re.compile(r"^name:.*$", re.MULTILINE)


def split(text: str) -> tuple[str, str] | None:
    """The head of a SKILL.md and its body without empty lines around it; None where it has no head."""
    found = _HEAD.match(text)
    return None if found is None else (found["head"], (found["body"] or "").strip("\n"))


def with_name(files: Mapping[str, bytes], name: str) -> dict[str, bytes]:
    """The same files for a procedure of another name; all else stays as it was written."""
    text = files[SKILL].decode("utf-8-sig")
    parts = split(text)
    assert parts is not None, "it was read before"
    return {**files, SKILL: text.replace(parts[0], _NAME.sub(f"name: {name}", parts[0], count=1), 1).encode()}


def with_body(files: Mapping[str, bytes], body: str) -> dict[str, bytes]:
    """The same files with another body; the head stays as it was written."""
    parts = split(skill_of(files, ""))
    assert parts is not None, "it was read before"
    text = body.strip("\n")
    return {**files, SKILL: f"---\n{parts[0]}---\n\n{text}\n".encode()}


def portable(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The same with a head that strict and lax readers take alike."""
    head, body = _read(files, "")
    return {**files, SKILL: skill_text(head, body).encode()}


def _read(files: Mapping[str, bytes], where: str) -> tuple[dict[str, Any], str]:
    """Head, every scalar as text, and body.

    Raises:
        InvalidProcedure: D042.
    """
    text = skill_of(files, where)
    parts = split(text)
    if parts is None:
        raise headless(where)
    return keys_of(parts[0], where), parts[1]


def skill_of(files: Mapping[str, bytes], where: str) -> str:
    """The text of SKILL.md with plain line ends.

    Raises:
        InvalidProcedure: D042, where there is none.
    """
    if SKILL not in files:
        fix = "name a folder that has one"
        raise InvalidProcedure([DataError("D042", f"there is no {SKILL}", where=where, fix=fix)])
    try:
        return files[SKILL].decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as cause:
        what = f"{SKILL} is not UTF-8"
        problem = DataError("D042", what, where=f"{where}/{SKILL}", fix="save it as UTF-8")
        raise InvalidProcedure([problem]) from cause


def headless(where: str) -> InvalidProcedure:
    """D042."""
    what = f"{SKILL} does not begin with its name and description"
    fix = "begin it with a line ---, then name: and description:, then a line ---"
    return InvalidProcedure([DataError("D042", what, where=Place(f"{where}/{SKILL}", 1), fix=fix)])


def keys_of(head: str, where: str) -> dict[str, Any]:
    """What a head says, every scalar as text.

    Raises:
        InvalidProcedure: D042.
    """
    place = f"{where}/{SKILL}"

    def locate(mark: Mark | None) -> Where:
        return Place(place, mark.line + 2, mark.column + 1) if mark else Place(place)

    try:
        document: Document = read_yaml(head, locate, texts=True)
    except UsageError as problem:
        raise InvalidProcedure([problem]) from problem
    if document.problems:
        raise InvalidProcedure(document.problems)
    if not isinstance(document.value, dict):
        what, fix = "SKILL.md does not begin with keys", "write name: and description: between the lines ---"
        raise InvalidProcedure([DataError("D042", what, where=Place(place, 2), fix=fix)])
    return document.value
