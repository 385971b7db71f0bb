"""What a split by symbols must not leak: copies that would stand on both sides of it.

Held-out rows that are in the rows trained on, word for word or nearly, measure what was learnt by heart
(Lee et al., "Deduplicating training data makes language models better", arXiv:2107.06499, section 6.2;
Allamanis, "The adverse effects of code duplication in machine learning models of code", arXiv:1812.06469).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .made_row import MadeRow

_LONG = 30
"""Characters, blanks apart, from which an answer that stands somewhere else is no coincidence."""


def joined_groups(sets: Iterable[Iterable[str]]) -> dict[str, str]:
    """For every name that any set has, the least name that it is joined to by sets that have names in common.

    Disjoint sets as a forest (Galler and Fischer, "An improved equivalence algorithm", 1964).
    """
    parents: dict[str, str] = {}
    for one in sets:
        roots = sorted({_root(parents, name) for name in one})
        for root in roots[1:]:
            parents[root] = roots[0]
    return {name: _root(parents, name) for name in parents}


def _root(parents: dict[str, str], name: str) -> str:
    parents.setdefault(name, name)
    while parents[name] != name:
        parents[name] = parents[parents[name]]
        name = parents[name]
    return name


def answered_by_others(held: Sequence[MadeRow], trained: Iterable[MadeRow]) -> set[int]:
    """The positions of held-out rows whose long answers stand, line by line, in rows that are trained on.

    Questions are not looked at: their answers are short, and what they ask for is not what they say.
    """
    lines = {index: _lines(row.answer()) for index, row in enumerate(held) if row.kind != "question"}
    searched = {index: said for index, said in lines.items() if sum(map(_size, said)) >= _LONG}
    by_line: dict[str, list[int]] = {}
    for index, said in searched.items():
        by_line.setdefault(max(said, key=_size), []).append(index)
    found = set[int]()
    for row in trained:
        found |= _found_in(row.words(), by_line, searched)
    return found


def _found_in(
    text: str, by_line: Mapping[str, Sequence[int]], searched: Mapping[int, Sequence[str]]
) -> set[int]:
    shown = _lines(text)
    likely = {index for line in shown if line in by_line for index in by_line[line]}
    whole = "\n".join(["", *shown, ""]) if likely else ""
    return {index for index in likely if "\n".join(["", *searched[index], ""]) in whole}


def _lines(text: str) -> list[str]:
    """Lines without the blanks and the quotes of docstrings around them, and without empty ones."""
    return [bare for line in text.splitlines() if (bare := line.strip().strip("\"'").strip())]


def _size(line: str) -> int:
    return len("".join(line.split()))
