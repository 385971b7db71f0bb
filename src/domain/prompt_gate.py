"""What a proposed prompt is refused for before any rollout is spent on it.

A proposer may be a language model that has read answers of other models and rows of strangers, so a candidate
is text that nobody has looked at. Nothing of it is ever run or formatted: rendering replaces declared names
in braces and leaves everything else as it is. So ordinary braces, ``{"name": "get_weather"}``, ``{}`` or a
set in code, are inert text and allowed. What looks as if it wanted to be formatted, ``{task.__class__}``,
``{question!r}`` or ``{0}``, would be inert too; it is refused since it cannot mean what its author meant.
What the seed itself holds is a person's own choice and never a reason.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from .conversation import Conversation, Role
from .errors import UsageError
from .halving import TaskParts
from .judging import harmless
from .prompt_program import COMPONENTS, QUESTION, Demo, PromptProgram, placeholders
from .prompt_search import Task

_FORMAT = re.compile(
    r"\{(?:\d+|[A-Za-z_]\w*(?=[.\[!:]))"  # a number, or a name that goes on
    r"(?:\.\w+|\[[^\]{}\"']*\])*(?:![A-Za-z])?(?::[^\s{}\"']*)?\}"
)
_TEMPLATE = re.compile(r"\{\{\s*[A-Za-z_][\w.]*\s*\}\}|\{%|%\}|\{#|#\}")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
"""Unicode categories: control, format (which can turn writing around), surrogate, private, unassigned."""
_WORDS = re.compile(r"\w+")
_RUN = 10
_LEAST_ANSWER = 12
_LEAST_QUESTION = 20

Shown = tuple[tuple[Role, str], ...]
"""The turns that a model reads."""


@dataclass(frozen=True, slots=True)
class GateLimits:
    """How long a candidate may be.

    Attributes:
        longest: characters of a component.
        growth: characters that one edit may add to a component.
        demos: solved tasks that may be shown.
        longest_demo: characters of question and answer.
    """

    longest: int = 8_000
    growth: int = 2_000
    demos: int = 8
    longest_demo: int = 4_000


class PromptGate:
    """Checks candidates of one search; remembers those that passed, so that none passes twice.

    Args:
        seed: its placeholders must be kept.
        editable: components that may change, ``demos`` among them.
        parts: demos may show the search part alone; texts may hold nothing of any part.
    """

    def __init__(
        self,
        seed: PromptProgram,
        editable: Sequence[str],
        parts: TaskParts,
        limits: GateLimits | None = None,
    ) -> None:
        self._seed = seed
        self._editable = frozenset(editable)
        self._limits = limits or GateLimits()
        self._leaks = _Leaks([*parts.search, *parts.selection, *parts.test], seed)
        self._shown = {plainly_asked(task.conversation) for task in parts.search}
        self._hidden = {plainly_asked(task.conversation) for task in (*parts.selection, *parts.test)}
        self._known = {_normalised(seed)}
        self._tasks = parts.search
        self._asked: dict[Shown, list[PromptProgram]] = {}
        self._alike(seed).append(seed)

    def refusal(self, candidate: PromptProgram, parent: PromptProgram) -> str:
        """Why it is not tried, in a few words; empty: it is, and from now on it is known."""
        reason = next(self._reasons(candidate, parent), "")
        if not reason:
            self._known.add(_normalised(candidate))
            self._alike(candidate).append(candidate)
        return reason

    def _reasons(self, candidate: PromptProgram, parent: PromptProgram) -> Iterator[str]:
        yield from self._fixed(candidate)
        for component in COMPONENTS:
            text, old = candidate.text(component), self._seed.text(component)
            if text == old:
                continue
            yield from self._too_long(component, text, parent.text(component))
            yield from _unreadable(component, text, old)
            yield from self._braces(component, text, old)
            if leak := self._leaks.in_text(text):
                yield f"{component} holds {leak}"
        yield from self._demos(candidate)
        if _normalised(candidate) in self._known:
            yield "the same prompt was tried before"
        if any(_asks_the_same(candidate, one, self._tasks) for one in self._alike(candidate)):
            yield "changes nothing on these tasks"

    def _alike(self, candidate: PromptProgram) -> list[PromptProgram]:
        """Those that passed, the seed among them, under which the first task is asked as under this one."""
        return self._asked.setdefault(_shown(candidate, self._tasks[0]) if self._tasks else (), [])

    def _fixed(self, candidate: PromptProgram) -> Iterator[str]:
        for component in COMPONENTS:
            if component not in self._editable and candidate.text(component) != self._seed.text(component):
                yield f"{component} may not be changed"
        if "demos" not in self._editable and candidate.demos != self._seed.demos:
            yield "demos may not be changed"
        if dict(candidate.values) != dict(self._seed.values):
            yield "values of placeholders may not be changed"

    def _too_long(self, component: str, text: str, before: str) -> Iterator[str]:
        if len(text) > max(self._limits.longest, len(self._seed.text(component))):
            yield f"{component} is too long: {len(text)} characters, at most {self._limits.longest}"
        if len(text) - len(before) > self._limits.growth:
            grown = len(text) - len(before)
            yield f"{component} grows by {grown} characters at once, at most {self._limits.growth}"

    def _braces(self, component: str, text: str, old: str) -> Iterator[str]:
        declared = frozenset(self._seed.values) | ({QUESTION} if component == "question" else set())
        needed = placeholders(old) & declared | ({QUESTION} if component == "question" else frozenset())
        if lost := sorted(needed - placeholders(text)):
            yield f"{component} has lost {{{lost[0]}}}"
        if unknown := sorted(placeholders(text) - declared - placeholders(old)):
            yield f"{component} has a placeholder that nothing fills: {{{unknown[0]}}}"
        for pattern, what in ((_FORMAT, "a formatted placeholder"), (_TEMPLATE, "the syntax of a template")):
            new = set(pattern.findall(text)) - set(pattern.findall(old))
            if new:
                yield f"{component} has {what}: {min(new)[:40]}"

    def _demos(self, candidate: PromptProgram) -> Iterator[str]:
        if len(candidate.demos) > max(self._limits.demos, len(self._seed.demos)):
            yield f"{len(candidate.demos)} demos, at most {self._limits.demos}"
        for demo in candidate.demos:
            if demo in self._seed.demos:
                continue
            if _plain(demo.question) in self._hidden:
                yield "a demo shows a task that is kept for the comparison"
            if _plain(demo.question) not in self._shown:
                yield "a demo is no task of the search part"
            if len(demo.question) + len(demo.answer) > self._limits.longest_demo:
                yield f"a demo is too long: at most {self._limits.longest_demo} characters"
            yield from _unreadable("a demo", demo.question + "\n" + demo.answer, "")


def asked(conversation: Conversation) -> str:
    """The last turn of the user: what a task asks."""
    turns = [turn.content for turn in conversation.messages if turn.role is Role.USER]
    return turns[-1] if turns else ""


def plainly_asked(conversation: Conversation) -> str:
    """The same for questions that differ in spaces, in capital letters or in forms of a letter alone."""
    return _plain(asked(conversation))


def check_editable(seed: PromptProgram, editable: Sequence[str], tasks: Sequence[Task]) -> None:
    """That an edit of some component would be seen: a row's own system prompt takes the place of the other.

    Raises:
        UsageError: C122 when none would change what is asked on any of the tasks.
    """
    texts = [component for component in COMPONENTS if component in editable]
    edited = [seed.with_text(component, f"{seed.text(component)}\nx") for component in texts]
    if "demos" in editable:
        edited.append(replace(seed, demos=(*seed.demos, Demo("x", "x"))))
    if all(_asks_the_same(one, seed, tasks) for one in edited):
        raise UsageError(
            "C122",
            "no edit of the prompt would change what is asked",
            where="apo.components",
            got=f"{', '.join(editable)}, where every row brings a system prompt of its own",
            fix="search another part: components: [procedure] or [question]",
        )


def _shown(program: PromptProgram, task: Task) -> Shown:
    turns = program.around(task.conversation).messages
    return tuple((turn.role, turn.content) for turn in turns)


def _asks_the_same(one: PromptProgram, other: PromptProgram, tasks: Sequence[Task]) -> bool:
    """Whether no task is asked otherwise under one than under the other."""
    return bool(tasks) and all(_shown(one, task) == _shown(other, task) for task in tasks)


def _unreadable(what: str, text: str, old: str) -> Iterator[str]:
    unseen = {char for char in text if char not in "\n\t\r" and unicodedata.category(char) in _UNSEEN}
    if new := sorted(unseen - set(old)):
        yield f"{what} holds a character that nobody sees: U+{ord(new[0]):04X}"
    if _has_tokens(text) and not _has_tokens(old):
        yield f"{what} holds control tokens of a chat template"


def _has_tokens(text: str) -> bool:
    shown = "".join(char for char in text if char != "\r" and unicodedata.category(char) not in _UNSEEN)
    return harmless(shown) != shown


def _normalised(program: PromptProgram) -> tuple[str, ...]:
    """Equal for prompts that differ in spaces, in capital letters or in forms of the same letter alone."""
    demos = (f"{_plain(demo.question)}\0{_plain(demo.answer)}" for demo in program.demos)
    return (*(_plain(program.text(component)) for component in COMPONENTS), *demos)


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


class _Leaks:
    """Finds questions and answers of tasks in a text.

    Found is a whole question of at least 20 characters, a whole answer of at least 12, or ten words in a row
    of either; a shorter answer, "4" or "yes", stands anywhere by chance. What several tasks share is their
    common form, and what the seed holds is the person's own: neither is looked for.
    """

    def __init__(self, tasks: Sequence[Task], seed: PromptProgram) -> None:
        own = " ".join(_plain(seed.text(component)) for component in COMPONENTS)
        questions = {_plain(asked(task.conversation)) for task in tasks}
        answers = Counter(_plain(task.answer) for task in tasks)
        self._whole = [
            *((text, "a task's question") for text in questions if len(text) >= _LEAST_QUESTION),
            *(
                (text, "a task's answer")
                for text, n in answers.items()
                if n == 1 and len(text) >= _LEAST_ANSWER
            ),
        ]
        self._whole = sorted(pair for pair in self._whole if pair[0] not in own)
        counts = Counter(run for text in (*questions, *answers) for run in set(_runs(text)))
        self._runs = {run for run, count in counts.items() if count == 1} - set(_runs(own))

    def in_text(self, text: str) -> str:
        """What of a task it holds, in words; empty: nothing."""
        plain = _plain(text)
        for whole, what in self._whole:
            if whole in plain:
                return what
        return "ten words of a task" if not self._runs.isdisjoint(_runs(plain)) else ""


def _runs(text: str) -> list[tuple[str, ...]]:
    words = _WORDS.findall(text)
    return [tuple(words[at : at + _RUN]) for at in range(len(words) - _RUN + 1)]
