"""Prompt programs as plain data, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .prompt_program import COMPONENTS, Demo, PromptProgram


def program_values(program: PromptProgram) -> dict[str, Any]:
    """All of it, as JSON has it."""
    return {
        **{component: program.text(component) for component in COMPONENTS},
        "values": dict(program.values),
        "demos": [{"question": demo.question, "answer": demo.answer} for demo in program.demos],
    }


def program_from(values: Any) -> PromptProgram:
    """From what ``program_values`` made.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(values, Mapping) or values.keys() != {*COMPONENTS, "values", "demos"}:
        raise ValueError("no prompt program")
    texts = {component: _text(values[component]) for component in COMPONENTS}
    if not isinstance(values["values"], Mapping) or not isinstance(values["demos"], list):
        raise ValueError("a prompt program's values are a map, and its demos a list")
    demos = tuple(map(_demo, values["demos"]))
    return PromptProgram(
        **texts, demos=demos, values={_text(name): _text(value) for name, value in values["values"].items()}
    )


def _demo(value: Any) -> Demo:
    if not isinstance(value, Mapping) or value.keys() != {"question", "answer"}:
        raise ValueError("a demo has a question and an answer")
    return Demo(_text(value["question"]), _text(value["answer"]))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"a text is {type(value).__name__}")
    return value
