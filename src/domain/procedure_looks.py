"""Which version of a procedure is kept, by what came of its runs.

Runs are looked at when ``LEAST_RUNS`` of a version are judged, and after every ``EVERY`` more:

    quarantine  P(lift > 0) < 0.04 in two looks, one after another, with ``LEAST_HELD`` runs held out at least
    promotion   of a draft that half of the requests meet: P(better than the active version) > 0.98
    rejection   of a draft: P(better) < 0.02, or ``LONGEST_TRIAL`` of its runs without promotion

What was taken out of use, or rejected, and then brought back is judged by what comes after that: what spoke
against it was known to whoever brought it back. It is compared with another version by the runs of both since
then. The numbers were tuned on seeded histories of 400 requests, and what they do was
counted in 200 others, for versions that do neither harm nor good as well: `benchmarks/procedure_outcomes.py`.
Fewer requests without a procedure would not do: with a tenth, none of some 700 such rules found a harm of 0.2
in more than 81 % of the histories while it was wrong of a harmless version in 10 % at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .procedure import Change, ProcedureRun, Status, Version
from .procedure_outcomes import Tally, matched_at_random, score
from .statistics import Beta, probability_greater

LEAST_RUNS = 20
LEAST_HELD = 15
EVERY = 10
HARM = 0.04
PROMOTED, REJECTED = 0.98, 0.02
LONGEST_TRIAL = 200

_IN = (Status.ACTIVE, Status.TRIAL)
_OUT = (Status.QUARANTINED, Status.RETIRED)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to become of a version, and why."""

    version: Version
    status: Status
    reason: str


def verdict(
    runs: Sequence[ProcedureRun],
    active: Version | None,
    draft: Version | None = None,
    changes: Sequence[Change] = (),
) -> Verdict | None:
    """What is to change, by the runs of a procedure; None: nothing.

    Args:
        runs: newest first, as the log has them; it is looked at them as they are after the newest.
        draft: one that is being tried.
        changes: of the status of its versions, newest first.
    """
    looks = _Looks(active, draft, changes)
    for run in reversed(runs):
        looks.add(run)
    return looks.verdict()


def first_verdict(
    runs: Sequence[ProcedureRun],
    active: Version | None,
    draft: Version | None = None,
    changes: Sequence[Change] = (),
) -> Verdict | None:
    """The same after each run, oldest first, up to the first change: of runs that are told all at once."""
    looks = _Looks(active, draft, changes)
    return next((found for run in reversed(runs) if looks.add(run) and (found := looks.verdict())), None)


def begun(changes: Sequence[Change], sha: str) -> str:
    """When a version was brought back, into use or on trial, after it was taken out the last time, ISO 8601.

    Empty where it never was: all that came of it counts.

    Args:
        changes: newest first.
    """
    back = ""
    for one in changes:
        if one.sha == sha and one.status in _OUT:
            return back
        if one.sha == sha and one.status in _IN:
            back = one.at
    return ""


@dataclass(frozen=True, slots=True)
class _Look:
    """What was known of the active version; ``held`` runs went without it."""

    held: int
    ours: Beta
    without: Beta

    @property
    def helps(self) -> float:
        return probability_greater(self.ours, self.without)


class _Looks:
    """What is known of a procedure's versions, run by run."""

    def __init__(self, active: Version | None, draft: Version | None, changes: Sequence[Change]) -> None:
        self._active, self._draft = active, draft
        self._since = {one.sha: begun(changes, one.sha) for one in (active, draft) if one is not None}
        self._both = max(self._since.values(), default="")
        self._ours, self._without = Tally(), Tally()
        self._drafts, self._beside = Tally(), Tally()  # the active version beside the draft: since then
        self._before: _Look | None = None
        self._last: _Look | None = None

    def add(self, run: ProcedureRun) -> bool:
        """Takes the next one; whether it counts."""
        tally, found = self._tally(run), score(run)
        if tally is None or found is None:
            return False
        tally.add(found)
        if tally is self._ours:
            if _after(run, self._both):
                self._beside.add(found)
            if _is_look(tally):
                self._before, self._last = self._last, self._now()
        return True

    def verdict(self) -> Verdict | None:
        """What is to change; None: nothing, or it is not looked now."""
        if self._active is None:
            return None
        return self._of_draft(self._active) or self._harm(self._active)

    def _tally(self, run: ProcedureRun) -> Tally | None:
        """Where it counts; None: nowhere, since it is of another version, was chosen, or came before."""
        whose = (
            self._active
            if run.held_out
            else next(
                (one for one in (self._active, self._draft) if one is not None and one.sha == run.sha), None
            )
        )
        if whose is None or not matched_at_random(run):
            return None
        if not _after(run, self._since[whose.sha] if whose is self._active else self._both):
            return None
        if run.held_out:
            return self._without
        return self._ours if whose is self._active else self._drafts

    def _of_draft(self, active: Version) -> Verdict | None:
        draft, count = self._draft, self._drafts.runs
        if draft is None or not _is_look(self._drafts):
            return None
        better = probability_greater(self._drafts.belief, self._beside.belief)
        said = f"P(better than {active.sha[:8]}) = {better:.3f} after {count} runs"
        if better > PROMOTED:
            return Verdict(draft, Status.ACTIVE, said)
        if better < REJECTED:
            return Verdict(draft, Status.QUARANTINED, said)
        if count >= LONGEST_TRIAL:
            return Verdict(draft, Status.RETIRED, f"{said}: not better for certain")
        return None

    def _harm(self, active: Version) -> Verdict | None:
        """By its runs now and at the look before; what was held out since does not count at that one."""
        now, before = self._now(), self._before
        if before is None or not _is_look(self._ours) or min(before.held, now.held) < LEAST_HELD:
            return None
        if now.helps >= HARM or before.helps >= HARM:
            return None
        said = f"P(it helps) = {before.helps:.3f}, then {now.helps:.3f}, after {self._ours.runs} runs"
        return Verdict(active, Status.QUARANTINED, f"{said} and {now.held} without it")

    def _now(self) -> _Look:
        return _Look(self._without.runs, self._ours.belief, self._without.belief)


def _after(run: ProcedureRun, time: str) -> bool:
    """Times have whole seconds: within the same one, nobody knows what came first."""
    return not time or run.started > time


def _is_look(tally: Tally) -> bool:
    return tally.runs >= LEAST_RUNS and (tally.runs - LEAST_RUNS) % EVERY == 0
