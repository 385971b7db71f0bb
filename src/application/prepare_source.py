"""Turn a source's rows into token rows to train on and rows to hold out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ..domain.conversation import Conversation
from ..domain.errors import DataError
from ..domain.mixture import permutation
from ..domain.ports.data import DatasetSource
from ..domain.ports.run import Observer, Stop
from ..domain.row_shapes import to_conversation
from ..domain.source import SourceRow, SourceSpec
from ..domain.tokens import TokenRow, truncate

Encode = Callable[[Conversation], TokenRow]


@dataclass(frozen=True, slots=True)
class Example:
    """A conversation and its tokens."""

    conversation: Conversation
    tokens: TokenRow


@dataclass(frozen=True, slots=True)
class PreparedSource:
    """What a source gives to a run; ``dropped`` counts the rows that are not used, by reason."""

    spec: SourceSpec
    origin: str
    read: int
    train: tuple[Example, ...]
    held_out: tuple[Example, ...]
    dropped: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RowRules:
    """What every source's rows must keep to.

    Attributes:
        overlong: ``truncate`` or ``drop`` rows above ``max_tokens``.
    """

    seed: int = 0
    system_prompt: str = ""
    max_tokens: int = 1024
    overlong: str = "truncate"


class PrepareSource:
    """Reads, shapes, filters, tokenises and splits one source."""

    def __init__(self, observer: Observer, stop: Stop) -> None:
        self._observer = observer
        self._stop = stop

    def __call__(
        self, source: DatasetSource, spec: SourceSpec, encode: Encode, rules: RowRules
    ) -> PreparedSource:
        """The same rows and seed give the same split, whatever the machine.

        Raises:
            DataError: those of the source and of its rows' shapes; D014 when no row is left, D015 when a
                row has nothing that is trained.
        """
        rows = list(self._conversations(source, spec))
        dropped: Counter[str] = Counter()
        order = permutation(len(rows), f"{rules.seed}/{spec.name}/split")
        examples: list[Example] = []
        seen: set[str] = set()
        for index in order:
            self._stop.check()
            self._observer.advance()
            row, conversation = rows[index]
            reason = _reason_to_drop(conversation, spec, seen)
            if reason is None and len(examples) == spec.max_samples:
                reason = "over max_samples"
            if reason is None:
                example = _example(row, conversation.with_system(rules.system_prompt), encode, rules)
                if example:
                    examples.append(example)
                    continue
                reason = f"over {rules.max_tokens} tokens"
            dropped[reason] += 1
        _check_some(examples, spec, dropped)
        held = min(spec.holdout, len(examples))
        return PreparedSource(
            spec,
            source.origin,
            len(rows),
            tuple(examples[held:]),
            tuple(examples[:held]),
            dict(dropped),
        )

    def _conversations(
        self, source: DatasetSource, spec: SourceSpec
    ) -> Iterator[tuple[SourceRow, Conversation]]:
        for row in source.rows():
            self._stop.check()
            yield row, to_conversation(row, spec.shape, spec.columns)


def _reason_to_drop(conversation: Conversation, spec: SourceSpec, seen: set[str]) -> str | None:
    characters = sum(len(turn.content) for turn in conversation.messages)
    if spec.min_characters is not None and characters < spec.min_characters:
        return f"under {spec.min_characters} characters"
    if spec.max_characters is not None and characters > spec.max_characters:
        return f"over {spec.max_characters} characters"
    identity = repr((conversation.messages, conversation.tools))
    if identity in seen:
        # A copy among the held-out rows would be trained on and evaluated on.
        return "exact copy"
    seen.add(identity)
    return None


def _example(row: SourceRow, conversation: Conversation, encode: Encode, rules: RowRules) -> Example | None:
    tokens = encode(conversation)
    if not tokens.trained_tokens:
        raise DataError(
            "D015",
            "a row has no token that is trained",
            where=row.place,
            fix="give it an answer of the assistant, or mark a turn with trained: true",
        )
    if len(tokens) > rules.max_tokens and rules.overlong == "drop":
        return None
    cut = truncate(tokens, rules.max_tokens)
    return Example(conversation, cut) if cut.trained_tokens else None


def _check_some(examples: list[Example], spec: SourceSpec, dropped: Counter[str]) -> None:
    if not examples:
        raise DataError(
            "D014",
            "no row of a source can be used",
            where=f'source "{spec.name}"',
            got=", ".join(f"{count} {reason}" for reason, count in dropped.items()),
            fix="raise data.max_tokens or widen the source's filters",
        )
