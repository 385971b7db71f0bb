"""A reward that is a function of somebody's own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ...domain.conversation import Conversation, Message, Role
from ...domain.conversation_json import to_json
from ...domain.reward import Attempt, Reads, RewardResult, Verdict, infra_error
from .function_process import Unanswered
from .loaded_function import LoadedFunction, Refusal

_RESERVED = ("prompt", "completion", "messages", "tools", "turns")


class FunctionReward:
    """Calls ``function(prompt, completion, **row) -> float | RewardResult | None`` for every completion.

    ``prompt`` is the text of the last user turn. Of ``messages``, ``tools``, ``turns`` and the keys of the
    row's reference the function gets those its signature takes; a row without one that it needs is none of
    its rows. None says that it does not apply. Scores are kept within [-1, 1], and ``clipped`` among the
    reasons tells so.

    It runs in a process of its own, loaded once. An exception, a crash, a call that takes too long or a
    value that is no score fails the grading and is never a zero; the process is started anew where needed.

    Args:
        loader: ``module:name`` of a function of ours that gives the person's function in that process.
        loading: what that one is called with, by name; plain values.
        arguments: given with every call, by name; plain values.
        timeout_seconds: for one completion.
        start_seconds: for loading.
    """

    parts: tuple[str, ...] = ()
    range = (-1.0, 1.0)
    reads = frozenset(Reads)

    def __init__(
        self,
        name: str,
        loader: str,
        loading: Mapping[str, Any],
        *,
        arguments: Mapping[str, Any] | None = None,
        timeout_seconds: float = 10.0,
        start_seconds: float = 60.0,
    ) -> None:
        self._name = name
        self._function = LoadedFunction(
            Refusal("C070", "own reward function", f'reward "{name}"'),
            loader,
            loading,
            arguments=arguments,
            timeout_seconds=timeout_seconds,
            start_seconds=start_seconds,
        )

    @property
    def name(self) -> str:
        return self._name

    def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
        """See the port.

        Raises:
            UsageError: C070 when the function cannot be loaded the first time.
        """
        return [self._result(attempt) for attempt in attempts]

    def start(self) -> None:
        """Loads the function, unless it is loaded; done by the first ``score`` as well.

        Raises:
            UsageError: C070 when it cannot be loaded.
        """
        self._function.start()

    def close(self) -> None:
        """Ends its process; it can be used again."""
        self._function.close()

    def _result(self, attempt: Attempt) -> RewardResult:
        try:
            answer = self._function.ask(_request(attempt))
        except Unanswered as cause:
            return infra_error(str(cause))
        except (ValueError, RecursionError):
            return infra_error("row_is_no_json")
        return _read(answer)


def _request(attempt: Attempt) -> dict[str, Any]:
    prompt = attempt.prompt
    reference = {key: value for key, value in prompt.reference.items() if key not in _RESERVED}
    row = reference | {
        "messages": _as_plain(prompt.messages),
        "tools": [tool.as_openai() for tool in prompt.tools],
        "turns": _as_plain(attempt.turns or [Message(Role.ASSISTANT, attempt.completion)]),
    }
    return {"prompt": _question(prompt), "completion": attempt.completion, "row": row}


def _as_plain(turns: Sequence[Message]) -> list[dict[str, Any]]:
    plain: list[dict[str, Any]] = json.loads(to_json(Conversation(tuple(turns)))).get("messages", [])
    return plain


def _question(prompt: Conversation) -> str:
    """The last thing the user said."""
    said = (turn.content for turn in reversed(prompt.messages) if turn.role is Role.USER)
    return next(said, "")


def _read(answer: Mapping[str, Any]) -> RewardResult:
    if "failed" in answer:
        return infra_error(answer["failed"])
    verdict = answer["verdict"]
    if verdict and verdict not in list(Verdict):
        return infra_error("wrong_type:verdict", f"{verdict!r} is no verdict")
    return RewardResult(
        answer["score"], answer["parts"], tuple(answer["reasons"]), Verdict(verdict) if verdict else None
    )
