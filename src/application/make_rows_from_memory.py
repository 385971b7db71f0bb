"""Make rows to train on out of the code that a memory holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..domain.code_answer import parsed
from ..domain.code_names import Names
from ..domain.code_questions import CodeQuestion, questions_of
from ..domain.code_rows import KINDS, code_row, docstring_row, fill_rows, is_wanted, question_row
from ..domain.errors import DataError
from ..domain.made_row import MadeRow, drawn
from ..domain.ports.chunk_store import ChunkStore
from ..domain.ports.data import NearCopies
from ..domain.ports.run import Observer, Stop
from ..domain.ports.sandbox import Sandbox
from ..domain.python_facts import PythonFacts
from ..domain.python_reading import python_facts
from ..domain.remembered import EVERYTHING, FileMark, Selection
from ..domain.remembered_file import IndexedFile, generation_of, indexed_files, shown_paths
from ..domain.row_split import (
    Guessed,
    Placed,
    Told,
    at_most,
    guessed,
    guessed_by_others,
    split_by_question,
    split_by_symbol,
    without_frequent,
)
from ..domain.span_questions import span_questions_of
from ..domain.split_leaks import joined_groups
from .run_examples import Checked, RunExamples

_SIMILAR = 0.8


@dataclass(frozen=True, slots=True)
class MakeRowsRequest:
    """What is made.

    Attributes:
        only: files that rows are made of; whether a name is clear is decided by all of them.
        limit: rows at most, those held out included.
        holdout: share of symbols or of questions that is held out, in [0, 1).
        by_question: hold out questions, asked in other words, instead of symbols.
        wordings: in how many words a question is trained on at most.
        run: whether what can be run is run.
    """

    kinds: tuple[str, ...] = KINDS
    only: Selection = EVERYTHING
    limit: int | None = None
    seed: int = 0
    holdout: float = 0.0
    by_question: bool = False
    wordings: int = 3
    languages: tuple[str, ...] = ("en",)
    run: bool = True


@dataclass(slots=True)
class RowsMade:
    """The rows, in the order of files and lines, and what was left out, by kind and reason.

    Attributes:
        guessed: of the questions held out, or of all where none was to be.
    """

    generation: str
    files: int = 0
    rows: list[MadeRow] = field(default_factory=list)
    held: list[MadeRow] = field(default_factory=list)
    left_out: dict[str, Counter[str]] = field(default_factory=dict)
    checked: Checked = field(default_factory=Checked)
    guessed: Guessed = field(default_factory=Guessed)

    def leave_out(self, kind: str, reason: str, count: int = 1) -> None:
        """Counts what is not made."""
        if count:
            self.left_out.setdefault(kind, Counter())[reason] += count


class MakeRowsFromMemory:
    """Reads the memory, never the files: the rows belong to what was remembered."""

    def __init__(
        self,
        chunks: ChunkStore,
        near: NearCopies,
        sandbox: Callable[[], Sandbox],
        observer: Observer,
        stop: Stop,
    ) -> None:
        self._chunks = chunks
        self._near = near
        self._run = RunExamples(sandbox, observer, stop)
        self._observer = observer
        self._stop = stop

    def __call__(self, request: MakeRowsRequest) -> RowsMade:
        """Rows that are the same whenever memory and request are.

        Raises:
            DataError: D080 when the memory is empty, or nothing in it is of the selection.
        """
        with self._chunks.reading():
            marks = self._chunks.files()
            made = RowsMade(generation_of(marks))
            told = self._told(request, marks, made)
        alike = [one.exam.groups | one.exam.alike for one in told if one.exam.alike]
        told = self._without_copies(told, request.seed, made, alike)
        frequent = without_frequent(told, request.seed)
        for index in frequent:
            made.leave_out(told[index].kind, "many have the same answer")
        told = [one for index, one in enumerate(told) if index not in frequent]
        told = self._run(told, made.checked, run=request.run)
        if made.checked.failed:
            made.leave_out("code", "its examples fail when they are run", made.checked.failed)
        if request.by_question:
            placed = split_by_question(told, request.holdout, request.seed)
        else:
            placed = split_by_symbol(told, request.holdout, request.seed, joined_groups(alike))
        taken = at_most(told, placed, request.limit, request.seed)
        for index, (one, place) in enumerate(zip(told, placed, strict=True)):
            self._keep(one, place, index in taken, made)
        made.guessed = guessed(made.rows, made.held) if request.holdout else guessed_by_others(made.rows)
        return made

    def _keep(self, one: Told, place: Placed, is_taken: bool, made: RowsMade) -> None:
        if place.reason:
            made.leave_out(one.kind, place.reason)
        elif not is_taken:
            made.leave_out(one.kind, "beyond the limit", len(place))
        else:
            made.rows += place.trained
            made.held += place.held

    # Reading

    def _told(self, request: MakeRowsRequest, marks: Mapping[str, FileMark], made: RowsMade) -> list[Told]:
        shown = shown_paths(marks, self._chunks.state().roots)
        names = Names()
        for file in self._files("reading the memory", marks, shown):
            names.add(file, _facts_of(file))
        told: list[Told] = []
        for file in self._files("making rows", marks, shown):
            if request.only.fits_path(file.path) or request.only.fits_path(file.shown):
                made.files += 1
                told += self._of_file(file, names, request, made)
        if not made.files:
            raise DataError(
                "D080",
                "there is no code to make rows of",
                got=f"{len(marks)} files in the memory, none of them in the selection",
                fix="run `cesello remember PATH`, or name other files with --path",
            )
        return told

    def _files(
        self, phase: str, marks: Mapping[str, FileMark], shown: Mapping[str, str]
    ) -> Iterator[IndexedFile]:
        self._observer.phase(phase, len(marks))
        for file in indexed_files(self._chunks.all_chunks(), marks, shown):
            self._stop.check()
            yield file
            self._observer.advance()

    def _of_file(
        self, file: IndexedFile, names: Names, request: MakeRowsRequest, made: RowsMade
    ) -> Iterator[Told]:
        facts = _facts_of(file)
        for kind, row in _rows_of(file, facts, names, request, made.generation):
            if isinstance(row, str):
                made.leave_out(kind, row)
            elif flaw := row.exam.flaw():
                made.leave_out(kind, flaw)
            else:
                yield row

    # Copies

    def _without_copies(
        self, told: list[Told], seed: int, made: RowsMade, alike: list[frozenset[str]]
    ) -> list[Told]:
        """Without questions whose words have several answers, and without near copies.

        A function's docstring and its code make two rows of nearly the same words where the docstring is
        short: by lot one of them stays. What pieces of code are near copies of each other goes to ``alike``.
        """
        unclear = _unclear(told)
        rows = [(index, at) for index, one in enumerate(told) for at in range(len(one.trained))]
        rows = [row for row in rows if row[0] not in unclear]
        rows.sort(key=lambda row: drawn(seed, "copies", told[row[0]].fact, row[1]))
        self._observer.phase("comparing rows", len(rows))
        copies = dict[tuple[int, int], str]()
        texts = (told[index].trained[at].words() for index, at in rows)
        for later, earlier, likeness in self._near.find(texts, _SIMILAR):
            copies[rows[later]] = "a copy" if likeness == 1 else "nearly a copy"
            pair = told[rows[later][0]], told[rows[earlier][0]]
            if not any(each.exam.is_question for each in pair):
                alike.append(pair[0].exam.groups | pair[1].exam.groups)
        self._observer.advance(len(rows))
        for index, reason in [*unclear.items(), *((row[0], why) for row, why in copies.items())]:
            made.leave_out(told[index].kind, reason)
        left = (
            replace(
                one, trained=tuple(row for at, row in enumerate(one.trained) if (index, at) not in copies)
            )
            for index, one in enumerate(told)
            if index not in unclear
        )
        return [one for one in left if one.trained]


def _facts_of(file: IndexedFile) -> PythonFacts | None:
    """What the parser of Python says of a file; None where it is another language, or not understood."""
    if not file.is_python:
        return None
    text = file.text.removeprefix("\ufeff")
    tree = parsed(text)
    try:
        return None if tree is None else python_facts(text, tree)
    except (RecursionError, ValueError):
        return None


def _rows_of(
    file: IndexedFile, facts: PythonFacts | None, names: Names, request: MakeRowsRequest, generation: str
) -> Iterator[tuple[str, Told | str]]:
    if "question" in request.kinds:
        yield from _asked("question", questions_of(file, facts, names), file, request, generation)
    if "span" in request.kinds and facts is not None:
        yield from _asked("span", span_questions_of(facts, names), file, request, generation)
    functions = [one for one in facts.functions if is_wanted(one)] if facts else []
    for one in functions:
        if "docstring" in request.kinds:
            yield "docstring", _alone(docstring_row(one, file, request.seed, generation))
        if "code" in request.kinds and facts is not None:
            yield "code", _alone(code_row(one, facts, file, request.seed, generation))
    if "fill" in request.kinds:
        for row in fill_rows(file, facts, request.seed, generation):
            yield "fill", _alone(row)


def _asked(
    kind: str,
    questions: Iterable[CodeQuestion | str],
    file: IndexedFile,
    request: MakeRowsRequest,
    generation: str,
) -> Iterator[tuple[str, Told | str]]:
    for question in questions:
        if isinstance(question, str):
            yield kind, question
            continue
        asked, kept = (_by_lot(question, file, request, kept=kept) for kept in (False, True))
        if not asked or not kept:
            continue  # there are no words for it in that language
        rows = [question_row(question, asked, at, file, generation) for at in range(len(asked))]
        exam = question_row(question, kept, 0, file, generation)
        yield kind, Told(tuple(rows[: request.wordings]), exam)


def _by_lot(question: CodeQuestion, file: IndexedFile, request: MakeRowsRequest, *, kept: bool) -> list[str]:
    wordings = question.wordings(request.languages, kept=kept)
    return sorted(wordings, key=lambda words: drawn(request.seed, file.path, words))


def _alone(row: MadeRow | str) -> Told | str:
    return row if isinstance(row, str) else Told((row,), row)


def _unclear(told: Sequence[Told]) -> dict[int, str]:
    """Questions that are asked twice: with another answer none can be right, with the same one is enough."""
    answers: dict[str, list[tuple[int, str]]] = {}
    for index, one in enumerate(told):
        if one.exam.is_question:
            turns = one.exam.conversation.messages
            answers.setdefault(turns[0].content, []).append((index, turns[1].content))
    dropped: dict[int, str] = {}
    for found in answers.values():
        if len({answer for _, answer in found}) > 1:
            dropped |= {index: "it has several answers" for index, _ in found}
        else:
            dropped |= {index: "a copy" for index, _ in found[1:]}
    return dropped
