"""A JSON schema that stays quick on JSON that was written to make it hang."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from ...domain.errors import UsageError
from .bounded_pattern import BoundedPattern

_DEEPEST = 100


class BoundedSchema:
    """A schema of JSON Schema 2020-12.

    Its ``pattern`` gives up in time, ``uniqueItems`` takes time in proportion, and a reference leads nowhere
    but into the schema itself: nothing is fetched.

    Raises:
        UsageError: C085 when it is no such schema.
    """

    NO_JSON: ClassVar = frozenset({"invalid_json", "too_deep"})

    def __init__(self, schema: Mapping[str, Any]) -> None:
        try:
            Draft202012Validator.check_schema(schema)
            _refuse_unbounded(schema)
        except (SchemaError, ValueError, RecursionError) as cause:
            reason = cause.message if isinstance(cause, SchemaError) else str(cause)
            raise UsageError("C085", f"the JSON schema of a reward is wrong: {reason}") from cause
        self._patterns: dict[str, BoundedPattern] = {}
        own = {"pattern": self._pattern, "uniqueItems": _unique_items}
        bounded: Any = extend(Draft202012Validator, own)  # type: ignore[no-untyped-call]
        self._validator: Validator = bounded(schema, registry=Registry())

    def mismatch(self, text: str) -> str | None:
        """Why a text is not JSON of this schema, as a reason code; of several the first."""
        if _depth(text) > _DEEPEST:
            return "too_deep"
        try:
            value = json.loads(text, parse_constant=_refused)
        except (ValueError, RecursionError):
            return "invalid_json"
        try:
            error = next(self._validator.iter_errors(value), None)
        except (RecursionError, Unresolvable, ArithmeticError, ValueError):
            return "schema:failed"
        return None if error is None else f"schema:{error.validator}"

    def _pattern(self, _: Any, pattern: str, value: Any, __: Any) -> Iterator[ValidationError]:
        if isinstance(value, str):
            known = self._patterns.setdefault(pattern, BoundedPattern(pattern))
            if reason := known.absent(value):
                yield ValidationError(reason)


def _refuse_unbounded(schema: Any) -> None:
    if isinstance(schema, Mapping):
        if "patternProperties" in schema:
            raise ValueError("patternProperties is not supported")
        if isinstance(pattern := schema.get("pattern"), str):
            BoundedPattern(pattern)
        for value in schema.values():
            _refuse_unbounded(value)
    elif isinstance(schema, list):
        for value in schema:
            _refuse_unbounded(value)


def _unique_items(_: Any, wanted: Any, value: Any, __: Any) -> Iterator[ValidationError]:
    items = value if wanted and isinstance(value, list) else []
    if len({json.dumps(_counted(item), sort_keys=True) for item in items}) < len(items):
        yield ValidationError("an item comes twice")


def _counted(value: Any) -> Any:
    """With 1.0 as 1, which JSON holds for the same number."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_counted(item) for item in value]
    return {key: _counted(item) for key, item in value.items()} if isinstance(value, dict) else value


def _refused(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _depth(text: str) -> int:
    """At least as deep as the JSON is nested; brackets in its texts count too."""
    deepest = depth = 0
    for character in text:
        if character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest
