"""Answers to the same held-out prompts before and after, with what differs marked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby

from .recorded_run import Line, RecordedRun, figures, text
from .secret_text import Redact, redacted

SAMPLES = 60
"""Shown at most."""

_CHARACTERS, _WORDS = 4_000, 600
"""Of an answer that are shown, and compared word by word; longer answers are compared as a whole."""

_IN_COMMON = 2
"""Letters or digits that a part has at least which both texts have."""

_WORD = re.compile(r"\s+|\w+|[^\w\s]")

Marked = tuple[tuple[str, bool], ...]
"""A text in parts, each with whether the other text lacks it."""


@dataclass(frozen=True, slots=True)
class SamplePair:
    """One prompt and the two answers to it.

    Attributes:
        change: ``better`` or ``worse`` by the sum of the reward's parts, ``other`` where it is equal and the
            answers are not, ``same``.
        before, after: the answers.
        before_parts, after_parts: of the reward, by name.
    """

    source: str
    prompt: str
    expected: str
    before: Marked
    after: Marked
    change: str
    before_parts: Mapping[str, float]
    after_parts: Mapping[str, float]


def sample_pairs(run: RecordedRun, redact: Redact = redacted) -> tuple[SamplePair, ...]:
    """Those that became better first, then those that became worse, and what did not change last.

    Args:
        redact: takes secrets out of texts, before they are cut and taken apart.
    """
    before, after = run.samples.get("before", ()), run.samples.get("after", ())
    pairs = [_pair(*both, redact) for both in zip(before, after, strict=False) if _same_prompt(*both)]
    order = ("better", "worse", "other", "same")
    return tuple(sorted(pairs, key=lambda pair: order.index(pair.change))[:SAMPLES])


def _same_prompt(old: Line, new: Line) -> bool:
    return (text(old, "source"), text(old, "prompt")) == (text(new, "source"), text(new, "prompt"))


def _pair(old: Line, new: Line, redact: Redact) -> SamplePair:
    def shown(line: Line, name: str) -> str:
        return redact(text(line, name))[:_CHARACTERS]

    before, after = differing(shown(old, "completion"), shown(new, "completion"))
    was, is_now = figures(old, "parts"), figures(new, "parts")
    return SamplePair(
        text(old, "source"), shown(old, "prompt"), shown(old, "expected"),
        before, after, _change(was, is_now, text(old, "completion") == text(new, "completion")), was, is_now,
    )  # fmt: skip


def _change(was: Mapping[str, float], is_now: Mapping[str, float], same: bool) -> str:
    gain = sum(is_now.values()) - sum(was.values())
    if abs(gain) > 1e-9:
        return "better" if gain > 0 else "worse"
    return "same" if same else "other"


def differing(old: str, new: str) -> tuple[Marked, Marked]:
    """Both texts in parts: what they have in common, word by word, and what they have not."""
    if old == new:
        return ((old, False),), ((new, False),)
    one, other = _WORD.findall(old), _WORD.findall(new)
    if max(len(one), len(other)) > _WORDS:
        return ((old, True),), ((new, True),)
    steps = SequenceMatcher(None, one, other, autojunk=False).get_opcodes()
    differs = [kind != "equal" or _is_chance(one[begin:end]) for kind, begin, end, _, _ in steps]
    return (
        _marked([(one[step[1] : step[2]], mark) for step, mark in zip(steps, differs, strict=True)]),
        _marked([(other[step[3] : step[4]], mark) for step, mark in zip(steps, differs, strict=True)]),
    )


def _is_chance(words: Sequence[str]) -> bool:
    """A blank, a comma or a letter that both have: any two texts have those in common."""
    return sum(map(str.isalnum, "".join(words))) < _IN_COMMON


def _marked(runs: Sequence[tuple[Sequence[str], bool]]) -> Marked:
    """Neighbours of the same kind as one."""
    return tuple(
        (text, differs)
        for differs, same in groupby(runs, key=lambda run: run[1])
        if (text := "".join(word for words, _ in same for word in words))
    )
