"""The text of a procedure's files.

The head of ``SKILL.md`` is read by programs that are stricter than YAML, or laxer: strictyaml knows no
brackets and no tags, and the specification's own reader ends a head at the first three hyphens, wherever they
are. So it is written as names and texts alone, in double quotes where a text could be taken for another.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ...domain.procedure import OnFail, Procedure, Step
from ...domain.procedure_check import EVALS, SKILL, SOP
from .yaml_text import write_yaml

_PLAIN = re.compile(r"[A-Za-z(](?:[\w .,;/()%+&*=~'\"-]|:(?=\S))*[\w.,;/()%+*'\"]|[A-Za-z]")
_WORDS = re.compile(r"true|false|null|yes|no|on|off|y|n", re.IGNORECASE)
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff]")


def skill_text(head: Mapping[str, Any], body: str) -> str:
    """``SKILL.md``: names with texts, or with names and texts, then the body."""
    lines = ["---"]
    for name, value in head.items():
        if isinstance(value, Mapping):
            lines += [f"{name}:", *(f"  {_quoted_name(key)}: {_text(inner)}" for key, inner in value.items())]
        else:
            lines.append(f"{name}: {_text(value)}")
    return "\n".join([*lines, "---", "", body, ""]) if body else "\n".join([*lines, "---", ""])


def _quoted_name(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z][\w.-]*", name) and "--" not in name else _text(name, quoted=True)


def _text(text: str, *, quoted: bool = False) -> str:
    if not quoted and _PLAIN.fullmatch(text) and not _WORDS.fullmatch(text) and "---" not in text:
        return text
    escaped = json.dumps(text, ensure_ascii=False).replace("---", "-\\u002d-")
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", escaped)


def procedure_files(procedure: Procedure) -> dict[str, bytes]:
    """What a procedure is as files; what it leaves out is left out."""
    texts = {SKILL: skill_text(head_of(procedure), procedure.body)}
    if sop := dict(_sop(procedure)):
        texts[SOP] = write_yaml({"schema_version": 1, **sop})
    if procedure.evals:
        rows = ({"query": one.query, "should_trigger": one.should_trigger} for one in procedure.evals)
        texts[EVALS] = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return {name: text.encode() for name, text in texts.items()}


def head_of(procedure: Procedure) -> dict[str, Any]:
    """The head of its ``SKILL.md``."""
    head: dict[str, Any] = {"name": procedure.name, "description": procedure.description, **procedure.extra}
    if procedure.allowed_tools:
        head["allowed-tools"] = " ".join(procedure.allowed_tools)
    return head


def _sop(procedure: Procedure) -> Iterator[tuple[str, Any]]:
    triggers = _given(
        {
            "examples": list(procedure.triggers.examples),
            "negatives": list(procedure.triggers.negatives),
            "keywords": list(procedure.triggers.keywords),
            "files": list(procedure.triggers.files),
        }
    )
    if procedure.triggers.min_score is not None:
        triggers["min_score"] = procedure.triggers.min_score
    if triggers:
        yield "triggers", triggers
    if procedure.inputs:
        yield (
            "inputs",
            [
                {"name": one.name}
                | _given({"description": one.description, "required": one.required, "default": one.default})
                for one in procedure.inputs
            ],
        )
    if procedure.steps:
        yield "steps", [_step(step) for step in procedure.steps]
    if procedure.success:
        yield "success", {"step": procedure.success}


def _step(step: Step) -> dict[str, Any]:
    values = {"id": step.id, "do": step.do} | _given({"when": step.when, "tools": list(step.tools)})
    if step.expect is not None:
        values["expect"] = {"kind": str(step.expect.kind), "value": step.expect.value}
    if step.on_fail != OnFail():
        fail = step.on_fail
        values["on_fail"] = _given({"retry": fail.retry, "goto": fail.goto, "max": fail.most}) | {
            "then": str(fail.then)
        }
    return values


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value}
