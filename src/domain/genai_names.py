"""Names of attributes and events, as OpenTelemetry's GenAI conventions have them.

Kept here since their own package marks every one of them as deprecated: the conventions have moved to a
repository of their own. Source: https://opentelemetry.io/docs/specs/semconv/gen-ai/ (status: development).
What the conventions have no word for begins with ``cesello.``.
"""

from __future__ import annotations

from typing import Final

OPERATION: Final = "gen_ai.operation.name"
"""One of ``CHAT``, ``EXECUTE_TOOL``, ``INVOKE_AGENT``; a span's name begins with it."""
CHAT: Final = "chat"
EXECUTE_TOOL: Final = "execute_tool"
INVOKE_AGENT: Final = "invoke_agent"

REQUEST_MODEL: Final = "gen_ai.request.model"
TEMPERATURE: Final = "gen_ai.request.temperature"
TOP_P: Final = "gen_ai.request.top_p"
MAX_TOKENS: Final = "gen_ai.request.max_tokens"
CHOICES: Final = "gen_ai.request.choice.count"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"

TOOL_NAME: Final = "gen_ai.tool.name"
TOOL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
TOOL_RESULT: Final = "gen_ai.tool.call.result"
AGENT_NAME: Final = "gen_ai.agent.name"

EVALUATION: Final = "gen_ai.evaluation.result"
"""The name of the event that tells a reward."""
EVALUATION_NAME: Final = "gen_ai.evaluation.name"
EVALUATION_SCORE: Final = "gen_ai.evaluation.score.value"
EVALUATION_LABEL: Final = "gen_ai.evaluation.score.label"
EVALUATION_EXPLANATION: Final = "gen_ai.evaluation.explanation"

ERROR_TYPE: Final = "error.type"
EXCEPTION: Final = "exception"
"""The name of the event that tells an exception."""
EXCEPTION_TYPE: Final = "exception.type"
EXCEPTION_MESSAGE: Final = "exception.message"

RUN: Final = "cesello.run.id"
ROLLOUT: Final = "cesello.rollout.id"
ATTEMPT: Final = "cesello.attempt.number"
TASK: Final = "cesello.task"
"""Of the span of a rollout: what was tried."""
STEP: Final = "cesello.step"
PROMPTS: Final = "cesello.prompts"
"""How many are answered together; of an event ``PROMPT`` is the place of its own among them, ``CHOICE`` that
of the answer among those to it, both from 0."""
PROMPT: Final = "cesello.prompt"
CHOICE: Final = "cesello.choice"
SEQUENCE: Final = "cesello.sequence"
DROPPED_EVENTS: Final = "cesello.dropped_events"
DROPPED_SPANS: Final = "cesello.spans.dropped"
"""Of the outermost span: how many of the run were not kept before it ended."""

CONTENT: Final = frozenset(
    {
        SYSTEM_INSTRUCTIONS,
        INPUT_MESSAGES,
        OUTPUT_MESSAGES,
        TOOL_ARGUMENTS,
        TOOL_RESULT,
        EVALUATION_EXPLANATION,
        EXCEPTION_MESSAGE,
        "exception.stacktrace",
        TASK,
    }
)
"""Attributes that hold what people and models wrote: left out of an export unless it is asked for."""
