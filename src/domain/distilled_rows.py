"""Rows made of what a run has done well: the prompt as it was asked, and an answer that was rewarded.

Context distillation (Askell et al., "A general language assistant as a laboratory for alignment",
arXiv:2112.00861, section 2.1; Snell et al., "Learning by distilling context", arXiv:2209.15189): the model
answered with a procedure or passages of the memory in its prompt; it learns to answer so without them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .chatml import parse_answer
from .conversation import Conversation, Message, Role
from .conversation_json import from_json
from .made_row import MadeRow
from .recorded_run import RecordedRun, figure, part, text, whole
from .reward import Verdict


@dataclass(frozen=True, slots=True)
class Rewarded:
    """A completion that a reward has judged.

    Attributes:
        prompt: as it was asked, without procedure and memory.
        said: all turns after it.
        place: of its group: the completions of one prompt that were compared.
        tokens: of the completion.
    """

    prompt: Conversation
    said: tuple[Message, ...]
    reward: float
    tokens: int
    place: tuple[object, ...]
    origin: Mapping[str, Any] = field(default_factory=dict)

    def row(self) -> MadeRow:
        """The row: what the model said is trained on, and not what it was told, answers there included."""
        told = (
            replace(turn, trained=False) if turn.role is Role.ASSISTANT else turn
            for turn in self.prompt.messages
        )
        return MadeRow("run", replace(self.prompt, messages=(*told, *self.said)), self.origin)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which completions are taken.

    Attributes:
        least: reward.
        procedure: only those that were drawn under it; empty: all.
    """

    least: float
    procedure: str = ""


def rewarded(run: str, recorded: RecordedRun, wanted: Wanted) -> Iterator[Rewarded | str]:
    """The completions of a run that are wanted; of each other one the reason."""
    asked: dict[tuple[object, ...], Conversation] = {}
    for line in recorded.log("completions"):
        place = (
            run,
            whole(line, "step"),
            whole(line, "prompt"),
            line.get("replaced") is True,
            text(line, "question"),
        )
        if isinstance(line.get("asked"), Mapping):
            asked[place] = _conversation(line["asked"])
        reason = _unwanted(line, wanted)
        if reason:
            yield reason
        elif place not in asked or not asked[place].messages:
            yield "its prompt was not kept"
        else:
            yield _rewarded(run, line, asked[place], place)


def _unwanted(line: Mapping[str, Any], wanted: Wanted) -> str | None:
    reward, given = figure(line, "reward"), part(line, "procedure")
    if reward is None or line.get("verdict") == Verdict.INFRA_ERROR:
        return "it was not judged"
    if reward < wanted.least:
        return "the reward is lower"
    if wanted.procedure and (text(given, "name") != wanted.procedure or given.get("mode") == "off"):
        return "another procedure, or none"
    return None if line.get("finished") is True else "it was cut off"


def _rewarded(
    run: str, line: Mapping[str, Any], prompt: Conversation, place: tuple[object, ...]
) -> Rewarded | str:
    said = _said(line, prompt)
    if not said:
        return "its turns were not kept"
    if any(turn.role is Role.USER for turn in said):
        return "it was led step by step"
    given = part(line, "procedure")
    origin = {
        "run": run,
        "step": whole(line, "step"),
        "prompt": whole(line, "prompt"),
        "reward": figure(line, "reward"),
        "procedure": {name: text(given, name) for name in ("name", "sha", "mode")} if given else None,
        "memory": isinstance(line.get("memory"), list) and bool(line["memory"]),
    }
    reward = figure(line, "reward") or 0.0
    return Rewarded(prompt, said, reward, whole(line, "tokens"), place, origin)


def _said(line: Mapping[str, Any], prompt: Conversation) -> tuple[Message, ...]:
    completion = text(line, "completion")
    if isinstance(line.get("said"), list):
        turns = _conversation({"messages": line["said"]}).messages
        return tuple(_with_calls(turn, prompt) for turn in turns)
    if whole(line, "turns") > 1 or not completion.strip():
        return ()
    return (_with_calls(Message(Role.ASSISTANT, completion), prompt),)


def _with_calls(turn: Message, prompt: Conversation) -> Message:
    """An answer whose calls were written out, with its calls beside its words."""
    if turn.role is not Role.ASSISTANT or turn.tool_calls or not prompt.tools:
        return turn
    return parse_answer(turn.content) or turn


def of_trials(
    run: str, tasks: Mapping[str, Conversation], trials: Iterable[Mapping[str, Any]], wanted: Wanted
) -> Iterator[Rewarded | str]:
    """The answers of a prompt search, under whichever prompt they were given."""
    for line in trials:
        if text(line, "task") not in tasks:
            yield "its task is held out, or was not kept"
        elif wanted.procedure:
            yield "another procedure, or none"
        elif reason := _unwanted({**line, "finished": True}, wanted):
            yield reason
        else:
            prompt = tasks[text(line, "task")]
            said = _said({"completion": line.get("completion"), "turns": 1}, prompt)
            place = (run, text(line, "task"))
            origin = {
                "run": run, "candidate": text(line, "candidate"), "task": text(line, "task"),
                "reward": figure(line, "reward"), "procedure": None, "memory": False,
            }  # fmt: skip
            reward, tokens = figure(line, "reward") or 0.0, whole(line, "tokens")
            yield Rewarded(prompt, said, reward, tokens, place, origin) if said else "it says nothing"


def _conversation(values: Mapping[str, Any]) -> Conversation:
    """What was kept of a prompt; none where it is nothing of ours."""
    try:
        return from_json(
            json.dumps({"messages": values.get("messages", []), "tools": values.get("tools", [])})
        )
    except (ValueError, TypeError, LookupError, AttributeError):
        return Conversation(())


def best_of_groups(found: Sequence[Rewarded]) -> set[int]:
    """The positions of the best of each group: the highest reward, of several the shortest."""
    best: dict[tuple[object, ...], int] = {}
    for index in _best_first(found):
        best.setdefault(found[index].place, index)
    return set(best.values())


def first_of_prompts(found: Sequence[Rewarded], most: int) -> set[int]:
    """The positions of at most so many for each prompt: the best, of equal ones the shortest, the last."""
    taken: dict[str, int] = {}
    kept = set[int]()
    for index in _best_first(found):
        prompt = repr(found[index].prompt.messages)
        if taken.setdefault(prompt, 0) < most:
            taken[prompt] += 1
            kept.add(index)
    return kept


def _best_first(found: Sequence[Rewarded]) -> list[int]:
    return sorted(range(len(found)), key=lambda index: (-found[index].reward, found[index].tokens, -index))
