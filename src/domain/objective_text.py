"""An objective in words and as a formula, with its values: what ``cesello explain`` prints.

"Default GRPO" means another formula in every library, so what is minimised is said exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap

from .objective import Aggregation, Objective, Ratio, Scale
from .objective_peers import differences

WIDTH = 100


@dataclass(frozen=True, slots=True)
class Setting:
    """What an objective's text depends on besides the objective.

    Attributes:
        completions: of every prompt.
        temperature: at which they are drawn, and ``top_p``.
        other_engine: another engine than the one that trains draws them.
        resample: prompts that are asked at most besides, for dead groups.
        target: the success rate that prompts are chosen by; None: they come in the data's order.
        candidates: prompts of which the nearest to the target is asked.
        tools: names of those that a completion may call.
        guided: procedures that match lead the model step by step.
        turns: answers that a completion has at most with either.
        continues: earlier LoRA weights are trained on, so that the reference is a copy of them.
    """

    completions: int = 8
    temperature: float = 1.0
    top_p: float = 1.0
    other_engine: bool = False
    continues: bool = False
    resample: int = 0
    target: float | None = None
    candidates: int = 1
    tools: Sequence[str] = ()
    guided: bool = False
    turns: int = 1


_USUAL = Setting()


def explanation(objective: Objective, setting: Setting = _USUAL) -> str:
    """All of it: the formula, the sentences, and how it differs from what others mean by GRPO."""
    table = differences(objective, setting.completions, other_engine=setting.other_engine)
    parts = [
        "What is minimised",
        "\n".join(f"  {line}".rstrip() for line in formula(objective, setting)),
        "In words",
        "\n".join(_item(sentence) for sentence in sentences(objective, setting)),
        "How it differs from others' defaults",
        "\n".join(f"  {line}" for line in table),
    ]
    return "\n\n".join(parts) + "\n"


def formula(objective: Objective, setting: Setting = _USUAL) -> list[str]:
    """Lines of the formula, from the reward to the loss, and what its letters mean."""
    lines = {
        "Aᵢ": _advantage(objective),
        "ρᵢₜ": _RATIOS[objective.ratio],
        "gᵢₜ": _gain(objective),
        **({"wᵢₜ": _weight(objective)} if _corrects(objective, setting) else {}),
        **({"kᵢₜ": "rᵢₜ − ln rᵢₜ − 1,   rᵢₜ = π_ref(oᵢₜ) / π(oᵢₜ)"} if objective.needs_reference else {}),
        "ℓᵢₜ": _loss_of_a_token(objective, setting),
        "L": _LOSSES[objective.aggregation].format(most=objective.max_completion_tokens),
    }
    warm = "" if setting.temperature == 1 else f" / {setting.temperature:g}"
    return [
        *(f"{name:<3} = {value}" for name, value in lines.items()),
        "",
        "i: completion   t: its token oᵢₜ   Rᵢ: its reward   mᵢₜ: 1 where the token is trained on, else 0",
        f"π: the policy, softmax(logits{warm})   π_old: the policy that the update begins with, a constant",
    ]


_RATIOS = {
    Ratio.TOKEN: "π(oᵢₜ) / π_old(oᵢₜ)",
    Ratio.SEQUENCE: "exp(Σₜ mᵢₜ (ln π(oᵢₜ) − ln π_old(oᵢₜ)) / Σₜ mᵢₜ),   the same for all t",
}
_LOSSES = {
    Aggregation.GRPO: "(1 / B) Σᵢ (Σₜ mᵢₜ ℓᵢₜ / Σₜ mᵢₜ),   over the B completions of the optimizer step",
    Aggregation.BNPO: "mean over forward passes of (Σᵢₜ mᵢₜ ℓᵢₜ / Σᵢₜ mᵢₜ), i and t within the pass",
    Aggregation.DAPO: "Σᵢₜ mᵢₜ ℓᵢₜ / Σᵢₜ mᵢₜ,   i and t over the whole optimizer step",
    Aggregation.DR_GRPO: "Σᵢₜ mᵢₜ ℓᵢₜ / (B · {most}),   over the B completions of the optimizer step",
}


def _advantage(objective: Objective) -> str:
    centred = "Rᵢ − mean(R of its prompt)"
    if objective.scale is Scale.NONE:
        return centred
    whose = "its prompt" if objective.scale is Scale.GROUP else "the batch"
    return f"({centred}) / (std(R of {whose}) + {objective.epsilon:g})"


def _gain(objective: Objective) -> str:
    gain = f"min(ρᵢₜ Aᵢ, clip(ρᵢₜ, {1 - objective.clip_low:g}, {1 + objective.clip_high:g}) Aᵢ)"
    if objective.dual_clip is None:
        return gain
    return f"{gain},   and where Aᵢ < 0 at least {objective.dual_clip:g} Aᵢ"


def _loss_of_a_token(objective: Objective, setting: Setting) -> str:
    weight = "wᵢₜ " if _corrects(objective, setting) else ""
    weighed = "ρᵢₜ " if objective.weighs_divergence else ""
    divergence = f" + {objective.beta:g} {weighed}kᵢₜ" if objective.needs_reference else ""
    return f"−{weight}gᵢₜ{divergence}"


def _weight(objective: Objective) -> str:
    return f"min(π_old(oᵢₜ) / π_engine(oᵢₜ), {objective.importance_cap:g}),   a constant"


def _corrects(objective: Objective, setting: Setting) -> bool:
    return setting.other_engine and objective.importance_cap is not None


def sentences(objective: Objective, setting: Setting = _USUAL) -> list[str]:
    """The objective in words, a thought a sentence or two."""
    return [
        *_of_prompts(setting),
        *_of_tools(objective, setting),
        *_of_rewards(objective, setting),
        *_of_ratios(objective),
        *_of_the_engine(objective, setting),
        _of_the_reference(objective, setting),
        *_of_the_sum(objective),
        *_of_what_is_left_out(objective, setting),
    ]


def _of_prompts(setting: Setting) -> list[str]:
    said = []
    if setting.target is not None:
        said.append(
            f"Of {setting.candidates} prompts of a source, the order's own among them, the one is asked "
            f"whose success rate is nearest to {setting.target:g}: the mean reward of its groups, rewards "
            "below 0 as 0."
        )
    if setting.resample:
        said.append(
            f"In the place of a prompt whose completions all score the same another of its source is asked, "
            f"up to {setting.resample} in a step."
        )
    return said


def _of_tools(objective: Objective, setting: Setting) -> list[str]:
    if not (setting.tools or setting.guided):
        return []
    calls = (
        f"A completion is up to {setting.turns} answers: where one calls {' or '.join(setting.tools)}, the "
        "call is run, and the model reads what comes back and answers again. What it reads is not trained on "
        f"but counts in the {objective.max_completion_tokens} tokens that a completion may have."
    )
    answer = "an answer without a call" if setting.tools else "an answer"
    steps = (
        f"A prompt that a procedure matches has its first step. After {answer} "
        f"comes the next step as a turn of the user, up to {setting.turns} answers in all. Steps are not "
        "trained on but count in a completion's tokens."
    )
    return [
        *([calls] if setting.tools else []),
        *([steps] if setting.guided else []),
        "Rewards judge the last answer of a completion.",
    ]


def _of_rewards(objective: Objective, setting: Setting) -> list[str]:
    nucleus = f" from the likeliest tokens that make up {setting.top_p:g}" if setting.top_p < 1 else ""
    drawn = (
        f"{setting.completions} completions of each prompt are drawn at temperature {setting.temperature:g}"
    )
    scale = _SCALES[objective.scale].format(epsilon=f"{objective.epsilon:g}")
    said = [
        f"{drawn}{nucleus}.",
        f"A completion's advantage is its reward minus the mean reward of its prompt, {scale}.",
        "Where no reward applies, that is no reward of 0: the completion is left out of mean and standard "
        "deviation, and its advantage is 0.",
    ]
    if setting.top_p < 1:
        said.append(
            "Probabilities are those of the whole vocabulary all the same, though tokens outside that part "
            "could not be drawn."
        )
    return said


_SCALES = {
    Scale.GROUP: "divided by the standard deviation of its prompt's rewards (over n − 1) plus {epsilon}",
    Scale.BATCH: "divided by the standard deviation of the batch's rewards (over n − 1) plus {epsilon}",
    Scale.NONE: "and not divided by a standard deviation: prompts solved about half of the time count most",
}


def _of_ratios(objective: Objective) -> list[str]:
    whole = "of a completion, as the geometric mean over its tokens,"
    one = "of a token" if objective.ratio is Ratio.TOKEN else whole
    low, high = 1 - objective.clip_low, 1 + objective.clip_high
    said = [
        f"The ratio compares the probability {one} with that before the update. Beyond {high:g} what is good "
        f"is pushed up no further, below {low:g} what is bad is pushed down no further.",
    ]
    if objective.dual_clip is not None:
        said.append(
            f"Beyond {objective.dual_clip:g} what is bad but became likelier is not pushed down either."
        )
    if objective.needs_old:
        said.append(
            f"A rollout serves {objective.updates} optimizer steps; the log-probabilities before the first "
            "are kept."
        )
    else:
        said.append(
            "A rollout serves one optimizer step, so that the ratio is exactly 1, its gradient that of the "
            "log-probability, and no clip ever acts."
        )
    return said


def _of_the_engine(objective: Objective, setting: Setting) -> list[str]:
    if not setting.other_engine:
        return []
    differs = "Another engine draws the tokens, with probabilities that differ a little"
    if objective.importance_cap is None:
        return [f"{differs}; that is not corrected."]
    cap = f"{objective.importance_cap:g}"
    return [
        f"{differs}: a token's gain is weighed by how much likelier it is here than there, at most {cap}."
    ]


def _of_the_reference(objective: Objective, setting: Setting) -> str:
    if not objective.needs_reference:
        return "Nothing holds the policy near where it began: beta is 0, and no reference is needed."
    lora_off, copy = "the model with its LoRA weights off", "a frozen copy of the LoRA weights it began with"
    weighed = "times the ratio, " if objective.weighs_divergence else ""
    return (
        f"Each token pays {objective.beta:g} times its divergence from the reference, {weighed}by the "
        f"estimator k3, which is never negative. The reference is {copy if setting.continues else lora_off}."
    )


def _of_the_sum(objective: Objective) -> list[str]:
    said = [_AGGREGATIONS[objective.aggregation].format(most=objective.max_completion_tokens)]
    if objective.ratio is Ratio.SEQUENCE and objective.aggregation is not Aggregation.GRPO:
        said.append(
            "A completion's one ratio is in the sum once for each of its tokens; in GSPO it is there once."
        )
    return said


_AGGREGATIONS = {
    Aggregation.GRPO: "Tokens are averaged within their completion, and completions with each other (grpo): "
    "a token of a long completion counts less than one of a short one.",
    Aggregation.BNPO: "Tokens are averaged within a forward pass, and passes with each other (bnpo): the "
    "loss depends on how a step is cut into passes.",
    Aggregation.DAPO: "Every token of the optimizer step counts the same (dapo), however the step is cut "
    "into passes: a long completion counts more than a short one.",
    Aggregation.DR_GRPO: "Every token counts the same, in every step (dr_grpo): the sum is divided by the "
    "completions times {most}, the most tokens one can have.",
}


def _of_what_is_left_out(objective: Objective, setting: Setting) -> list[str]:
    counted = objective.aggregation in (Aggregation.GRPO, Aggregation.DR_GRPO)
    overlong = (
        f"is not trained on. It still has a part in its prompt's mean{', and is one of the B' * counted}."
        if objective.masks_overlong
        else "is trained on as far as it came."
    )
    dead = (
        "is left out: of the sum, and of what the sum is divided by."
        if objective.skips_dead
        else "has advantages of 0, and counts in what the sum is divided by."
    )
    return [
        *(["What tools returned is not trained on."] if setting.tools else []),
        f"A completion that is not finished after {objective.max_completion_tokens} tokens {overlong}",
        f"A prompt whose completions all have the same reward {dead}",
    ]


def _item(sentence: str) -> str:
    return "\n".join(wrap(sentence, WIDTH, initial_indent="  - ", subsequent_indent="    "))
