"""Verify a run: whether weights, recipe, data, memory and procedures still are those of its manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..domain.checkpoint import GENERATION, CheckpointState, differences
from ..domain.errors import CeselloError
from ..domain.memory_pin import WRITTEN_OTHERWISE, written_otherwise
from ..domain.ports.run import Observer
from ..domain.ports.verification import RunFiles
from ..domain.run import RunSummary
from ..domain.run_checks import (
    WEIGHTS,
    checkpoints_check,
    count,
    figures_check,
    files_check,
    identity,
    mapping,
    sealed_changes,
    sealed_part,
    search_changes,
    status_check,
    weights_check,
)
from ..domain.run_verification import Check, Part, RunVerification, difference_text, part_of, sentence
from .improve_prompt import PROMPT, REPORT
from .prepare_again import PrepareAgain, VerifyRunRequest

RECIPE = "recipe.yaml"


class VerifyRun:
    """Looks at all that the manifest vouches for; no weights of a model are loaded, no run is written."""

    def __init__(self, files: RunFiles, again: Callable[[], PrepareAgain], observer: Observer) -> None:
        self._files = files
        self._again = again
        self._observer = observer

    def __call__(self, request: VerifyRunRequest) -> RunVerification:
        """All checks, in the order of ``Part``.

        Raises:
            StorageError: I003 when the disk does not tell. Interrupted.
        """
        run = request.run
        self._observer.phase("checking files")
        checks = [status_check(run.status, run.manifest.get("error")), self._recipe(request)]
        sealed, now = mapping(run.manifest.get("files")), self._files.seal(Path(run.path))
        checks += [*self._prompt(request), files_check(sealed, now), *self._trained(run, sealed, now)]
        checks += [*_pinned(request), *_libraries(request)]
        checks += self._prepared(request, checks)
        order = list(Part)
        checks.sort(key=lambda check: order.index(check.part))
        return RunVerification(run.id, run.name, run.path, tuple(checks), request.root, request.is_below_root)

    def _prepared(self, request: VerifyRunRequest, before: Sequence[Check]) -> Iterator[Check]:
        """Base model and data."""
        if request.quick:
            yield from (Check(part, unchecked="--quick leaves it out") for part in (Part.BASE, Part.DATA))
            return
        self._observer.phase("preparing the data")
        again = self._again()
        yield (base := again.base(request))
        others = [check.part for check in (*before, base) if check.changes]
        yield again.data(request, [*others, *([Part.MEMORY] if _written_otherwise(request) else [])])

    def _recipe(self, request: VerifyRunRequest) -> Check:
        """Its text, and each value that the steps depend on."""
        text = self._files.content(Path(request.run.path) / RECIPE)
        if text is None:
            return Check(Part.RECIPE, changes=(f"{RECIPE} is missing",))
        changes = _differing(request, Part.RECIPE)
        if hashlib.sha256(text).hexdigest() != request.run.manifest.get("recipe_sha256"):
            changes.insert(0, f"{RECIPE} was changed")
        if isinstance(request.data, CeselloError):
            changes.append(f"it is no recipe: {sentence(request.data)}")
        return Check(Part.RECIPE, "as it was", tuple(changes), request.unknown.get(Part.RECIPE, ""))

    def _prompt(self, request: VerifyRunRequest) -> Iterator[Check]:
        """What a search found, or what is put around the rows: both are kept in the run's folder."""
        program, run = request.prompt, request.run
        search = mapping(run.manifest.get("search"))
        if isinstance(program, CeselloError):
            yield Check(Part.PROMPT, changes=(sentence(program),))
        elif program is not None:
            kept = search.get("winner") if search else identity(run).get("recipe data.prompt")
            changes = (
                [] if str(kept or "").strip('"').endswith(program) else [f"{PROMPT} holds another prompt"]
            )
            yield Check(Part.PROMPT, "as it was", (*changes, *self._report(run, search)))
        elif search:
            yield Check(Part.PROMPT, unchecked="the search has found none")

    def _report(self, run: RunSummary, search: Mapping[str, Any]) -> Iterator[str]:
        if not search:
            return
        try:
            report = mapping(json.loads(self._files.content(Path(run.path) / REPORT) or b""))
        except (ValueError, RecursionError):
            yield f"{REPORT} is missing, or no report any more"
            return
        yield from search_changes(search, report)

    def _trained(self, run: RunSummary, sealed: Mapping[str, Any], now: Mapping[str, str]) -> Iterator[Check]:
        """Weights, checkpoints, the logs that these mark, and the manifest's figures by them.

        A search has none of these but logs, of which it has its tasks.
        """
        path = Path(run.path)
        if run.manifest.get("algorithm") == "apo":
            yield self._logs(path, None, sealed, now)
            return
        yield weights_check(mapping(run.manifest.get("weights")), self._files.digests(path / WEIGHTS))
        checkpoints = self._files.checkpoints(path)
        yield checkpoints_check(checkpoints, sealed_changes(sealed, now, Part.CHECKPOINTS))
        whole = [one.state for one in checkpoints if one.state is not None]
        last = whole[-1] if whole else None
        yield self._logs(path, last, sealed, now)
        metrics, evaluations = (self._files.lines(path, log) for log in ("metrics", "evaluations"))
        yield figures_check(run.manifest, metrics, evaluations, last)

    def _logs(
        self, run: Path, last: CheckpointState | None, sealed: Mapping[str, Any], now: Mapping[str, str]
    ) -> Check:
        """By the manifest, where it marks them; and until the last checkpoint, by that."""
        changes = list(sealed_changes(sealed, now, Part.LOGS))
        told = {change.split(" ")[0] for change in changes}
        if last is not None:
            marks = {name: mark for name, mark in last.logs.items() if name not in told}
            changes += self._files.log_changes(run, marks)
        logs = [name for name in sealed if sealed_part(name) is Part.LOGS]
        if logs:
            return Check(Part.LOGS, f"{count(len(logs), 'log')} as when the run ended", tuple(changes))
        if last is None:
            return Check(Part.LOGS, unchecked="neither the manifest nor a checkpoint marks them")
        return Check(
            Part.LOGS, f"{count(len(last.logs), 'log')} as they were at step {last.step}", tuple(changes)
        )


def _pinned(request: VerifyRunRequest) -> Iterator[Check]:
    """Memory and procedures as the run pinned them, by those of now."""
    for part in (Part.MEMORY, Part.PROCEDURES):
        if any(part_of(name) is part for name in identity(request.run)):
            unknown = request.unknown.get(part, "")
            if part is Part.MEMORY and not unknown and _written_otherwise(request):
                unknown = WRITTEN_OTHERWISE
            changes = [] if unknown else _differing(request, part)
            generation = _generation(request) if part is Part.MEMORY and not unknown else ""
            if changes and generation:
                changes.append(generation)
            # Another generation alone is of the same files, remembered again.
            said = f"as pinned ({generation})" if generation else "as pinned"
            yield Check(part, said, tuple(changes), unknown)


def _written_otherwise(request: VerifyRunRequest) -> bool:
    """Whether another version of cesello gives other passages, whatever has become of the memory."""
    stored, now = identity(request.run), request.now
    pinned = [name for name in stored if part_of(name) is Part.MEMORY and name != GENERATION and name in now]
    return any(written_otherwise(stored[name], now[name]) for name in pinned)


def _generation(request: VerifyRunRequest) -> str:
    """How often the memory was changed, where that is known of both times and differs."""
    then, now = identity(request.run).get(GENERATION), request.now.get(GENERATION)
    return f"generation {then} then, {now} now" if then and now and then != now else ""


def _libraries(request: VerifyRunRequest) -> Iterator[Check]:
    """Other versions make nothing of a run untrue, but another training."""
    if found := _differing(request, Part.LIBRARIES):
        yield Check(Part.LIBRARIES, f"not those of then: {'; '.join(found)}")


def _differing(request: VerifyRunRequest, part: Part) -> list[str]:
    """What is known of both times: what has a name at one alone came or went with cesello's version."""
    stored, now = identity(request.run), request.now
    names = [name for name in stored if name in now and part_of(name) is part]
    return [
        difference_text(one)
        for one in differences({name: stored[name] for name in names}, {name: now[name] for name in names})
    ]
