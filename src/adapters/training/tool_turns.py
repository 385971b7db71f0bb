"""Completions of several turns: the model answers, the tools that it calls are run, and it answers again.

Or it is led through a procedure: after an answer that calls no tool comes the next step, as a turn of the
user. What the model drew is never written out and tokenised again: after it come the tokens of what it was
told, as the chat template writes them, and what it draws next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ...domain.chatml import parse_answer
from ...domain.conversation import Conversation, Message, Role, ToolCall, ToolSpec, tools_named
from ...domain.errors import DataError
from ...domain.genai_names import ERROR_TYPE
from ...domain.genai_spans import execute_tool
from ...domain.generation import Sampling
from ...domain.guided_run import GuidedRun
from ...domain.open_span import span
from ...domain.ports.run import Stop
from ...domain.ports.tools import Toolbox
from ...domain.reinforcement import Judged, JudgedGroup
from ...domain.reward import Attempt
from ...domain.rollout import Rollout
from ...domain.schedule import stream_seed
from ...domain.tool_use import Episode, ToolAnswer, sound
from ..model.hf_policy import HfPolicy
from ..model.local_rollout import LocalRollout
from .guided_turns import Guide

Draw = Callable[
    [Sequence[Sequence[int]], Sequence[Sequence[int]], Sampling, Sequence[int] | None], list[list[Rollout]]
]
"""As ``RolloutEngine.generate``."""

_UNTOLD = "error: the answer cannot be shown"


@dataclass(frozen=True, slots=True)
class ToolUse:
    """Which tools a model may call while it is trained, and what leads it through procedures.

    Attributes:
        tools: None: there are none.
        most: answers of one completion; what the last one calls is not run, and no step comes after it.
        stop: is asked before every call.
        guide: None: nobody leads it.
    """

    tools: Toolbox | None = None
    most: int = 4
    stop: Stop | None = None
    guide: Guide | None = None


class ToolTurns:
    """Draws completions of one answer, or with tools or a guide of several.

    A completion is over when an answer calls none of the tools and no step comes after it, at the last
    answer, or where its tokens, those of what it was told among them, reach the sampling's limit; then it has
    been cut off.

    Args:
        policy: one that has passed its ``check_tools``, where there are tools.
        use: None: every completion is one answer.
    """

    def __init__(self, policy: HfPolicy, draw: Draw, use: ToolUse | None) -> None:
        self._policy, self._draw, self._use = policy, draw, use
        self._specs: tuple[ToolSpec, ...] = tuple(use.tools.specs) if use and use.tools else ()
        self.seconds = 0.0
        """That all calls so far took."""

    def offered(self, prompt: Conversation) -> Conversation:
        """The prompt with these tools, where it brings none of its own."""
        return prompt if prompt.tools or not self._specs else replace(prompt, tools=self._specs)

    def __call__(
        self,
        prompts: Sequence[Sequence[int]],
        seeds: Sequence[Sequence[int]],
        sampling: Sampling,
        asked: Sequence[Conversation],
    ) -> list[list[Episode]]:
        """A group of completions for each prompt; see ``RolloutEngine.generate``.

        Args:
            asked: the prompts as they were before they were ``offered`` the tools. Of one that has tools of
                its own no call is ever run.
        """
        groups = [
            [Episode(prompt, seed, guided=self._begun(row)) for seed in its]
            for prompt, its, row in zip(prompts, seeds, asked, strict=True)
        ]
        for group, drawn in zip(groups, self._draw(prompts, seeds, sampling, None), strict=True):
            for episode, answer in zip(group, drawn, strict=True):
                episode.write(answer, self._policy.text(answer.ids))
        going = [
            (one, not row.tools)
            for group, row in zip(groups, asked, strict=True)
            for one in group
            if one.guided or not row.tools
        ]
        for turn in range(1, self._use.most if self._use else 1):
            going = [each for each in going if self._goes_on(*each, sampling.max_new_tokens)]
            if not going:
                break
            self._answer([one for one, _ in going], turn, sampling)
        return groups

    def _begun(self, prompt: Conversation) -> GuidedRun | None:
        return self._use.guide.begun(prompt) if self._use and self._use.guide else None

    def figures(self, groups: Sequence[JudgedGroup]) -> dict[str, float]:
        """Calls and failed calls of a completion, on average; nothing without tools."""
        if not self._specs:
            return {}
        everything: list[Judged] = [one for group in groups for one in group.completions]
        calls = sum(sum(one.tools.values()) for one in everything)
        errors = sum(one.tool_errors for one in everything)
        return {"tool_calls": calls / len(everything), "tool_errors": errors / len(everything)}

    def _answer(self, going: Sequence[Episode], turn: int, sampling: Sampling) -> None:
        """All of them together; each is a prompt of its own, with a seed that hangs on no other."""
        room = [sampling.max_new_tokens - len(one.ids) for one in going]
        drawn = self._draw(
            [[*one.prompt, *one.ids] for one in going],
            [[stream_seed(one.seed, turn, "turn")] for one in going],
            replace(sampling, max_new_tokens=max(room)),
            room,
        )
        for episode, [answer] in zip(going, drawn, strict=True):
            episode.write(answer, self._policy.text(answer.ids))

    def _goes_on(self, episode: Episode, offered: bool, most: int) -> bool:
        """Whether there is something to answer to: what tools said, or else another step."""
        if not episode.finished:
            return False
        return (offered and self._was_told(episode, most)) or self._was_led(episode, most)

    def _was_told(self, episode: Episode, most: int) -> bool:
        """Whether its last answer called tools, and what they said leaves room for another answer."""
        asks = parse_answer(episode.completion)
        known = [call for call in asks.tool_calls if self._knows(call)] if asks else []
        if not asks or not known:
            return False
        said = [(sound(call.name), self._run(episode, call)) for call in asks.tool_calls]
        results = [Message(Role.TOOL, answer.text, name=name) for name, answer in said]
        try:
            ids = self._policy.results(known, results)
        except DataError:  # what a tool says cannot be told apart from the tokens that end a turn
            episode.errors += 1
            results = [Message(Role.TOOL, _UNTOLD, name=name) for name, _ in said]
            ids = self._policy.results(known, results)
        return _reads(episode, asks, results, ids, most)

    def _was_led(self, episode: Episode, most: int) -> bool:
        """Whether another step of its procedure came after its last answer, and leaves room for another."""
        if not episode.finished or self._use is None or self._use.guide is None:
            return False
        with span("next step of the procedure"):
            step = self._use.guide.next(episode)
        if step is None:
            return False
        return _reads(episode, episode.turns[-1], [step], self._policy.told(step.content), most)

    def _knows(self, call: ToolCall) -> bool:
        return tools_named(self._specs, call.name) is not None

    def _run(self, episode: Episode, call: ToolCall) -> ToolAnswer:
        assert self._use
        assert self._use.tools
        if self._use.stop is not None:
            self._use.stop.check()
        if not self._knows(call):
            episode.errors += 1
            return ToolAnswer(f"error: no tool is called {sound(call.name)}", failed=True)
        began = time.perf_counter()
        with execute_tool(call.name) as its:
            answer = self._use.tools.run(call)
            if answer.failed:
                its.set(ERROR_TYPE, "tool")
        self.seconds += time.perf_counter() - began
        episode.tools[call.name] += 1
        episode.errors += answer.failed
        return answer


def _reads(episode: Episode, answer: Message, told: Sequence[Message], ids: Sequence[int], most: int) -> bool:
    """Adds what comes after an answer, if it leaves room for another one; else the completion is cut off."""
    if len(episode.ids) + len(ids) >= most:
        episode.finished = False
        return False
    episode.read(answer, told, ids)
    return True


def answers_with_tools(
    policy: HfPolicy,
    prompts: Sequence[Conversation],
    sampling: Sampling,
    stop: Stop,
    *,
    tools: Toolbox | None,
    most: int,
    guide: Guide | None = None,
    draw: Draw | None = None,
) -> list[Attempt]:
    """One completion a prompt, of up to ``most`` answers; see ``ToolTurns``."""
    draw = draw or LocalRollout(policy.model, policy.ends, stop).generate
    turns = ToolTurns(policy, draw, ToolUse(tools, most, stop, guide))
    offered = [turns.offered(prompt) for prompt in prompts]
    seeds = [[stream_seed(sampling.seed, at, "answer")] for at in range(len(prompts))]
    drawn = turns([policy.prompt(one) for one in offered], seeds, sampling, prompts)
    return [
        Attempt(prompt, one.completion, tuple(one.turns))
        for prompt, [one] in zip(offered, drawn, strict=True)
    ]
