"""The completions of a reinforcement, prompt by prompt, as a page shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from .recorded_run import Line, RecordedRun, figure, figures, part, parts, text, texts, whole
from .report_memory import Reading, readings

COMPLETIONS = 10_000
"""That a page holds at most; of more, whole steps are left out, evenly."""

CHARACTERS = 6_000_000
"""Of all their texts; of the longest so many are cut off that the others stay whole."""

_LEAST_TEXT, _MOST_TEXT = 200, 8_000
"""Characters of a text that are kept in any case, and at most."""

TOKENS = 120_000
"""With log-probabilities, of all completions together."""


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Something of the memory that was in a prompt.

    Attributes:
        place: path and lines.
        id: of its text, see ``report_memory.Read``; empty where that was not kept.
    """

    place: str
    score: float | None = None
    id: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One completion.

    Attributes:
        parts: of the reward, by name.
        left_out: characters at the end that are not shown.
        tools: calls by name.
        pieces: its tokens as text, where they were kept; ``log_probs`` in nats, None where the model did not
            draw the token.
        memory: what was in its prompt, where other answers to it had something else.
        found: what its model found in the memory by the tool.
        overlap: words of it that those passages have and its prompt has not.
    """

    text: str
    tokens: int
    finished: bool
    reward: float | None = None
    parts: Mapping[str, float] = field(default_factory=dict)
    advantage: float | None = None
    kl: float | None = None
    verdict: str = ""
    reasons: tuple[str, ...] = ()
    left_out: int = 0
    turns: int = 1
    tools: Mapping[str, int] = field(default_factory=dict)
    pieces: tuple[str, ...] = ()
    log_probs: tuple[float | None, ...] = ()
    memory: tuple[Retrieved, ...] = ()
    found: tuple[Retrieved, ...] = ()
    overlap: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """All completions of one prompt, the best first.

    Attributes:
        prompt: its place in the step.
        replaced: nothing could be learnt from it, and another prompt was asked in its place.
        procedure: that matched the prompt: name, and how it was given (``mode``).
        memory: passages in the prompt; ``without``: why those that were found are not in it.
    """

    step: int
    prompt: int
    question: str
    answers: tuple[Answer, ...]
    mean: float | None
    replaced: bool = False
    procedure: str = ""
    mode: str = ""
    memory: tuple[Retrieved, ...] = ()
    without: str = ""


def groups(run: RecordedRun) -> tuple[tuple[Group, ...], tuple[str, ...]]:
    """The groups in their order, and what was left out of them."""
    lines, notes = _bounded(run.log("completions"))
    limit = _limit([len(text(line, "completion")) for line in lines])
    tokens = _tokens(run.log("tokens"))
    found = [_group(list(same), limit, tokens) for _, same in groupby(lines, key=_key)]
    cut = sum(bool(answer.left_out) for group in found for answer in group.answers)
    if cut:
        notes.append(f"{cut:,} long answers are cut off here; completions.jsonl has all of them.")
    return tuple(found), tuple(notes)


def _key(line: Line) -> tuple[int, int, bool, str]:
    return whole(line, "step"), whole(line, "prompt"), line.get("replaced") is True, text(line, "question")


def kept_steps(lines: Mapping[int, int]) -> Sequence[int]:
    """Steps whose answers a page shows: all, or of too many some, evenly, the first and the last among them.

    Args:
        lines: of each step, in its order.
    """
    steps, every = list(lines), sum(lines.values())
    if every <= COMPLETIONS:
        return steps
    count = max(2, len(steps) * COMPLETIONS // every)
    return list(dict.fromkeys(steps[round(at * (len(steps) - 1) / (count - 1))] for at in range(count)))


def _bounded(lines: Sequence[Line]) -> tuple[Sequence[Line], list[str]]:
    """Those of the steps that are shown, and a sentence about those that are not."""
    if len(lines) <= COMPLETIONS:
        return lines, []
    steps = Counter(whole(line, "step") for line in lines)
    kept = set(kept_steps(steps))
    shown = [line for line in lines if whole(line, "step") in kept][:COMPLETIONS]
    note = (
        f"{len(shown):,} of {len(lines):,} answers are here: those of {len(kept):,} of {len(steps):,} steps."
    )
    return shown, [note]


def _limit(lengths: Sequence[int]) -> int:
    """Characters that a text may have, so that all of them together are not too many."""
    left, most = CHARACTERS, _MOST_TEXT
    for at, length in enumerate(sorted(lengths)):
        fair = left // (len(lengths) - at)
        if length > fair:
            return max(_LEAST_TEXT, min(most, fair))
        left -= length
    return most


def _tokens(lines: Sequence[Line]) -> dict[tuple[int, int, int], Line]:
    """Lines with tokens by step, prompt and number, of no more steps than there is room for."""
    sizes: dict[int, int] = {}
    for line in lines:
        sizes[whole(line, "step")] = sizes.get(whole(line, "step"), 0) + len(texts(line, "pieces"))
    every = max(1, -(-sum(sizes.values()) // TOKENS))
    kept = set(list(sizes)[::every])
    return {
        (whole(line, "step"), whole(line, "prompt"), whole(line, "number")): line
        for line in lines
        if whole(line, "step") in kept
    }


def _group(lines: Sequence[Line], limit: int, tokens: Mapping[tuple[int, int, int], Line]) -> Group:
    first = lines[0]
    step, prompt, replaced, question = _key(first)
    rewards = [reward for line in lines if (reward := figure(line, "reward")) is not None]
    read = readings(lines)
    answers = [
        _read(_answer(line, limit, {} if replaced else tokens.get((step, prompt, number), {})), its)
        for number, (line, its) in enumerate(zip(lines, read, strict=True))
    ]
    memory = retrieved(first)
    shared = all(retrieved(line) == memory for line in lines)
    if len(read[0].passages) == len(memory):
        memory = tuple(replace(one, id=its.id) for one, its in zip(memory, read[0].passages, strict=True))
    if shared:
        answers = [_without_memory(answer) for answer in answers]
    procedure = part(first, "procedure")
    return Group(
        step, prompt, question[:_MOST_TEXT], tuple(sorted(answers, key=_rank)),
        sum(rewards) / len(rewards) if rewards else None, replaced,
        text(procedure, "name"), text(procedure, "mode"), memory if shared else (),
        text(first, "memory_left_out"),
    )  # fmt: skip


def _read(answer: Answer, its: Reading) -> Answer:
    found = tuple(Retrieved(one.place, one.score, one.id) for one in its.searched)
    return replace(answer, found=found, overlap=its.overlap)


def _rank(answer: Answer) -> float:
    return float("inf") if answer.reward is None else -answer.reward


def _answer(line: Line, limit: int, tokens: Line) -> Answer:
    whole_text = text(line, "completion")
    pieces, chances = texts(tokens, "pieces"), _chances(tokens)
    if len(pieces) != len(chances):
        pieces, chances = [], ()
    return Answer(
        whole_text[:limit], whole(line, "tokens"), line.get("finished") is not False, figure(line, "reward"),
        figures(line, "parts"), figure(line, "advantage"), figure(line, "kl"), text(line, "verdict"),
        tuple(texts(line, "reasons")), max(0, len(whole_text) - limit), whole(line, "turns") or 1,
        {name: int(count) for name, count in figures(line, "tools").items()},
        tuple(pieces), chances, retrieved(line),
    )  # fmt: skip


def _chances(tokens: Line) -> tuple[float | None, ...]:
    values = tokens.get("log_probs")
    return tuple(figure({"": value}, "") for value in values) if isinstance(values, list) else ()


def _without_memory(answer: Answer) -> Answer:
    return replace(answer, memory=())


def retrieved(line: Line) -> tuple[Retrieved, ...]:
    """What of the memory was in the prompt of a completion."""
    return tuple(_retrieved(line))


def _retrieved(line: Line) -> Iterator[Retrieved]:
    given = line.get("memory")
    chunks = parts(given, "chunks") if isinstance(given, Mapping) else parts(line, "memory")
    for chunk in chunks:
        place = text(chunk, "place") or text(chunk, "path")
        lines = chunk.get("lines")
        if isinstance(lines, list | tuple) and len(lines) == 2:
            lines = f"{lines[0]}-{lines[1]}"
        yield Retrieved(f"{place}:{lines}" if lines else place, figure(chunk, "score"))
