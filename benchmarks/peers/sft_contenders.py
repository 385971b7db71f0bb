"""The same steps of fine-tuning by cesello, by TRL and by a loop of twenty lines.

``python -m benchmarks.peers.sft_contenders NAME`` reads a job on its input and writes what it took.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from itertools import chain
from types import SimpleNamespace
from typing import Any

from benchmarks.peers.sft_job import (
    LEARNING_RATE,
    LINEAR,
    LORA,
    Clock,
    Job,
    base_model,
    forget_peak,
    job_of,
    labels_of,
    peak_bytes,
)


def cesello(job: Job, base: Any, clock: Clock) -> None:
    """The training of this library as the command runs it."""
    from cesello.adapters.model.hf_policy import HfPolicy
    from cesello.adapters.training.lightning_sft import LightningSft
    from cesello.domain.model_spec import PolicyFacts
    from cesello.domain.ports.training import TrainingState
    from cesello.domain.schedule import StepReport, TrainingPlan
    from tests.fakes.run import FakeStop

    tuned = _tuned(job, base)
    facts = PolicyFacts(job.model, "", 0, 0, (), job.quantizer, job.dtype, job.device, "")
    encoder: Any = SimpleNamespace(tokenizer=None)
    policy = HfPolicy(tuned, encoder, facts)
    steps = job.rows()

    def heard(report: StepReport, state: TrainingState) -> bool:
        clock.tick(report.loss)
        return True

    plan = TrainingPlan(len(steps), learning_rate=LEARNING_RATE)
    LightningSft().optimize(
        policy,
        [[rows] for rows in steps],
        plan,
        on_step=heard,
        stop=FakeStop(),
    )


def cesello_liger(job: Job, base: Any, clock: Clock) -> None:
    """With Liger's kernels for norms and rotations."""
    from cesello.adapters.model.liger_kernels import use_liger

    use_liger(base)
    cesello(job, base, clock)


def _tuned(job: Job, base: Any) -> Any:
    for part in job.without:
        _LEAVE_OFF[part]()
    from cesello.adapters.model.checkpointing import compute_again
    from cesello.adapters.model.peft_lora import chosen_targets, fresh
    from cesello.domain.model_spec import LoraSpec

    base.requires_grad_(False)
    if job.checkpointing:
        compute_again(base)
    lora = LoraSpec(LORA["r"], LORA["lora_alpha"], LORA["lora_dropout"], "all-linear")
    return fresh(base, lora, chosen_targets(base, lora), seed=0, original=lambda: lambda _: base)


def _no_document_attention() -> None:
    packed_loss: Any = import_module("cesello.adapters.model.packed_loss")
    packed_loss.attends_by_document = lambda model, longest: False


def _logits_of_all_labels() -> None:
    label_scores: Any = import_module("cesello.adapters.model.label_scores")
    label_scores.head_of = lambda model: None


def _layers_of_peft() -> None:
    lean_model: Any = import_module("cesello.adapters.model.lean_model")
    lean_model.make_layers_lean = lambda model: None


def _whole_mlps() -> None:
    lean_model: Any = import_module("cesello.adapters.model.lean_model")
    lean_model.make_mlps_lean = lambda model: None


def _norms_of_transformers() -> None:
    lean_model: Any = import_module("cesello.adapters.model.lean_model")
    lean_model.make_norms_lean = lambda model: None


_LEAVE_OFF: dict[str, Callable[[], None]] = {
    "attention": _no_document_attention,
    "loss": _logits_of_all_labels,
    "lora": _layers_of_peft,
    "mlp": _whole_mlps,
    "norms": _norms_of_transformers,
}
"""Parts of cesello that a process can do without, one after the other or together."""


def engine(job: Job, base: Any, clock: Clock) -> None:
    """The forward and backward passes of this library in the plain loop: what the rest of a step costs."""
    import torch

    from cesello.adapters.model.packed_loss import summed_loss

    model = _tuned(job, base).model
    model.train()
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=LEARNING_RATE)
    for rows in job.rows():
        loss = summed_loss(model, rows) / sum(row.trained_tokens for row in rows)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        clock.tick(float(loss.detach()))


def trl_best(job: Job, base: Any, clock: Clock, **options: Any) -> None:
    """Packed and free of padding, the fused loss that TRL 1.16 always takes, nothing computed twice."""
    rows = [
        {
            "input_ids": list(chain.from_iterable(ids for ids, _ in step)),
            "labels": list(chain.from_iterable(labels_of(step))),
            "seq_lengths": [len(ids) for ids, _ in step],
        }
        for step in job.steps
    ]
    options |= {"packing": True, "gradient_checkpointing": job.checkpointing}
    _trl(job, base, clock, rows, batch=1, **options)


def trl_liger(job: Job, base: Any, clock: Clock) -> None:
    """As ``trl_best``, with Liger's kernels for norms, rotations and feed-forward blocks."""
    trl_best(job, base, clock, use_liger_kernel=True)


def trl_defaults(job: Job, base: Any, clock: Clock) -> None:
    """Padded rows and gradient checkpointing, as a configuration begins that names neither."""
    rows = [
        {"input_ids": ids, "labels": labels}
        for step in job.steps
        for (ids, _), labels in zip(step, labels_of(step), strict=True)
    ]
    _trl(job, base, clock, rows, batch=len(job.steps[0]))


def _trl(job: Job, base: Any, clock: Clock, rows: list[Any], batch: int, **options: Any) -> None:
    import datasets
    from peft import LoraConfig
    from transformers import TrainerCallback

    from tests.tiny_model import tiny_tokenizer

    trl: Any = import_module("trl")
    datasets.disable_progress_bars()

    class Timed(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            clock.tick()

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            if "loss" in (logs or {}):
                clock.losses.append(float(logs["loss"]))

    with tempfile.TemporaryDirectory() as folder:
        arguments = trl.SFTConfig(
            output_dir=folder,
            max_length=job.max_tokens,
            per_device_train_batch_size=batch,
            max_steps=len(job.steps),
            learning_rate=LEARNING_RATE,
            train_sampling_strategy="sequential",
            dataset_kwargs={"skip_prepare_dataset": True},
            bf16=job.dtype == "bfloat16",
            use_cpu=job.device == "cpu",
            report_to=[],
            save_strategy="no",
            logging_steps=1,
            disable_tqdm=True,
            **options,
        )
        trainer = trl.SFTTrainer(
            base,
            arguments,
            train_dataset=datasets.Dataset.from_list(rows),
            processing_class=tiny_tokenizer(),
            peft_config=LoraConfig(**LORA, target_modules=LINEAR, task_type="CAUSAL_LM"),
            callbacks=[Timed()],
        )
        trainer.train()


def plain(job: Job, base: Any, clock: Clock) -> None:
    """transformers and PEFT as they come, with rows laid end to end."""
    import torch
    from peft import LoraConfig, get_peft_model

    base.requires_grad_(False)
    if job.checkpointing:
        base.gradient_checkpointing_enable({"use_reentrant": False})
    model: Any = get_peft_model(base, LoraConfig(**LORA, target_modules=LINEAR, task_type="CAUSAL_LM"))
    model.train()
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=LEARNING_RATE)
    for step in job.steps:
        ids = torch.tensor([list(chain.from_iterable(ids for ids, _ in step))], device=job.device)
        labels = torch.tensor([list(chain.from_iterable(labels_of(step)))], device=job.device)
        positions = torch.cat([torch.arange(len(ids)) for ids, _ in step])[None].to(job.device)
        loss = model(input_ids=ids, position_ids=positions, labels=labels, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        clock.tick(float(loss.detach()))


CONTENDERS: dict[str, Callable[[Job, Any, Clock], None]] = {
    "cesello": cesello,
    "cesello liger": cesello_liger,
    "engine": engine,
    "trl": trl_best,
    "trl liger": trl_liger,
    "trl defaults": trl_defaults,
    "plain": plain,
}


def run(name: str, job: Job) -> dict[str, Any]:
    """Seconds of every step after the first, losses, and the most memory that the training held."""
    base = base_model(job)
    clock = Clock(job.device)
    forget_peak(job.device)
    CONTENDERS[name](job, base, clock)
    return {
        "seconds": clock.seconds(),
        "processor seconds": clock.processor_seconds(),
        "losses": clock.losses,
        "peak": peak_bytes(job.device),
    }


def main() -> None:
    json.dump(run(sys.argv[1], job_of(json.load(sys.stdin))), sys.stdout)


if __name__ == "__main__":
    main()
