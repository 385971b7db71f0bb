"""Pages of the reference, made of what they describe: commands of their help, keys of the schema."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parent.parent

PYTHON = {
    "Programs": ["cesello.entrypoints.api"],
    "Ports": [
        "cesello.domain.ports.data",
        "cesello.domain.ports.model",
        "cesello.domain.ports.training",
        "cesello.domain.ports.reward",
        "cesello.domain.ports.memory",
        "cesello.domain.ports.procedure",
    ],
    "What they speak of": [
        "cesello.domain.conversation",
        "cesello.domain.reward",
        "cesello.domain.retrieval",
        "cesello.domain.run",
        "cesello.domain.errors",
    ],
}
"""Modules that a program of somebody's own meets, by heading."""


def commands_page() -> str:
    """Every command with its help and its options, as click knows them."""
    from cesello.entrypoints.cli.main import cli

    context = click.Context(cli, info_name="cesello")
    lines = ["# Commands", "", "What `--help` says, command by command."]
    for path, command, its in _commands(cli, context):
        lines += ["", f"## {path}", "", "```text", command.get_help(its).rstrip(), "```"]
    return "\n".join(lines) + "\n"


def _commands(
    group: click.Group, context: click.Context
) -> Iterator[tuple[str, click.Command, click.Context]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        its = click.Context(command, info_name=name, parent=context, terminal_width=100)
        yield its.command_path, command, its
        if isinstance(command, click.Group):
            yield from _commands(command, its)


def recipe_page() -> str:
    """Every key of a recipe, section by section."""
    schema = json.loads((ROOT / "recipes" / "recipe.schema.json").read_text(encoding="utf-8"))
    lines = [
        "# Recipe keys",
        "",
        "All keys of a recipe. `cesello schema` prints the same for editors; `cesello init` writes a recipe.",
        "",
        "## recipe",
        "",
        *_keys(schema),
    ]
    names = sorted(schema["$defs"], key=_title)
    for name in names:
        section = schema["$defs"][name]
        if "properties" in section:
            lines += ["", f"## {_title(name)}", "", section.get("description", ""), "", *_keys(section)]
    return "\n".join(lines) + "\n"


def _keys(section: Mapping[str, Any]) -> Iterator[str]:
    """A list of definitions, which a telephone shows as well as a wide screen."""
    required = section.get("required", ())
    for key, value in section["properties"].items():
        default = "required" if key in required else _default(value)
        what = _text(value.get("description", ""))
        yield from (f"`{key}`", "", *([f":   {what}", ""] if what else ()))
        yield from (f":   {', '.join(filter(None, (_type(value), default)))}", "")


def _default(value: Mapping[str, Any]) -> str:
    if "default" not in value or (isinstance(value["default"], dict | list) and value["default"]):
        return ""
    return f"default `{json.dumps(value['default'], ensure_ascii=False)}`"


def _type(value: Mapping[str, Any]) -> str:
    """What may stand there, in a few words; sections are links."""
    if reference := value.get("$ref"):
        title = _title(reference.rsplit("/", 1)[1])
        return f"[{title}](#{_anchor(title)})"
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{one}`" for one in value["enum"])
    several = value.get("anyOf") or value.get("oneOf")
    if several:
        return " or ".join(dict.fromkeys(_type(one) for one in several))
    kind = str(value.get("type", "any"))
    if kind == "array" and isinstance(value.get("items"), dict):
        return f"list of {_type(value['items'])}"
    return kind + _range(value)


def _range(value: Mapping[str, Any]) -> str:
    signs = {
        "minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below",
    }  # fmt: skip
    limits = [f"{sign} {value[name]}" for name, sign in signs.items() if name in value]
    return f" {', '.join(limits)}" if limits else ""


def _title(name: str) -> str:
    """``GrpoSettings`` -> ``grpo``; of two of one name each keeps the module that tells them apart."""
    module, _, short = name.rpartition("__")
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", short.removesuffix("Settings")).lower()
    if not module:
        return words
    return f"{module.rsplit('__', 1)[1].removesuffix('_settings')}: {words}"


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9-]+", "-", title.replace(":", "")).strip("-")


def _text(text: str) -> str:
    return text.replace("<", "&lt;").replace("\n", " ")


def _cell(text: str) -> str:
    return _text(text).replace("|", r"\|")


def python_page() -> str:
    """Instructions for mkdocstrings, which reads the sources without running them."""
    lines = ["# Python", "", "What a program of your own meets. Errors and shapes stand in the docstrings."]
    for heading, modules in PYTHON.items():
        lines += ["", f"## {heading}", *(f"\n### {name}\n\n::: {name}" for name in modules)]
    return "\n".join(lines) + "\n"


def benchmarks_table() -> str:
    """Each program that measures, with what it says of itself and where its figures are."""
    lines = ["| program | measures | figures |", "|---|---|---|"]
    for file in sorted((ROOT / "benchmarks").glob("*.py")):
        text = file.read_text(encoding="utf-8")
        said = (ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0]
        results = sorted(set(re.findall(r"[\w-]+\.json", text)) & _results())
        figures = ", ".join(f"`{name}`" for name in results)
        lines.append(f"| `{file.name}` | {_cell(said)} | {figures} |")
    return "\n".join(lines) + "\n"


def _results() -> set[str]:
    return {file.name for file in (ROOT / "benchmarks" / "results").glob("*.json")}
