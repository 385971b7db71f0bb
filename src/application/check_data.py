"""Find every problem of a recipe's data, where a training ends at the first one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..domain.conversation import Conversation
from ..domain.errors import DataError
from ..domain.generation import Completion, Sampling
from ..domain.ports.data import DatasetSource
from ..domain.ports.model import Encoder, ModelProvider
from ..domain.ports.run import Observer
from ..domain.source import SourceRow, SourceSpec
from ..domain.tokens import TokenRow
from .check_mixture import mixture_problems
from .drop_copies import Copies, DropCopies, NearCopy
from .prepare_data import DataRequest
from .prepare_source import PreparedSource, PrepareSource, too_long

SHOWN = 20
"""Wrong rows of one source and code that are kept one by one; the others are counted."""

_PAIRS = 3


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and with how many rows; 1 where it is no matter of rows."""

    error: DataError
    count: int = 1


@dataclass(frozen=True, slots=True)
class CheckedSource:
    """What came of a source: None where no row of it could be read; ``problems`` counts those of its rows."""

    name: str
    prepared: PreparedSource | None
    problems: int


@dataclass(frozen=True, slots=True)
class DataCheck:
    """All that was found; ``notes`` are worth knowing and no problems."""

    sources: Sequence[CheckedSource]
    problems: Sequence[Problem]
    notes: Sequence[str]


class CheckData:
    """Reads every source to its end with the tokenizer alone; what is read is not kept.

    Args:
        datasets: the dataset of every source of the request, by name.
    """

    def __init__(
        self,
        provider: ModelProvider,
        datasets: Mapping[str, DatasetSource],
        prepare: PrepareSource,
        drop_copies: DropCopies,
        observer: Observer,
    ) -> None:
        self._provider = provider
        self._datasets = datasets
        self._observer = observer
        self._prepare = prepare
        self._drop_copies = drop_copies

    def __call__(self, request: DataRequest) -> DataCheck:
        """Looks at the rows of every source, then for copies, then at the mixture.

        Raises:
            ModelError: of the tokenizer, without which no row can be checked.
        """
        self._observer.phase(f"loading the tokenizer of {request.model.name}")
        encoder = self._provider.encoder(request.model)
        found = _Found()
        read = [self._source(spec, encoder, request, found) for spec in request.sources]
        left = self._drop_copies([one for one in read if one], request.copies)
        found.notes += [note for one in left for note in _left_out(one, request.rules.max_tokens)]
        if request.copies.drop is not Copies.NEAR:
            self._look_for_near_copies(left, request, found)
        if found.broken:
            found.notes.append("the mixture was not checked, as not all sources could be read")
        else:
            for problem in mixture_problems(left, request):
                found.add(problem)
        by_name = {one.spec.name: one for one in left}
        sources = [
            CheckedSource(spec.name, by_name.get(spec.name), found.rows[spec.name])
            for spec in request.sources
        ]
        return DataCheck(sources, found.problems, found.notes)

    def _source(
        self, spec: SourceSpec, encoder: Encoder, request: DataRequest, found: _Found
    ) -> PreparedSource | None:
        rows = _RowsUntilBroken(self._datasets[spec.name])
        measured = _Measured(encoder)
        prepared = None
        try:
            prepared = self._prepare(
                rows,
                spec,
                measured,
                request.rules,
                ask=_answer_shortly if spec.replay else None,
                on_problem=lambda problem: found.add_row(spec.name, problem),
            )
        except DataError as problem:
            rows.broken = rows.broken or problem
        found.add_rest(spec.name)
        if rows.broken:
            found.add_broken(spec.name, rows.broken, prepared is not None)
        if spec.replay:
            found.notes.append(f"{spec.name}: its prompts were checked, without the model's answers")
        if prepared and measured.longest > request.rules.max_tokens:
            found.notes.append(_overlong(prepared, measured.longest, request.rules.max_tokens))
        return prepared

    def _look_for_near_copies(
        self, left: Sequence[PreparedSource], request: DataRequest, found: _Found
    ) -> None:
        pairs = self._drop_copies.near(left, request.copies)
        for source, one in enumerate(left):
            of_held = [pair for pair in pairs if pair.source == source and pair.earlier_is_held_out]
            others = [pair for pair in pairs if pair.source == source and not pair.earlier_is_held_out]
            if of_held:
                found.add(_near("D024", one, of_held, "held-out rows"), len(of_held))
            if others and request.copies.drop is Copies.NONE:
                found.notes.append(
                    f"{one.spec.name}: near copies of other rows are trained on too ({len(others)})"
                )
            elif others:
                found.add(_near("D025", one, others, "others that are trained on"), len(others))


@dataclass(slots=True)
class _Found:
    """What has been found so far.

    Attributes:
        rows: wrong rows, by source.
        broken: whether reading a source ended early.
    """

    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)
    broken: bool = False
    _codes: Counter[str] = field(default_factory=Counter)

    def add(self, problem: DataError, count: int = 1) -> None:
        self.problems.append(Problem(problem, count))

    def add_row(self, source: str, problem: DataError) -> None:
        """A wrong row; the first of its kind are kept."""
        self.rows[source] += 1
        self._codes[problem.code] += 1
        if self._codes[problem.code] <= SHOWN:
            self.add(problem)

    def add_rest(self, source: str) -> None:
        """Ends a source: the rows that were not kept, counted."""
        for code, count in self._codes.items():
            if count > SHOWN:
                what, fix = f"more rows of this kind: {count - SHOWN}", "mend those above and check again"
                self.add(DataError(code, what, where=f'source "{source}"', fix=fix), count - SHOWN)
        self._codes.clear()

    def add_broken(self, source: str, problem: DataError, some: bool) -> None:
        self.add(problem)
        self.broken = True
        if some:
            self.notes.append(f"{source}: the rows after the place that cannot be read were not checked")


class _RowsUntilBroken:
    """A source whose rows end where it cannot be read; ``broken`` says why."""

    def __init__(self, source: DatasetSource) -> None:
        self._source = source
        self.broken: DataError | None = None

    @property
    def name(self) -> str:
        return self._source.name

    @property
    def origin(self) -> str:
        return self._source.origin

    @property
    def identity(self) -> str | None:
        return self._source.identity

    def rows(self) -> Iterator[SourceRow]:
        try:
            yield from self._source.rows()
        except DataError as problem:
            self.broken = problem


class _Measured:
    """An encoder that remembers its longest row, in tokens."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.longest = 0

    @property
    def identity(self) -> str:
        return self._encoder.identity

    @property
    def identities(self) -> Mapping[str, str]:
        return self._encoder.identities

    def encode(self, conversations: Sequence[Conversation]) -> list[TokenRow]:
        rows = self._encoder.encode(conversations)
        self.longest = max((self.longest, *map(len, rows)))
        return rows

    def pieces(self, ids: Sequence[int]) -> list[str]:
        return self._encoder.pieces(ids)


def _answer_shortly(prompts: Sequence[Conversation], sampling: Sampling) -> list[Completion]:
    """Stands for the model, so that prompts can be shaped and encoded without it."""
    return [Completion("...", 1, True)] * len(prompts)


def _overlong(one: PreparedSource, longest: int, limit: int) -> str:
    left_out = one.dropped.get(too_long(limit), 0)
    counts = {"cut off": sum(one.examples.truncated), "added by splitting": one.split, "left out": left_out}
    done = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    return f"{one.spec.name}: the longest row has {longest} tokens; over {limit}: {done}"


def _left_out(one: PreparedSource, limit: int) -> Iterator[str]:
    """What has not been said before, as a problem or as overlong."""
    said = ("malformed", too_long(limit))
    rest = [f"{reason} ({count})" for reason, count in one.dropped.items() if reason not in said]
    if rest:
        yield f"{one.spec.name}: left out: {', '.join(rest)}"


def _near(code: str, one: PreparedSource, pairs: Sequence[NearCopy], like: str) -> DataError:
    who = "1 row trained on is" if len(pairs) == 1 else f"{len(pairs)} rows trained on are"
    shown = ", ".join(
        f"{pair.place} like {pair.earlier_place} ({pair.similarity:.2f})" for pair in pairs[:_PAIRS]
    )
    return DataError(
        code,
        f"{who} nearly the same as {like}",
        where=f'source "{one.spec.name}"',
        got=shown + (", ..." if len(pairs) > _PAIRS else ""),
        fix="set data.copies.drop to near",
    )
