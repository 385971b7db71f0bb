"""What of the memory stood before answers, and what of it came back in them.

Whether a model has used a passage cannot be seen; whether its answer has something of it can. That is called
*overlap*: a word that a passage has, and that the answer has from then on, and that neither what was asked
nor the model itself had before. Some overlap is chance, so the same answers are held against the passages
of another prompt as well. All of it is of texts without their secrets: a word alone has no form that gives
it away.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby

from .quoted_passages import PassageReader, Quoted, Words, words, words_in_order
from .recorded_run import Line, RecordedRun, part, parts, text, whole
from .secret_text import Redact, redacted

PASSAGES = 400
"""Whose text is shown, at most: those that stood before most prompts."""

_CHARACTERS = 4_000
"""Of a passage that are shown."""

_WORDS = 20
"""Of an overlap that are shown."""

_ROUND = 50
"""Prompts among which one with other passages is looked for."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What stood before an answer, and its own words.

    Attributes:
        searched: passages that the model asked for itself, with the tool.
        said: words of the answer after it had read something, in their order, without secrets; ``words``
            those of them which were not said before.
        after: likewise of what it said after each of ``searched``.
    """

    passages: tuple[Quoted, ...] = ()
    searched: tuple[Quoted, ...] = ()
    said: tuple[str, ...] = ()
    words: Words = frozenset()
    after: tuple[Words, ...] = ()

    @property
    def read(self) -> tuple[Quoted, ...]:
        return (*self.passages, *self.searched)

    @property
    def overlap(self) -> tuple[str, ...]:
        """Words of the answer that a passage before them has, in their order."""
        told = Words().union(*(said & one.words for one, said in self._answered()))
        return tuple(word for word in self.said if word in told)[:_WORDS] if told else ()

    @property
    def overlapping(self) -> Words:
        """The ids of the passages that it has overlap with."""
        return frozenset(one.id for one, said in self._answered() if not said.isdisjoint(one.words))

    def overlaps(self, passages: Sequence[Quoted]) -> bool:
        """Whether it would overlap with these, had it read them as early as anything."""
        return any(not self.words.isdisjoint(one.words) for one in passages)

    def _answered(self) -> list[tuple[Quoted, Words]]:
        before = [(one, self.words) for one in self.passages]
        return [*before, *zip(self.searched, self.after, strict=True)]


@dataclass(frozen=True, slots=True)
class ReadGroup:
    """All answers to one prompt, and what stood before each."""

    lines: Sequence[Line]
    readings: Sequence[Reading]

    @property
    def first(self) -> Line:
        return self.lines[0]

    @property
    def read(self) -> list[Reading]:
        """Of those answers that something stood before."""
        return [one for one in self.readings if one.read]


@dataclass(frozen=True, slots=True)
class Read:
    """A passage, over all prompts that it stood before.

    Attributes:
        prompts: as many; ``answers`` to them; ``overlapping`` of these have overlap with it.
        lowest, highest: of its scores.
    """

    id: str
    place: str
    prompts: int
    answers: int
    overlapping: int
    lowest: float | None
    highest: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Use:
    """All answers that something of the memory stood before, and whose text was kept.

    Attributes:
        overlapping: answers with overlap.
        searched: answers whose model asked the memory itself.
        compared: answers that could be held against the passages of another prompt; ``with_own`` of them have
            overlap with what they have read, ``by_chance`` with those.
        passages: those before most prompts first; ``left_out`` more are not among them.
    """

    answers: int
    overlapping: int
    searched: int
    compared: int
    with_own: int
    by_chance: int
    passages: tuple[Read, ...]
    left_out: int = 0


def read_groups(run: RecordedRun, redact: Redact = redacted) -> list[ReadGroup]:
    """The answers of a run, prompt by prompt.

    Args:
        redact: takes secrets out of texts, before words are taken from them and before they are cut.
    """
    reader = _Reader(redact)
    groups = [list(same) for _, same in groupby(run.log("completions"), key=_key)]
    return [ReadGroup(its, reader.readings(its)) for its in groups]


def _key(line: Line) -> tuple[int, int, bool, str]:
    return whole(line, "step"), whole(line, "prompt"), line.get("replaced") is True, text(line, "question")


class _Reader:
    def __init__(self, redact: Redact) -> None:
        self._redact = redact
        self._passages = PassageReader(redact)

    def readings(self, lines: Sequence[Line]) -> list[Reading]:
        """In their order; the first line holds the text that all of them have read."""
        before = self._passages(text(lines[0], "memory_text"))
        asked = words("\n".join(_prompt(lines[0]))) if before else None
        made: list[Reading] = []
        for line in lines:
            found = list(self._found(parts(line, "said")))
            if found and asked is None:
                asked = words("\n".join(_prompt(lines[0])))
            made.append(self._reading(line, before, found, asked or Words()))
        return made

    def _found(self, turns: Sequence[Line]) -> Iterator[tuple[int, Quoted]]:
        """What searches found, once each, with the turn that told it."""
        known: set[str] = set()
        for at, turn in enumerate(turns):
            for one in self._passages(text(turn, "content")) if text(turn, "role") == "tool" else ():
                if one.id not in known:
                    known.add(one.id)
                    yield at, one

    def _reading(
        self, line: Line, before: tuple[Quoted, ...], found: Sequence[tuple[int, Quoted]], asked: Words
    ) -> Reading:
        if not before and not found:
            return Reading()
        turns = parts(line, "said")
        if not turns:
            answer = self._words(text(line, "completion"))
            return Reading(before, (), answer, frozenset(answer) - asked)
        said = [
            self._words(text(one, "content")) if text(one, "role") == "assistant" else () for one in turns
        ]
        called = [words("\n".join(_strings(one.get("tool_calls")))) for one in turns]

        def new(at: int) -> Words:
            """Said from this turn on, and not before."""
            return Words().union(*said[at:]) - asked.union(*said[:at], *called[:at])

        first = 0 if before else found[0][0]
        after = {at: new(at) for at in dict.fromkeys(at for at, _ in found)}
        return Reading(
            before, tuple(one for _, one in found), tuple(dict.fromkeys(chain.from_iterable(said[first:]))),
            new(first), tuple(after[at] for at, _ in found),
        )  # fmt: skip

    def _words(self, said: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(words_in_order(self._redact(said))))


def _prompt(line: Line) -> Iterator[str]:
    yield text(line, "question")
    yield from (text(turn, "content") for turn in parts(part(line, "asked"), "messages"))


def _strings(value: object) -> Iterator[str]:
    """All texts in a call, its arguments among them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (its for one in value.values() for its in _strings(one))
    elif isinstance(value, list | tuple):
        yield from (its for one in value for its in _strings(one))


@dataclass(slots=True)
class _Count:
    one: Quoted
    prompts: set[str] = field(default_factory=set)
    answers: int = 0
    overlapping: int = 0
    scores: list[float] = field(default_factory=list)

    def read(self) -> Read:
        scores = self.scores
        return Read(
            self.one.id, self.one.place, len(self.prompts), self.answers, self.overlapping,
            min(scores, default=None), max(scores, default=None), self.one.text[:_CHARACTERS],
        )  # fmt: skip


def use(every: Iterable[ReadGroup]) -> Use | None:
    """None where the text of no passage was kept."""
    groups = [(text(one.first, "question"), one.read) for one in every if one.read]
    if not groups:
        return None
    its = [[one.overlapping for one in read] for _, read in groups]
    others = _others([read for _, read in groups])
    answers = [
        (question, one, overlapping, other)
        for (question, read), found, other in zip(groups, its, others, strict=True)
        for one, overlapping in zip(read, found, strict=True)
    ]
    against = [(one, overlapping, other) for _, one, overlapping, other in answers if other]
    passages = _passages([(question, one, overlapping) for question, one, overlapping, _ in answers])
    return Use(
        answers=len(answers),
        overlapping=sum(bool(overlapping) for _, _, overlapping, _ in answers),
        searched=sum(bool(one.searched) for _, one, _, _ in answers),
        compared=len(against),
        with_own=sum(bool(overlapping) for _, overlapping, _ in against),
        by_chance=sum(one.overlaps(other) for one, _, other in against),
        passages=passages[:PASSAGES],
        left_out=max(0, len(passages) - PASSAGES),
    )


def _others(groups: Sequence[Sequence[Reading]]) -> list[tuple[Quoted, ...]]:
    """Of each prompt the passages of the next one that has none of its own; none where there is no such."""
    own = [{passage.id for one in its for passage in one.read} for its in groups]
    found: list[tuple[Quoted, ...]] = []
    for at, ids in enumerate(own):
        near = ((at + further) % len(groups) for further in range(1, min(_ROUND, len(groups))))
        reads = (groups[other][0].read for other in near)
        found.append(next((read for read in reads if ids.isdisjoint(one.id for one in read)), ()))
    return found


def _passages(answers: Sequence[tuple[str, Reading, Words]]) -> tuple[Read, ...]:
    """Of questions, readings, and the ids of the passages that these overlap with."""
    found: dict[str, _Count] = {}
    for question, one, overlapping in answers:
        for passage in {each.id: each for each in one.read}.values():
            count = found.setdefault(passage.id, _Count(passage))
            count.prompts.add(question)
            count.answers += 1
            count.overlapping += passage.id in overlapping
            count.scores += [] if passage.score is None else [passage.score]
    made = [one.read() for one in found.values()]
    return tuple(sorted(made, key=lambda one: (-one.prompts, -one.answers, one.place)))
