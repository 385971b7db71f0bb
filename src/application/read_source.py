"""Read a source's rows as conversations; what is not wanted is left out, and counted by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from ..domain.conversation import Conversation
from ..domain.conversation_json import identity
from ..domain.errors import DataError
from ..domain.identities import IdentitySet
from ..domain.ports.data import DatasetSource, Spool
from ..domain.ports.run import Observer, Stop
from ..domain.row_reference import reference_of
from ..domain.row_shapes import to_conversation
from ..domain.row_slice import RowSlice
from ..domain.source import SourceRow, SourceSpec, unwanted

OnProblem = Callable[[DataError], None]
"""What is done with a row that is wrong: raise, or note it and go on."""


@dataclass(slots=True)
class ReadRows:
    """The conversations of a source, in its order; ``dropped`` counts the rows left out, by reason."""

    spool: Spool
    read: int = 0
    dropped: Counter[str] = field(default_factory=Counter)


class ReadSource:
    """Reads, shapes and filters."""

    def __init__(self, observer: Observer, stop: Stop) -> None:
        self._observer = observer
        self._stop = stop

    def __call__(
        self,
        source: DatasetSource,
        spec: SourceSpec,
        into: Spool,
        *,
        keep_copies: bool,
        on_problem: OnProblem,
    ) -> ReadRows:
        """Every row that may be used; memory stays flat, whatever their number.

        Raises:
            DataError: those of the source; D002 when it gives no row. What a row's shape has to say goes to
                ``on_problem``.
        """
        result = ReadRows(into)
        seen = IdentitySet()
        for row in sliced(lambda: self._heard(source.rows()), spec.slice):
            self._observer.advance()
            result.read += 1
            reason = unwanted(row.values, spec.where)
            conversation = None if reason else self._conversation(row, spec, on_problem)
            if conversation is None:
                result.dropped[reason or "malformed"] += 1
                continue
            reason = _length_reason(conversation, spec)
            if reason is None and not seen.add(identity(conversation)) and not keep_copies:
                reason = "exact copy"
            if reason:
                result.dropped[reason] += 1
            else:
                into.append(row.place, conversation)
        if not result.read:
            raise DataError(
                "D002",
                "a source is empty",
                where=f'source "{spec.name}" ({source.origin})',
                fix="give it rows" if spec.slice is None else "give it rows or widen its slice",
            )
        return result

    def _heard(self, rows: Iterator[SourceRow]) -> Iterator[SourceRow]:
        """The rows; a stop is heard before each of them, those before a slice included."""
        for row in rows:
            self._stop.check()
            yield row

    def _conversation(self, row: SourceRow, spec: SourceSpec, on_problem: OnProblem) -> Conversation | None:
        try:
            facts = reference_of(row, spec.reference, spec.task)
            return to_conversation(row, spec.shape, spec.columns, facts)
        except DataError as problem:
            on_problem(problem)
            return None


def sliced(rows: Callable[[], Iterator[SourceRow]], part: RowSlice | None) -> Iterator[SourceRow]:
    """The rows of a slice; they are read twice where the slice depends on how many there are."""
    if part is None:
        return rows()
    if part.needs_count:
        chosen = part.range(sum(1 for _ in rows()))
        return islice(rows(), chosen.start, chosen.stop)
    return islice(rows(), *part.bounds)


def _length_reason(conversation: Conversation, spec: SourceSpec) -> str | None:
    characters = sum(len(turn.content) for turn in conversation.messages)
    if spec.min_characters is not None and characters < spec.min_characters:
        return f"under {spec.min_characters} characters"
    if spec.max_characters is not None and characters > spec.max_characters:
        return f"over {spec.max_characters} characters"
    return None
