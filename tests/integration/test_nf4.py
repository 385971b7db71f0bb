"""QLoRA for real: NF4 with double quantisation trains on the CPU and is saved for anybody's PEFT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from cesello.adapters.model.hf_policy import HfPolicy
from cesello.adapters.model.hf_provider import HfModelProvider
from cesello.adapters.model.hub_cache import HubCache
from cesello.adapters.model.packed_loss import summed_loss
from cesello.adapters.model.quantizers import FourBitQuantizer
from cesello.adapters.training.lightning_sft import LightningSft
from cesello.domain.conversation import Conversation, Message, Role
from cesello.domain.generation import Sampling
from cesello.domain.model_spec import LoraSpec, ModelSpec
from cesello.domain.schedule import StepReport, TrainingPlan
from cesello.domain.tokens import TokenRow
from tests.fakes.run import FakeStop
from tests.fakes.training import heard

MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
TALK = Conversation(
    (
        Message(Role.USER, "Name the goldsmith's finishing chisel."),
        Message(Role.ASSISTANT, "It is a cesello."),
    )
)


@pytest.fixture(scope="module")
def trained(kit_home: Path) -> tuple[HfPolicy, list[StepReport]]:
    """SmolLM2 in NF4 after four steps on one conversation."""
    provider = HfModelProvider(FourBitQuantizer(double_quant=True), HubCache(kit_home / "hub"))
    policy = provider.load(ModelSpec(MODEL, dtype="float32"), LoraSpec(dropout=0.0), seed=0)
    plan = TrainingPlan(max_steps=4, batch_size=1, learning_rate=2e-3)
    reports: list[StepReport] = []
    batches = [[[policy.encode(TALK)]] for _ in range(plan.max_steps)]
    LightningSft().optimize(policy, batches, plan, on_step=heard(reports), stop=FakeStop())
    return policy, reports


def test_the_base_is_in_four_bits_and_only_lora_is_trained(
    trained: tuple[HfPolicy, list[StepReport]],
) -> None:
    from bitsandbytes.nn.modules import Linear4bit

    policy, _ = trained
    quantised = [module for module in policy.model.modules() if isinstance(module, Linear4bit)]
    assert len(quantised) == 30 * 7
    weight: Any = quantised[0].weight
    state = weight.quant_state
    assert state.quant_type == "nf4"
    assert state.nested, "the scales are quantised too"
    trainable = {name for name, weight in policy.model.named_parameters() if weight.requires_grad}
    assert trainable
    assert all("lora_" in name for name in trainable)
    assert policy.facts.trainable_parameters == 1_843_200
    assert policy.facts.quantizer == "nf4"


def test_the_loss_falls(trained: tuple[HfPolicy, list[StepReport]]) -> None:
    losses = [report.loss for report in trained[1]]
    assert len(losses) == 4
    assert losses[-1] < losses[0] / 2


def test_plain_peft_loads_the_weights_and_gives_identical_logits(
    trained: tuple[HfPolicy, list[StepReport]], kit_home: Path, tmp_path: Path
) -> None:
    policy, _ = trained
    policy.save(tmp_path)
    ids = torch.tensor([list(policy.encode(TALK).ids)])
    plain = _plain_peft(tmp_path, kit_home)
    # bitsandbytes computes alike on every CPU in training mode, and ours does in both; there is no dropout.
    assert torch.equal(_logits(policy.model.train(), ids), _logits(plain.train(), ids))
    reopened = HfModelProvider(FourBitQuantizer(), HubCache(kit_home / "hub")).reopen(
        ModelSpec(MODEL, dtype="float32"), tmp_path
    )
    assert torch.equal(_logits(reopened.model.eval(), ids), _logits(plain.train(), ids))
    with plain.disable_adapter():
        assert not torch.allclose(_logits(plain, ids), _logits(reopened.model, ids), atol=0.1)


def test_an_evaluation_does_not_break_the_gradients(trained: tuple[HfPolicy, list[StepReport]]) -> None:
    policy, _ = trained
    row = policy.encode(TALK)
    first = _gradient(policy, row)
    policy.score([row])
    policy.generate([TALK.prompt()], Sampling(max_new_tokens=2))
    assert torch.equal(_gradient(policy, row), first)
    assert first.abs().sum() > 0


def _gradient(policy: HfPolicy, row: TokenRow) -> torch.Tensor:
    """Of the first LoRA weights, which lie behind every quantised layer."""
    policy.model.train()
    policy.model.zero_grad()
    summed_loss(policy.model, [row]).backward()
    name = "layers.0.self_attn.q_proj.lora_B"
    weight = next(weight for full, weight in policy.model.named_parameters() if name in full)
    gradient: torch.Tensor = weight.grad.clone()
    return gradient


def _plain_peft(weights: Path, kit_home: Path) -> Any:
    """What a person does who has never heard of cesello."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    quantised = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32,
    )
    where = HubCache(kit_home / "hub").arguments(MODEL)
    base = AutoModelForCausalLM.from_pretrained(
        MODEL,
        quantization_config=quantised,
        device_map="cpu",
        dtype=torch.float32,
        adapter_kwargs=where,
        **where,
    )
    return PeftModel.from_pretrained(base, str(weights))


def _logits(model: Any, ids: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = model(input_ids=ids).logits
    return logits
