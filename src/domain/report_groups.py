"""The completions of a reinforcement, prompt by prompt, as a page shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .recorded_run import Line, RecordedRun, figure, figures, part, parts, text, texts, whole
from .report_memory import ReadGroup, Reading, read_groups
from .secret_text import Redact, redacted

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
        procedure: that matched the prompt: name, the beginning of its digest (``version``), and how it was
            given (``mode``).
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
    version: str = ""


def groups(
    run: RecordedRun, read: Sequence[ReadGroup] | None = None, redact: Redact = redacted
) -> tuple[tuple[Group, ...], tuple[str, ...]]:
    """The groups in their order, and what was left out of them.

    Args:
        read: ``read_groups`` of the run, where they are known.
        redact: takes secrets out of texts before they are cut, since half a secret has no form.
    """
    shown, notes = _bounded(read_groups(run, redact) if read is None else read)
    limit = _limit([len(text(line, "completion")) for its in shown for line in its.lines])
    tokens = _tokens(run.log("tokens"))
    found = [_group(its, limit, tokens, redact) for its in shown]
    cut = sum(bool(answer.left_out) for group in found for answer in group.answers)
    if cut:
        notes.append(f"{cut:,} long answers are cut off here; completions.jsonl has all of them.")
    return tuple(found), tuple(notes)


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


def _bounded(read: Sequence[ReadGroup]) -> tuple[Sequence[ReadGroup], list[str]]:
    """Those of the steps that are shown, and a sentence about those that are not."""
    steps: Counter[int] = Counter()
    for its in read:
        steps[whole(its.first, "step")] += len(its.lines)
    every = steps.total()
    if every <= COMPLETIONS:
        return read, []
    kept = set(kept_steps(steps))
    shown, left = list[ReadGroup](), COMPLETIONS
    for its in read:
        if left and whole(its.first, "step") in kept:
            shown.append(ReadGroup(its.lines[:left], its.readings[:left]))
            left -= len(shown[-1].lines)
    here, of_steps = f"{COMPLETIONS - left:,} of {every:,} answers", f"{len(kept):,} of {len(steps):,} steps"
    return shown, [f"{here} are here: those of {of_steps}."]


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


def _group(its: ReadGroup, limit: int, tokens: Mapping[tuple[int, int, int], Line], redact: Redact) -> Group:
    lines, first = its.lines, its.first
    step, prompt, replaced = whole(first, "step"), whole(first, "prompt"), first.get("replaced") is True
    rewards = [reward for line in lines if (reward := figure(line, "reward")) is not None]
    memory = retrieved(first)
    shared = all(line.get("memory") == first.get("memory") or retrieved(line) == memory for line in lines)
    drawn = {} if replaced else tokens
    answers = [
        _answer(line, one, limit, drawn.get((step, prompt, number), {}), redact)
        for number, (line, one) in enumerate(zip(lines, its.readings, strict=True))
    ]
    if not shared:
        answers = [replace(one, memory=retrieved(line)) for one, line in zip(answers, lines, strict=True)]
    passages = its.readings[0].passages
    if len(passages) == len(memory):
        memory = tuple(replace(one, id=its.id) for one, its in zip(memory, passages, strict=True))
    procedure = part(first, "procedure")
    return Group(
        step, prompt, redact(text(first, "question"))[:_MOST_TEXT], tuple(sorted(answers, key=_rank)),
        sum(rewards) / len(rewards) if rewards else None, replaced,
        text(procedure, "name"), text(procedure, "mode"), memory if shared else (),
        text(first, "memory_left_out"), text(procedure, "sha")[:8],
    )  # fmt: skip


def _rank(answer: Answer) -> float:
    return float("inf") if answer.reward is None else -answer.reward


def _answer(line: Line, its: Reading, limit: int, tokens: Line, redact: Redact) -> Answer:
    whole_text = redact(text(line, "completion"))
    pieces, chances = texts(tokens, "pieces"), _chances(tokens)
    # Tokens are kept up to some number of them, which may be amid a secret.
    if len(pieces) != len(chances) or whole_text != text(line, "completion"):
        pieces, chances = [], ()
    found = tuple(Retrieved(one.place, one.score, one.id) for one in its.searched)
    return Answer(
        whole_text[:limit], whole(line, "tokens"), line.get("finished") is not False, figure(line, "reward"),
        figures(line, "parts"), figure(line, "advantage"), figure(line, "kl"), text(line, "verdict"),
        tuple(texts(line, "reasons")), max(0, len(whole_text) - limit), whole(line, "turns") or 1,
        {name: int(count) for name, count in figures(line, "tools").items()},
        tuple(pieces), chances, (), found, its.overlap,
    )  # fmt: skip


def _chances(tokens: Line) -> tuple[float | None, ...]:
    values = tokens.get("log_probs")
    return tuple(figure({"": value}, "") for value in values) if isinstance(values, list) else ()


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
