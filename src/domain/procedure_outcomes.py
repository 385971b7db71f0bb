"""What came of procedures: who runs with which version, whether it helps, and which version is kept.

Of all matched requests a share runs without the procedure; what is won over these is its *lift*. Requests
are assigned by their hash, so that the same request always meets the same. What is believed of a version is
a Beta distribution over its runs, of which old ones count less: half as much every ``HALF_LIFE`` runs, as
in the discounted Thompson sampling of Raj & Kalyani (2017).

Runs are looked at when ``LEAST_RUNS`` of a version are judged, and after every ``EVERY`` more:

    quarantine  P(lift > 0) < 0.04 in two looks, one after another, with ``LEAST_HELD`` runs held out at least
    promotion   of a draft that half of the requests meet: P(better than the active version) > 0.98
    rejection   of a draft: P(better) < 0.02, or ``LONGEST_TRIAL`` of its runs without promotion

The numbers were tuned on seeded histories of 400 requests, and what they do was counted in 200 others, for
versions that do neither harm nor good as well; ``docs/procedures.md`` has it. Fewer requests without a
procedure would not do: with a tenth, none of some 700 such rules found a harm of 0.2 in more than 81 % of the
histories while it was wrong of a harmless version in 10 % at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from .procedure import Outcome, ProcedureRun, Status, Version
from .statistics import Beta, Interval, probability_greater

HALF_LIFE = 50
HOLD_OUT = 0.2
TRIAL = 0.5
LEAST_RUNS = 20
LEAST_HELD = 15
EVERY = 10
HARM = 0.04
PROMOTED, REJECTED = 0.98, 0.02
LONGEST_TRIAL = 200

BY_PERSON = "user"
"""The origin of runs that a person chose the procedure for."""

USES = frozenset({"generate", "ask", BY_PERSON})
"""Origins that are no training."""

_SOLVED, _FAILED = 0.5, -0.5

_greater = lru_cache(maxsize=64)(probability_greater)
"""What was found at a look is asked for again at the next."""

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
        runs: that were judged, of ``uses`` in all. belief: of its success.
        compared: of the judged runs, those that were ``matched_at_random``; matched: of their success.
        held: of the judged runs, those that were held out; without: of their success.
        helps: P(lift > 0).
    """

    uses: int
    runs: int
    held: int
    belief: Beta
    compared: int
    matched: Beta
    without: Beta
    helps: float

    @property
    def lift(self) -> float:
        """The expected one, in (-1, 1)."""
        return self.matched.mean - self.without.mean

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


def alike(runs: Sequence[ProcedureRun], origin: str) -> list[ProcedureRun]:
    """Those that can be compared with one of that origin: of the same training, or of none.

    What a model gets right while it is trained says nothing of what people get who use it: in a training
    other requests are held out, or none. Together they would show a lift where there is none.
    """
    return [run for run in runs if run.origin == origin or {run.origin, origin} <= USES]


def matched_at_random(run: ProcedureRun) -> bool:
    """Whether its request might as well have gone without, or met another version.

    What a person named, or followed step by step, was chosen for being fit, and is held out never.
    """
    return run.origin != BY_PERSON


def outcome_of(reward: float | None) -> Outcome:
    """What a mean reward in [-1, 1] comes to, for a person: success from three of four on, where each is 1 or
    -1, and likewise failure.
    """
    if reward is None:
        return Outcome.UNKNOWN
    if _FAILED < reward < _SOLVED:
        return Outcome.PARTIAL
    return Outcome.SUCCESS if reward >= _SOLVED else Outcome.FAILURE


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
    alike_scores = _scores([run for run in own if matched_at_random(run)])
    ours, theirs = belief(alike_scores), belief(without)
    return Standing(
        len(own),
        len(scores),
        len(without),
        belief(scores),
        len(alike_scores),
        ours,
        theirs,
        _greater(ours, theirs),
    )


def verdict(
    runs: Sequence[ProcedureRun], active: Version | None, draft: Version | None = None
) -> Verdict | None:
    """What is to change, by the runs of a procedure, newest first; None: nothing."""
    if draft is not None and active is not None and (found := _of_draft(runs, active, draft)):
        return found
    return _harm(runs, active) if active is not None else None


def _of_draft(runs: Sequence[ProcedureRun], active: Version, draft: Version) -> Verdict | None:
    count = _judged(runs, draft)
    if not _is_look(count):
        return None
    ours, theirs = belief(_scores(_of(runs, draft))), belief(_scores(_of(runs, active)))
    better = _greater(ours, theirs)
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
    if not _is_look(_judged(runs, active)):
        return None
    ordered = [run for run in reversed(runs) if score(run) is not None]
    own = [at for at, run in enumerate(ordered) if _is_of(run, active)]
    if len(own) < LEAST_RUNS + EVERY:
        return None
    before = standing(ordered[own[-EVERY - 1] :: -1], active.sha)
    now = standing(ordered[::-1], active.sha)
    if min(before.held, now.held) < LEAST_HELD or max(before.helps, now.helps) >= HARM:
        return None
    said = f"P(it helps) = {before.helps:.3f}, then {now.helps:.3f}, after {now.runs} runs"
    return Verdict(active, Status.QUARANTINED, f"{said} and {now.held} without it")


def _is_look(count: int) -> bool:
    return count >= LEAST_RUNS and (count - LEAST_RUNS) % EVERY == 0


def _judged(runs: Sequence[ProcedureRun], version: Version) -> int:
    """How many of its runs were."""
    return sum(_is_of(run, version) and score(run) is not None for run in runs)


def _of(runs: Sequence[ProcedureRun], version: Version) -> list[ProcedureRun]:
    return [run for run in runs if _is_of(run, version)]


def _is_of(run: ProcedureRun, version: Version) -> bool:
    return run.sha == version.sha and not run.held_out and matched_at_random(run)


def _scores(runs: Sequence[ProcedureRun]) -> list[float]:
    """Oldest first."""
    return [found for run in reversed(runs) if (found := score(run)) is not None]
