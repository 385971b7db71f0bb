"""Which made rows are held out, and which are taken where there may not be so many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from math import ceil

from .made_row import MadeRow, drawn
from .short_answer import accepted_of, is_one_of
from .split_leaks import answered_by_others

_SHARE_OF_ANSWER, _FEWEST_OF_ANSWER = 0.1, 10
"""Of one sort of questions, those with one answer: more teach to give it without looking."""


@dataclass(frozen=True, slots=True)
class Told:
    """Something that rows can tell.

    Attributes:
        trained: the rows that tell it in training.
        exam: the row that asks for it where it is held out, in words that no trained row has; of what is not
            a question the row itself.
    """

    trained: tuple[MadeRow, ...]
    exam: MadeRow

    @property
    def kind(self) -> str:
        return self.exam.kind

    @property
    def asks(self) -> str:
        return str(self.exam.extra.get("asks", ""))

    @property
    def fact(self) -> str:
        return self.exam.fact or f"{self.exam.kind}:{self.exam.origin}"


@dataclass(frozen=True, slots=True)
class Placed:
    """What becomes of something told: rows trained on, rows held out, or neither, for a reason."""

    trained: tuple[MadeRow, ...] = ()
    held: tuple[MadeRow, ...] = ()
    reason: str = ""

    def __len__(self) -> int:
        return len(self.trained) + len(self.held)


def split_by_symbol(
    told: Sequence[Told], share: float, seed: int, same: Mapping[str, str] | None = None
) -> list[Placed]:
    """All that is told of a share of the symbols is held out, and none of it is trained on.

    What tells of both sides, as a piece of code with two functions, is on neither; nor is what a row trained
    on answers word for word.

    Args:
        same: of symbols that are copies of each other, the one that stands for them; they stay on one side.
    """
    symbols = {group for one in told for group in one.exam.groups}
    held = _drawn_symbols(symbols, share, seed, same or {})
    placed = [_by_symbol(one, held) for one in told]
    tested = [index for index, one in enumerate(placed) if one.held]
    trained = (row for one in placed for row in one.trained)
    known = answered_by_others([placed[index].held[0] for index in tested], trained)
    for at in known:
        placed[tested[at]] = Placed(reason="a row trained on has its answer")
    return placed


def _drawn_symbols(
    symbols: Iterable[str], share: float, seed: int, same: Mapping[str, str]
) -> frozenset[str]:
    """Copies are drawn together; no more than the share, but where there is one, something."""
    copies: dict[str, list[str]] = {}
    for name in sorted(symbols):
        copies.setdefault(same.get(name, name), []).append(name)
    wanted = ceil(share * sum(map(len, copies.values())))
    ordered = sorted(copies, key=lambda name: (drawn(seed, "held", name), name))
    taken = list[str]()
    for name in ordered:
        if len(taken) + len(copies[name]) <= wanted:
            taken += copies[name]
    if wanted and not taken and len(copies) > 1:
        taken = copies[min(ordered, key=lambda name: len(copies[name]))]
    return frozenset(taken)


def _by_symbol(one: Told, held: frozenset[str]) -> Placed:
    if one.exam.groups.isdisjoint(held):
        return Placed(one.trained)
    if one.exam.groups <= held:
        return Placed((), (one.exam,))
    return Placed(reason="it tells of symbols on both sides of the split")


def split_by_question(told: Sequence[Told], share: float, seed: int) -> list[Placed]:
    """All is trained on, and a share of the questions is asked again in other words, and held out."""
    questions = {one.fact for one in told if one.exam.is_question}
    held = _drawn_share(questions, share, seed)
    return [Placed(one.trained, (one.exam,) if one.fact in held else ()) for one in told]


def _drawn_share(names: Iterable[str], share: float, seed: int) -> frozenset[str]:
    """The share of the names, rounded up, that comes first by lot."""
    ordered = sorted(names, key=lambda name: (drawn(seed, "held", name), name))
    return frozenset(ordered[: ceil(share * len(ordered))])


def without_frequent(told: Sequence[Told], seed: int) -> set[int]:
    """The positions of questions, by lot, whose answer too many of their sort have."""
    sizes = Counter(one.asks for one in told if one.exam.is_question)
    known, left = Counter[tuple[str, str]](), set[int]()
    for index in sorted(range(len(told)), key=lambda index: drawn(seed, "frequent", told[index].fact)):
        one = told[index]
        if one.exam.is_question:
            answer = (one.asks, one.exam.answer())
            known[answer] += 1
            if known[answer] > max(_FEWEST_OF_ANSWER, _SHARE_OF_ANSWER * sizes[one.asks]):
                left.add(index)
    return left


@dataclass(frozen=True, slots=True)
class Guessed:
    """What is right without knowledge: to each sort of question the answer most frequent in training."""

    right: int = 0
    questions: int = 0


def guessed(trained: Iterable[MadeRow], held: Iterable[MadeRow]) -> Guessed:
    """How many of the held-out questions such guesses answer."""
    answers: dict[object, Counter[str]] = {}
    for row in trained:
        if row.kind == "question":
            answers.setdefault(row.extra.get("asks"), Counter())[row.answer()] += 1
    guesses = {asks: _most_frequent(said) for asks, said in answers.items()}
    asked = [row for row in held if row.kind == "question"]
    right = (_is_right(guesses.get(row.extra.get("asks"), ""), row) for row in asked)
    return Guessed(sum(right), len(asked))


def guessed_by_others(rows: Iterable[MadeRow]) -> Guessed:
    """The same where nothing is held out: each question is guessed from the others of its sort.

    Its own answer does not count: of a question that is the only one of its sort the guess would always be
    right.
    """
    asked = {row.fact: row for row in rows if row.kind == "question"}
    answers: dict[object, Counter[str]] = {}
    for row in asked.values():
        answers.setdefault(row.extra.get("asks"), Counter())[row.answer()] += 1
    # Without its own answer once, a question leaves the first or the second of all as the most frequent.
    first_two = {asks: nsmallest(2, said, key=_rank_in(said)) for asks, said in answers.items()}
    right = 0
    for row in asked.values():
        asks, own = row.extra.get("asks"), row.answer()
        others = +Counter({one: answers[asks][one] - (one == own) for one in (*first_two[asks], own)})
        right += bool(others) and _is_right(_most_frequent(others), row)
    return Guessed(right, len(asked))


def _most_frequent(said: Mapping[str, int]) -> str:
    return min(said, key=_rank_in(said))


def _rank_in(said: Mapping[str, int]) -> Callable[[str], tuple[int, str]]:
    """Of several that are as frequent the first by the alphabet."""
    return lambda one: (-said[one], one)


def _is_right(answer: str, row: MadeRow) -> bool:
    return is_one_of(answer, accepted_of(row.conversation.reference))


def at_most(told: Sequence[Told], placed: Sequence[Placed], limit: int | None, seed: int) -> set[int]:
    """The positions of what is taken so that there are no more rows than ``limit``, all kinds alike."""
    if limit is None:
        return set(range(len(told)))
    taken, rows = set[int](), 0
    for index in _in_turn(told, seed):
        if len(placed[index]) and rows + len(placed[index]) <= limit:
            taken.add(index)
            rows += len(placed[index])
    return taken


def _in_turn(told: Sequence[Told], seed: int) -> Iterator[int]:
    """Positions by lot, one of every kind after the other, and of questions one of each sort."""
    by_lot = sorted(range(len(told)), key=lambda index: drawn(seed, "taken", told[index].fact))
    sorts = _ranked(by_lot, [(one.kind, one.asks) for one in told])
    of_kind = sorted(by_lot, key=lambda index: (sorts[index], told[index].asks))
    kinds = _ranked(of_kind, [(one.kind, "") for one in told])
    return iter(sorted(of_kind, key=lambda index: (kinds[index], told[index].kind)))


def _ranked(order: Sequence[int], buckets: Sequence[tuple[str, str]]) -> dict[int, int]:
    """How many of its bucket come before each, in that order."""
    seen: dict[tuple[str, str], int] = {}
    ranks = {}
    for index in order:
        ranks[index] = seen.get(buckets[index], 0)
        seen[buckets[index]] = ranks[index] + 1
    return ranks
