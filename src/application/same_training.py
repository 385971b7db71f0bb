"""Whether a run can be gone on with exactly: what decides its steps, and a refusal where that has changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..domain.checkpoint import Difference, differences
from ..domain.errors import CeselloError, DataError, ModelError, UsageError
from ..domain.memory_pin import WRITTEN_OTHERWISE, written_otherwise
from ..domain.mixture_manifest import MixtureManifest
from ..domain.ports.model import Policy

_KINDS: Mapping[str, tuple[type[CeselloError], str, str, str]] = {
    "recipe": (UsageError, "C050", "the recipe has changed", "set it back"),
    "library": (UsageError, "C051", "a library has another version", "install the stored version again"),
    "own code": (UsageError, "C059", "the recipe's own code has changed", "bring the stored one back"),
    "memory": (
        DataError,
        "D075",
        "the memory, or how it is asked, has changed",
        "remember the same files again, or set memory back",
    ),
    "device": (ModelError, "M056", "it is another kind of device", "set training.device"),
    "number format": (
        ModelError,
        "M055",
        "the model is computed in another number format",
        "set model.dtype",
    ),
    "base model": (ModelError, "M050", "it is another base model", "name the stored one"),
    "base weights": (ModelError, "M051", "the base model's weights have changed", "bring them back"),
    "tokenizer": (ModelError, "M052", "the tokenizer has changed", "bring the stored one back"),
    "chat template": (ModelError, "M053", "the chat template has changed", "bring the stored one back"),
    "data": (DataError, "D050", "the data are not the same rows in the same order", "bring the rows back"),
    "trained weights": (ModelError, "M054", "other weights are trained", "set lora and model back"),
    "processes": (UsageError, "C050", "another number of processes", "start as many"),
}
"""By the first word or words of a name: the error, and what mends it. What stands later may follow from what
stands before: another template makes other rows."""


_FIRM = "trained weights"
"""What is saved of them has another shape."""
_ALLOWED = "processes"
"""Sums are taken in another order: the run goes on, and its manifest tells."""


def named(settings: Mapping[str, str]) -> dict[str, str]:
    """The settings as a run's identity names them: what is not of the recipe itself has a kind of its own."""
    return {
        key if key.startswith(("own code ", "memory ")) else f"recipe {key}": value
        for key, value in settings.items()
    }


def identity_of_training(
    settings: Mapping[str, str],
    versions: Mapping[str, str],
    policy: Policy,
    mixed: MixtureManifest,
    processes: int,
) -> dict[str, str]:
    """All that decides a training's steps, by name; the names' first words are those of ``_KINDS``.

    Args:
        settings: of the recipe, by dotted key, those left out that no step depends on.
        processes: that share the work.
    """
    return {
        **named(settings),
        **{f"library {name}": version for name, version in versions.items()},
        **policy.identity,
        "data": mixed.digest,
        "device": policy.facts.device,
        "number format": policy.facts.dtype,
        "processes": str(processes),
    }


def check_same(stored: Mapping[str, str], now: Mapping[str, str], *, inexact: bool) -> tuple[str, ...]:
    """Refuses what is not the same training.

    Args:
        inexact: a person said that it need not be.

    Returns:
        What differs, in words; empty for the same training.

    Raises:
        UsageError: C050, C051, C059. DataError: D050, D075. ModelError: M050 to M056.
    """
    found = differences(stored, now)
    firm = [one for one in found if _kind(one.name) == _FIRM]
    refused = firm if inexact else [one for one in found if _kind(one.name) != _ALLOWED]
    if refused:
        raise _refusal(refused)
    return tuple(f"{one.name}: {one.stored} -> {one.now}" for one in found)


def _refusal(found: Sequence[Difference]) -> CeselloError:
    """The first in the order of ``_KINDS``: what comes later there may only follow from it."""
    first = min(found, key=lambda one: list(_KINDS).index(_kind(one.name)))
    kind, code, what, fix = _KINDS[_kind(first.name)]
    if written_otherwise(first.stored, first.now):
        what, fix = WRITTEN_OTHERWISE, "go on with that version of cesello"
    if not any(_kind(one.name) == _FIRM for one in found):
        fix += ", or give --allow-inexact, which the manifest tells"
    others = f" ({len(found) - 1} more differ)" if len(found) > 1 else ""
    return kind(
        code,
        f"the run cannot be gone on with exactly: {what}{others}",
        where=first.name.removeprefix("recipe ").removeprefix("library "),
        got=first.now or "nothing",
        expected=first.stored or "nothing",
        fix=fix,
    )


def _kind(name: str) -> str:
    return next((kind for kind in _KINDS if name == kind or name.startswith(f"{kind} ")), "recipe")
