"""Whether a completion makes the right function calls, or rightly makes none."""

from __future__ import annotations

from collections.abc import Sequence

from ...domain.chatml import parse_calls
from ...domain.conversation import Conversation, ToolCall
from ...domain.function_match import ReferenceCall, first_choice, same_calls, same_functions
from ...domain.reward import Attempt, Reads, RewardResult
from ...domain.stray_call import has_stray_call
from ...domain.task_detection import question_of
from ...domain.tool_schema import breaches

_FEWEST_LETTERS = 3


class FunctionCallingReward:
    """Compares the calls of a completion with the reference calls of its prompt, and with its tools.

    Parts, each 0 or 1: ``valid_json`` (well-formed calls), ``right_function`` (exactly the functions of the
    reference, in any order), ``exact_call`` (their arguments too). The score is their mean.

    A row without ``calls`` in its reference is not judged. A row with ``calls: []`` says that no tool fits:
    an answer in words has every part. A call in whatever notation, the question again, and less than three
    letters have none.
    """

    name = "function_calling"
    parts = ("valid_json", "right_function", "exact_call")
    range = (0.0, 1.0)
    reads = frozenset({Reads.PROMPT, Reads.COMPLETION, Reads.REFERENCE, Reads.TOOLS})

    def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
        """See the port."""
        return [self._score(attempt.prompt, attempt.completion) for attempt in attempts]

    def _score(self, prompt: Conversation, completion: str) -> RewardResult:
        try:
            return self._compared(prompt, completion)
        except RecursionError:
            # Nested so deep that it can only just be read, and not looked at.
            return self._result(0, "invalid_json")

    def _compared(self, prompt: Conversation, completion: str) -> RewardResult:
        reference = prompt.reference.get("calls")
        if reference is None:
            return RewardResult(None, reasons=("no_reference",))
        if not reference:
            return self._refusal(prompt, completion)
        calls = parse_calls(completion)
        if calls is None:
            return self._result(0, "invalid_json" if "<tool_call>" in completion else "no_call")
        if not same_functions(calls, reference):
            return self._result(1, "wrong_function", *self._breaches(calls, reference, prompt))
        broken = self._breaches(calls, reference, prompt)
        if broken or not same_calls(calls, reference):
            return self._result(2, "wrong_arguments", *broken)
        return self._result(3)

    def _refusal(self, prompt: Conversation, completion: str) -> RewardResult:
        if not completion.strip():
            return self._result(0, "empty")
        if has_stray_call(completion, (tool.name for tool in prompt.tools)):
            return self._result(0, "needless_call")
        if not _is_said(completion):
            return self._result(0, "too_short")
        question = _plain(question_of(prompt))
        own = _plain(completion).replace(question, "") if question else completion
        return self._result(3) if _is_said(own) else self._result(0, "echo")

    def _breaches(
        self, calls: Sequence[ToolCall], reference: Sequence[ReferenceCall], prompt: Conversation
    ) -> tuple[str, ...]:
        """What the tools do not allow; of two in a hundred rows of data the right answer is such a breach."""
        found = breaches(calls, prompt.tools)
        if not found:
            return ()
        own = breaches([first_choice(wanted) for wanted in reference], prompt.tools)
        return tuple(code for code in found if code not in own)

    def _result(self, reached: int, *reasons: str) -> RewardResult:
        values = {part: float(index < reached) for index, part in enumerate(self.parts)}
        return RewardResult(reached / len(self.parts), values, reasons)


def _plain(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _is_said(text: str) -> bool:
    """Whether there are letters enough to be an answer."""
    return len(_plain(text)) >= _FEWEST_LETTERS
