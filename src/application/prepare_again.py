"""Prepare the data of a run anew, and look whether tokenizer and rows still are those that it had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..domain.checkpoint import differences
from ..domain.errors import CeselloError, DataError, Interrupted, ModelError
from ..domain.ports.model import ModelProvider, Policy
from ..domain.run import RunSummary
from ..domain.run_checks import count, data_check, identity, mapping
from ..domain.run_verification import Check, Part, difference_text, sentence
from .improve_prompt import tasks_digest
from .prepare_data import DataRequest, PrepareData
from .prepare_tasks import PrepareTasks, TaskLimits

_BEFORE_ROWS = (Part.RECIPE, Part.PROMPT, Part.MEMORY, Part.PROCEDURES, Part.BASE)
"""What rows follow from: where it has changed, other rows say nothing about the data."""


@dataclass(frozen=True, slots=True)
class VerifyRunRequest:
    """A run, and what it would be asked again now.

    Attributes:
        data: what its recipe asks; an error where that is none any more.
        now: its identity, as far as that is known without loading anything, by name.
        unknown: what of it cannot be told, and why, by part.
        limits: of the tasks of a prompt search; None: it is a training.
        prompt: the id of the prompt in its folder; an error where it is none, None where it has none.
        quick: leave out what needs the tokenizer or the rows.
        root: the folder in which data, memory and procedures are looked up; empty where no recipe tells it.
        is_below_root: whether the run is in that folder.
    """

    run: RunSummary
    data: DataRequest | CeselloError
    now: Mapping[str, str] = field(default_factory=dict)
    unknown: Mapping[Part, str] = field(default_factory=dict)
    limits: TaskLimits | None = None
    prompt: str | CeselloError | None = None
    quick: bool = False
    root: str = ""
    is_below_root: bool = True


class PrepareAgain:
    """What takes a tokenizer, and so the libraries that bring it. No weights of a model are loaded."""

    def __init__(self, provider: ModelProvider, prepare: PrepareData, tasks: PrepareTasks) -> None:
        self._provider = provider
        self._prepare = prepare
        self._tasks = tasks

    def base(self, request: VerifyRunRequest) -> Check:
        """Tokenizer and chat template. What the weights are, only loading them tells."""
        kept = identity(request.run)
        stored = {name: kept[name] for name in ("tokenizer", "chat template") if name in kept}
        if not stored or isinstance(request.data, CeselloError):
            return Check(Part.BASE, unchecked="it is not loaded")
        try:
            now = self._provider.encoder(request.data.model).identities
        except CeselloError as gone:
            return Check(Part.BASE, unchecked=sentence(gone))
        changed = tuple(f"the {one.name} is another" for one in differences(stored, now))
        return Check(Part.BASE, "tokenizer and chat template as they were", changed, "weights are not loaded")

    def data(self, request: VerifyRunRequest, changed: Sequence[Part]) -> Check:
        """The rows, prepared anew.

        Args:
            changed: what is known to be another.

        Raises:
            Interrupted.
        """
        if isinstance(request.data, CeselloError):
            return Check(Part.DATA, unchecked="there is no recipe that tells of it")
        if before := [part for part in changed if part in _BEFORE_ROWS]:
            return Check(Part.DATA, unchecked=f"rows follow from what has changed: {', '.join(before)}")
        try:
            return self._prepared(request, request.data)
        except Interrupted:
            raise
        except CeselloError as failure:
            if _tells_nothing(failure):
                return Check(Part.DATA, unchecked=sentence(failure))
            return Check(Part.DATA, changes=(f"it can be prepared no more: {sentence(failure)}",))

    def _prepared(self, request: VerifyRunRequest, data: DataRequest) -> Check:
        if request.limits is None:
            stored = mapping(request.run.manifest.get("data"))
            check = data_check(stored, self._prepare(data, _not_loaded).mixed.manifest)
            return _by_versions(check, request)
        tasks = self._tasks(data, request.limits)
        same = tasks_digest(tasks) == identity(request.run).get("data")
        number = len(tasks.search) + len(tasks.selection) + len(tasks.test)
        said = f"{count(number, 'task')} as they were"
        return _by_versions(Check(Part.DATA, said, () if same else ("the tasks are others",)), request)


def _not_loaded() -> Policy:
    raise ModelError("M097", "the answers of the model that a source replays are not kept here any more")


_OF_ROWS = ("cesello", "tokenizers", "transformers")
"""Libraries that the same rows come out of otherwise, in another version."""


def _by_versions(check: Check, request: VerifyRunRequest) -> Check:
    """Other rows say nothing about the data where what makes rows of it is another version."""
    names = [f"library {name}" for name in _OF_ROWS]
    stored, now = identity(request.run), request.now
    known = [name for name in names if name in stored and name in now]
    others = differences({name: stored[name] for name in known}, {name: now[name] for name in known})
    if not check.changes or not others:
        return check
    told = ", ".join(map(difference_text, others))
    return Check(Part.DATA, unchecked=f"{'; '.join(check.changes)}, but another version made them ({told})")


def _tells_nothing(failure: CeselloError) -> bool:
    """Whether a source that cannot be read may still be what it was: it is elsewhere, or may not be read."""
    elsewhere = failure.code == "D001" or isinstance(failure.__cause__, OSError)
    return elsewhere or not isinstance(failure, DataError)
