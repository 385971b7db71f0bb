"""What a prompt search found, and what it took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from difflib import unified_diff
from math import isfinite
from typing import Any

from .halving import SearchPlan
from .prompt_program import COMPONENTS, PromptProgram
from .prompt_verdict import Comparison, Figure, PromptVerdict


@dataclass(frozen=True, slots=True)
class Spent:
    """What a phase took.

    Attributes:
        phase: search, selection, test or proposals.
        rollouts: answers that it used, ``saved`` ones included.
        tokens: of answers; of proposals, those that the optimizer wrote.
        optimizer_calls: of a language model that proposes, ``saved`` ones included.
        seconds: that answers and proposals took when they were paid for.
        saved: answers, or calls, that the ledger knew already.
    """

    phase: str
    rollouts: int = 0
    tokens: int = 0
    optimizer_calls: int = 0
    seconds: float = 0.0
    saved: int = 0


@dataclass(frozen=True, slots=True)
class CandidateResult:
    """What became of a candidate.

    Attributes:
        trials: tasks of the search part that it was tried on.
        mean: of its scores on them; None without any.
        accepted: it was the incumbent once.
        rejected: why it was not tried.
    """

    program: PromptProgram
    proposer: str
    edit: str
    parents: tuple[str, ...]
    trials: int = 0
    mean: float | None = None
    accepted: bool = False
    rejected: str = ""


@dataclass(frozen=True, slots=True)
class SearchReport:
    """The result of a search.

    Attributes:
        verdict: "proven" and "promising" ship ``winner``, which else is the seed.
        best: what the search thought best before the test; the seed where nothing was accepted.
        diff: from the seed to ``best``, unified, by component that differs.
        selection: of the finalists on the selection part; empty where there was no choice.
        test: the seed against ``best``; None where that is the seed.
        seed_figure: of the seed on the test part.
        rounds: that the search had.
        ended: why it had no more.
    """

    verdict: PromptVerdict
    seed: PromptProgram
    winner: PromptProgram
    best: PromptProgram
    diff: Mapping[str, str]
    selection: tuple[Figure, ...]
    test: Comparison | None
    seed_figure: Figure
    candidates: tuple[CandidateResult, ...]
    spent: tuple[Spent, ...]
    plan: SearchPlan
    rounds: int
    ended: str

    @property
    def rejected(self) -> tuple[CandidateResult, ...]:
        return tuple(one for one in self.candidates if one.rejected)

    def as_json(self) -> dict[str, Any]:
        """Objects, lists, texts and numbers; an interval without an end has null there."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not isfinite(value):
        return None
    return value


def prompt_diff(old: PromptProgram, new: PromptProgram) -> dict[str, str]:
    """What differs, by component, ``demos`` among them."""
    texts = [(name, old.text(name), new.text(name)) for name in COMPONENTS]
    texts.append(("demos", _demos(old), _demos(new)))
    return {name: _unified(name, one, other) for name, one, other in texts if one != other}


def _demos(program: PromptProgram) -> str:
    return "\n\n".join(f"Q: {demo.question}\nA: {demo.answer}" for demo in program.demos)


def _unified(name: str, old: str, new: str) -> str:
    lines = unified_diff(old.splitlines(), new.splitlines(), f"{name} (seed)", f"{name} (best)", lineterm="")
    return "\n".join(lines)
