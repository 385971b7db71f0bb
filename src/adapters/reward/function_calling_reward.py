"""Whether a completion makes the right function calls, or rightly makes none."""

from __future__ import annotations

from collections.abc import Sequence

from ...domain.chatml import parse_calls
from ...domain.conversation import Conversation, ToolCall
from ...domain.function_match import ReferenceCall, first_choice, same_calls, same_functions
from ...domain.reward import Attempt, Reads, RewardResult
from ...domain.tool_schema import breaches


class FunctionCallingReward:
    """Compares the calls of a completion with the reference calls of its prompt, and with its tools.

    Parts, each 0 or 1: ``valid_json`` (well-formed calls), ``right_function`` (exactly the functions of the
    reference, in any order), ``exact_call`` (their arguments too). The score is their mean.

    A row without ``calls`` in its reference is not judged. A row with ``calls: []`` says that no tool fits:
    an answer in words has every part, a call or no answer at all has none.
    """

    name = "function_calling"
    parts = ("valid_json", "right_function", "exact_call")
    range = (0.0, 1.0)
    reads = frozenset({Reads.COMPLETION, Reads.REFERENCE, Reads.TOOLS})

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
            return self._refusal(completion)
        calls = parse_calls(completion)
        if calls is None:
            return self._result(0, "invalid_json" if "<tool_call>" in completion else "no_call")
        if not same_functions(calls, reference):
            return self._result(1, "wrong_function", *self._breaches(calls, reference, prompt))
        broken = self._breaches(calls, reference, prompt)
        if broken or not same_calls(calls, reference):
            return self._result(2, "wrong_arguments", *broken)
        return self._result(3)

    def _refusal(self, completion: str) -> RewardResult:
        if "<tool_call>" in completion:
            return self._result(0, "needless_call")
        return self._result(3) if completion.strip() else self._result(0, "empty")

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
