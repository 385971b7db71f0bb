"""What is wrong with the texts of a prompt, in a recipe or in a file of their own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ...domain.prompt_program import QUESTION, placeholders
from ...domain.text_hazards import hazards
from .problems import nearest, quoted

_TOKENS = re.compile(r"<\|[^<>|]{1,40}\|>|<｜[^<>]{1,40}｜>|<(?:start|end)_of_turn>|\[/?INST\]|<</?SYS>>")
"""What chat templates write between turns. The gate of a search refuses these and more, so that whatever a
search writes can be read again."""


def name_faults(names: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Names that cannot stand in braces: each with what is wrong, and what to do."""
    for name in names:
        if name == QUESTION:
            yield name, "{question} stands for what each task asks", "call the placeholder something else"
        elif placeholders(f"{{{name}}}") != {name}:
            what = f"{quoted(name)} is no name of a placeholder"
            yield name, what, "write letters, digits and underscores, no digit first, as file_name"


def text_fault(component: str, text: str, names: Iterable[str], values: str) -> tuple[str, str] | None:
    """What is wrong with a text, and what to do.

    Args:
        names: that stand for something.
        values: the key where these are given.
    """
    known = {*names, QUESTION} if component == QUESTION else {*names}
    strange = sorted(placeholders(text) - known)
    if not strange:
        return unsafe(text)
    if strange[0] == QUESTION:
        what = "{question} is filled in the text question alone"
        return what, "write question: with {question} where it belongs, or take the braces away"
    what = f"nothing says what {quoted(f'{{{strange[0]}}}')} stands for"
    near = nearest(strange[0], known)
    fix = f"did you mean {quoted(f'{{{near}}}')}?" if near else f"add it to {values}, or take the braces away"
    return what, fix


def unsafe(text: str) -> tuple[str, str] | None:
    """A character that nobody sees, or a control token, and what to do."""
    for one in hazards(text):
        if not one.secret:
            return f"the text holds {one.what}, in its line {one.line}", "take it out"
    if token := _TOKENS.search(text):
        what = f"the text holds {quoted(token[0])}, which chat templates write between turns"
        return what, "take it out: the model's own template puts it where it belongs"
    return None
