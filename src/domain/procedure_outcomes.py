"""What came of procedures: who runs with which version, whether it helps, and which version is kept.

Of all matched requests a share runs without the procedure; what is won over these is its *lift*. Requests
are assigned by their hash, so that the same request always meets the same. What is believed of a version is
a Beta distribution over its runs, of which old ones count less: half as much every ``HALF_LIFE`` runs, as
in the discounted Thompson sampling of Raj & Kalyani (2017).

Runs are looked at when ``LEAST_RUNS`` of a version are judged, and after every ``EVERY`` more:

    quarantine  P(lift > 0) < 0.2 in two looks, one after another, with ``LEAST_HELD`` runs held out at least
    promotion   of a draft that half of the requests meet: P(better than the active version) > 0.98
    rejection   of a draft: P(better) < 0.05, or ``LONGEST_TRIAL`` of its runs without promotion

``tests/unit/domain/test_procedure_outcomes.py`` holds what these rules do in 200 seeded histories each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from .procedure import Outcome, ProcedureRun, Status, Version
from .statistics import Beta, Interval, probability_greater

HALF_LIFE = 50
HOLD_OUT = 0.1
TRIAL = 0.5
LEAST_RUNS = 20
LEAST_HELD = 5
EVERY = 10
HARM = 0.2
PROMOTED, REJECTED = 0.98, 0.05
LONGEST_TRIAL = 200

_KEPT = 0.5 ** (1 / HALF_LIFE)
_SCORES = {Outcome.SUCCESS: 1.0, Outcome.PARTIAL: 0.5, Outcome.FAILURE: 0.0}


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a matched request runs with.

    Attributes:
        held_out: it goes without, and shows what happens then.
    """

    version: Version
    held_out: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a version.

    Attributes:
        runs: that were judged, of ``uses`` in all. belief: of its success; ``without`` that of requests
        that were held out, of which ``held`` were judged. helps: P(lift > 0).
    """

    uses: int
    runs: int
    held: int
    belief: Beta
    without: Beta
    helps: float

    @property
    def lift(self) -> float:
        """The expected one, in (-1, 1)."""
        return self.belief.mean - self.without.mean

    @property
    def interval(self) -> Interval:
        """95 % of its success."""
        return self.belief.interval()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to become of a version, and why."""

    version: Version
    status: Status
    reason: str


def choose(request: str, active: Version, draft: Version | None = None, hold_out: float = HOLD_OUT) -> Chosen:
    """Which version a matched request meets, if it is not held out.

    Args:
        draft: one that is being tried.
    """
    if share_of(request, f"{active.name}/hold-out") < hold_out:
        return Chosen(active, True)
    tried = draft is not None and share_of(request, f"{active.name}/{draft.sha}") < TRIAL
    return Chosen(draft if tried and draft is not None else active, False)


def share_of(request: str, salt: str) -> float:
    """A number in [0, 1) that a request always has, evenly spread over requests."""
    digest = blake2b(f"{salt}\n{request}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def score(run: ProcedureRun) -> float | None:
    """How well a run went, in [0, 1]; None where nothing judged it, or it was given up."""
    if run.reward is not None:
        return (min(1.0, max(-1.0, run.reward)) + 1) / 2
    return _SCORES.get(run.outcome)


def belief(scores: Sequence[float]) -> Beta:
    """Of a probability that showed these, oldest first: a score in between is a part of a success."""
    won = lost = 0.0
    for one in scores:
        won, lost = won * _KEPT + one, lost * _KEPT + 1 - one
    return Beta().after(won, lost)


def standing(runs: Sequence[ProcedureRun], sha: str) -> Standing:
    """What the runs of a procedure, newest first as the log has them, say of a version."""
    own = [run for run in runs if run.sha == sha and not run.held_out]
    scores, without = _scores(own), _scores([run for run in runs if run.held_out])
    ours, theirs = belief(scores), belief(without)
    return Standing(len(own), len(scores), len(without), ours, theirs, probability_greater(ours, theirs))


def verdict(
    runs: Sequence[ProcedureRun], active: Version | None, draft: Version | None = None
) -> Verdict | None:
    """What is to change, by the runs of a procedure, newest first; None: nothing."""
    if draft is not None and active is not None and (found := _of_draft(runs, active, draft)):
        return found
    return _harm(runs, active) if active is not None else None


def _of_draft(runs: Sequence[ProcedureRun], active: Version, draft: Version) -> Verdict | None:
    count = len(_scores(_of(runs, draft)))
    if not _is_look(count):
        return None
    ours, theirs = belief(_scores(_of(runs, draft))), belief(_scores(_of(runs, active)))
    better = probability_greater(ours, theirs)
    said = f"P(better than {active.sha[:8]}) = {better:.3f} after {count} runs"
    if better > PROMOTED:
        return Verdict(draft, Status.ACTIVE, said)
    if better < REJECTED:
        return Verdict(draft, Status.QUARANTINED, said)
    if count >= LONGEST_TRIAL:
        return Verdict(draft, Status.RETIRED, f"{said}: not better for certain")
    return None


def _harm(runs: Sequence[ProcedureRun], active: Version) -> Verdict | None:
    """By its runs now and at the look before; what was held out since does not count at that one."""
    ordered = [run for run in reversed(runs) if score(run) is not None]
    own = [at for at, run in enumerate(ordered) if run.sha == active.sha and not run.held_out]
    if not _is_look(len(own)) or len(own) < LEAST_RUNS + EVERY:
        return None
    before = standing(ordered[own[-EVERY - 1] :: -1], active.sha)
    now = standing(ordered[::-1], active.sha)
    if min(before.held, now.held) < LEAST_HELD or max(before.helps, now.helps) >= HARM:
        return None
    said = f"P(it helps) = {before.helps:.3f}, then {now.helps:.3f}, after {now.runs} runs"
    return Verdict(active, Status.QUARANTINED, f"{said} and {now.held} without it")


def _is_look(count: int) -> bool:
    return count >= LEAST_RUNS and (count - LEAST_RUNS) % EVERY == 0


def _of(runs: Sequence[ProcedureRun], version: Version) -> list[ProcedureRun]:
    return [run for run in runs if run.sha == version.sha and not run.held_out]


def _scores(runs: Sequence[ProcedureRun]) -> list[float]:
    """Oldest first."""
    return [found for run in reversed(runs) if (found := score(run)) is not None]
