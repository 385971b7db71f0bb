"""Passages as a model reads them, from wherever they come: nothing in them can end the quotation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from .document import Chunk
from .retrieval import Passage

_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    r"\ufff9-\ufffb\U000e0000-\U000e01ef]"
)
"""What a terminal obeys, and marks that nobody sees or that turn the direction of text. Tabs and line ends
are kept."""

MARKER = re.compile(
    r"""<(?=[|\uff5c][\w\ \u2581-]{1,40}[|\uff5c]>               # <|im_start|>
          | /?s> | <?/?SYS>> | (?:bos|eos|sop|eop)>             # Llama 2, Gemma, GLM
          | (?:start|end)_of_(?:turn|image)>
          | /?(?:\w{1,20}:)?(?:think(?:ing)?|thought|tools)>    # DeepSeek, Qwen
          | /?(?:\w{1,20}:)?(?:tool|function)_(?:call|response|result|output)s?>
          | (?:function|parameter)=[^<>\n]{1,100}> | /?arg_(?:key|value)>   # Qwen3-Coder, GLM
          | fim_(?:prefix|suffix|middle|pad)> | (?:file_sep|repo_name|commit_(?:before|msg|after))>)
      | \[(?=/?(?:INST|SYSTEM_PROMPT|THINK|AVAILABLE_TOOLS|TOOL_(?:CALLS|RESULTS|CONTENT)|ARGS|CALL_ID)\]
            | [gs]?MASK\])                                      # Mistral, GLM
    """,
    re.VERBOSE,
)
"""The beginning of what some model's template writes between turns, or a model around its thoughts and calls.
A server may read it as that, even in the midst of a message."""

_HEADING = re.compile(r"^(?:[^\S\n]|[\u115f\u1160\u200c\u200d\u2800\u3164])*\[(?=\d+\] \()", re.MULTILINE)
"""The beginning of what stands above a passage: in a passage it would pass for the next one."""

MARK = "[...]"

OPENING = re.compile(r"<context ([0-9a-f]{8,64})>\n")
HEADING = re.compile(r"^\[(\d{1,3})\] \(([^()\n]{1,40})\) (.+)$", re.MULTILINE)
"""How a context begins, and what stands above a passage: number, score or kind, and place. No passage holds
what could be taken for one of them."""

_LEAST = 80
"""Characters of a line that are worth showing without the rest."""

WHOLE = 3
"""Passages that are shown whole where there is a budget; as many are kept if nothing else is asked for."""

_BEGINNING = 3
"""Lines that are shown of the others: what a definition is called, and what it takes."""

_CITED = re.compile(r"\[(\d{1,3}(?:, ?\d{1,3})*)\]")

_CHARACTERS_A_TOKEN = 3
"""Fewer than code has, so that a budget in tokens is kept by most tokenizers; a character that is not ASCII
counts as a whole token."""


@dataclass(frozen=True, slots=True)
class Context:
    """What is put before a model.

    Attributes:
        text: the passages, each ``[1] (0.89) path:10-24`` and the code, between two lines that only this
            request has; what stands beside one, as ``[1] (imports) path:1-4``, right below it.
        used: the passages that are in it, whole or cut.
    """

    text: str
    used: tuple[Passage, ...]


def write_context(passages: Sequence[Passage], fence: str, tokens: int | None = None) -> Context:
    """The passages as quoted data, best first, as many as the budget has room for.

    With a budget the first three are whole, and of the others their first lines: who asks for many would
    rather see where else to look than read the fourth to its end. One that does not fit is passed over, since
    a shorter one after it may; the best is cut at a line. What stands beside them has the room that they
    leave, and is shown once.

    Args:
        fence: letters and digits that were drawn for this request, which no document can know.
        tokens: the budget, None: all of them.
    """
    left = None if tokens is None else tokens * _CHARACTERS_A_TOKEN + len("\n\n")
    parts: list[list[str]] = []
    used: list[Passage] = []
    for passage in passages:
        heading = _plain(f"[{len(used) + 1}] ({passage.score:.2f}) {passage.chunk.location}", fence)
        body = quoted(passage.chunk, fence)
        if left is not None:
            body = body if len(used) < WHOLE else beginning(body)
            room = left - _length(heading) - len("\n\n\n")
            body = body if _length(body) <= room else _cut(body, room) if not used else ""
            if not body:
                continue
            left -= _length(heading) + _length(body) + len("\n\n\n")
        parts.append([f"{heading}\n{body}"])
        used.append(passage)
    for number, chunk in _beside(used):
        heading = _plain(f"[{number}] ({chunk.kind}) {chunk.location}", fence)
        part = f"{heading}\n{quoted(chunk, fence)}"
        if left is not None:
            if _length(part) + len("\n\n") > left:
                continue
            left -= _length(part) + len("\n\n")
        parts[number - 1].append(part)
    text = "\n\n".join(part for its in parts for part in its)
    fenced = f"<context {fence}>\n{text}{ending(fence)}" if text and fence else text
    return Context(fenced, tuple(used))


def ending(fence: str) -> str:
    """How a context ends."""
    return f"\n</context {fence}>"


def fence_for(question: str, passages: Sequence[Passage]) -> str:
    """Letters and digits for a context that must come out the same each time.

    They hang on the question and on every passage: no document can hold those that it will stand between.
    """
    texts = [question, *(passage.chunk.text for passage in passages)]
    return sha256(json.dumps(texts).encode()).hexdigest()[:16]


def _beside(used: Sequence[Passage]) -> Iterator[tuple[int, Chunk]]:
    """What stands beside passages, with the number of the first that it does, if none of them shows it."""
    shown = [passage.chunk for passage in used]
    for number, passage in enumerate(used, start=1):
        for chunk in passage.beside:
            if not any(one.path == chunk.path and _overlap(one, chunk) for one in shown):
                shown.append(chunk)
                yield number, chunk


def _overlap(one: Chunk, other: Chunk) -> bool:
    return one.start < other.end and other.start < one.end


def quoted(chunk: Chunk, fence: str = "") -> str:
    """A chunk's text without what a terminal or a model could take for anything but text."""
    return _HEADING.sub(lambda found: f"{found[0]} ", _plain(chunk.text, fence)).rstrip()


def cited(answer: str, passages: int) -> tuple[int, ...]:
    """The numbers of passages that an answer names, as in ``[1]`` or ``[1, 3]``, in order and once each."""
    numbers = (int(number) for group in _CITED.findall(answer) for number in group.split(","))
    return tuple(dict.fromkeys(number for number in numbers if 1 <= number <= passages))


def _plain(text: str, fence: str) -> str:
    text = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    while fence and fence in text:  # what is left may be one again
        text = text.replace(fence, "")
    return MARKER.sub(lambda found: f"{found[0]} ", text)


def beginning(text: str) -> str:
    """How a passage begins, with a mark where lines are missing."""
    lines = text.rstrip().split("\n")
    left_out = len(lines) - _BEGINNING
    return "\n".join([*lines[:_BEGINNING], MARK]) if left_out > 1 else "\n".join(lines)


def _cut(body: str, room: int) -> str:
    """As many whole lines as there is room for, with a mark where some are missing."""
    mark = f"\n{MARK}"
    left = room - len(mark)
    kept = ""
    for line in body.splitlines(keepends=True):
        if _length(kept + line.rstrip("\n")) > left:
            break
        kept += line
    if not kept and left >= _LEAST:  # one long line
        kept = body[: left // _CHARACTERS_A_TOKEN]
    return kept.rstrip("\n") + mark if kept else ""


def _length(text: str) -> int:
    """In characters of which three are a token."""
    return len(text) if text.isascii() else len(text) + 2 * sum(not c.isascii() for c in text)
