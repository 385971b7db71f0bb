"""Show rows as the model sees them: token by token, with what is trained."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from ..domain.conversation import Conversation, Message, Role
from ..domain.errors import DataError
from ..domain.example import Example
from ..domain.generation import Completion, Sampling
from ..domain.mixture import Mixture, MixtureSource
from ..domain.ports.data import DatasetSource
from ..domain.ports.model import Encoder, ModelProvider
from ..domain.ports.run import Observer
from ..domain.source import SourceSpec
from .drop_copies import DropCopies
from .prepare_data import DataRequest
from .prepare_source import PreparedSource, PrepareSource

_NEEDS_MODEL = "D023"
_LIKE_A_NAME = re.compile(r"[<\[].+[>\]]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Piece:
    """The shortest text that tokens make: of one token, or of the several of one character.

    Attributes:
        special: whether it is the name of a special token, which no text becomes.
    """

    ids: tuple[int, ...]
    text: str
    trained: bool
    special: bool = False


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """One row.

    Attributes:
        tokens: how many; ``trained_tokens`` of them count in the loss.
        truncated: whether it was cut off to fit.
        given: what was found for it, a line each: a procedure, passages of the memory.
    """

    place: str
    tokens: int
    trained_tokens: int
    truncated: bool
    pieces: tuple[Piece, ...]
    given: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SourcePreview:
    """Some rows of a source, and how many of them there are.

    Attributes:
        kept: rows trained on, of ``tokens`` tokens altogether.
        share: of the rows drawn, in [0, 1]; None while not every source is known.
        rows: those trained on as they are drawn first, or those held out.
        grounded: rows with passages of the memory, and without, by reason.
    """

    name: str
    origin: str
    read: int
    kept: int
    held_out: int
    dropped: Mapping[str, int]
    split: int
    tokens: int
    share: float | None
    rows: tuple[PreviewRow, ...]
    grounded: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PreviewRequest:
    """What is to be shown.

    Attributes:
        only: names of sources; None shows all of them.
        rows: of every source.
        held_out: the rows evaluated on instead of those trained on.
    """

    data: DataRequest
    only: Collection[str] | None = None
    rows: int = 3
    held_out: bool = False


class PreviewData:
    """Reads with the tokenizer alone.

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

    def __call__(self, request: PreviewRequest) -> list[SourcePreview]:
        """The sources asked for; those that only the model could answer are left out, with a note.

        Copies of other sources' rows are left out as far as these sources are among those asked for.

        Raises:
            DataError, ModelError: those of the sources, the mixture and the tokenizer; D023 when every source
                that is asked for waits for the model.
        """
        data = request.data
        self._observer.phase(f"loading the tokenizer of {data.model.name}")
        encoder = self._provider.encoder(data.model)
        prepared = self._drop_copies(self._prepared(request, encoder), data.copies)
        shares: Sequence[float | None] = [None] * len(prepared)
        if len(prepared) == len(data.sources):
            sources = [MixtureSource(one.spec.name, one.spec.weight, len(one.train)) for one in prepared]
            shares = Mixture(data.mixture, tuple(sources)).planned()
        reader = _TokenReader(encoder)
        return [
            _preview(one, share, [reader.row(one.examples.example(index)) for index in _chosen(one, request)])
            for one, share in zip(prepared, shares, strict=True)
        ]

    def _prepared(self, request: PreviewRequest, encoder: Encoder) -> list[PreparedSource]:
        prepared, waiting = [], []
        for spec in request.data.sources:
            if request.only is None or spec.name in request.only:
                try:
                    prepared.append(self._source(spec, encoder, request.data))
                except DataError as problem:
                    if problem.code != _NEEDS_MODEL:
                        raise
                    waiting.append(problem)
        if waiting and not prepared:
            raise waiting[0]
        for reason in waiting:
            self._observer.note(f"{reason.where} is left out: {reason.what} · {reason.fix}")
        return prepared

    def _source(self, spec: SourceSpec, encoder: Encoder, data: DataRequest) -> PreparedSource:
        def refuse(prompts: Sequence[Conversation], sampling: Sampling) -> Sequence[Completion]:
            raise DataError(
                _NEEDS_MODEL,
                "its rows are answers of the model, which a preview does not load",
                where=f'source "{spec.name}"',
                fix="`cesello data manifest` lets the model answer and keeps the rows",
            )

        return self._prepare(
            self._datasets[spec.name],
            spec,
            encoder,
            data.rules,
            ask=refuse if spec.replay else None,
            answered_by=self._provider.identity(data.model) if spec.replay else "",
        )


def _preview(one: PreparedSource, share: float | None, rows: Sequence[PreviewRow]) -> SourcePreview:
    return SourcePreview(
        name=one.spec.name,
        origin=one.origin,
        read=one.read,
        kept=len(one.train),
        held_out=len(one.held),
        dropped=one.dropped,
        split=one.split,
        tokens=sum(one.examples.lengths[index] for index in one.train),
        share=share,
        rows=tuple(rows),
        grounded=one.grounded,
    )


def _chosen(one: PreparedSource, request: PreviewRequest) -> Sequence[int]:
    """Positions in the source's examples, in the order in which they are to be shown."""
    if request.held_out:
        return one.held[: request.rows]
    spec = request.data.mixture
    if not one.train or not one.is_drawn:
        return ()
    # The order within a source does not depend on the other sources.
    alone = Mixture(replace(spec, temperature=None), (MixtureSource(one.spec.name, 1.0, len(one.train)),))
    return [one.train[row] for _, row, _ in islice(alone.order(), min(request.rows, len(one.train)))]


def _given(row: Conversation) -> Iterator[str]:
    """What was found for a row, in the order in which the model reads it."""
    if (procedure := row.procedure) is not None:
        yield f"procedure {procedure.name} {procedure.sha[:8]}, {procedure.mode}"
    if (context := row.context) is not None:
        left_out = f", left out: {context.left_out}" if context.left_out else ""
        for number, one in enumerate(context.passages, start=1):
            first, last = one.lines
            yield f"memory [{number}] ({one.score:.2f}) {one.path}:{first}-{last}{left_out}"


class _TokenReader:
    """Reads tokens as text."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._special: dict[int, bool] = {}

    def row(self, example: Example) -> PreviewRow:
        tokens = example.tokens
        pieces = tuple(self._pieces(tokens.ids.tolist(), tokens.trained))
        given = tuple(_given(example.conversation))
        return PreviewRow(example.place, len(tokens), tokens.trained_tokens, tokens.truncated, pieces, given)

    def _pieces(self, ids: Sequence[int], trained: bytes) -> Iterator[Piece]:
        together: list[int] = []
        for token, text, label in zip(ids, self._encoder.pieces(ids), trained, strict=True):
            together.append(token)
            if text:
                special = len(together) == 1 and self._is_special(token, text)
                yield Piece(tuple(together), text, bool(label), special)
                together = []
        if together:
            yield Piece(tuple(together), "", bool(trained[-1]))

    def _is_special(self, token: int, text: str) -> bool:
        if token not in self._special:
            self._special[token] = bool(_LIKE_A_NAME.fullmatch(text)) and not self._becomes(text, token)
        return self._special[token]

    def _becomes(self, text: str, token: int) -> bool:
        """Whether text gives this token, which is never so of a special one."""
        try:
            [row] = self._encoder.encode([Conversation((Message(Role.ASSISTANT, text),))])
        except DataError:
            return False
        return token in row.ids[:-1]  # the last one ends the text
