"""Whether a completion makes the right function calls."""

from __future__ import annotations

from ...domain.chatml import parse_calls
from ...domain.conversation import Conversation
from ...domain.function_match import same_calls, same_functions
from ...domain.reward import RewardResult


class FunctionCallingReward:
    """Compares the calls of a completion with the reference calls of its prompt.

    Parts, each 0 or 1: ``valid_json`` (well-formed calls), ``right_function`` (exactly the functions of the
    reference), ``exact_call`` (their arguments too). The score is their mean. Does not apply to a prompt
    without reference calls.
    """

    name = "function_calling"
    parts = ("valid_json", "right_function", "exact_call")

    def score(self, prompt: Conversation, completion: str) -> RewardResult:
        """See the port."""
        reference = prompt.reference.get("calls")
        if not reference:
            return RewardResult(None, reasons=("no_reference",))
        calls = parse_calls(completion)
        if calls is None:
            return self._result(0, "invalid_json" if "<tool_call>" in completion else "no_call")
        if not same_functions(calls, reference):
            return self._result(1, "wrong_function")
        if not same_calls(calls, reference):
            return self._result(2, "wrong_arguments")
        return self._result(3)

    def _result(self, reached: int, *reasons: str) -> RewardResult:
        values = {part: float(index < reached) for index, part in enumerate(self.parts)}
        return RewardResult(reached / len(self.parts), values, reasons)
