"""The same reinforcement by cesello and by TRL, each by its own trainer, judged before and after.

``python -m benchmarks.peers.learning_sides`` reads a ``Job`` as JSON and writes a line of JSON.
TRL's side has from the product what it begins with (LoRA weights, the rows of every step and their prompts),
the reward, and AdamW with the learning rate's curve. Model, generation, advantages, loss and steps are TRL's.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.peers.learning_judge import judged
from benchmarks.peers.learning_task import Job, Task
from cesello.application.open_run import RunChoice
from cesello.domain.evaluation import EvaluationSpec
from cesello.domain.reward import Attempt

MICRO = 2
"""Completions of a forward pass of TRL's: of 1, 2 and 8 the fastest, or nearly, at short and long prompts."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a training.

    Attributes:
        weights: the folder of the LoRA weights.
        rewards: the mean of every step's completions.
        seconds: of all steps, by the clock.
    """

    weights: Path
    rewards: Sequence[float]
    seconds: float


def cesello(task: Task) -> Trained:
    """The product as the command runs it, but for its evaluations: here both sides have the same ones."""
    run = task.job.name
    request = replace(
        task.request,
        choice=RunChoice(run, overwrite=True),
        evaluation=EvaluationSpec(rows=1, samples=0),
    )
    manifest = task.container.finetune()(request)
    folder = Path(task.job.folder, "runs", run)
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return Trained(folder / "lora", [json.loads(line)["reward"] for line in lines], manifest.seconds)


def trl(task: Task) -> Trained:
    """TRL's trainer, which makes a frozen copy of LoRA weights that are gone on from, as the product does."""
    import datasets
    from peft import PeftModel
    from transformers import AutoTokenizer

    from benchmarks.peers import sft_job
    from cesello.adapters.training.optimizers import make_optimizer, make_schedule

    library: Any = import_module("trl")
    datasets.disable_progress_bars()
    folder = Path(task.job.folder, "trl", task.job.name)
    task.start.save(folder / "start")
    base = sft_job.base_model(sft_job.Job(task.request.data.model.name, [], 0))
    model: Any = PeftModel.from_pretrained(base, str(folder / "start"), is_trainable=True)
    plan = task.data.mixed.plan
    optimizer = make_optimizer([weight for weight in model.parameters() if weight.requires_grad], plan)

    rows: Any = [row for step in task.data.mixed.batches for part in step for row in part]
    prompts = [row.conversation.prompt() for row in rows]
    ids = [task.start.prompt(prompt) for prompt in prompts]
    texts = [task.start.shown(one) for one in ids]
    trainer = library.GRPOTrainer(
        model,
        reward_funcs=_reward(task, prompts),
        args=_arguments(library, task, folder),
        train_dataset=datasets.Dataset.from_list(
            [{"prompt": text, "row": at} for at, text in enumerate(texts)]
        ),
        processing_class=AutoTokenizer.from_pretrained(folder / "start"),
        optimizers=(optimizer, make_schedule(optimizer, plan)),
    )
    assert trainer._tokenize_prompts(texts)[0] == ids, "the prompts are others than ours"
    assert set(trainer.eos_token_ids) == set(task.start.ends), "other tokens end a completion"
    done = trainer.train()
    # Without the copy, and without asking the hub whether the vocabulary was resized.
    model.save_pretrained(str(folder / "lora"), selected_adapters=["default"], save_embedding_layers=False)
    rewards = [line["reward"] for line in trainer.state.log_history if "reward" in line]
    return Trained(folder / "lora", rewards, done.metrics["train_runtime"])


def _reward(task: Task, prompts: Sequence[Any]) -> Callable[..., list[float | None]]:
    """The recipe's reward, as TRL asks for it."""
    from cesello.entrypoints.settings.reward_settings import BLEND

    model = task.container.rewards()[BLEND]

    def reward(completion_ids: Sequence[Sequence[int]], row: Sequence[int], **_: Any) -> list[float | None]:
        pairs = zip(row, completion_ids, strict=True)
        attempts = [Attempt(prompts[at], task.start.text(ids)) for at, ids in pairs]
        return [result.score for result in model.score(attempts)]

    return reward


def _arguments(library: Any, task: Task, folder: Path) -> Any:
    grpo, plan = task.recipe.recipe.grpo, task.data.mixed.plan
    return library.GRPOConfig(
        output_dir=str(folder / "run"), seed=task.job.seed, max_steps=plan.max_steps, shuffle_dataset=False,
        per_device_train_batch_size=MICRO,
        gradient_accumulation_steps=plan.rows_per_step * grpo.completions // MICRO,
        num_generations=grpo.completions, max_completion_length=grpo.max_completion_tokens,
        temperature=grpo.temperature, top_p=grpo.top_p,
        loss_type=grpo.aggregation, importance_sampling_level=grpo.ratio, scale_rewards=grpo.scale,
        epsilon=grpo.clip_low, epsilon_high=grpo.clip_high, delta=grpo.dual_clip, beta=grpo.beta,
        mask_truncated_completions=grpo.masks_overlong, max_grad_norm=plan.gradient_clip,
        use_cpu=True, bf16=False, gradient_checkpointing=False,
        logging_steps=1, report_to=[], save_strategy="no", disable_tqdm=True,
    )  # fmt: skip


SIDES: dict[str, Callable[[Task], Trained]] = {"cesello": cesello, "trl": trl}


def run(job: Job) -> dict[str, Any]:
    """The figures of one training."""
    task = Task(job)
    before = judged(task, task.start)
    print(f"{job.name} before: {before}")
    trained = SIDES[job.side](task)
    after = judged(task, task.policy(trained.weights))
    print(f"{job.name} after: {after}")
    rewards, plan = trained.rewards, task.data.mixed.plan
    return {
        "before": before,
        "after": after,
        "rollouts": plan.max_steps * plan.rows_per_step * task.recipe.recipe.grpo.completions,
        "minutes": round(trained.seconds / 60, 2),
        "reward": {"first 10 steps": _mean(rewards[:10]), "last 10 steps": _mean(rewards[-10:])},
        "rewards": [round(reward, 4) for reward in rewards],
    }


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4)


if __name__ == "__main__":
    # What libraries print is no answer.
    with redirect_stdout(sys.stderr):
        answer = run(Job(**json.load(sys.stdin)))
    print(json.dumps(answer))
