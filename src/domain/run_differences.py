"""What went into runs, and what of it differs between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Manifest = Mapping[str, Any]

RECIPE = "recipe "
"""What a key of an identity begins with that is one of the recipe."""

_OTHERS = (
    "base model",
    "base weights",
    "tokenizer",
    "chat template",
    "trained weights",
    "device",
    "number format",
    "processes",
)
"""Of what a training is, besides its recipe, its data and its libraries."""

_EMPTY = ("null", "{}", "[]", '""')


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that is not the same in all runs.

    Attributes:
        values: as text, one a run; None where the run has none.
    """

    key: str
    values: tuple[str | None, ...]


def recipe_differences(manifests: Sequence[Manifest]) -> list[Difference]:
    """By dotted key, of all keys that decide the training; and what is not in a recipe, by its name."""
    settings = [
        {
            key.removeprefix(RECIPE): _text(value)
            for key, value in submap(one, "identity").items()
            if key.startswith(RECIPE)
        }
        for one in manifests
    ]
    others = [{key: _text(submap(one, "identity").get(key)) for key in _OTHERS} for one in manifests]
    machines = [{"machine": _text(one.get("machine"))} for one in manifests]
    return [*_differences(settings), *_differences(others), *_differences(machines)]


def version_differences(manifests: Sequence[Manifest]) -> list[Difference]:
    """Of the libraries at work."""
    return _differences([{k: _text(v) for k, v in submap(one, "versions").items()} for one in manifests])


def data_differences(manifests: Sequence[Manifest]) -> list[Difference]:
    """The digest, and the fingerprint and the rows of every source."""
    return _differences([dict(_facts(one)) for one in manifests])


def _facts(manifest: Manifest) -> Iterator[tuple[str, str | None]]:
    data = submap(manifest, "data")
    digest = data.get("digest") or submap(manifest, "identity").get("data")
    yield "digest", _short(digest)
    for name, source in sources_of(manifest).items():
        yield f"{name}: fingerprint", _short(source.get("fingerprint"))
        for key in ("kept", "held_out", "drawn"):
            yield f"{name}: {key.replace('_', ' ')}", _text(source.get(key))


def _differences(found: Sequence[Mapping[str, str | None]]) -> list[Difference]:
    keys = dict.fromkeys(key for one in found for key in one)
    all_of_them = [Difference(key, tuple(one.get(key) for one in found)) for key in keys]
    # A key that is not there and one that is empty mean the same.
    return [one for one in all_of_them if len({None if v in _EMPTY else v for v in one.values}) > 1]


def sources_of(manifest: Manifest) -> dict[str, Manifest]:
    """What a manifest says of each source of data, by its name."""
    sources = submap(manifest, "data").get("sources")
    found = sources if isinstance(sources, list | tuple) else ()
    return {str(one.get("name")): one for one in found if isinstance(one, Mapping)}


def submap(value: Any, *keys: str) -> Manifest:
    """What is there, as a map; an empty one where there is something else, or nothing."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _short(digest: object) -> str | None:
    return None if digest is None else str(digest)[:12]
