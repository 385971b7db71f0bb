"""How alike the trained and the merged model are. Shapes: T tokens of a row, L labels, V vocabulary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ...domain.conversation import Conversation
from ...domain.errors import ModelError
from ...domain.export import ANSWER, Parity, Probes
from ...domain.generation import Sampling
from ...domain.model_spec import ModelSpec, PolicyFacts
from ...domain.ports.run import Observer, Stop
from ...domain.tokens import TokenRow
from .chat_encoder import ChatEncoder
from .hf_policy import HfPolicy
from .hf_provider import HfModelProvider
from .peft_lora import Tuned
from .tokenizer_files import load_tokenizer


class HfParityProbe:
    """Asks models of transformers, one at a time."""

    def __init__(self, provider: HfModelProvider) -> None:
        self._provider = provider

    def ask(
        self, model: ModelSpec, weights: Path, probes: Probes, observer: Observer, stop: Stop
    ) -> HfReference:
        observer.phase(f"loading {model.name}")
        policy = self._provider.reopen(model, weights)
        stop.check()
        _begin(observer, "measuring the trained model", probes)
        logits = list(_logits(policy, probes, observer, stop))
        _check_finite(logits, "trained", model.name)
        answers = _answers(policy, probes.prompts, observer)
        return HfReference(self._provider, model, policy.facts, probes, logits, answers)


class HfReference:
    """What the trained model said, kept on the CPU.

    Args:
        logits: of every row, shape [L, V], float32.
    """

    def __init__(
        self,
        provider: HfModelProvider,
        model: ModelSpec,
        facts: PolicyFacts,
        probes: Probes,
        logits: Sequence[torch.Tensor],
        answers: Sequence[str],
    ) -> None:
        self._provider = provider
        self._model = model
        self._facts = facts
        self._probes = probes
        self._logits = logits
        self._answers = answers

    def compared_with(self, folder: Path, dtype: str, observer: Observer, stop: Stop) -> Parity:
        observer.phase("loading the merged model")
        merged: Any = self._provider.plain(_place(self._model, folder, dtype))
        policy = HfPolicy(Tuned(merged), ChatEncoder(load_tokenizer(str(folder), {})), self._facts)
        stop.check()
        probes = self._probes
        _begin(observer, "measuring the merged model", probes)
        nats, largest = [], []
        # Row by row: of a large vocabulary the logits of all rows are a gigabyte.
        for trained_LV, merged_LV in zip(self._logits, _logits(policy, probes, observer, stop), strict=True):
            _check_finite([merged_LV], "merged", str(folder))
            nats.append(kl(trained_LV, merged_LV))
            largest.append((trained_LV - merged_LV).abs().max())
        answers = zip(self._answers, _answers(policy, probes.prompts, observer), strict=True)
        return Parity(
            origin=probes.origin,
            fingerprint=probes.fingerprint,
            rows=len(probes.rows),
            positions=sum(map(len, nats)),
            max_logit_difference=float(torch.stack(largest).max()),
            mean_kl=max(0.0, float(torch.cat(nats).mean())),  # of equal models it is rounding, of either sign
            prompts=len(probes.prompts),
            same_answers=sum(one == other for one, other in answers),
            dtype=self._facts.dtype,
            device=self._facts.device,
        )


def kl(trained_LV: torch.Tensor, merged_LV: torch.Tensor) -> torch.Tensor:
    """KL(p || p') at every label position, shape [L], in nats: the sum over V of p (ln p - ln p').

    In float64: of models that are nearly the same the difference of two logarithms is smaller than float32
    can tell.
    """
    ln_p_LV = trained_LV.double().log_softmax(-1)
    ln_q_LV = merged_LV.double().log_softmax(-1)
    return (ln_p_LV.exp() * (ln_p_LV - ln_q_LV)).sum(-1)


def _place(trained: ModelSpec, folder: Path, dtype: str) -> ModelSpec:
    """A merged model, to be computed where and how the trained one was as far as its format goes."""
    flash = trained.attention == "flash_attention_2" and dtype == "float32"
    attention = "auto" if flash else trained.attention
    return replace(trained, name=str(folder), revision=None, dtype=dtype, attention=attention)


def _begin(observer: Observer, phase: str, probes: Probes) -> None:
    observer.phase(phase, len(probes.rows) + len(probes.prompts))


def _logits(policy: HfPolicy, probes: Probes, observer: Observer, stop: Stop) -> Iterator[torch.Tensor]:
    for row in probes.rows:
        stop.check()
        yield label_logits(policy.model, row)
        observer.advance()


def _answers(policy: HfPolicy, prompts: Sequence[Conversation], observer: Observer) -> list[str]:
    if not prompts:
        return []
    answers = [one.text for one in policy.generate(prompts, Sampling(max_new_tokens=ANSWER))]
    observer.advance(len(answers))
    return answers


def _check_finite(logits: Sequence[torch.Tensor], which: str, where: str) -> None:
    if not all(torch.isfinite(one_LV).all() for one_LV in logits):
        raise ModelError(
            "M039",
            f"the {which} model computes logits that are not finite numbers",
            where=where,
            fix="export with --dtype bfloat16 or float32"
            if which == "merged"
            else "train again at a lower learning rate, or with model.dtype bfloat16 or float32",
        )


@torch.inference_mode()
def label_logits(model: Any, row: TokenRow) -> torch.Tensor:
    """What a model predicts at a row's labels, shape [L, V], float32 on the CPU."""
    model.eval()
    ids_T = torch.tensor(row.ids.tolist(), device=model.device)
    labels_L = torch.tensor(list(row.trained), device=model.device).nonzero().squeeze(1)
    # A label is predicted from the token before it.
    output = model(input_ids=ids_T[None], logits_to_keep=labels_L - 1, use_cache=False)
    logits_LV: torch.Tensor = output.logits[0].float().cpu()
    return logits_LV
