"""What spans of answers and of rewards tell, so that every place tells it alike.

Source: https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""

from __future__ import annotations

from collections.abc import Sequence

from . import genai_names as names
from .generation import Sampling
from .open_span import OpenSpan, reward_attributes, span
from .reward import RewardResult
from .trace import Value


def chat(sampling: Sampling, prompts: int, model: str = "", choices: int = 1) -> OpenSpan:
    """The span of a batch of answers.

    Args:
        prompts: that are answered together.
        choices: answers to each.
    """
    told: dict[str, Value] = {
        names.OPERATION: names.CHAT,
        names.TEMPERATURE: sampling.temperature,
        names.TOP_P: sampling.top_p,
        names.MAX_TOKENS: sampling.max_new_tokens,
        names.PROMPTS: prompts,
    }
    if choices > 1:
        told[names.CHOICES] = choices
    if model:
        told[names.REQUEST_MODEL] = model
    return span(f"{names.CHAT} {model}".strip(), told)


def execute_tool(name: str) -> OpenSpan:
    """The span of a tool that is called."""
    return span(f"{names.EXECUTE_TOOL} {name}", {names.OPERATION: names.EXECUTE_TOOL, names.TOOL_NAME: name})


def tell_rewards(its: OpenSpan, results: Sequence[RewardResult], choices: int = 1) -> None:
    """What answers were judged, in the order of their prompts.

    Args:
        choices: answers to each prompt.
    """
    if not its.recording:
        return
    for number, one in enumerate(results):
        label, reasons = one.verdict.value if one.verdict else None, ", ".join(one.reasons) or None
        told = reward_attributes("reward", one.score, label, reasons)
        prompt, place = divmod(number, choices)
        its.event(names.EVALUATION, told | {names.PROMPT: prompt, names.CHOICE: place})
