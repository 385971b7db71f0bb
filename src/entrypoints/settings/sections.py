"""Which model describes which part of a recipe: from a way through the recipe to its keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, TypeAlias, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from .document import Keys
from .recipe import Recipe

Location: TypeAlias = tuple[str | int, ...]
"""Where pydantic says an error is: the way through the recipe, with one more part below every union."""


def without_tags(location: Location) -> Keys:
    """The way through the recipe."""
    return tuple(part for depth, part in enumerate(location) if not _names_a_member(location[:depth]))


def _names_a_member(above: Location) -> bool:
    """Whether the part below ``above`` says which member of a union was taken."""
    return (
        above == ("lora", "target_modules")
        or (above[:2] == ("data", "sources") and len(above) == 3)
        or (above[:1] == ("rewards",) and len(above) == 2)
    )


def section_at(location: Location, top: type[BaseModel] = Recipe) -> type[BaseModel]:
    """The model of the section there; ``location`` keeps its tags, which tell a union's member."""
    return _models_at(location, top)[0]


def field_at(location: Location, top: type[BaseModel] = Recipe) -> FieldInfo | None:
    """The field there, or None within a list or a map of a person's own keys, such as ``columns``."""
    models = _models_at(location[:-1], top) if isinstance(location[-1], str) else []
    return fields_of(models[0]).get(str(location[-1])) if models else None


def fields_of(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """Its fields by the keys that a person writes."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _models_at(location: Location, top: type[BaseModel]) -> list[type[BaseModel]]:
    candidates: list[type[BaseModel]] = [top]
    for part in location:
        if isinstance(part, int):
            continue
        if not candidates:
            return []  # deeper in a map of a person's own keys
        if len(candidates) > 1:
            candidates = [
                model for model in candidates if part in get_args(model.model_fields["kind"].annotation)
            ]
        else:
            candidates = list(models_in(fields_of(candidates[0])[part].annotation))
    return candidates


def models_in(annotation: Any) -> Iterator[type[Any]]:
    """The sections that a field's type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


@cache
def homes(top: type[BaseModel] = Recipe) -> Mapping[str, str]:
    """Every key that is in exactly one section outside sources and rewards, with that section's name."""
    found: dict[str, list[str]] = {}
    for model, name in _sections(top, ""):
        for key in model.model_fields:
            found.setdefault(key, []).append(name)
    return {key: names[0] for key, names in found.items() if len(names) == 1 and names[0]}


def _sections(model: type[BaseModel], name: str) -> Iterator[tuple[type[BaseModel], str]]:
    yield model, name
    for key, field in model.model_fields.items():
        inner = list(models_in(field.annotation))
        if len(inner) == 1:
            yield from _sections(inner[0], f"{name}.{key}" if name else key)
