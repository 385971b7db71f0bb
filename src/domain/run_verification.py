"""Whether a run still is what its manifest says: what was looked at, and what is another thing by now."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from .checkpoint import CheckpointState, Difference
from .errors import CeselloError


class Part(StrEnum):
    """Of a run, in the order in which one follows from another: another recipe makes other rows."""

    STATUS = "status"
    WEIGHTS = "weights"
    RECIPE = "recipe"
    PROMPT = "prompt"
    CHECKPOINTS = "checkpoints"
    LOGS = "logs"
    FILES = "files"
    FIGURES = "figures"
    MEMORY = "memory"
    PROCEDURES = "procedures"
    DATA = "data"
    BASE = "base model"
    LIBRARIES = "libraries"


@dataclass(frozen=True, slots=True)
class Check:
    """One part of a run, looked at.

    Attributes:
        said: what is so, in a few words; empty where it was not looked at.
        changes: a sentence for each thing that is not as it was.
        unchecked: why it was not looked at, or not to the end; empty: it was.
    """

    part: Part
    said: str = ""
    changes: tuple[str, ...] = ()
    unchecked: str = ""

    @property
    def state(self) -> str:
        """As programs are told it."""
        return "changed" if self.changes else "not checked" if self.unchecked else "whole"


@dataclass(frozen=True, slots=True)
class RunVerification:
    """What was found of a run.

    Attributes:
        root: the folder in which data, memory and procedures were looked up; empty: in none.
        is_below_root: the run is in that folder. Otherwise it is a copy, or its runs are kept elsewhere.
    """

    run: str
    name: str
    path: str
    checks: tuple[Check, ...]
    root: str = ""
    is_below_root: bool = True

    @property
    def is_whole(self) -> bool:
        return not self.changed

    @property
    def changed(self) -> tuple[Check, ...]:
        """Those that found something."""
        return tuple(check for check in self.checks if check.changes)


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A checkpoint as it lies there: what it says, or what is wrong with it."""

    name: str
    step: int
    state: CheckpointState | None
    damage: str = ""


_PROCEDURE = re.compile(r"([a-z0-9][a-z0-9-]*) ([0-9a-f]{8})(?=[,;]|$)")
_LONG = 80


def part_of(name: str) -> Part:
    """Which part of a run a name of its identity is about."""
    if name == "data":
        return Part.DATA
    if name.startswith("library "):
        return Part.LIBRARIES
    if name.startswith("recipe memory.procedure"):
        return Part.PROCEDURES
    if name.startswith("memory "):
        return Part.MEMORY
    if name == "recipe data.prompt":
        return Part.PROMPT
    if name.startswith(("recipe ", "own code ")):
        return Part.RECIPE
    return Part.BASE


def difference_text(one: Difference) -> str:
    """What differs in a run's identity, as a person reads it."""
    if part_of(one.name) is Part.PROCEDURES:
        named = _procedures_text(one.stored or "", one.now or "")
        if named:
            return named
    name = one.name.removeprefix("recipe ").removeprefix("library ")
    return f"{name}: {_short(one.stored)} then, {_short(one.now)} now"


def _procedures_text(stored: str, now: str) -> str:
    """The versions that differ, by name; empty where all are the same."""
    before, after = dict(_PROCEDURE.findall(stored)), dict(_PROCEDURE.findall(now))
    found = []
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            found.append(f"{name}: version {before[name]} then, in use no more")
        elif name not in before:
            found.append(f"{name}: not there then, version {after[name]} now")
        elif before[name] != after[name]:
            found.append(f"{name}: version {before[name]} then, {after[name]} now")
    return "; ".join(found)


def sentence(error: CeselloError) -> str:
    """An error as one thing among others that were found."""
    place = f" at {error.where}" if error.where is not None else ""
    got = f" ({error.got})" if error.got is not None else ""
    return f"{error.what}{place}{got}"


def _short(value: str | None) -> str:
    text = value or "nothing"
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"
