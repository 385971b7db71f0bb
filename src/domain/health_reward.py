"""Checks of a reinforcement: what completions, their rewards and the policy do."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import fmean

from .alarms import CUT_OFF, DEAD_GROUPS, DIVERGENCE, ENTROPY_LEFT
from .health_figures import (
    AT_AN_END,
    CLEAR,
    FINE,
    NOTHING_TO_LOOK_AT,
    STEPS,
    Level,
    Said,
    Verdict,
    ends,
    error,
    values,
)
from .recorded_run import RecordedRun, part, whole
from .report_gains import Gain, gains

_INFRA = 0.02
"""Of the gradings; more of them end a training."""

_MOST = 0.5
"""Of the answers: where more have no score, the mean is that of a minority."""

_FEW = 30
"""Held-out rows: with fewer, the interval of a proportion is wider than a third, and says little else."""

_LONGER = 2.0
"""Times as long as at first: rewards that can be had by writing more are had so."""

_FOLLOWS = 0.2
"""Of the reward's rise, that the held-out score rises by at least; see ``alarms``."""


def groups_differ(run: RecordedRun) -> Verdict:
    """Groups whose answers are all rewarded alike, over the whole run."""
    shares = values(run, "metrics", "dead_groups")
    if len(shares) < AT_AN_END:
        return NOTHING_TO_LOOK_AT
    if fmean(shares) <= DEAD_GROUPS:
        return FINE
    rewards = values(run, "metrics", "reward")
    mean = f" (mean reward {fmean(rewards):.3g})" if rewards else ""
    return Said(
        f"For {fmean(shares):.0%} of the prompts all answers were rewarded alike{mean}: nothing is learnt "
        "from them.",
        Level.WRONG,
    )


def answers_end(run: RecordedRun) -> Verdict:
    """Answers that were cut off, in the last steps."""
    shares = values(run, "metrics", "cut_off")
    if len(shares) < AT_AN_END:
        return NOTHING_TO_LOOK_AT
    share = fmean(ends(shares)[1])
    if share <= CUT_OFF:
        return FINE
    return Said(f"At the end {share:.0%} of the answers were cut off before they ended.")


def answers_vary(run: RecordedRun) -> Verdict:
    """Whether the entropy has collapsed."""
    entropies = values(run, "metrics", "entropy")
    if len(entropies) < STEPS:
        return NOTHING_TO_LOOK_AT
    then, now = (fmean(part) for part in ends(entropies))
    if now > ENTROPY_LEFT * then:
        return FINE
    return Said(
        f"The entropy of a token fell from {then:.3g} to {now:.3g} nats: the answers have become all alike.",
        Level.WRONG,
    )


def policy_stays_near(run: RecordedRun) -> Verdict:
    """The divergence of the last steps."""
    nats = values(run, "metrics", "kl")
    if len(nats) < AT_AN_END:
        return NOTHING_TO_LOOK_AT
    last = fmean(ends(nats)[1])
    if last <= DIVERGENCE:
        return FINE
    return Said(f"At the end the policy is {last:.3g} nats a token from the reference.")


def answers_keep_length(run: RecordedRun) -> Verdict:
    """Whether answers grew."""
    lengths = values(run, "metrics", "completion_tokens")
    if len(lengths) < STEPS:
        return NOTHING_TO_LOOK_AT
    then, now = (fmean(part) for part in ends(lengths))
    return FINE if now <= _LONGER * then else Said(f"Answers grew from {then:.0f} to {now:.0f} tokens.")


def reward_carries_over(run: RecordedRun) -> Verdict:
    """Whether held-out prompts are answered better where those trained on are.

    Wrong is what is hardly chance: the upper end of the held-out gain's interval is below the share of the
    rise that it should follow by. Where it is below the rise alone, and the gain itself below that share, it
    is worth a look. The rise is taken at its lower end.
    """
    rewards = values(run, "metrics", "reward")
    scores = [one for one in gains(run) if one.kind == "score" and one.interval is not None]
    if len(rewards) < STEPS or sum(one.rows for one in scores) < _FEW:
        return NOTHING_TO_LOOK_AT
    first, last = ends(rewards)
    rise = fmean(last) - fmean(first)
    least = rise - CLEAR * error(first, last)
    held, most = _mean_gain(scores)
    if least <= 0 or held > _FOLLOWS * rise or most > least:
        return FINE
    return Said(
        f"The reward of the training rose by {rise:.3g}, the held-out score went by {held:+.3g} "
        f"(95 %: {most:+.3g} at most).",
        Level.WRONG if most < _FOLLOWS * least else Level.LOOK,
    )


def _mean_gain(scores: Sequence[Gain]) -> tuple[float, float]:
    """Over the sources, each of the same weight: the mean, and the upper end of its interval."""
    mean = fmean(one.difference or 0.0 for one in scores)
    above = [one.interval.high - (one.difference or 0.0) for one in scores if one.interval]
    return mean, mean + sqrt(sum(half * half for half in above)) / len(above)


def answers_are_judged(run: RecordedRun) -> Verdict:
    """Answers without a score."""
    lines, drawn = run.log("evaluations"), len(run.log("completions"))
    graded = [part(part(line, "graded"), name) for line in lines for name in part(line, "graded")]
    if not graded and not drawn:
        return NOTHING_TO_LOOK_AT
    failed, judged = (sum(whole(one, name) for one in graded) for name in ("infra_errors", "rows"))
    share = (failed + sum(values(run, "metrics", "unscored"))) / max(1, failed + judged + drawn)
    if share <= _INFRA:
        return FINE
    return Said(
        f"{share:.0%} of the answers have no score ({failed} held-out ones since the grader failed).",
        Level.LOOK if share < _MOST else Level.WRONG,
    )


def enough_held_out(run: RecordedRun) -> Verdict:
    """How many rows held-out scores are the mean of."""
    scores = [one for one in gains(run) if one.kind == "score"]
    if not scores:
        return NOTHING_TO_LOOK_AT
    few = ", ".join(f"{one.source} ({one.rows})" for one in scores if one.rows < _FEW)
    return Said(f"Few held-out rows were judged: {few}.") if few else FINE
