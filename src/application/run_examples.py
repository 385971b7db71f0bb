"""Run the examples that made rows bring along, and keep none that fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from ..domain.code_answer import program_of
from ..domain.code_tests import Grade, Grading, Limits, tests_of
from ..domain.errors import SandboxError
from ..domain.made_row import MadeRow
from ..domain.ports.run import Observer, Stop
from ..domain.ports.sandbox import Sandbox
from ..domain.reward import Verdict
from ..domain.row_split import Told

_AT_ONCE = 32
_LIMITS = Limits(wall=5.0, cpu=3)
_SAYS_NOTHING = (Verdict.INFRA_ERROR, Verdict.INVALID_OUTPUT, Verdict.TIMEOUT, Verdict.LIMIT)
"""Neither that an example holds nor that it does not: a generator cannot leave the sandbox, for example, and
on a busy machine what is right takes too long.
"""


@dataclass(slots=True)
class Checked:
    """What came of running rows; ``unrun`` says why some were not."""

    passed: int = 0
    failed: int = 0
    unrun: Counter[str] = field(default_factory=Counter)


class RunExamples:
    """Runs them in the sandbox; where there is none, says so."""

    def __init__(self, sandbox: Callable[[], Sandbox], observer: Observer, stop: Stop) -> None:
        self._sandbox = sandbox
        self._observer = observer
        self._stop = stop

    def __call__(self, told: Sequence[Told], checked: Checked, *, run: bool) -> list[Told]:
        """Without the rows whose examples fail. Those that hold are marked, those not run are forgotten."""
        places = [index for index, one in enumerate(told) if _has_tests(one.exam)]
        checked.unrun["no examples that run alone"] += sum(
            one.kind == "code" and not _has_tests(one.exam) for one in told
        )
        rows = [told[index].exam for index in places]
        if run and rows:
            grades = self._grades(rows, checked)
        else:
            grades = [None] * len(rows)
            checked.unrun["not asked for"] += len(rows)
        kept: dict[int, Told | None] = {}
        for index, grade in zip(places, grades, strict=True):
            kept[index] = _judged(told[index], grade, checked)
        left = (kept.get(index, one) for index, one in enumerate(told))
        return [one for one in left if one is not None]

    def _grades(self, rows: Sequence[MadeRow], checked: Checked) -> list[Grade | None]:
        self._observer.phase("running examples", len(rows))
        sandbox = self._sandbox()
        grades: list[Grade | None] = []
        try:
            for begin in range(0, len(rows), _AT_ONCE):
                self._stop.check()
                batch = [_grading(row) for row in rows[begin : begin + _AT_ONCE]]
                grades += sandbox.grade(batch)
                self._observer.advance(len(batch))
        except SandboxError:
            checked.unrun["nothing can hold programs here"] += len(rows) - len(grades)
            grades += [None] * (len(rows) - len(grades))
        finally:
            sandbox.close()
        untold = [grade is not None and grade.verdict in _SAYS_NOTHING for grade in grades]
        checked.unrun["the sandbox could not tell"] += sum(untold)
        return [None if bad else grade for bad, grade in zip(untold, grades, strict=True)]


def _judged(one: Told, grade: Grade | None, checked: Checked) -> Told | None:
    if grade is None:
        return _untested(one)
    if grade.verdict is Verdict.PASSED:
        checked.passed += 1
        row = replace(one.exam, extra={**one.exam.extra, "checked": "run"})
        return Told((row,), row)
    checked.failed += 1
    return None


def _untested(one: Told) -> Told:
    """Without examples that nobody has run: a reward would believe them."""
    conversation = one.exam.conversation
    reference = {key: value for key, value in conversation.reference.items() if key != "tests"}
    row = replace(one.exam, conversation=replace(conversation, reference=reference))
    return Told((row,), row)


def _has_tests(row: MadeRow) -> bool:
    return "tests" in row.conversation.reference


def _grading(row: MadeRow) -> Grading:
    reference = row.conversation.reference
    tests = tests_of(reference)
    program = program_of(row.conversation.messages[1].content, reference["entry_point"])
    assert tests is not None
    assert program is not None
    return Grading(program, tests, _LIMITS)
