"""Changing the head of a ``SKILL.md``: for another name, for other readers, and after other programs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ...domain.errors import DataError, InvalidProcedure, Place, UsageError
from ...domain.procedure import Adopted
from ...domain.procedure_check import LONGEST_NAME, NAME_FORM, SKILL
from .document import Document, Where
from .problems import printable
from .procedure_settings import SkillHead
from .procedure_text import skill_text
from .sections import fields_of
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


def portable(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The same with a head that strict and lax readers take alike."""
    head, body = _read(files, "")
    return {**files, SKILL: skill_text(head, body).encode()}


def adopted(files: Mapping[str, bytes], where: str, name: str) -> Adopted:
    """See ``ProcedureFormat.adopted``."""
    notes: list[str] = []
    given = dict(files)
    for path in files:
        if path.lower() == "skill.md" and path != SKILL and SKILL not in given:
            given[SKILL] = given.pop(path)
            notes.append(f"{path} is called {SKILL} now")
    head, body = _read(given, where)
    own = str(head.get("name") or where.rstrip("/").rpartition("/")[2])
    called = name or _name_like(own)
    if head.get("name") != called:
        notes.append(f"its name was {printable(own)}, and is {called} now")
    known = fields_of(SkillHead)
    metadata = head.get("metadata")
    kept = dict(metadata) if isinstance(metadata, Mapping) else {}
    for key in [key for key in head if key not in known]:
        kept[key] = head.pop(key)
        notes.append(
            f"the key {printable(key)} of its head is none of the specification, and under metadata now"
        )
    head = {"name": called, **{key: value for key, value in head.items() if key not in ("name", "metadata")}}
    if kept:
        head["metadata"] = {key: _as_text(value) for key, value in kept.items()}
    if isinstance(head.get("allowed-tools"), list):
        head["allowed-tools"] = " ".join(map(_as_text, head["allowed-tools"]))
    for key in [key for key, value in head.items() if value in ("", None)]:
        del head[key]
    if notes or any(not isinstance(value, str | Mapping) for value in head.values()):
        texts = {key: value if isinstance(value, Mapping) else _as_text(value) for key, value in head.items()}
        given[SKILL] = skill_text(texts, body).encode()
    return Adopted(called, given, tuple(notes))


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _name_like(text: str) -> str:
    """A name as near to a text as the specification allows."""
    name = "-".join(re.findall(r"[a-z0-9]+", text.lower()))[:LONGEST_NAME].strip("-")
    return name if re.fullmatch(NAME_FORM, name) else "procedure"


def _read(files: Mapping[str, bytes], where: str) -> tuple[dict[str, Any], str]:
    """Head, every scalar as text, and body.

    Raises:
        InvalidProcedure: D042.
    """
    problems = list(_missing(files, where))
    if problems:
        raise InvalidProcedure(problems)
    text = files[SKILL].decode("utf-8-sig").replace("\r\n", "\n")
    head, body = split(text) or ("", "")
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
    return document.value, body


def _missing(files: Mapping[str, bytes], where: str) -> Iterator[DataError]:
    """Why there is no head to be read."""
    if SKILL not in files:
        fix = "name a folder that has one"
        yield DataError("D042", f"there is no {SKILL}", where=where, fix=fix)
        return
    try:
        found = split(files[SKILL].decode("utf-8-sig").replace("\r\n", "\n"))
    except UnicodeDecodeError:
        yield DataError("D042", f"{SKILL} is not UTF-8", where=f"{where}/{SKILL}", fix="save it as UTF-8")
        return
    if found is None:
        what = f"{SKILL} does not begin with its name and description"
        fix = "begin it with a line ---, then name: and description:, then a line ---"
        yield DataError("D042", what, where=Place(f"{where}/{SKILL}", 1), fix=fix)
