"""The check of how fast a run was, at its end as at its beginning."""

from __future__ import annotations

from statistics import median

from .health_figures import FINE, NOTHING_TO_LOOK_AT, STEPS, Said, Verdict, ends, values
from .recorded_run import RecordedRun, course, figure, whole

_SLOWER = 0.7
"""Of the speed of the first steps: batches of other lengths make less of a difference."""


def speed_holds(run: RecordedRun) -> Verdict:
    """Whether steps became slower."""
    if run.algorithm == "grpo":
        return _drawing_holds(run)
    speeds = values(run, "timings", "tokens_per_second")
    if len(speeds) < 2 * STEPS:
        return NOTHING_TO_LOOK_AT
    then, now = (median(part) for part in ends(speeds))
    if now >= _SLOWER * then:
        return FINE
    return Said(f"Steps became slower: {then:.0f} tokens a second at first, {now:.0f} at the end.")


def _drawing_holds(run: RecordedRun) -> Verdict:
    """Whether answers came slower, by the seconds of drawing and judging.

    What is learnt from is another part of the answers in every step, since groups whose answers are all alike
    teach nothing: learnt tokens a second fall where a training goes well. It is slower where as many answers
    take longer and as many tokens do too: the first alone is so of answers that became longer, the second of
    those that became shorter, as a few long ones are waited for.
    """
    drawn = _drawn(run)
    if len(drawn) < 2 * STEPS:
        return NOTHING_TO_LOOK_AT
    then, now = (median(part) for part in ends([seconds for seconds, _ in drawn]))
    tokens_then, tokens_now = (median(part) for part in ends([tokens / seconds for seconds, tokens in drawn]))
    if then >= _SLOWER * now or tokens_now >= _SLOWER * tokens_then:
        return FINE
    lengths = " and ".join(f"{median(part):.0f}" for part in ends([tokens for _, tokens in drawn]))
    return Said(
        f"Answers came slower: drawing and judging took {then:.3g} s a step at first and {now:.3g} s at the "
        f"end, with {lengths} tokens an answer."
    )


def _drawn(run: RecordedRun) -> list[tuple[float, float]]:
    """Of the steps that drew answers: seconds of drawing and judging those of its prompts, and tokens of one.

    A step that asked other prompts in place of some has drawn more; its seconds are those of its share.
    """
    lengths: dict[int, float] = dict(course(run.log("metrics"), "completion_tokens"))
    more: dict[int, float] = dict(course(run.log("metrics"), "resampled"))
    prompts = 1 + max((whole(line, "prompt") for line in run.log("completions")), default=-1)
    if not prompts and any(more.values()):
        return []
    found = []
    for line in run.log("timings"):
        step, drawing = whole(line, "step"), figure(line, "seconds_generate")
        if drawing is None or not lengths.get(step):
            continue
        seconds = drawing + sum(figure(line, name) or 0.0 for name in ("seconds_tools", "seconds_score"))
        if seconds > 0:
            others = more.get(step, 0.0) / prompts if prompts else 0.0
            found.append((seconds / (1 + others), lengths[step]))
    return found
