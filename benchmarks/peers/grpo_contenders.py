"""The same steps of reinforcement by cesello and by TRL.

``python -m benchmarks.peers.grpo_contenders NAME``; see ``grpo_job`` for how it is talked to.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.peers.grpo_job import COMPLETIONS, LEARNING_RATE, NEVER, GrpoJob, Turns, chat_encoder, worth
from benchmarks.peers.sft_job import LINEAR, LORA
from cesello.domain.reward import Attempt, Reads, RewardResult


class ByPlace:
    """The reward, as this library asks for it."""

    name = "place"
    parts = ("place",)
    range = (-1.0, 1.0)
    reads = frozenset({Reads.COMPLETION})

    def score(self, attempts: Sequence[Attempt]) -> list[RewardResult]:
        return [RewardResult(worth(place), {"place": worth(place)}) for place in range(len(attempts))]


def cesello(turns: Turns) -> None:
    """The training of this library as the command runs it, but for completions that nothing ends."""
    from functools import partial

    from cesello.adapters.model.local_rollout import LocalRollout
    from cesello.adapters.training.lightning_grpo import GrpoModule
    from cesello.adapters.training.lightning_sft import LightningSft
    from cesello.adapters.training.rollouts import Roller
    from cesello.domain.conversation import user
    from cesello.domain.objective import Objective
    from cesello.domain.ports.training import TrainingState
    from cesello.domain.reinforcement import PromptRow, ReinforcementPlan
    from cesello.domain.schedule import StepReport, TrainingPlan
    from cesello.domain.tokens import token_row
    from tests.fakes.run import FakeStop

    job = turns.job
    policy = _policy(job)
    # A report has these by the clock; here the processor's time is wanted as well.
    turns.measure(LocalRollout, "generate", "generate")
    turns.measure(ByPlace, "score", "score")
    turns.measure(Roller, "_scored_before", "log_probs")
    objective = Objective(
        beta=job.beta, masks_overlong=False, max_completion_tokens=job.new, importance_cap=None
    )

    def prompted(text: str) -> PromptRow:
        ids = policy.prompt(user(text))
        row = token_row(ids, [False] * len(ids))
        return PromptRow(row.ids, row.trained, row.truncated, user(text))

    def heard(report: StepReport, state: TrainingState) -> bool:
        phases = {name: seconds for name, seconds in report.phases.items() if name != "update"}
        turns.tell(report.figures["completion_tokens"], phases)
        return True

    steps = [[[prompted(text) for text in step]] for step in job.steps]
    turns.ready([row.ids.tolist() for [rows] in steps for row in rows])
    module = partial(
        GrpoModule,
        reinforcement=ReinforcementPlan(objective, COMPLETIONS),
        engine=lambda its, stop: LocalRollout(its.model, [], stop),
        reward=ByPlace,
    )
    LightningSft(module).optimize(
        policy,
        steps,
        TrainingPlan(len(steps), learning_rate=LEARNING_RATE),
        on_step=heard,
        stop=FakeStop(),
    )


def _policy(job: GrpoJob) -> Any:
    from cesello.adapters.model.hf_policy import HfPolicy
    from cesello.adapters.model.hf_provider import HfModelProvider
    from cesello.adapters.model.hub_cache import HubCache
    from cesello.adapters.model.peft_lora import chosen_targets, fresh
    from cesello.adapters.model.quantizers import NoQuantizer
    from cesello.domain.model_spec import LoraSpec, ModelSpec, PolicyFacts
    from cesello.entrypoints.home import home

    lora = LoraSpec(LORA["r"], LORA["lora_alpha"], LORA["lora_dropout"], "all-linear")
    if job.device == "cpu":
        provider = HfModelProvider(NoQuantizer(), HubCache(home() / "hub"))
        return provider.load(ModelSpec(job.model, dtype=job.dtype, device="cpu"), lora, seed=0)
    base = job.base().requires_grad_(False)
    tuned = fresh(base, lora, chosen_targets(base, lora), seed=0, original=lambda: lambda _: base)
    facts = PolicyFacts(job.model, "", 0, 0, (), "none", job.dtype, job.device, "")
    return HfPolicy(tuned, chat_encoder(job.model, job.device), facts)


def trl(turns: Turns) -> None:
    """TRL's trainer drawing with ``generate`` of transformers."""
    job = turns.job
    encoder = chat_encoder(job.model, job.device)
    with TemporaryDirectory() as folder:
        _trl(turns, job.base(), encoder.tokenizer, folder, {"eos_token_id": [NEVER]})


def trl_vllm(turns: Turns) -> None:
    """TRL's trainer drawing with vLLM in the same process, which reads the model from a folder."""
    from transformers import AutoModelForCausalLM

    job = turns.job
    import_module("vllm")
    one = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "localhost"}
    os.environ.update({**one, "MASTER_PORT": "29517"})
    encoder = chat_encoder(job.model, job.device)
    with TemporaryDirectory() as folder:
        for part in (job.base(), encoder.tokenizer):
            part.save_pretrained(folder)
        base: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=job.dtype, device_map=job.device)
        drawn = {"use_vllm": True, "vllm_mode": "colocate", "vllm_max_model_length": job.prompt + job.new}
        _trl(turns, base, encoder.tokenizer, folder, {"ignore_eos": True, "detokenize": False}, **drawn)


def _trl(
    turns: Turns, base: Any, tokenizer: Any, folder: str, drawing: dict[str, Any], **options: Any
) -> None:
    import datasets
    import torch
    from peft import LoraConfig
    from transformers import TrainerCallback

    library: Any = import_module("trl")
    datasets.disable_progress_bars()
    job = turns.job
    rows: Any = [{"prompt": [{"role": "user", "content": text}]} for step in job.steps for text in step]
    options = {"per_device_train_batch_size": COMPLETIONS, **options, **job.options}
    completions = COMPLETIONS * len(job.steps[0])
    arguments = library.GRPOConfig(
        output_dir=str(Path(folder) / "run"),
        num_generations=COMPLETIONS,
        gradient_accumulation_steps=completions // options["per_device_train_batch_size"],
        max_completion_length=job.new,
        generation_kwargs=drawing,
        max_steps=len(job.steps),
        learning_rate=LEARNING_RATE,
        loss_type="dapo",
        epsilon=0.2,
        epsilon_high=0.28,
        beta=job.beta,
        shuffle_dataset=False,
        use_cpu=job.device == "cpu",
        bf16=job.device != "cpu",
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
        **{"gradient_checkpointing": False, **options},
    )

    class Waiting(TrainerCallback):
        """Tells of every step, and waits in between."""

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            # Of each step; TRL asks for every completion anew.
            prompts = [trainer._tokenize_prompts([row["prompt"]])[0][0] for row in rows]
            turns.ready(prompts)

        def on_step_end(self, *_: Any, **__: Any) -> None:
            turns.tell(trainer._metrics["train"]["completions/mean_length"][-1])

    trainer = library.GRPOTrainer(
        base,
        reward_funcs=lambda completions, **_: list(map(worth, range(len(completions)))),
        args=arguments,
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=tokenizer,
        peft_config=LoraConfig(**LORA, target_modules=LINEAR, task_type="CAUSAL_LM"),
        callbacks=[Waiting()],
    )
    trainer.eos_token_ids = [NEVER]
    turns.measure(trainer, "_generate", "generate")
    turns.measure(trainer, "_calculate_rewards", "score")
    turns.measure(
        trainer,
        "_get_per_token_logps_and_entropies",
        "log_probs",
        when=lambda: not torch.is_grad_enabled(),
    )
    trainer.train()


CONTENDERS: dict[str, Callable[[Turns], None]] = {"cesello": cesello, "trl": trl, "trl vllm": trl_vllm}


if __name__ == "__main__":
    CONTENDERS[sys.argv[1]](Turns())
