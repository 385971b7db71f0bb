"""Taking a ``SKILL.md`` of another program: what the specification does not allow is mended, and told."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ...domain.errors import InvalidProcedure
from ...domain.procedure import Adopted
from ...domain.procedure_check import (
    LONGEST_COMPATIBILITY,
    LONGEST_DESCRIPTION,
    LONGEST_NAME,
    NAME_FORM,
    SKILL,
)
from .problems import printable
from .procedure_head import headless, keys_of, skill_of, split
from .procedure_settings import SkillHead
from .procedure_text import skill_text
from .sections import fields_of

_UNQUOTED = re.compile(
    r"^([A-Za-z][\w-]*):[ \t]+([^\s\"'\[\]{}|>&*!#][^\n]*:(?:[ \t][^\n]*)?)$", re.MULTILINE
)
"""A key whose text has a colon behind which YAML expects a value."""
_TAG = re.compile(r"<([A-Za-z/!][^<>]*)(>?)")
_HEADING = re.compile(r"#{1,6}[ \t]+(.*?)[ \t#]*$")


def adopted(files: Mapping[str, bytes], where: str, name: str) -> Adopted:
    """See ``ProcedureFormat.adopted``."""
    notes: list[str] = []
    given = dict(files)
    for path in files:
        if path.lower() == "skill.md" and path != SKILL and SKILL not in given:
            given[SKILL] = given.pop(path)
            notes.append(f"{path} is called {SKILL} now")
    head, body = _read(given, where, notes)
    folder = re.sub(r"/skill\.md$", "", where.rstrip("/"), flags=re.IGNORECASE)
    called = _called(head, folder.rpartition("/")[2], name, notes)
    texts = {"name": called, **_texts(_with_metadata(head, notes))}
    if not texts.get("description") and (said := _first_words(body)):
        texts["description"] = said
        notes.append("it has no description: its first words are one now")
    _mend_texts(texts, notes)
    if notes or texts != head:
        given[SKILL] = skill_text(texts, body).encode()
    return Adopted(called, given, tuple(notes))


def _read(files: Mapping[str, bytes], where: str, notes: list[str]) -> tuple[dict[str, Any], str]:
    """Head and body, where there is a head, and where it can be read once its texts are in quotes.

    Raises:
        InvalidProcedure: D042.
    """
    text = skill_of(files, where)
    parts = split(text)
    if parts is None:
        if text.startswith("---") or not text.strip():
            raise headless(where)
        notes.append(f"{SKILL} had no head, and begins with name and description now")
        return {}, text.strip("\n")
    head, body = parts
    try:
        return (keys_of(head, where) if head.strip() else {}), body
    except InvalidProcedure as first:
        quoted = _UNQUOTED.sub(lambda found: f"{found[1]}: {_quoted(found[2].strip())}", head)
        try:
            read = keys_of(quoted, where)
        except InvalidProcedure:
            raise first from None  # what is told is about the text as it was written
    keys = ", ".join(printable(found[1]) for found in _UNQUOTED.finditer(head))
    notes.append(f"a text with a colon stands in quotes now: {keys}")
    return read, body


def _quoted(text: str) -> str:
    """As YAML reads it; it has no escapes for halves of a character, as JSON's are."""
    return json.dumps(text, ensure_ascii=False)


def _called(head: Mapping[str, Any], folder: str, name: str, notes: list[str]) -> str:
    own = str(head.get("name") or "")
    called = name or _name_like(own or folder)
    if own != called:
        notes.append(
            f"its name was {printable(own)}, and is {called} now" if own else f"it is called {called} now"
        )
    return called


def _name_like(text: str) -> str:
    """A name as near to a text as the specification allows."""
    name = "-".join(re.findall(r"[a-z0-9]+", text.lower()))[:LONGEST_NAME].strip("-")
    return name if re.fullmatch(NAME_FORM, name) else "procedure"


def _with_metadata(head: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    """The head without its name, what the specification does not know under ``metadata``."""
    known = fields_of(SkillHead)
    metadata = head.get("metadata")
    kept = dict(metadata) if isinstance(metadata, Mapping) else {}
    for key in [key for key in head if key not in known]:
        kept[key] = head[key]
        notes.append(
            f"the key {printable(key)} of its head is none of the specification, and under metadata now"
        )
    mended = {key: value for key, value in head.items() if key in known and key not in ("name", "metadata")}
    return {**mended, "metadata": {key: _as_text(value) for key, value in kept.items()}} if kept else mended


def _texts(head: Mapping[str, Any]) -> dict[str, Any]:
    """Every value but the metadata a text; what says nothing is left out."""
    values = dict(head)
    if isinstance(values.get("allowed-tools"), list):
        values["allowed-tools"] = " ".join(map(_as_text, values["allowed-tools"]))
    return {
        key: value if key == "metadata" else _as_text(value)
        for key, value in values.items()
        if value is not None and (not isinstance(value, str) or value.strip())
    }


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _first_words(body: str) -> str:
    """The first paragraph that is no heading; else the first heading."""
    lines = [line.strip() for line in body.split("\n")]
    headings = [found[1] for line in lines if (found := _HEADING.match(line))]
    first = next((at for at, line in enumerate(lines) if line and not _HEADING.match(line)), None)
    if first is None:
        return headings[0] if headings else ""
    rest = lines[first:]
    last = next((at for at, line in enumerate(rest) if not line or _HEADING.match(line)), len(rest))
    return " ".join(rest[:last])


def _cut(text: str, most: int) -> str:
    """Behind a word, where it is longer than ``most`` characters."""
    return text if len(text) <= most else f"{text[: most - 3].rsplit(maxsplit=1)[0].rstrip()}..."


def _mend_texts(texts: dict[str, Any], notes: list[str]) -> None:
    """Cuts what is too long, and takes tags out of the description."""
    for key, most in (("description", LONGEST_DESCRIPTION), ("compatibility", LONGEST_COMPATIBILITY)):
        text = texts.get(key, "")
        if len(text) > most:
            texts[key] = _cut(text.strip(), most)
            notes.append(f"its {key} had {len(text)} characters, and is cut after {len(texts[key])}")
    text = texts.get("description", "")
    if _TAG.search(text):
        texts["description"] = _TAG.sub(lambda found: f"‹{found[1]}{found[2] and '›'}", text)
        notes.append("what looks like a tag in its description stands between ‹ and › now")
