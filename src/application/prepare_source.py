"""Turn a source's rows into examples on the disk: some to train on, some to hold out."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ..domain.conversation import Conversation, Message, Role
from ..domain.conversation_json import identity
from ..domain.errors import DataError
from ..domain.example import Example
from ..domain.generation import Completion, Sampling
from ..domain.identities import IdentitySet
from ..domain.permutation import permutation
from ..domain.ports.data import DatasetSource, Examples, ExampleStore, ExampleWriter
from ..domain.ports.model import Encoder
from ..domain.ports.run import Observer, Stop
from ..domain.prompt_program import PromptProgram
from ..domain.source import SourceSpec
from ..domain.tokens import TokenRow, split, truncate
from .ground_rows import GroundRows
from .instruct_rows import InstructRows
from .read_source import OnProblem, ReadRows, ReadSource

PREPARATION = 5
"""Part of every key: raised whenever the same source begins to give other examples, or tells more of them."""

Row = tuple[str, Conversation]
"""A conversation and its place."""

_TOKENISED_TOGETHER = 256
_ANSWERED_TOGETHER = 8
_GROUNDED_TOGETHER = 16
NO_ROOM = "no room"

Ask = Callable[[Sequence[Conversation], Sampling], Sequence[Completion]]
"""Asks the untouched base model."""


@dataclass(frozen=True, slots=True)
class RowRules:
    """What every source's rows must keep to.

    Attributes:
        overlong: ``truncate``, ``drop`` or ``split`` rows above ``max_tokens``.
        keep_copies: train on exact copies within a source too.
        asks: rows are prompts; they need no answer.
        prompt: what is put around every row, in place of the system prompt.
    """

    seed: int = 0
    system_prompt: str = ""
    max_tokens: int = 1024
    overlong: str = "truncate"
    keep_copies: bool = False
    asks: bool = False
    prompt: PromptProgram | None = None

    def around(self, row: Conversation) -> Conversation:
        """The row as the model meets it; plain text stays plain."""
        if self.prompt is None:
            return row.with_system(self.system_prompt)
        return row if row.is_plain_text else self.prompt.around(row)

    @property
    def shown(self) -> int:
        """Turns between the system's and the row's own."""
        return 2 * len(self.prompt.demos) if self.prompt else 0


@dataclass(frozen=True, slots=True)
class PreparedSource:
    """What a source gives to a run.

    Attributes:
        train, held: positions in ``examples``.
        dropped: rows that are not used, by reason; ``split`` counts the examples that rows gave beyond one.
        grounded: rows with passages of the memory (``given``), and without, by reason; empty where it was not
            asked.
        instructed: rows by the procedure that matched them, its version and how it was given; likewise.
    """

    spec: SourceSpec
    origin: str
    examples: Examples
    read: int
    train: Sequence[int]
    held: Sequence[int]
    dropped: Mapping[str, int] = field(default_factory=dict)
    split: int = 0
    grounded: Mapping[str, int] = field(default_factory=dict)
    instructed: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_drawn(self) -> bool:
        """Whether its rows are trained on; without a weight a source is only evaluated on."""
        return bool(self.spec.weight)

    def held_out(self, limit: int | None = None) -> list[Example]:
        """The rows to evaluate on."""
        return [self.examples.example(index) for index in self.held[:limit]]


class PrepareSource:
    """Reads, tokenises and splits one source, or finds it as it was left.

    Args:
        instruct: puts procedures into prompts, ``ground`` what the memory knows; None: nothing is.
    """

    def __init__(
        self,
        store: ExampleStore,
        observer: Observer,
        stop: Stop,
        instruct: InstructRows | None = None,
        ground: GroundRows | None = None,
    ) -> None:
        self._store = store
        self._instruct = instruct
        self._ground = ground
        self._observer = observer
        self._stop = stop
        self._read = ReadSource(observer, stop)

    def __call__(
        self,
        source: DatasetSource,
        spec: SourceSpec,
        encoder: Encoder,
        rules: RowRules,
        *,
        ask: Ask | None = None,
        answered_by: str | None = "",
        on_problem: OnProblem | None = None,
    ) -> PreparedSource:
        """The same rows and seed give the same examples, whatever the machine.

        Args:
            ask: who answers the prompts of a replayed source; ``answered_by`` is its identity, None where
                it cannot be told, so that what it says is not kept.
            on_problem: is told of every wrong row, which is then left out; without it the first one raises.

        Raises:
            DataError: those of the source and of its rows' shapes; D014 when no row is left, D015 when a
                row has nothing that is trained.
        """
        given = {
            name: rows.identity
            for name, rows in (("procedures", self._instruct), ("memory", self._ground))
            if rows is not None
        }
        key = None if on_problem else _key(source, spec, encoder, rules, answered_by, given)
        examples = self._store.find(key) if key else None
        if examples is None:
            examples = self._built(key, source, spec, encoder, rules, ask, on_problem or _raise)
        held = examples.facts["held_out"]
        return PreparedSource(
            spec,
            source.origin,
            examples,
            examples.facts["read"],
            range(held, len(examples)),
            range(held),
            examples.facts["dropped"],
            examples.facts["split"],
            examples.facts["grounded"],
            examples.facts["instructed"],
        )

    def _built(
        self,
        key: str | None,
        source: DatasetSource,
        spec: SourceSpec,
        encoder: Encoder,
        rules: RowRules,
        ask: Ask | None,
        on_problem: OnProblem,
    ) -> Examples:
        self._observer.phase(f"reading {spec.name}")
        with closing(self._store.spool()) as spool:
            rows = self._read(source, spec, spool, keep_copies=rules.keep_copies, on_problem=on_problem)
            writer = self._store.create(key)
            try:
                making = _Making(
                    spec, encoder, rules, ask, on_problem, writer, rows.dropped, self._instruct, self._ground
                )
                self._make(making, rows)
                return writer.commit(making.facts(rows.read))
            except BaseException:
                writer.discard()
                raise

    def _make(self, making: _Making, rows: ReadRows) -> None:
        """Takes rows in a seeded order until there are ``max_samples``, or no more."""
        spec, spool = making.spec, rows.spool
        order = permutation(len(spool), f"{making.rules.seed}/{spec.name}/split")
        wanted = len(order) if spec.max_samples is None else min(spec.max_samples, len(order))
        verb = "answering" if making.ask else "searching for" if self._ground else "tokenising"
        self._observer.phase(f"{verb} {spec.name}", wanted)
        together = _GROUNDED_TOGETHER if self._ground else _TOKENISED_TOGETHER
        together = _ANSWERED_TOGETHER if making.ask else together
        position = 0
        while position < len(order) and making.kept < wanted:
            self._stop.check()
            size = min(together, wanted - making.kept)
            before = making.kept
            making.add([spool[index] for index in order[position : position + size]])
            position += size
            self._observer.advance(making.kept - before)
        if position < len(order):
            making.dropped["over max_samples"] += len(order) - position
        if not making.kept:
            making.on_problem(_nothing_left(making))


@dataclass(slots=True)
class _Making:
    """Examples of one source while they are made: the first of them are held out."""

    spec: SourceSpec
    encoder: Encoder
    rules: RowRules
    ask: Ask | None
    on_problem: OnProblem
    writer: ExampleWriter
    dropped: Counter[str]
    instruct: InstructRows | None = None
    ground: GroundRows | None = None
    kept: int = 0
    held_out: int = 0
    split: int = 0
    seen: IdentitySet = field(default_factory=IdentitySet)
    grounded: Counter[str] = field(default_factory=Counter)
    instructed: Counter[str] = field(default_factory=Counter)

    def add(self, rows: Sequence[Row]) -> None:
        """Encodes rows and writes what they give."""
        rows = [(place, self._shown(turns)) for place, turns in rows]
        rows = self._different(self._answered(rows) if self.ask else rows)
        for (place, conversation), tokens in zip(rows, self._encoded(rows), strict=True):
            if tokens is None:
                self.dropped["malformed"] += 1
                continue
            conversation, tokens = self._with_room(place, conversation, tokens)
            parts = self._fitted(tokens)
            if not parts:
                self.dropped[too_long(self.rules.max_tokens)] += 1
                continue
            for part in parts:
                self.writer.append(Example(place, conversation, part))
            self.kept += 1
            self._count(conversation, len(tokens))
            self.held_out += self.held_out < self.spec.holdout
            self.split += len(parts) - 1

    def _shown(self, turns: Conversation) -> Conversation:
        """In the order in which a model reads it: system prompt, procedure, context, question."""
        shown = self.rules.around(turns)
        shown = self.instruct(turns, shown) if self.instruct else shown
        return self.ground(turns, shown) if self.ground else shown

    def _with_room(
        self, place: str, conversation: Conversation, tokens: TokenRow
    ) -> tuple[Conversation, TokenRow]:
        """The row, without its context where that leaves too little room: no row is cut or lost for it.

        An answer that the model gave to a context keeps it, and is cut or dropped as any row: without the
        context it would be the answer to another question. ``facts`` counts those rows.
        """
        given = conversation.context
        if self.ask or given is None or not given.text or len(tokens) <= self.rules.max_tokens:
            return conversation, tokens
        bare = without_room(conversation)
        [short] = self._encoded([(place, bare)])
        return (bare, short) if short is not None else (conversation, tokens)

    def _count(self, conversation: Conversation, tokens: int) -> None:
        if self.ground is not None:
            given = conversation.context
            over = f", {too_long(self.rules.max_tokens)}" if tokens > self.rules.max_tokens else ""
            self.grounded["nothing found" if given is None else given.left_out or f"given{over}"] += 1
        if self.instruct is not None:
            its = conversation.procedure
            self.instructed[f"{its.name} {its.sha[:8]}, {its.mode}" if its else "none matched"] += 1

    def facts(self, read: int) -> dict[str, Any]:
        """What is remembered with the examples."""
        return {
            "read": read,
            "dropped": dict(self.dropped),
            "held_out": self.held_out,
            "split": self.split,
            "grounded": dict(self.grounded),
            "instructed": dict(self.instructed),
        }

    def _encoded(self, rows: Sequence[Row]) -> list[TokenRow | None]:
        """The tokens of every row; None for one that is wrong."""
        try:
            encoded = self.encoder.encode([conversation for _, conversation in rows])
        except DataError as problem:
            if len(rows) > 1:  # one of them is wrong: which?
                return [tokens for row in rows for tokens in self._encoded([row])]
            problem.where = rows[0][0]
            self.on_problem(problem)
            return [None]
        return [self._checked(place, tokens) for (place, _), tokens in zip(rows, encoded, strict=True)]

    def _checked(self, place: str, tokens: TokenRow) -> TokenRow | None:
        if tokens.trained_tokens or self.rules.asks:
            return tokens
        self.on_problem(
            DataError(
                "D015",
                "a row has no token that is trained",
                where=place,
                fix="give it an answer of the assistant, or mark a turn with trained: true",
            )
        )
        return None

    def _different(self, rows: Sequence[Row]) -> list[Row]:
        """Rows that became alike by the system prompt or by the model's answer are used once."""
        if self.rules.keep_copies:
            return list(rows)
        left = [row for row in rows if self.seen.add(identity(row[1]))]
        if len(left) < len(rows):
            self.dropped["exact copy"] += len(rows) - len(left)
        return left

    def _fitted(self, tokens: TokenRow) -> list[TokenRow]:
        """The row as one example or several, none of them too long; empty where it is dropped."""
        limit = self.rules.max_tokens
        if len(tokens) <= limit:
            return [tokens]
        if self.rules.overlong == "drop":
            return []
        # A held-out row stays one example: its other parts would be trained on.
        if self.rules.overlong == "split" and self.held_out >= self.spec.holdout:
            return split(tokens, limit)
        if self.rules.asks:
            return []  # half a question is another one
        cut = truncate(tokens, limit)
        return [cut] if cut.trained_tokens else []

    def _answered(self, rows: Sequence[Row]) -> list[Row]:
        """Every prompt with the base model's own answer to it."""
        assert self.ask is not None
        assert self.spec.replay is not None
        replay = self.spec.replay
        rows = [(place, question(turns)) for place, turns in rows]
        rows = [row for row in rows if self._asks(row)]
        prompts = [conversation for _, conversation in rows]
        sampling = Sampling(replay.max_new_tokens, replay.temperature, seed=self.rules.seed)
        answered: list[Row] = []
        for (place, _), prompt, completion in zip(rows, prompts, self.ask(prompts, sampling), strict=True):
            if completion.finished and completion.text.strip():
                turn = Message(Role.ASSISTANT, completion.text.strip())
                answered.append((place, replace(prompt, messages=(*prompt.messages, turn))))
            else:
                # An answer that was cut off would teach to stop in the middle.
                self.dropped["answer not finished" if completion.text.strip() else "empty answer"] += 1
        return answered

    def _asks(self, row: Row) -> bool:
        if row[1].messages:
            return True
        self.dropped["malformed"] += 1
        self.on_problem(
            DataError(
                "D018",
                "a row has nothing that the model could be asked",
                where=row[0],
                expected="a turn of the user before the answer",
                fix="give the row a prompt, or leave it out",
            )
        )
        return False


def without_room(conversation: Conversation) -> Conversation:
    """A conversation with a context, without it; what was found and why it is left out stays known."""
    given = conversation.context
    left = given and replace(given, text="", left_out=NO_ROOM)
    return replace(conversation.without_context(), context=left)


def too_long(limit: int) -> str:
    """Why rows above so many tokens are left out."""
    return f"over {limit} tokens"


def question(conversation: Conversation) -> Conversation:
    """All up to the last turn of the user; no turn where there is none."""
    asked = [at for at, turn in enumerate(conversation.messages) if turn.role is Role.USER]
    return replace(conversation, messages=conversation.messages[: asked[-1] + 1] if asked else ())


def _key(
    source: DatasetSource,
    spec: SourceSpec,
    encoder: Encoder,
    rules: RowRules,
    answered_by: str | None,
    given: Mapping[str, str],
) -> str | None:
    """What the examples depend on, and nothing else; None when that cannot be told."""
    rows = source.identity
    if rows is None or answered_by is None:
        return None
    parts = {
        "version": PREPARATION,
        "source": rows,
        "spec": asdict(replace(spec, weight=1.0)),
        "rules": asdict(rules),
        "encoder": encoder.identity,
        "answered_by": answered_by,
        **given,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _nothing_left(making: _Making) -> DataError:
    return DataError(
        "D014",
        "no row of a source can be used",
        where=f'source "{making.spec.name}"',
        got=", ".join(f"{count} {reason}" for reason, count in making.dropped.items()),
        fix="raise data.max_tokens or widen the source's filters",
    )


def _raise(problem: DataError) -> None:
    raise problem
