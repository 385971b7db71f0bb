"""What came of procedures: who runs with which version, and whether it helps.

Of all matched requests a share runs without the procedure; what is won over these is its *lift*. Requests
are assigned by their hash, so that the same request always meets the same. What is believed of a version is
a Beta distribution over its runs, of which old ones count less: half as much every ``HALF_LIFE`` runs, as
in the discounted Thompson sampling of Raj & Kalyani (2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from .procedure import Outcome, ProcedureRun, Version
from .statistics import Beta, Interval, probability_greater

HALF_LIFE = 50
HOLD_OUT = 0.2
TRIAL = 0.5

BY_PERSON = "user"
"""The origin of runs that a person chose the procedure for."""

USES = frozenset({"generate", "ask", BY_PERSON})
"""Origins that are no training."""

_SOLVED, _FAILED = 0.5, -0.5

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


@dataclass(slots=True)
class Tally:
    """Of scores as they come, oldest first: a score in between is a part of a success.

    Attributes:
        runs: that were counted. won, lost: what is left of them, the older the less.
    """

    runs: int = 0
    won: float = 0.0
    lost: float = 0.0

    def add(self, one: float) -> None:
        """One more score in [0, 1]."""
        self.runs += 1
        self.won, self.lost = self.won * _KEPT + one, self.lost * _KEPT + 1 - one

    @property
    def belief(self) -> Beta:
        """Of the probability that showed these scores."""
        return Beta().after(self.won, self.lost)


def standing(runs: Sequence[ProcedureRun], sha: str) -> Standing:
    """What the runs of a procedure, newest first as the log has them, say of a version."""
    own = [run for run in runs if run.sha == sha and not run.held_out]
    all_own, without = _tally(own), _tally([run for run in runs if run.held_out])
    compared = _tally([run for run in own if matched_at_random(run)])
    ours, theirs = compared.belief, without.belief
    return Standing(
        len(own),
        all_own.runs,
        without.runs,
        all_own.belief,
        compared.runs,
        ours,
        theirs,
        probability_greater(ours, theirs),
    )


def _tally(runs: Sequence[ProcedureRun]) -> Tally:
    tally = Tally()
    for run in reversed(runs):
        if (found := score(run)) is not None:
            tally.add(found)
    return tally
