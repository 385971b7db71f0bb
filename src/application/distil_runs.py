"""Distil runs: make rows of answers that were rewarded, without what had helped the model to give them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..domain.conversation import user
from ..domain.conversation_json import identity
from ..domain.distilled_rows import (
    Rewarded,
    Wanted,
    best_of_groups,
    first_of_prompts,
    of_trials,
    rewarded,
)
from ..domain.errors import DataError
from ..domain.held_prompts import prompt_digest
from ..domain.made_row import MadeRow
from ..domain.ports.data import NearCopies
from ..domain.ports.prompt import SearchAnswers
from ..domain.ports.run import Observer, RunReader, RunStore, Stop
from ..domain.recorded_run import RecordedRun, text
from ..domain.run import RunSummary
from .drop_copies import words_of

_SIMILAR = 0.8


@dataclass(frozen=True, slots=True)
class DistilRequest:
    """Which answers become rows.

    Attributes:
        runs: ids, names or paths; none: all runs.
        best_of_group: of each group the best alone.
        per_prompt: rows at most of one prompt.
        limit: rows at most.
    """

    runs: tuple[str, ...]
    wanted: Wanted
    best_of_group: bool = False
    per_prompt: int = 4
    limit: int | None = None


HELD_OUT = "held out in a run"
"""A reason to leave an answer out."""


@dataclass(slots=True)
class RunsDistilled:
    """The rows in the order of runs and steps, how many each run gave, and what was left out.

    Attributes:
        untold: runs that do not tell which prompts they hold out: of theirs the samples alone are known.
        others_untold: the same of runs that are in the folder and give no rows.
    """

    rows: list[MadeRow] = field(default_factory=list)
    runs: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    untold: list[str] = field(default_factory=list)
    others_untold: list[str] = field(default_factory=list)


class DistilRuns:
    """Reads runs, and changes none."""

    def __init__(
        self,
        runs: RunStore,
        reader: RunReader,
        answers: SearchAnswers,
        near: NearCopies,
        observer: Observer,
        stop: Stop,
    ) -> None:
        self._runs = runs
        self._reader = reader
        self._answers = answers
        self._near = near
        self._observer = observer
        self._stop = stop

    def __call__(self, request: DistilRequest) -> RunsDistilled:
        """The rows.

        Raises:
            DataError: D030 when a run is not there; D081 when none of them has drawn any completion.
        """
        summaries = [self._runs.find(name) for name in request.runs] or list(reversed(self._runs.list()))
        done = RunsDistilled(runs=Counter({one.id: 0 for one in summaries}))
        found, held, drawn = list[Rewarded](), set[str](), 0
        self._observer.phase("reading runs", len(summaries))
        for summary in summaries:
            recorded = self._reader.read(summary)
            held |= _held_out(summary, recorded, done.untold)
            for one in self._of_run(summary, recorded, request.wanted):
                self._stop.check()
                drawn += 1
                if isinstance(one, str):
                    done.left_out[one] += 1
                else:
                    found.append(one)
            self._observer.advance()
        if not drawn:
            raise DataError(
                "D081",
                "no run here has drawn completions that were rewarded",
                got=", ".join(one.id for one in summaries) or "no runs",
                expected="runs of GRPO, or searches for a prompt",
                fix="name other runs, or their folder with --runs",
            )
        for other in self._others(summaries):
            self._stop.check()
            held |= _held_out(other, self._reader.held_out(other), done.others_untold)
        self._keep(found, held, request, done)
        return done

    def _others(self, named: Sequence[RunSummary]) -> list[RunSummary]:
        """Their answers become no rows, but what they are measured on must not be trained on either."""
        paths = {Path(one.path).resolve() for one in named}  # people name runs through links and ..
        return [one for one in reversed(self._runs.list()) if Path(one.path).resolve() not in paths]

    def _of_run(self, run: RunSummary, recorded: RecordedRun, wanted: Wanted) -> Iterator[Rewarded | str]:
        yield from rewarded(run.id, recorded, wanted)
        if recorded.algorithm == "apo":
            yield from of_trials(run.id, self._answers.tasks(run), self._answers.trials(run), wanted)

    def _keep(
        self, found: Sequence[Rewarded], held: set[str], request: DistilRequest, done: RunsDistilled
    ) -> None:
        chosen = self._filtered(found, lambda all_of: _not_held(all_of, held), HELD_OUT, done)
        chosen = self._filtered(chosen, _whole, "it may tell a secret, or cannot be read as a row", done)
        if request.best_of_group:
            chosen = self._filtered(chosen, best_of_groups, "another of its group is better", done)
        chosen = self._filtered(chosen, self._different, "a copy, or nearly", done)
        most = request.per_prompt
        chosen = self._filtered(
            chosen, lambda all_of: first_of_prompts(all_of, most), "beyond the rows of one prompt", done
        )
        rows = chosen if request.limit is None else chosen[: request.limit]
        done.left_out["beyond the limit"] += len(chosen) - len(rows)
        for one in rows:
            done.rows.append(one.row())
            done.runs[str(one.origin["run"])] += 1

    def _filtered(
        self,
        found: Sequence[Rewarded],
        keep: Callable[[Sequence[Rewarded]], set[int]],
        reason: str,
        done: RunsDistilled,
    ) -> list[Rewarded]:
        kept = keep(found)
        done.left_out[reason] += len(found) - len(kept)
        return [one for index, one in enumerate(found) if index in kept]

    def _different(self, found: Sequence[Rewarded]) -> set[int]:
        """Those that say something new: neither the same row again nor nearly the same answer to a prompt."""
        seen, kept = set[int](), set[int]()
        for index, one in enumerate(found):
            known = identity(one.row().conversation)
            if known not in seen:
                kept.add(index)
            seen.add(known)
        left = sorted(kept)
        texts = (words_of(found[index].row().conversation) for index in left)
        for later, earlier, _ in self._near.find(texts, _SIMILAR):
            if found[left[later]].prompt == found[left[earlier]].prompt:
                kept.discard(left[later])
        return kept


def _whole(found: Sequence[Rewarded]) -> set[int]:
    return {index for index, one in enumerate(found) if one.row().flaw() is None}


def _not_held(found: Sequence[Rewarded], held: set[str]) -> set[int]:
    return {index for index, one in enumerate(found) if prompt_digest(one.prompt) not in held}


def _held_out(run: RunSummary, recorded: RecordedRun, untold: list[str]) -> set[str]:
    """Digests of its held-out prompts: those that it tells, and those of the samples that it has kept.

    Args:
        untold: a run that does not tell them is added.
    """
    if recorded.held_out is None:
        untold.append(run.id)
    sampled = [text(line, "prompt") for lines in recorded.samples.values() for line in lines]
    digests = {prompt_digest(user(prompt)) for prompt in sampled}
    return (digests | (recorded.held_out or frozenset())) - {""}
