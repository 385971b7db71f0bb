"""How an objective differs from what others mean by GRPO.

TRL's defaults are those of its version 1.16 (``GRPOConfig``). The paper's are those of DeepSeekMath
(arXiv 2402.03300), equations 3 and 4 and section 4.2.
"""

from __future__ import annotations

from collections.abc import Mapping

from .objective import Aggregation, Objective, Ratio, Scale

_TRL = Objective(
    clip_high=0.2,
    weighs_divergence=True,
    masks_overlong=False,
    skips_dead=False,
    max_completion_tokens=512,
    importance_cap=3.0,
)
_PAPER = Objective(
    aggregation=Aggregation.GRPO,
    clip_high=0.2,
    beta=0.04,
    epsilon=0.0,
    masks_overlong=False,
    skips_dead=False,
    max_completion_tokens=1024,
    importance_cap=None,
)
_TITLES = ("", "here", "TRL 1.16", "GRPO paper")


def differences(objective: Objective, completions: int, *, other_engine: bool) -> list[str]:
    """Lines of a table: what is not the same here, in TRL and in the paper.

    Args:
        completions: of every prompt.
        other_engine: whether another engine than the one that trains draws them.
    """
    ours = _cells(objective, completions)
    trl = {**_cells(_TRL, 8), "other engine": "sequence, over 3: out"}
    paper = {**_cells(_PAPER, 64), "clip": "ε, no value given"}
    unused = {"divergence by": not objective.needs_reference, "other engine": not other_engine}
    rows = [
        (name, value, trl[name], paper[name])
        for name, value in ours.items()
        if not value == trl[name] == paper[name] and not unused.get(name)
    ]
    widths = [max(len(row[column]) for row in (_TITLES, *rows)) for column in range(4)]
    return [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (_TITLES, *rows)
    ]


def _cells(objective: Objective, completions: int) -> Mapping[str, str]:
    return {
        "completions a prompt": str(completions),
        "average over": _AVERAGES[objective.aggregation],
        "ratio of": "each token" if objective.ratio is Ratio.TOKEN else "the completion",
        "clip": f"{1 - objective.clip_low:g} … {1 + objective.clip_high:g}",
        "dual clip": _or_none(objective.dual_clip),
        "std of an advantage": _SCALES[objective.scale],
        "epsilon of the std": "–" if objective.scale is Scale.NONE else f"{objective.epsilon:g}",
        "beta (reference)": f"{objective.beta:g}",
        "divergence by": "ratio times k3" if objective.weighs_divergence else "k3",
        "steps a rollout": str(objective.updates),
        "overlong completions": "masked" if objective.masks_overlong else "trained on",
        "dead prompts": "left out" if objective.skips_dead else "count as 0",
        "tokens at most": str(objective.max_completion_tokens),
        "other engine": "–"
        if objective.importance_cap is None
        else f"token, cut at {objective.importance_cap:g}",
    }


_AVERAGES = {
    Aggregation.GRPO: "tokens, completions",
    Aggregation.BNPO: "tokens of a pass",
    Aggregation.DAPO: "tokens of the step",
    Aggregation.DR_GRPO: "constant divisor",
}
_SCALES = {Scale.GROUP: "the prompt", Scale.BATCH: "the batch", Scale.NONE: "nothing"}


def _or_none(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"
