"""Make tasks of a recipe's rows: some to search a prompt on, some to choose by, and held-out ones to test."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain, zip_longest

from ..domain.chatml import tools_as_text
from ..domain.conversation import Conversation
from ..domain.conversation_json import to_json
from ..domain.example import Example
from ..domain.halving import TaskParts
from ..domain.prompt_gate import plainly_asked
from ..domain.prompt_search import Task
from .prepare_data import DataRequest
from .prepare_source import PreparedSource, question
from .prepare_sources import PrepareSources

_OF = 8
_SEARCHED = frozenset({0, 2, 3, 5, 6})
"""Of every eight rows that are not held out, those that are searched on; the others choose."""


@dataclass(frozen=True, slots=True)
class TaskLimits:
    """The most tasks of each part."""

    search: int
    selection: int
    test: int


class PrepareTasks:
    """Takes the rows as a training of the same recipe has them: the same ones are held out.

    A question stands in one part alone, whatever the answers to it: what was searched on is not tested on.
    """

    def __init__(self, prepare: PrepareSources) -> None:
        self._prepare = prepare

    def __call__(self, request: DataRequest, limits: TaskLimits) -> TaskParts:
        """The same rows give the same parts. A source without weight gives to the test alone.

        Raises:
            DataError, ModelError: those of the sources and the tokenizer.
        """
        sources = self._prepare(request)
        system = request.rules.system_prompt
        test, asked = _tasks([(one, one.held) for one in sources], system), set[str]()
        held: dict[str, Task] = {}
        for task in test:  # those too that the test has no room for: a training evaluates on them
            asked.add(_question(task))
            if len(held) < limits.test:
                held.setdefault(task.id, task)
        drawn = _tasks([(one, one.train) for one in sources if one.is_drawn], system)
        rows = _asked_once(drawn, asked, limits.search + limits.selection)
        search, selection = _dealt(rows, limits)
        return TaskParts(search, selection, list(held.values()))


def _tasks(sources: Iterable[tuple[PreparedSource, Sequence[int]]], system: str) -> Iterator[Task]:
    """One of each source in turn, as long as it has some."""
    rows = [_asking(one, indices) for one, indices in sources]
    for example in chain.from_iterable(zip_longest(*rows)):
        if example is not None:
            yield task_of(example.conversation, system)


def _asked_once(tasks: Iterable[Task], asked: set[str], most: int) -> list[Task]:
    """The first of each question that is not asked elsewhere."""
    found: dict[str, Task] = {}
    for task in tasks:
        if len(found) >= most:
            break
        if (question := _question(task)) not in asked:
            found.setdefault(question, task)
    return list(found.values())


def _question(task: Task) -> str:
    """What makes two tasks the same one; where no user asks anything a task is its own."""
    return plainly_asked(task.conversation) or task.id


def _asking(source: PreparedSource, indices: Sequence[int]) -> Iterable[Example]:
    """Rows that ask something; plain text does not."""
    rows = (source.examples.example(index) for index in indices)
    return (row for row in rows if question(row.conversation).messages)


def task_of(row: Conversation, system: str) -> Task:
    """What a row asks, without what preparing put before it, and what it answers."""
    asked = row.prompt().without_system(system)
    answer = tools_as_text(row).answer()
    text = to_json(row).encode("utf-8", "surrogatepass")  # with what the reward knows of it
    return Task(sha256(text).hexdigest()[:16], asked, answer.content if answer else "")


def _dealt(rows: Sequence[Task], limits: TaskLimits) -> tuple[list[Task], list[Task]]:
    """Five of eight to search on; when one part is full the other takes the rest."""
    search: list[Task] = []
    selection: list[Task] = []
    for number, task in enumerate(rows):
        wanted = search if number % _OF in _SEARCHED else selection
        other = selection if wanted is search else search
        for part in (wanted, other):
            if len(part) < (limits.search if part is search else limits.selection):
                part.append(task)
                break
    return search, selection
