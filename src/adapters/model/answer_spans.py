"""Which characters of a rendered conversation are trained."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ...domain.errors import DataError
from .chat_template import ANSWER, CALL, QUESTION, RESULT, ChatTemplate, Span, Turn

_PLACE = "probe place"


@dataclass(frozen=True, slots=True)
class Landmarks:
    """Where answers begin and end in a template's text, told by special tokens alone.

    No text of a conversation holds the name of a special token when it is rendered, so a special token in
    the text is the template's own, and one rendering tells all answers apart.

    Attributes:
        header: what stands before every answer and nowhere else, starting with a special token; empty where
            the template writes none.
        openers: without a header, the special token that stands before an answer, by the role of the turn
            that it answers.
        ending: what stands after every answer, with a special token in it.
        starter: the special token a turn starts with; none is inside an answer.
    """

    header: str
    openers: dict[str, str]
    ending: str
    starter: str

    def spans(self, text: str, turns: Sequence[Turn]) -> list[Span] | None:
        """The span of each answer, in order, or None where the landmarks do not fit the turns."""
        answers = [index for index, turn in enumerate(turns) if turn["role"] == "assistant"]
        spans = self._after_headers(text) if self.header else self._between(text, turns, answers)
        if len(spans) != len(answers):
            return None
        apart = all(first[1] <= second[0] for first, second in pairwise(spans))
        whole = all(text.find(self.starter, begin, end - len(self.ending)) < 0 for begin, end in spans)
        return spans if apart and whole else None

    def _after_headers(self, text: str) -> list[Span]:
        spans: list[Span] = []
        position = text.find(self.header)
        while position >= 0:
            begin = position + len(self.header)
            end = text.find(self.ending, begin)
            if end < 0:
                return []
            spans.append((begin, end + len(self.ending)))
            position = text.find(self.header, begin)
        return spans

    def _between(self, text: str, turns: Sequence[Turn], answers: Sequence[int]) -> list[Span]:
        """Where only answers have an ending: from the last opener before it."""
        if text.count(self.ending) != len(answers):
            return []
        spans: list[Span] = []
        position = 0
        for index in answers:
            opener = self.openers.get(turns[index - 1]["role"]) if index else None
            end = text.find(self.ending, position)
            begin = text.rfind(opener, position, end) if opener else -1
            if opener is None or begin < 0:
                return []
            position = end + len(self.ending)
            spans.append((begin + len(opener), position))
        return spans


def landmarks(template: ChatTemplate, special: re.Pattern[str]) -> Landmarks | None:
    """What ``template`` writes around an answer, or None where special tokens do not tell.

    Args:
        special: matches the name of any special token.
    """
    try:
        asked = template.render([QUESTION])
        opened = template.render([QUESTION], answer_next=True)
        whole = template.render([QUESTION, ANSWER])
        openers = dict(_openers(template, special, opened))
    except DataError:
        return None
    found = special.search(whole, whole.find(ANSWER["content"]))
    if not found or not opened.startswith(asked) or not whole.startswith(opened):
        return None
    ending = whole[whole.rfind(ANSWER["content"]) + len(ANSWER["content"]) :].rstrip()
    header = opened[len(asked) :]
    if header:
        starter = special.match(header)
        return Landmarks(header, {}, ending, starter.group()) if starter else None
    return Landmarks("", openers, ending, openers["user"]) if all(openers.values()) else None


def _openers(template: ChatTemplate, special: re.Pattern[str], opened: str) -> Iterable[tuple[str, str]]:
    yield "user", _last_token(opened, special)
    if template.knows_tools:
        yield "tool", _last_token(template.render([QUESTION, CALL, RESULT], answer_next=True), special)


def _last_token(text: str, special: re.Pattern[str]) -> str:
    """The special token that ``text`` ends with, or nothing."""
    return next((found.group() for found in special.finditer(text) if found.end() == len(text)), "")


class AnswerSpans:
    """Finds what is trained of a rendered conversation.

    Args:
        special: matches the name of any special token.
    """

    def __init__(self, template: ChatTemplate, special: re.Pattern[str]) -> None:
        self._template = template
        self._special = special
        self._marks_answers = re.search(r"\{%-?\s*generation\s*-?%\}", template.source) is not None
        self._landmarks = landmarks(template, special)

    def rendered(
        self, turns: Sequence[Turn], tools: Sequence[Turn] | None, trained: Sequence[bool]
    ) -> tuple[str, list[Span]]:
        """The text of the turns and the spans that are trained, in order.

        The template's own ``{% generation %}`` marks tell what an answer is. Without them it is what follows
        the header that an answer is asked with, up to the token that ends the turn, that token included.

        Args:
            trained: whether each turn is.

        Raises:
            DataError: D013 when a turn that is trained is not to be found in the text, D016 when the template
                refuses the turns.
        """
        answers = [turn["role"] == "assistant" for turn in turns]
        if self._marks_answers and list(trained) == answers:
            text, spans = self._template.render_marked(turns, tools)
            return text, [self._with_ending(text, span) for span in spans]
        text = self._template.render(turns, tools)
        found = self._landmarks.spans(text, turns) if self._landmarks else None
        known = dict(zip((i for i, answer in enumerate(answers) if answer), found or (), strict=False))
        return text, [
            known[index] if index in known else self._turn_span(text, turns, tools, index)
            for index, wanted in enumerate(trained)
            if wanted
        ]

    def _turn_span(self, text: str, turns: Sequence[Turn], tools: Sequence[Turn] | None, index: int) -> Span:
        """The span of one turn, by rendering what comes before it and what comes with it."""
        if index and turns[index]["role"] == "assistant":
            before = self._template.render(turns[:index], tools, answer_next=True)
            after = self._template.render(turns[: index + 1], tools).rstrip()
            if text.startswith(before) and text.startswith(after) and len(before) < len(after):
                return len(before), len(after)
        if "tool_calls" in turns[index]:
            raise _left_out(index)
        return self._content_span(text, turns, tools, index)

    def _content_span(
        self, text: str, turns: Sequence[Turn], tools: Sequence[Turn] | None, index: int
    ) -> Span:
        """What changes when the turn says something else."""
        turn = {**turns[index], "content": _PLACE}
        other = self._template.render([*turns[:index], turn, *turns[index + 1 :]], tools)
        before, _, behind = other.partition(_PLACE)
        begin, end = len(before), len(text) - len(behind)
        fits = text.startswith(before) and text.endswith(behind) and begin < end
        if other.count(_PLACE) != 1 or not fits:
            raise _left_out(index)
        return self._with_ending(text, (begin, end))

    def _with_ending(self, text: str, span: Span) -> Span:
        """Up to the special token that ends the turn, which may stand inside the span or right behind it."""
        begin, end = span
        last = begin + len(text[begin:end].rstrip())
        if any(found.end() == last for found in self._special.finditer(text, begin, last)):
            return begin, last
        following = self._special.match(text, end)
        return begin, following.end() if following else last


def _left_out(index: int) -> DataError:
    return DataError(
        "D013",
        f"the chat template leaves out what turn {index + 1} says, so it cannot be trained",
        fix="set trained: false for that turn or use another chat template",
    )
