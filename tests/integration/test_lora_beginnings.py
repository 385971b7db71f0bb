"""How LoRA weights begin, go on, and are saved: what each way promises, on tiny models that really train."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file
from transformers.pytorch_utils import Conv1D

from cesello.adapters.model.dequantise import dequantised
from cesello.adapters.model.hf_policy import HfPolicy
from cesello.adapters.model.hf_provider import HfModelProvider, check_here
from cesello.adapters.model.hub_cache import HubCache
from cesello.adapters.model.packed_loss import summed_loss
from cesello.adapters.model.quantizers import FourBitQuantizer, NoQuantizer
from cesello.adapters.training.lightning_sft import LightningSft
from cesello.domain.errors import ModelError
from cesello.domain.generation import Sampling
from cesello.domain.model_spec import INITS, LoraSpec, ModelSpec
from cesello.domain.schedule import TrainingPlan
from tests.conversations import CHAT
from tests.fakes.run import FakeStop
from tests.fakes.training import heard
from tests.tiny_architectures import make_tiny

pytestmark = pytest.mark.usefixtures("one_thread")

PLAIN = HfModelProvider(NoQuantizer(), HubCache(None))
NF4 = HfModelProvider(FourBitQuantizer(), HubCache(None))
LORA = LoraSpec(r=4, alpha=8, dropout=0.0, target_modules="all-linear")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for architecture in ("llama", "gpt2", "mixtral", "gemma"):
        make_tiny(architecture, folder / architecture)
    return folder


@pytest.fixture(scope="module")
def llama(models: Path) -> ModelSpec:
    return ModelSpec(str(models / "llama"), dtype="float32")


def layers(policy: HfPolicy) -> list[Any]:
    return [module for module in policy.model.modules() if isinstance(module, LoraLayer)]


def delta(layer: Any) -> torch.Tensor:
    """What LoRA adds to a layer's weight."""
    a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    added: torch.Tensor = layer.scaling["default"] * (b @ a).detach()
    return added


def nats(policy: HfPolicy, **options: Any) -> float:
    total: float = policy.score([policy.encode(CHAT)], **options).nats
    return total


def train(policy: HfPolicy, steps: int = 3, learning_rate: float = 1e-2) -> None:
    plan = TrainingPlan(max_steps=steps, learning_rate=learning_rate)
    batches = [[[policy.encode(CHAT)]]] * steps
    LightningSft().optimize(policy, batches, plan, on_step=heard([]), stop=FakeStop())


def logits(policy: HfPolicy) -> torch.Tensor:
    row = policy.encode(CHAT)
    with torch.no_grad():
        found: torch.Tensor = policy.model.eval()(input_ids=torch.tensor([row.ids.tolist()])).logits
    return found


@pytest.mark.parametrize("provider", [PLAIN, NF4], ids=["plain", "nf4"])
@pytest.mark.parametrize("init", ["default", "gaussian", "orthogonal"])
def test_the_model_begins_as_it_was(llama: ModelSpec, provider: HfModelProvider, init: str) -> None:
    policy = provider.load(llama, replace(LORA, init=init), seed=0)
    assert all(delta(layer).abs().max() < 1e-6 for layer in layers(policy))
    assert nats(policy) == pytest.approx(nats(policy, reference=True), rel=1e-6)
    zero = [not layer.lora_B["default"].weight.any() for layer in layers(policy)]
    assert all(zero) != (init == "orthogonal"), "only then is neither matrix zero"


@pytest.mark.parametrize("init", INITS)
def test_the_same_seed_gives_the_same_weights_and_another_others(llama: ModelSpec, init: str) -> None:
    provider = NF4 if init == "loftq" else PLAIN
    first, again, other = (provider.load(llama, replace(LORA, init=init), seed=seed) for seed in (1, 1, 2))
    a, b, c = (layers(policy)[0].lora_A["default"].weight for policy in (first, again, other))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_gaussian_has_the_deviation_that_it_says(llama: ModelSpec) -> None:
    policy = PLAIN.load(llama, replace(LORA, init="gaussian", r=8), seed=0)
    drawn = torch.cat([layer.lora_A["default"].weight.flatten() for layer in layers(policy)])
    assert drawn.std().item() == pytest.approx(1 / 8, rel=0.05)


def test_pissa_moves_the_largest_singular_values(llama: ModelSpec) -> None:
    before = {n: m.weight.clone() for n, m in _linear(PLAIN.load(llama, LORA, seed=0))}
    policy = PLAIN.load(llama, replace(LORA, init="pissa"), seed=0)
    for name, module in _linear(policy):
        layer = policy.model.get_base_model().get_submodule(name.removesuffix(".base_layer"))
        rest, moved = module.weight, delta(layer)
        assert torch.allclose(rest + moved, before[name], atol=1e-5)
        values = torch.linalg.svdvals(before[name])
        assert torch.linalg.svdvals(moved)[: LORA.r].allclose(values[: LORA.r], rtol=0.1)


def _plain_weights(model: ModelSpec) -> dict[str, torch.Tensor]:
    """Weights that are not quantised, shape [outputs, inputs], by the names of their layers."""
    policy = PLAIN.load(model, LORA, seed=0)
    return {
        name.removesuffix(".base_layer"): module.weight.T if isinstance(module, Conv1D) else module.weight
        for name, module in _linear(policy)
    }


def _linear(policy: HfPolicy) -> list[tuple[str, Any]]:
    base = policy.model.get_base_model()
    return [(name, module) for name, module in base.named_modules() if name.endswith(".base_layer")]


@pytest.mark.parametrize("rslora", [False, True])
@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_what_pissa_learnt_is_saved_for_the_untouched_model(
    models: Path, architecture: str, rslora: bool, tmp_path: Path
) -> None:
    model = ModelSpec(str(models / architecture), dtype="float32")
    policy = PLAIN.load(model, replace(LORA, init="pissa", rslora=rslora), seed=0)
    train(policy)
    policy.save(tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (config["r"], config["init_lora_weights"]) == (8, True)
    again = PLAIN.reopen(model, tmp_path)
    assert nats(again) == pytest.approx(nats(policy), rel=1e-5)
    assert torch.allclose(logits(again), logits(policy), atol=1e-4)
    with again.model.disable_adapter():
        assert nats(again) != pytest.approx(nats(policy), rel=1e-3)


def test_without_the_weights_of_pissa_it_is_the_base_model(llama: ModelSpec) -> None:
    """What PEFT calls switched off is what PiSSA left of it."""
    plain, policy = PLAIN.load(llama, LORA, seed=0), PLAIN.load(llama, replace(LORA, init="pissa"), seed=0)
    base = nats(plain)
    train(policy)
    assert nats(policy, reference=True) == pytest.approx(base, rel=1e-5)
    assert nats(policy) < base
    asked, sampling = [CHAT.prompt()], Sampling(max_new_tokens=12)
    [answer] = policy.generate(asked, sampling, lora=False)
    assert [answer] == list(plain.generate(asked, sampling))
    assert "".join(policy.stream(asked[0], sampling, lora=False)) == answer.text
    assert nats(policy) < base, "asking it changed nothing"


def test_pissa_keeps_modules_that_are_saved_whole(llama: ModelSpec, tmp_path: Path) -> None:
    lora = replace(LORA, init="pissa", target_modules="attention", modules_to_save=("norm",))
    policy = PLAIN.load(llama, lora, seed=0)
    train(policy)
    policy.save(tmp_path)
    assert any(
        name.endswith("model.norm.weight") for name in load_file(tmp_path / "adapter_model.safetensors")
    )
    assert nats(PLAIN.reopen(llama, tmp_path)) == pytest.approx(nats(policy), rel=1e-5)


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_loftq_makes_up_for_quantisation(models: Path, architecture: str, tmp_path: Path) -> None:
    model = ModelSpec(str(models / architecture), dtype="float32")
    whole = logits(PLAIN.load(model, LORA, seed=0))
    stored = NF4.load(model, LORA, seed=0)
    helped = NF4.load(model, replace(LORA, init="loftq", r=16, alpha=16), seed=0)
    assert (logits(helped) - whole).norm() < 0.95 * (logits(stored) - whole).norm()
    plain = _plain_weights(model)
    for name, module in _linear(helped):
        layer = helped.model.get_base_model().get_submodule(name.removesuffix(".base_layer"))
        weight = plain[name.removesuffix(".base_layer")]
        lost = weight - dequantised(module)
        assert (lost - delta(layer)).norm() < 0.8 * lost.norm()
    helped.save(tmp_path)
    assert nats(NF4.reopen(model, tmp_path)) == nats(helped), "on the same base weights"


def test_rslora_scales_by_the_root_of_the_rank(llama: ModelSpec) -> None:
    plain, stabilised = (PLAIN.load(llama, replace(LORA, rslora=on), seed=0) for on in (False, True))
    assert layers(plain)[0].scaling["default"] == 8 / 4
    assert layers(stabilised)[0].scaling["default"] == 8 / 4**0.5


@pytest.mark.parametrize("provider", [PLAIN, NF4], ids=["plain", "nf4"])
def test_dora_trains_magnitudes_too(llama: ModelSpec, provider: HfModelProvider, tmp_path: Path) -> None:
    policy = provider.load(llama, replace(LORA, dora=True), seed=0)
    assert nats(policy) == pytest.approx(nats(policy, reference=True), rel=1e-5)
    magnitudes = [w for n, w in policy.model.named_parameters() if "magnitude" in n]
    before = [magnitude.clone() for magnitude in magnitudes]
    train(policy)
    assert all(not torch.equal(a, b) for a, b in zip(before, magnitudes, strict=True))
    assert policy.facts.trainable_parameters == sum(
        w.numel() for w in policy.model.parameters() if w.requires_grad
    )
    policy.save(tmp_path)
    assert nats(provider.reopen(llama, tmp_path)) == nats(policy)


# Going on


@pytest.mark.parametrize("provider", [PLAIN, NF4], ids=["plain", "nf4"])
def test_the_reference_of_weights_that_go_on_is_a_copy_of_them(
    llama: ModelSpec, provider: HfModelProvider, tmp_path: Path
) -> None:
    first = provider.load(llama, LORA, seed=0)
    base = nats(first)
    train(first)
    first.save(tmp_path / "first")
    policy = provider.load(llama, LoraSpec(continue_from=str(tmp_path / "first")), seed=0)
    start = nats(first)
    assert nats(policy) == nats(policy, reference=True) == start
    assert start < base
    train(policy)
    assert nats(policy) < start
    assert nats(policy, reference=True) == start
    assert nats(policy) < start, "asking the reference changes nothing"
    assert all(module.training for module in policy.model.modules()), "dropout is on while it trains"
    trainable = {name for name, weight in policy.model.named_parameters() if weight.requires_grad}
    assert trainable
    assert not any("reference" in name for name in trainable)
    policy.save(tmp_path / "second")
    assert {path.name for path in (tmp_path / "second").iterdir()} == {
        path.name for path in (tmp_path / "first").iterdir()
    }
    assert nats(provider.reopen(llama, tmp_path / "second")) == nats(policy)


@pytest.mark.parametrize("modules", [("embed_tokens",), ("lm_head",), ("embed_tokens", "lm_head")], ids=str)
def test_the_reference_knows_modules_that_are_trained_whole(
    models: Path, modules: tuple[str, ...], tmp_path: Path
) -> None:
    """Also of a model whose head is its embeddings."""
    model = ModelSpec(str(models / "gemma"), dtype="float32")
    first = PLAIN.load(model, replace(LORA, modules_to_save=modules), seed=0)
    train(first)
    first.save(tmp_path)
    policy = PLAIN.load(model, LoraSpec(continue_from=str(tmp_path)), seed=0)
    start = nats(policy)
    assert start == nats(first) == nats(policy, reference=True)
    train(policy)
    assert nats(policy, reference=True) == start > nats(policy)


def test_the_reference_of_fresh_weights_is_the_base_model(llama: ModelSpec) -> None:
    policy = PLAIN.load(llama, LORA, seed=0)
    base = nats(policy)
    train(policy)
    assert nats(policy, reference=True) == base > nats(policy)


def test_weights_of_another_model_are_not_gone_on_from(
    models: Path, llama: ModelSpec, tmp_path: Path
) -> None:
    PLAIN.load(llama, LORA, seed=0).save(tmp_path)
    other = ModelSpec(str(models / "gpt2"), dtype="float32")
    with pytest.raises(ModelError, match="M004"):
        PLAIN.load(other, LoraSpec(continue_from=str(tmp_path)), seed=0)


# Modules that are trained whole


def test_tied_embeddings_stay_tied_when_they_are_trained(models: Path, tmp_path: Path) -> None:
    model = ModelSpec(str(models / "gemma"), dtype="float32")
    policy = PLAIN.load(model, replace(LORA, modules_to_save=("embed_tokens",)), seed=0)
    train(policy)
    base = policy.model.get_base_model()
    inputs, outputs = base.get_input_embeddings(), base.get_output_embeddings()
    assert torch.equal(_active(inputs), _active(outputs))
    assert not torch.equal(_active(inputs), inputs.original_module.weight)
    policy.save(tmp_path)
    assert nats(PLAIN.reopen(model, tmp_path)) == nats(policy)


@pytest.mark.parametrize("dtype", ["bfloat16", pytest.param("float16", marks=pytest.mark.slow)])
@pytest.mark.parametrize("architecture", ["llama", "gemma"])
def test_modules_that_are_trained_whole_are_trained_in_float32(
    models: Path, architecture: str, dtype: str, tmp_path: Path
) -> None:
    """In 16 bits AdamW's steps of a tenth of a per mille would change nothing, or nan."""
    model = ModelSpec(str(models / architecture), dtype=dtype)
    lora = replace(LORA, target_modules="attention", modules_to_save=("embed_tokens", "norm", "lm_head"))
    policy = PLAIN.load(model, lora, seed=0)
    saved = {n: w for n, w in policy.model.named_parameters() if "modules_to_save" in n}
    assert saved
    assert {weight.dtype for weight in saved.values()} == {torch.float32}
    before = {name: weight.detach().clone() for name, weight in saved.items()}
    start = nats(policy)
    train(policy, learning_rate=1e-4)
    assert all(not torch.equal(weight, before[name]) for name, weight in saved.items())
    assert nats(policy) < start
    policy.save(tmp_path)
    assert nats(PLAIN.reopen(model, tmp_path)) == nats(policy)


def _active(module: Any) -> torch.Tensor:
    kept = getattr(module, "modules_to_save", None)
    weight: torch.Tensor = module.weight if kept is None else kept["default"].weight
    return weight


@pytest.mark.parametrize(
    ("provider", "name", "got"),
    [(PLAIN, "pooler", "no such module"), (NF4, "up_proj", "quantised")],
    ids=["unknown", "quantised"],
)
def test_a_module_that_cannot_be_trained_whole_is_told(
    llama: ModelSpec, provider: HfModelProvider, name: str, got: str
) -> None:
    with pytest.raises(ModelError, match=rf'M012.*"{name}".*{got}'):
        provider.load(llama, replace(LORA, target_modules="attention", modules_to_save=(name,)), seed=0)


# Experts


@pytest.mark.parametrize("change", [{"dropout": 0.1}, {"dora": True}, {"init": "orthogonal"}])
def test_what_experts_cannot_have_is_told(models: Path, change: dict[str, Any]) -> None:
    model = ModelSpec(str(models / "mixtral"), dtype="float32")
    with pytest.raises(ModelError, match="M012") as caught:
        PLAIN.load(model, replace(LORA, target_modules="mlp", **change), seed=0)
    assert caught.value.fix


# Activations


def test_activations_computed_again_or_put_away_give_the_same_gradients(llama: ModelSpec) -> None:
    gradients = [_gradients(PLAIN.load(llama, LORA, seed=0, **options)) for options in ({}, _AGAIN, _AWAY)]
    # Sums come in another order when a pass is run again, so the last bit may differ.
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gradients[2], gradients[0], rtol=1e-5, atol=1e-6)


_AGAIN: dict[str, bool] = {"gradient_checkpointing": True}
_AWAY: dict[str, bool] = _AGAIN | {"activation_offload": True}


def _gradients(policy: HfPolicy) -> list[torch.Tensor]:
    policy.model.train()
    summed_loss(policy.model, [policy.encode(CHAT)]).backward()
    return [weight.grad for weight in policy.model.parameters() if weight.grad is not None]


# The device map


def test_a_model_that_is_spread_by_accelerate_trains_too(llama: ModelSpec) -> None:
    spread = PLAIN.load(replace(llama, device_map="auto"), LORA, seed=0)
    alone = PLAIN.load(llama, LORA, seed=0)
    assert nats(spread) == nats(alone)
    train(spread)
    train(alone)
    assert nats(spread) == nats(alone)


def test_layers_that_were_put_away_are_not_trained(llama: ModelSpec) -> None:
    policy = PLAIN.load(llama, LORA, seed=0)
    base = policy.model.get_base_model()
    base.hf_device_map = {"model.layers.0": 0, "model.layers.1": "cpu"}
    with pytest.raises(ModelError, match=r"M006.*layers on cpu"):
        check_here(base, llama)
    base.hf_device_map = {"model.layers.0": 0, "model.layers.1": 1}
    check_here(base, llama)
    base.hf_device_map = {"": "cpu"}
    check_here(base, llama)
