"""Reading a recipe's file: what it must be before its YAML is looked at."""

from __future__ import annotations

import stat
from pathlib import Path

from ...domain.errors import Place, UsageError
from .problems import nearest, printable

MAX_BYTES = 1 << 20


def read_recipe_text(path: Path) -> str:
    """The text of a recipe.

    Raises:
        UsageError: C020 to C025.
    """
    name = printable(str(path))
    content = _content(path, name)
    if len(content) > MAX_BYTES:
        raise UsageError(
            "C025",
            "the recipe is too large",
            where=Place(name),
            expected=f"at most {MAX_BYTES} bytes",
            fix="keep data in files of its own and name them under data.sources",
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        before = content[: cause.start]
        line, column = before.count(b"\n") + 1, cause.start - (before.rfind(b"\n") + 1) + 1
        raise UsageError(
            "C023",
            "the recipe is not UTF-8",
            where=Place(name, line, column),
            got=f"the byte 0x{content[cause.start]:02x}",
            fix="save it as UTF-8",
        ) from cause
    if not text.strip():
        raise empty_recipe(path)
    return text


def empty_recipe(path: Path) -> UsageError:
    """C024, also for a file of comments only."""
    return UsageError(
        "C024",
        "the recipe is empty",
        where=Place(printable(str(path)), 1),
        fix="cesello init --force writes one to start from",
    )


def _content(path: Path, name: str) -> bytes:
    """Its bytes, one more than allowed at most."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise _not_a_file(path, name, is_folder=stat.S_ISDIR(mode))
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError as cause:
        raise UsageError("C020", "no such recipe", where=Place(name), fix=_instead(path)) from cause
    except (OSError, ValueError) as cause:
        reason = (cause.strerror if isinstance(cause, OSError) else None) or str(cause)
        raise UsageError(
            "C022",
            f"the recipe cannot be read: {printable(reason)}",
            where=Place(name),
            fix="check the path and its permissions",
        ) from cause


def _not_a_file(path: Path, name: str, *, is_folder: bool) -> UsageError:
    recipes = sorted(path.glob("*.y*ml"))[:3] if is_folder else []
    return UsageError(
        "C021",
        "a recipe is a file",
        where=Place(name),
        got="a folder" if is_folder else "a device or a pipe",
        expected="a YAML file",
        fix=f"name a file: {', '.join(printable(str(recipe)) for recipe in recipes) or 'recipe.yaml'}",
    )


def _instead(path: Path) -> str:
    neighbours = [file.name for file in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
    near = nearest(path.name, neighbours)
    return f'did you mean "{printable(str(path.with_name(near)))}"?' if near else "cesello init writes one"
