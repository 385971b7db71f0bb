"""Keep copies apart: none of a held-out row among the rows trained on, and none across sources."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from ..domain.conversation import Conversation, Role
from ..domain.identities import IdentitySet
from ..domain.ports.data import NearCopies
from ..domain.ports.run import Observer, Stop
from .prepare_source import PreparedSource


class Copies(StrEnum):
    """What is left out of the rows trained on, besides copies of held-out rows, which always are."""

    NONE = "none"
    EXACT = "exact"
    NEAR = "near"


@dataclass(frozen=True, slots=True)
class CopyRules:
    """Which copies are left out.

    Attributes:
        similarity: share of common word groups from which a row counts as a near copy, in (0, 1].
        shown: turns that a prompt puts before every row; they make no two rows alike.
    """

    drop: Copies = Copies.EXACT
    similarity: float = 0.8
    shown: int = 0


@dataclass(frozen=True, slots=True)
class NearCopy:
    """A row trained on that is like an earlier or a held-out one; ``row`` is its position in ``train``."""

    source: int
    row: int
    place: str
    earlier_source: int
    earlier_place: str
    earlier_is_held_out: bool
    similarity: float


class DropCopies:
    """Leaves out what has been seen in an earlier source of the recipe or is held out in any."""

    def __init__(self, near: NearCopies, observer: Observer, stop: Stop) -> None:
        self._near = near
        self._observer = observer
        self._stop = stop

    def __call__(self, prepared: Sequence[PreparedSource], rules: CopyRules) -> list[PreparedSource]:
        """The sources with fewer rows to train on, and the rows left out counted by reason."""
        left = _without_exact_copies(prepared, across=rules.drop is not Copies.NONE)
        if rules.drop is not Copies.NEAR:
            return left
        reasons = [dict[int, str]() for _ in left]
        for copy in self.near(left, rules):
            one, earlier = left[copy.source], left[copy.earlier_source].spec.name
            held_out = "held-out " if copy.earlier_is_held_out else ""
            reasons[copy.source][_identity(one, copy.row)] = f"near copy of a {held_out}row of {earlier}"
        return [
            _narrowed(one, (why.get(_identity(one, row)) for row in range(len(one.train))))
            for one, why in zip(left, reasons, strict=True)
        ]

    def near(self, prepared: Sequence[PreparedSource], rules: CopyRules) -> list[NearCopy]:
        """Rows trained on that are like a held-out row of any source or an earlier one trained on."""
        prepared = [one if one.is_drawn else replace(one, train=()) for one in prepared]
        self._observer.phase("comparing rows", sum(len(one.examples) for one in prepared))
        rows: list[tuple[int, int, bool]] = []  # (source, position in held or train, held out?)

        def texts() -> Iterator[str]:
            for held_out in (True, False):
                for source, one in enumerate(prepared):
                    last = None
                    for row, index in enumerate(one.held if held_out else one.train):
                        self._stop.check()
                        self._observer.advance()
                        if one.examples.identities[index] == last:
                            continue  # another part of the same conversation
                        last = one.examples.identities[index]
                        rows.append((source, row, held_out))
                        yield words_of(one.examples.example(index).conversation, rules.shown)

        def place(source: int, row: int, held_out: bool) -> str:
            one = prepared[source]
            return one.examples.example((one.held if held_out else one.train)[row]).place

        return [
            NearCopy(
                *rows[later][:2], place(*rows[later]),
                rows[earlier][0], place(*rows[earlier]), rows[earlier][2],
                alike,
            )
            for later, earlier, alike in self._near.find(texts(), rules.similarity)
            if not rows[later][2]
        ]  # fmt: skip


def words_of(conversation: Conversation, shown: int = 0) -> str:
    """What makes a conversation itself: all turns but the system's and those shown first, with the calls.

    What was found for two questions may be the same; that makes them no copies.
    """
    turns = [turn for turn in conversation.without_context().messages if turn.role is not Role.SYSTEM]
    return "\n".join(
        text
        for turn in turns[shown:]
        for text in (turn.content, *(f"{call.name} {call.arguments}" for call in turn.tool_calls))
    )


def _without_exact_copies(prepared: Sequence[PreparedSource], *, across: bool) -> list[PreparedSource]:
    held = {one.examples.identities[index]: one.spec.name for one in reversed(prepared) for index in one.held}
    earlier: dict[str, IdentitySet] = {}
    left = []
    last = max((at for at, one in enumerate(prepared) if one.is_drawn), default=0)
    for at, one in enumerate(prepared):
        if earlier or not held.keys().isdisjoint(_identities(one)):
            one = _narrowed(one, _reasons(one, held, earlier))
        left.append(one)
        if across and one.is_drawn and at < last:  # what is only evaluated takes no row from the others
            earlier[one.spec.name] = IdentitySet(_identities(one))
    return left


def _reasons(
    one: PreparedSource, held: Mapping[int, str], earlier: Mapping[str, IdentitySet]
) -> Iterator[str | None]:
    """Why a row trained on is left out, row by row; None where it is not."""
    for identity in _identities(one):
        source = next((name for name, seen in earlier.items() if identity in seen), None)
        if identity in held:
            yield f"copy of a held-out row of {held[identity]}"
        elif source is not None:
            yield f"copy of a row of {source}"
        else:
            yield None


def _identities(one: PreparedSource) -> Iterator[int]:
    return map(one.examples.identities.__getitem__, one.train)


def _identity(one: PreparedSource, row: int) -> int:
    return one.examples.identities[one.train[row]]


def _narrowed(one: PreparedSource, reasons: Iterable[str | None]) -> PreparedSource:
    """The source without the rows that there is a reason to leave out."""
    dropped = Counter(one.dropped)
    kept = array("I")
    for index, reason in zip(one.train, reasons, strict=True):
        if reason is None:
            kept.append(index)
        else:
            dropped[reason] += 1
    return one if len(kept) == len(one.train) else replace(one, train=kept, dropped=dict(dropped))
