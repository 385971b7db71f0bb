"""From values to a Recipe; pydantic's errors become problems at the places where the values were written."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ...domain.errors import UsageError
from .data_settings import Source
from .document import Document, Keys, Where
from .problems import listed, nearest, pick, quoted, shown
from .reward_settings import Reward
from .sections import field_at, fields_of, homes, models_in, section_at, without_tags
from .yaml_text import inline_yaml, plain_value

Settings = TypeVar("Settings", bound=BaseModel)

_WHOLE, _NUMBER, _TEXT, _BOOLEAN = "a whole number", "a number", "text", "true or false"
_LIST, _KEYS = "a list", "a map of keys"

_EXPECTED = {
    "int_type": _WHOLE,
    "float_type": _NUMBER,
    "string_type": _TEXT,
    "bool_type": _BOOLEAN,
    "tuple_type": _LIST,
    "dict_type": _KEYS,
    "model_type": _KEYS,
    "model_attributes_type": _KEYS,
}
_BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}
_SPELT_BOOLEANS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def validate(document: Document, model: type[Settings]) -> Settings | None:
    """The settings, or None with the document's problems telling why not.

    Args:
        model: ``Recipe``, or one that has some of its sections.
    """
    document.model = model
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        details = error.errors(include_url=False)
        for detail in sorted(details, key=lambda detail: detail["type"] != "extra_forbidden"):
            _report(detail, document)
        return None


def _report(detail: ErrorDetails, document: Document) -> None:
    keys = without_tags(detail["loc"])
    if document.is_wrong(keys) or (detail["type"] == "too_short" and detail["input"]):
        return  # a list whose items are wrong is called short too
    describe = _DESCRIPTIONS.get(detail["type"], _wrong_type)
    document.report(keys, describe(detail, keys, document))


def _problem(code: str, what: str, where: Where | None, fix: str, **comparison: str) -> UsageError:
    return UsageError(code, what, where=where, fix=fix, **comparison)


def _unknown_key(detail: ErrorDetails, keys: Keys, document: Document) -> UsageError:
    key, options = str(keys[-1]), list(fields_of(section_at(detail["loc"][:-1], document.model)))
    near, home = nearest(key, options), homes(document.model).get(key)
    if near:
        document.wrong.add((*keys[:-1], near))  # a misspelt key is not missing as well
        fix = f"did you mean {quoted(near)}?"
    elif home:
        fix = f"it belongs under {home}"
    else:
        fix = f"the keys here are: {listed(options)}"
    return _problem("C001", f"unknown key {quoted(key)}", document.key_place(keys), fix)


def _missing_key(detail: ErrorDetails, keys: Keys, document: Document) -> UsageError:
    field = fields_of(section_at(detail["loc"][:-1], document.model))[str(keys[-1])]
    inner = next(models_in(field.annotation), None)
    example = (
        f"{keys[-1]}: {inline_yaml(field.examples[0]) if field.examples else '...'}"
        if inner is None
        else _example_of(str(keys[-1]), inner)
    )
    return missing_key(keys, document, example)


def missing_key(keys: Keys, document: Document, example: str) -> UsageError:
    """C006, at the section that lacks the key."""
    return _problem(
        "C006",
        f"missing key {quoted(document.dotted(keys))}",
        document.key_place(keys[:-1]),
        f"add {example}",
    )


def _example_of(key: str, model: type[BaseModel]) -> str:
    required = [f"{name}: ..." for name, field in model.model_fields.items() if field.is_required()]
    return f"{key}: with {', '.join(required)} below it"


def _missing_kind(detail: ErrorDetails, keys: Keys, document: Document) -> UsageError:
    union = Reward if keys[0] == "rewards" else Source
    first, *others = (get_args(model.model_fields["kind"].annotation)[0] for model in get_args(union))
    *middle, last = others
    return missing_key((*keys, "kind"), document, f"kind: {', '.join([first, *middle])} or {last}")


def _unknown_choice(detail: ErrorDetails, keys: Keys, document: Document) -> UsageError:
    if detail["type"] == "union_tag_invalid":
        keys = (*keys, "kind")
    context = detail.get("ctx", {})
    allowed = context.get("expected_tags") or context["expected"]
    options = re.findall(r"'([^']*)'", allowed)
    value = document.as_written(keys)
    fix = pick(value, options) if options else "no installed package offers any"
    if keys == ("lora", "target_modules"):
        fix += " (or give a list of names)"
    if detail["type"] == "unknown_function":
        fix += " (or name a function of your own as my_file:my_function)"
    if keys == ("algorithm",):
        fix += " (or name a class of your own as my_file:MyAlgorithm)"
    name = quoted(value) if isinstance(value, str) else shown(value)
    return _problem("C005", f"{document.dotted(keys)} cannot be {name}", document.value_place(keys), fix)


def _out_of_range(detail: ErrorDetails, keys: Keys, document: Document) -> UsageError:
    name, words = _BOUNDS[detail["type"]]
    bound = f"{words} {detail.get('ctx', {})[name]:.10g}"
    return _problem(
        "C004",
        f"{document.dotted(keys)} is out of range",
        document.value_place(keys),
        f"choose a number {bound}",
        got=shown(document.as_written(keys)),
        expected=bound,
    )


def _too_few(detail: ErrorDetails, keys: Keys, document: Document) -> UsageError:
    fix = (
        "give at least one, or leave the key out"
        if keys != ("data", "sources")
        else "name at least one source"
    )
    return _problem("C004", f"{document.dotted(keys)} is empty", document.value_place(keys), fix)


def _wrong_form(detail: ErrorDetails, keys: Keys, document: Document) -> UsageError:
    forms: dict[str, Callable[[dict[str, Any]], str]] = {
        "string_too_short": lambda context: "text that is not empty",
        "string_too_long": lambda context: f"at most {context['max_length']} characters",
        "string_pattern_mismatch": lambda context: f"text that matches {context['pattern']}",
    }
    expected = forms[detail["type"]](detail.get("ctx", {}))
    field = field_at(detail["loc"], document.model)
    example = f", for example {field.examples[0]}" if field and field.examples else ""
    return _problem(
        "C010",
        f"{document.dotted(keys)} has the wrong form",
        document.value_place(keys),
        f"write {expected}{example}",
        got=shown(document.as_written(keys)),
    )


def _wrong_slice(detail: ErrorDetails, keys: Keys, document: Document) -> UsageError:
    return _problem(
        "C010",
        f"{document.dotted(keys)} is no part of the rows: {detail['msg']}",
        document.value_place(keys),
        'write a slice as in Python, in rows or in %, as "[:5%]" or "[100:200]"',
        got=shown(document.as_written(keys)),
    )


def _wrong_pattern(detail: ErrorDetails, keys: Keys, document: Document) -> UsageError:
    return _problem(
        "C010",
        f"{document.dotted(keys)} is no regular expression: {detail['msg']}",
        document.value_place(keys),
        "write a regular expression, between single quotes",
        got=shown(document.as_written(keys)),
    )


def _wrong_type(detail: ErrorDetails, keys: Keys, document: Document) -> UsageError:
    expected = _EXPECTED.get(detail["type"], detail["msg"])
    return _problem(
        "C003",
        f"{document.dotted(keys)} has the wrong type",
        document.value_place(keys),
        _conversion(document.as_written(keys), expected, document.dotted(keys)),
        got=shown(document.as_written(keys)),
        expected=expected,
    )


def _conversion(value: Any, expected: str, name: str) -> str:
    """How to write what was meant."""
    if value is None:
        return "give it a value, or leave the key out"
    if expected == _BOOLEAN:
        spelt = _SPELT_BOOLEANS.get(str(value).lower(), "true or false")
        return f"write {spelt}; other words stay text"
    if expected in (_NUMBER, _WHOLE) and isinstance(value, str):
        is_number = type(plain_value(value)) in (int, float)
        return f"write {value} without quotes" if is_number else "write digits, for example 2e-4 or 100"
    if expected == _WHOLE:
        return "write it without a decimal point"
    if expected == _TEXT and isinstance(value, bool | int | float):
        return "put it between quotes"
    if expected == _TEXT and isinstance(value, list | dict):
        return "write text; where it starts with a bracket, put it between quotes"
    if expected == _LIST:
        return "write it as [first, second]"
    if expected == _KEYS:
        return f"write the keys of {name} below it, indented" if name else "write key: value"
    return f"write {expected}"


_DESCRIPTIONS: dict[str, Callable[[ErrorDetails, Keys, Document], UsageError]] = {
    "extra_forbidden": _unknown_key,
    "missing": _missing_key,
    "union_tag_not_found": _missing_kind,
    "union_tag_invalid": _unknown_choice,
    "literal_error": _unknown_choice,
    "unknown_algorithm": _unknown_choice,
    "unknown_function": _unknown_choice,
    "too_short": _too_few,
    "string_too_short": _wrong_form,
    "string_too_long": _wrong_form,
    "string_pattern_mismatch": _wrong_form,
    "row_slice": _wrong_slice,
    "pattern": _wrong_pattern,
} | dict.fromkeys(_BOUNDS, _out_of_range)
