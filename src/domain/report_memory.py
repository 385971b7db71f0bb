"""What of the memory stood before answers, and what of it came back in them.

Whether a model has used a passage cannot be seen; whether its answer has something of it can. That is called
*overlap*: a word of the answer's that the passages have and what was asked has not. Some overlap is chance,
so the same answers are held against the passages of another prompt as well.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import accumulate, groupby

from .recorded_run import Line, RecordedRun, figure, parts, text, whole

PASSAGES = 400
"""Whose text is shown, at most: those that stood before most prompts."""

_CHARACTERS = 4_000
"""Of a passage that are shown."""

_WORDS = 20
"""Of an overlap that are shown."""

_ROUND = 50
"""Prompts among which one with other passages is looked for."""

_FENCE = re.compile(r"<context ([0-9a-f]{8,64})>\n")
_HEADING = re.compile(r"^\[(\d{1,3})\] \(([^()\n]{1,40})\) (.+)$", re.MULTILINE)
"""As ``write_context`` writes them; no passage holds what could be taken for one of them."""

_WORD = re.compile(r"\w+")
_LETTERS, _DIGITS = 4, 2
"""That a word, and a number, has at least: shorter ones are everywhere."""

Words = frozenset[str]


@dataclass(frozen=True, slots=True)
class Quoted:
    """A passage as it was read.

    Attributes:
        id: of its text.
        place: path and lines.
        text: with what stood beside it; ``words`` of it.
    """

    id: str
    place: str
    score: float | None
    text: str
    words: Words


@dataclass(frozen=True, slots=True)
class Reading:
    """What stood before an answer, and its own words.

    Attributes:
        searched: passages that the model asked for itself, with the tool.
        own: what it said after it had read; ``words`` of that which are not in the prompt, nor in what it had
            said before.
    """

    passages: tuple[Quoted, ...] = ()
    searched: tuple[Quoted, ...] = ()
    own: str = ""
    words: Words = frozenset()

    @property
    def read(self) -> tuple[Quoted, ...]:
        return (*self.passages, *self.searched)

    @property
    def overlap(self) -> tuple[str, ...]:
        """Words of the answer that a passage has and the prompt has not, in their order, once each."""
        if not self.overlaps(self.read):
            return ()
        told = self.words.intersection(Words().union(*(one.words for one in self.read)))
        found = (word for word in map(str.casefold, _WORD.findall(self.own)) if word in told)
        return tuple(dict.fromkeys(found))[:_WORDS]

    def overlaps(self, passages: Sequence[Quoted]) -> bool:
        """Whether a word of the answer is in one of these and not in the prompt."""
        return any(not self.words.isdisjoint(one.words) for one in passages)


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
        compared: answers that could be held against the passages of another prompt; ``by_chance`` of them
            have overlap with those.
        passages: those before most prompts first; ``left_out`` more are not among them.
    """

    answers: int
    overlapping: int
    searched: int
    compared: int
    by_chance: int
    passages: tuple[Read, ...]
    left_out: int = 0


def words(said: str) -> Words:
    """Words of four characters or more and numbers of two digits or more, without capitals."""
    return frozenset(
        word.casefold()
        for word in _WORD.findall(said)
        if len(word) >= (_DIGITS if word.isdecimal() else _LETTERS)
    )


def quoted(context: str) -> tuple[Quoted, ...]:
    """The passages of a context, best first; none where it is no context of ours."""
    begins = _FENCE.search(context)
    ends = context.rfind(f"\n</context {begins[1]}>") if begins else -1
    if begins is None or ends < begins.end():
        return ()
    body = context[begins.end() : ends]
    headings = list(_HEADING.finditer(body))
    found: dict[int, list[str]] = {}
    told: dict[int, tuple[str, float | None]] = {}
    for at, heading in enumerate(headings):
        number = int(heading[1])
        end = headings[at + 1].start() if at + 1 < len(headings) else len(body)
        beside = number in told
        told.setdefault(number, (heading[3], _score(heading[2])))
        its = body[heading.end() + 1 : end].rstrip()
        found.setdefault(number, []).append(f"{heading[2]}, {heading[3]}\n{its}" if beside else its)
    return tuple(_quoted(*told[number], "\n\n".join(its)) for number, its in found.items())


def _quoted(place: str, score: float | None, said: str) -> Quoted:
    digest = sha256(f"{place}\n{said}".encode("utf-8", "surrogatepass")).hexdigest()
    return Quoted(digest[:16], place, score, said, words(f"{place}\n{said}"))


def span_of(context: str, pieces: Sequence[str]) -> tuple[int, int] | None:
    """From which token to which (not included) a context stands in a row; None where it does not."""
    fence = _FENCE.search(context)
    if fence is None:
        return None
    whole_text = "".join(pieces)
    begin = whole_text.find(fence[0])
    if begin < 0:
        return None
    ending = f"\n</context {fence[1]}>"
    end = whole_text.find(ending, begin)
    until = len(whole_text) if end < 0 else end + len(ending)
    ends = list(accumulate(map(len, pieces)))
    return bisect_right(ends, begin), bisect_left(ends, until) + 1


def _score(said: str) -> float | None:
    try:
        return figure({"": float(said)}, "")
    except ValueError:
        return None


def readings(lines: Sequence[Line]) -> list[Reading]:
    """Of all answers to one prompt, in their order; the first one holds the text that all of them read."""
    before = quoted(text(lines[0], "memory_text"))
    prompt = [text(turn, "content") for turn in parts(_asked(lines[0]), "messages")]
    asked = words("\n".join((text(lines[0], "question"), *prompt)))
    return [_reading(line, before, asked) for line in lines]


def _asked(line: Line) -> Line:
    value = line.get("asked")
    return value if isinstance(value, Mapping) else {}


def _reading(line: Line, before: tuple[Quoted, ...], asked: Words) -> Reading:
    turns = parts(line, "said")
    if not turns:
        own = text(line, "completion") if before else ""
        return Reading(before, (), own, words(own) - asked)
    told = [quoted(text(turn, "content")) if text(turn, "role") == "tool" else () for turn in turns]
    searched = tuple({one.id: one for its in told for one in its}.values())
    said = [text(turn, "content") if text(turn, "role") == "assistant" else "" for turn in turns]
    first = next((at for at, its in enumerate(told) if its), 0) if not before else 0
    own = "\n".join(said[first:])
    return Reading(before, searched, own, words(own) - asked - words("\n".join(said[:first])))


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


def use(run: RecordedRun) -> Use | None:
    """None where the text of no passage was kept."""
    groups = list(_groups(run))
    every = [one for _, its in groups for one in its]
    if not every:
        return None
    others = [_of_another(groups, at) for at in range(len(groups))]
    against = [(one, other) for (_, its), other in zip(groups, others, strict=True) if other for one in its]
    passages = _passages(groups)
    return Use(
        answers=len(every),
        overlapping=sum(one.overlaps(one.read) for one in every),
        searched=sum(bool(one.searched) for one in every),
        compared=len(against),
        by_chance=sum(one.overlaps(other) for one, other in against),
        passages=passages[:PASSAGES],
        left_out=max(0, len(passages) - PASSAGES),
    )


_Group = tuple[str, list[Reading]]


def _groups(run: RecordedRun) -> Iterator[_Group]:
    """Questions, each with those answers that something stood before."""
    for (*_, question), same in groupby(run.log("completions"), key=_key):
        found = [one for one in readings(list(same)) if one.read]
        if found:
            yield question, found


def _key(line: Line) -> tuple[int, int, bool, str]:
    return whole(line, "step"), whole(line, "prompt"), line.get("replaced") is True, text(line, "question")


def _of_another(groups: Sequence[_Group], at: int) -> tuple[Quoted, ...]:
    """The passages of the next prompt that has none of this one's; none where there is no such prompt."""
    own = {passage.id for one in groups[at][1] for passage in one.read}
    for further in range(1, min(_ROUND, len(groups))):
        other = groups[(at + further) % len(groups)][1][0]
        passages = other.read
        if own.isdisjoint(passage.id for passage in passages):
            return passages
    return ()


def _passages(groups: Sequence[_Group]) -> tuple[Read, ...]:
    found: dict[str, _Count] = {}
    for question, its in groups:
        for one in its:
            for passage in {each.id: each for each in one.read}.values():
                count = found.setdefault(passage.id, _Count(passage))
                count.prompts.add(question)
                count.answers += 1
                count.overlapping += one.overlaps([passage])
                count.scores += [] if passage.score is None else [passage.score]
    made = [one.read() for one in found.values()]
    return tuple(sorted(made, key=lambda one: (-one.prompts, -one.answers, one.place)))
