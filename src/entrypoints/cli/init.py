"""``cesello init``: a recipe to start from, with its schema and its data beside it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import click

from ...domain.errors import UsageError

_TEMPLATES = ("quickstart", "mistral-7b-qlora", "minimal")
_DATA = {"quickstart": ("data/conversations.jsonl",)}
"""Files that a shipped recipe names, relative to it."""


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default="recipe.yaml")
@click.option("--template", type=click.Choice(_TEMPLATES), default="quickstart", show_default=True)
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
def init(path: Path, template: str, force: bool) -> None:
    """Write a commented recipe to PATH (recipe.yaml), and its JSON schema beside it.

    quickstart tunes a small model on a laptop; mistral-7b-qlora tunes a 7B model on one GPU;
    minimal shows every key with its default.
    """
    from ..settings.atomic_file import PRIVATE, PUBLIC, write_atomically

    recipe = path / "recipe.yaml" if path.is_dir() else path
    contents = _contents(recipe, template)
    if not force:
        _refuse_overwriting(recipe, contents)
    for target, text in contents.items():
        write_atomically(target, text, PRIVATE if target.suffix == ".jsonl" else PUBLIC)
        click.echo(f"wrote {target}")
    click.echo(f"next: cesello train {recipe}")


def _contents(recipe: Path, template: str) -> dict[Path, str]:
    """What goes where; the recipe comes last, so that it is there only when all it names is."""
    from ..settings.schema import SCHEMA_NAME, schema_text
    from ..settings.template import minimal_recipe

    beside = {name: _shipped(name) for name in _DATA.get(template, ())} | {SCHEMA_NAME: schema_text()}
    text = minimal_recipe() if template == "minimal" else _shipped(f"{template}.yaml")
    return {recipe.parent / name: content for name, content in beside.items()} | {recipe: text}


def _shipped(name: str) -> str:
    return files("cesello.entrypoints").joinpath("recipes", *name.split("/")).read_text(encoding="utf-8")


def _refuse_overwriting(recipe: Path, contents: Mapping[Path, str]) -> None:
    """A recipe is never overwritten unasked, nor a file beside it that says something else."""
    for target, text in contents.items():
        if target.exists() and (target == recipe or not _holds(target, text)):
            raise UsageError(
                "C050",
                "a file is already there",
                where=str(target),
                fix="choose another PATH, or add --force to overwrite it",
            )


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == text.encode()
    except OSError:
        return False
