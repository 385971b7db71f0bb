"""A commented recipe made from the models, so that it cannot fall behind them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from .data_settings import Source, SourceSettings, StdlibSource
from .recipe import Recipe
from .reward_settings import Reward, RewardSettings
from .schema import SCHEMA_NAME
from .sections import models_in
from .yaml_text import inline_yaml

_WIDTH = 100
_HEADER = f"""\
# yaml-language-server: $schema={SCHEMA_NAME}
# A recipe of cesello: every key with its meaning and, but for the required ones, its default.
# Values can be changed for one run: cesello train recipe.yaml --set training.max_steps=20
"""


def minimal_recipe() -> str:
    """A recipe that loads, with one source and a comment above every key."""
    return "\n".join([_HEADER, *_section(Recipe, "")])


def _section(model: type[BaseModel], indent: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield from _field(name, field, indent)
        if not indent:
            yield ""


def _field(name: str, field: FieldInfo, indent: str) -> Iterator[str]:
    inner = list(models_in(field.annotation))
    if name == "sources":
        yield from _sources(field, indent)
    elif inner and field.default not in (None, ()):
        yield from _comment(inner[0].__doc__ or "", indent)
        yield f"{indent}{name}:"
        yield from _section(inner[0], indent + "  ")
    else:
        yield from _comment(_meaning(field), indent)
        if name == "rewards":
            yield from _kinds(get_args(Reward), RewardSettings, indent)
        yield f"{indent}{name}: {inline_yaml(_value(field))}"


def _kinds(models: Sequence[type[BaseModel]], shared: type[BaseModel], indent: str) -> Iterator[str]:
    """What each kind is, and the keys that only it has."""
    for model in models:
        own = [key for key in model.model_fields if key not in shared.model_fields and key != "kind"]
        keys = f" Keys: {', '.join(own)}." if own else ""
        yield from _comment(f"- {_value(model.model_fields['kind'])}: {model.__doc__}{keys}", indent)


def _sources(field: FieldInfo, indent: str) -> Iterator[str]:
    """One source that needs nothing but Python, below what the other kinds are."""
    yield from _comment(f"{field.description} Kinds:", indent)
    yield from _kinds(get_args(Source), SourceSettings, indent)
    yield f"{indent}sources:"
    fields = StdlibSource.model_fields
    first, *others = sorted(fields, key=lambda name: not fields[name].is_required())
    yield from _comment(_meaning(fields[first]), f"{indent}  ")
    yield f"{indent}  - {first}: {inline_yaml(_value(fields[first]))}"
    for name in others:
        yield from _field(name, fields[name], f"{indent}    ")


def _meaning(field: FieldInfo) -> str:
    meaning, choices = field.description or "", _choices(field.annotation)
    if all(choice in meaning for choice in choices):
        return meaning
    return f"{meaning} Choices: {', '.join(choices)}."


def _choices(annotation: Any) -> tuple[str, ...]:
    if get_origin(annotation) is Literal and len(get_args(annotation)) > 1:
        return get_args(annotation)
    return ()


def _value(field: FieldInfo) -> Any:
    """The default, or an example where there is none."""
    if field.examples:
        return field.examples[0]
    if field.is_required():
        return get_args(field.annotation)[0]
    return list(field.default) if isinstance(field.default, tuple) else field.default


def _comment(text: str, indent: str) -> list[str]:
    return wrap(text, _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}#   ")
