"""What is mostly behind what a check of a run finds, and what to do about it."""

from __future__ import annotations

ADVICE: dict[str, tuple[str, str]] = {
    "loss falls": (
        "The learning rate is too low or too high, the steps are too few, or the rows are nothing new "
        "to the model.",
        "Compare the held-out loss. Try training.learning_rate three times higher and lower, and more steps.",
    ),
    "no spikes of the loss": (
        "Rows that are unlike all others (another language, broken text, a wrong mask), or a learning "
        "rate at the edge.",
        "Look at the rows (`cesello data preview`). If spikes come with large gradient norms, lower "
        "training.learning_rate.",
    ),
    "held-out loss falls": (
        "Too many steps or passes over few rows, or held-out rows that are unlike those trained on.",
        "Take the best weights: checkpoint.final best, with evaluation.every_steps and "
        "evaluation.patience. More rows help more than fewer steps.",
    ),
    "gradients stay bounded": (
        "A learning rate that is too high, a row with very few trained tokens, or too little warmup.",
        "Lower training.learning_rate, raise training.warmup_steps, or make steps larger "
        "(training.accumulate).",
    ),
    "every step was taken": (
        "Overflow: float16, a learning rate that is too high, or a row that breaks the model.",
        "Read the rows in bad-batches/ of the run; try model.dtype bfloat16 or float32.",
    ),
    "groups differ": (
        "The task is too easy or too hard for the model, or the reward cannot tell answers apart.",
        "Choose prompts that are solved now and then (grpo.curriculum, grpo.resample), begin with "
        "some fine-tuning, or give the reward smaller parts.",
    ),
    "answers end": (
        "grpo.max_completion_tokens is too small for the task, or the model has learnt to go on and on.",
        "Raise grpo.max_completion_tokens, or reward brevity (kind: length).",
    ),
    "answers stay varied": (
        "The policy has settled on one way to be rewarded, right or not.",
        "Read the last groups below. Lower training.learning_rate, raise grpo.clip_high, or set grpo.beta.",
    ),
    "the policy stays near": (
        "Many steps at a high learning rate; often the sign of a reward that is being gamed.",
        "Raise grpo.beta or lower training.learning_rate; see whether the answers still read well.",
    ),
    "answers keep their length": (
        "The task wants longer answers, or the reward can be had by writing more.",
        "See below whether longer answers are better ones; reward brevity (kind: length) if not.",
    ),
    "the reward carries over": (
        "What is learnt are the reward's holes, or the training's prompts by heart.",
        "Read the best answers of the last steps below, and try the reward: `cesello reward test`.",
    ),
    "answers can be judged": (
        "The reward does not apply to these rows, or its grader or sandbox fails.",
        "`cesello doctor` tries the sandbox; `cesello reward test` the reward.",
    ),
    "the mixture is as planned": (
        "A source ran out (data.mixture.max_passes, stop), or the run ended early.",
        "See what ended the order below; give the source more rows, or a smaller weight.",
    ),
    "rows are used well": (
        "data.max_tokens is short for these rows, or there are few of them for so many steps.",
        "See the reasons in the mixture below; raise data.max_tokens, add rows, or take fewer steps.",
    ),
    "enough held-out rows": (
        "Scores of so few rows differ by a tenth or more by chance alone.",
        "Hold out more rows (holdout of the source, rows in evaluation.generate) before you believe "
        "small gains.",
    ),
    "the memory sufficed": (
        "Rows, batches or answers were larger than was foreseen, or another program took memory.",
        "Lower training.batch_size and raise training.accumulate as much: the loss stays the same.",
    ),
    "the speed holds": (
        "Another program on the machine, heat, memory that runs short, or a grader or tool that is slower.",
        "Look at the time by phase below, and at what else runs on the machine.",
    ),
    "the run is whole": (
        "A signal, an error, or a killed process.",
        "`cesello train RECIPE --resume --run RUN` goes on from the newest checkpoint.",
    ),
    "files can be read": (
        "A full disk, or something else than cesello has written to the run's folder.",
        "`cesello verify RUN` tells what has changed.",
    ),
}
"""By check: a cause, and a remedy."""
