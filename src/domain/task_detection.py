"""What a row asks for: the task it declares, or else the one it looks like."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .conversation import Conversation, Role

_LONGEST = 20_000
_DEFINED = re.compile(r"^[ \t]*(?:async[ \t]+)?(?:def|class)[ \t]+([A-Za-z_]\w*)", re.MULTILINE)
_MEMBER = re.compile(r"^[ \t]+(?:async[ \t]+)?(?:def|class)\b", re.MULTILINE)
_NAMED = re.compile(
    r"\b(?:function|method|class|funzione|metodo|classe)\s+"
    r"(?:(?:named|called|chiamat[ao]|di\s+nome)\s+[`\"']?([A-Za-z_]\w*)|`([A-Za-z_]\w*)|([A-Za-z_]\w*)\()",
    re.IGNORECASE,
)
_QUOTED_CALL = re.compile(r"`([A-Za-z_]\w*)\(")
_WISH = re.compile(
    r"\b(?:write|implement|create|complete|code|define|develop|make|build|give|fix|finish|refactor|"
    r"scrivi|implementa|crea|completa|definisci|correggi)\b",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"\b(?:python|function|class|method|program|script|algorithm|code|"
    r"funzione|classe|metodo|programma|codice|algoritmo)\b",
    re.IGNORECASE,
)
_REFERENCES = (
    ("calls", "function_calling"),
    ("tests", "coding"),
    ("reasoning_gym", "reasoning_gym"),
    ("answers", "answer"),
    ("answer", "math"),
)


def question_of(prompt: Conversation) -> str:
    """The last turn of the user; its first 20,000 characters."""
    turns = (turn.content for turn in reversed(prompt.messages) if turn.role is Role.USER)
    return next(turns, "")[:_LONGEST]


def asked_name(question: str) -> str | None:
    """The function or class that a question wants to be written, where it names one.

    Of code in the question the last that it defines outside a class; otherwise "a function `f`", "a function
    called f", "`f(x)`".
    """
    defined = list(_DEFINED.finditer(question))
    outer = [found[1] for found in defined if not _MEMBER.match(found[0])]
    if outer or defined:
        return (outer or [found[1] for found in defined])[-1]
    named = _NAMED.search(question) or _QUOTED_CALL.search(question)
    return next(filter(None, named.groups()), None) if named else None


def asks_for_code(question: str) -> bool:
    """Whether a question asks for a program: it begins one, or wishes for a function, a class, a script."""
    if _DEFINED.search(question):
        return True
    wish = _WISH.search(question)
    return bool(wish and _CODE.search(question, wish.end()))


def task_of(prompt: Conversation) -> tuple[str, bool]:
    """The name of the reward that fits, and whether the row declares it (``reference: {task: coding}``)."""
    reference: Mapping[str, Any] = prompt.reference
    declared = reference.get("task")
    if isinstance(declared, str) and declared:
        return declared, True
    for key, task in _REFERENCES:
        if reference.get(key) is not None:
            return task, False
    return ("coding" if asks_for_code(question_of(prompt)) else "chat"), False
