"""``--set training.learning_rate=1e-4``: one value of the recipe, changed from the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...domain.errors import UsageError
from .document import Document, Keys, Origin
from .problems import cut, pick, printable, quoted, shown
from .yaml_limits import MAX_DEPTH
from .yaml_text import read_yaml

_NAMES = ("name", "source", "kind")
"""What a list's maps are called by, the first that is there: data.sources have names, evaluation.generate
says a source, and a reward is called by its kind where it has no name."""


@dataclass(frozen=True, slots=True)
class Override:
    """A parsed ``--set``: where it goes, what it sets, and how a message names it."""

    where: str
    parts: tuple[str, ...]
    document: Document


def read_override(text: str) -> Override:
    """Takes ``dotted.path=value`` apart; the value is YAML.

    Raises:
        UsageError: C040 without a path or ``=``, C042 with a value that is not YAML.
    """
    where = f"--set {printable(text)}"
    path, equals, value = text.partition("=")
    parts = tuple(part.strip() for part in path.split("."))
    if not equals or len(parts) > MAX_DEPTH or not all(part and part.isprintable() for part in parts):
        raise UsageError(
            "C040",
            "--set takes a key and a value",
            where=where,
            expected="key=value",
            fix="write it as --set training.learning_rate=1e-4",
        )
    try:
        return Override(where, parts, read_yaml(value, lambda mark: where))
    except UsageError as cause:
        raise UsageError(
            "C042", cause.what, where=where, fix="quote it for YAML: --set 'key=\"text\"'"
        ) from cause


def apply_override(override: Override, document: Document) -> None:
    """Sets the value, making the sections that are not there yet; what cannot be set is reported."""
    holder: Any = document.value
    keys: Keys = ()
    for depth, part in enumerate(override.parts):
        key = _key(holder, part)
        if key is None:
            document.problems.append(_no_place(override, depth, holder))
            return
        keys = (*keys, key)
        if depth + 1 < len(override.parts):
            holder = _step_into(holder, keys, override, document)
        else:
            _replace(holder, keys, override, document)


def _key(holder: Any, part: str) -> str | int | None:
    """The key or the index that ``part`` names, or None where it can name none."""
    if isinstance(holder, dict):
        return part
    if not isinstance(holder, list):
        return None
    for index, item in enumerate(holder):
        if isinstance(item, dict) and part == _called(item):
            return index
    return int(part) if part in map(str, range(len(holder))) else None


def _called(item: dict[str, Any]) -> Any:
    return next((item[name] for name in _NAMES if item.get(name) is not None), "")


def _step_into(holder: Any, keys: Keys, override: Override, document: Document) -> Any:
    if isinstance(holder, dict) and holder.get(keys[-1]) is None:
        holder[keys[-1]] = {}
        document.origins[keys] = Origin(override.where, override.where)
    return holder[keys[-1]]


def _replace(holder: Any, keys: Keys, override: Override, document: Document) -> None:
    for old in [known for known in document.origins if known[: len(keys)] == keys]:
        del document.origins[old]
    holder[keys[-1]] = override.document.value
    document.origins[keys] = Origin(override.where, override.where)
    document.origins |= {(*keys, *below): origin for below, origin in override.document.origins.items()}
    document.problems += override.document.problems
    document.wrong |= {(*keys, *below) for below in override.document.wrong}


def _no_place(override: Override, depth: int, holder: Any) -> UsageError:
    part, above = override.parts[depth], ".".join(override.parts[:depth])
    if isinstance(holder, list):
        names = [str(_called(item)) for item in holder if isinstance(item, dict)]
        return UsageError(
            "C041",
            f"{quoted(above)} has no item {quoted(part)}",
            where=override.where,
            fix=pick(part, [*names, *map(str, range(len(holder)))])
            if holder
            else "add the list to the recipe",
        )
    return UsageError(
        "C041",
        f"{quoted(above)} holds no keys",
        where=override.where,
        got=shown(holder),
        fix=f"set {cut(above)} itself",
    )
