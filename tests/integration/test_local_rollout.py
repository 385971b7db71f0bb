"""Against ``generate`` of transformers, and against a plain forward pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from cesello.adapters.model.decoding import shares_prompts
from cesello.adapters.model.hf_provider import HfModelProvider
from cesello.adapters.model.hub_cache import HubCache
from cesello.adapters.model.local_rollout import LocalRollout
from cesello.adapters.model.quantizers import NoQuantizer
from cesello.adapters.model.transformers_rollout import TransformersRollout
from cesello.domain.generation import Sampling
from cesello.domain.model_spec import LoraSpec, ModelSpec
from cesello.domain.ports.rollout import RolloutEngine
from tests.tiny_architectures import make_tiny

pytestmark = pytest.mark.usefixtures("one_thread")

SMOLLM = "HuggingFaceTB/SmolLM2-135M-Instruct"
PROMPTS = [list(range(20, 43)), [50, 51, 52], list(range(60, 71))]
SEEDS = [[1, 2, 3], [4, 5], [6]]
SHARING = ["llama", "qwen3", "gpt_neox", "phi3", "olmo2", "granite", "starcoder2", "qwen3_moe"]
REPEATING = ["gemma2", "gpt2", "bloom", "falcon"]


def tuned(path: str, hub: Path | None = None) -> Any:
    """A model whose LoRA weights do something."""
    provider = HfModelProvider(NoQuantizer(), HubCache(hub))
    lora = LoraSpec(r=4, dropout=0.0, target_modules="all-linear")
    model: Any = provider.load(ModelSpec(path, dtype="float32"), lora, seed=0).model
    generator = torch.Generator().manual_seed(1)
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = torch.randn(weight.shape, generator=generator) / 20
    return model


def tiny(architecture: str, folder: Path) -> Any:
    return tuned(str(make_tiny(architecture, folder / architecture)))


def by_generate(model: Any, prompt: list[int], most: int, ends: list[int]) -> list[int]:
    ids = torch.tensor([prompt])
    written: list[int] = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=most,
        do_sample=False,
        eos_token_id=ends or None,
        pad_token_id=0,
    )[0, len(prompt) :].tolist()
    return written


def log_probs_of(model: Any, prompt: list[int], ids: list[int], temperature: float) -> list[float]:
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([[*prompt, *ids]])).logits[0, len(prompt) - 1 : -1]
    found = (logits.float() / temperature).log_softmax(-1).gather(-1, torch.tensor(ids)[:, None])
    seen: list[float] = found[:, 0].tolist()
    return seen


def is_right(engine: RolloutEngine, model: Any) -> None:
    """Greedy tokens are those of ``generate``, and log-probabilities those of a forward pass."""
    model.eval()
    expected = [by_generate(model, prompt, 9, []) for prompt in PROMPTS]
    drawn = engine.generate(PROMPTS, SEEDS, Sampling(9))
    for group, tokens in zip(drawn, expected, strict=True):
        assert [one.ids.tolist() for one in group] == [tokens] * len(group)
    for temperature in (1.0, 0.7):
        drawn = engine.generate(PROMPTS, SEEDS, Sampling(9, temperature))
        for prompt, group in zip(PROMPTS, drawn, strict=True):
            for one in group:
                right = log_probs_of(model, prompt, one.ids.tolist(), temperature)
                assert one.log_probs.tolist() == pytest.approx(right, abs=2e-5)


@pytest.mark.parametrize("architecture", SHARING + REPEATING)
def test_tokens_are_those_of_generate(architecture: str, tmp_path: Path) -> None:
    model = tiny(architecture, tmp_path)
    assert shares_prompts(model, 32) == (architecture in SHARING)
    is_right(LocalRollout(model, []), model)
    is_right(LocalRollout(model, [], copy_bytes=0), model)


def test_a_window_is_looked_through(tmp_path: Path) -> None:
    model = tiny("mistral", tmp_path)
    model.config.sliding_window = 16
    assert not shares_prompts(model, 32)
    assert shares_prompts(model, 16)
    is_right(LocalRollout(model, []), model)


def test_completions_end_as_those_of_generate(tmp_path: Path) -> None:
    model = tiny("llama", tmp_path).eval()
    [[whole]] = LocalRollout(model, []).generate(PROMPTS[:1], [[0]], Sampling(9))
    ends = [whole.ids[4], 319]
    [[cut]] = LocalRollout(model, ends).generate(PROMPTS[:1], [[0]], Sampling(9))
    assert cut.ids.tolist() == by_generate(model, PROMPTS[0], 9, ends)
    assert cut.finished
    assert len(cut) == whole.ids.index(ends[0]) + 1


@pytest.mark.parametrize("architecture", ["llama", "gemma2"])
def test_cut_into_batches_the_same_tokens_come(architecture: str, tmp_path: Path) -> None:
    model, sampling = tiny(architecture, tmp_path), Sampling(70, 1.0)
    ends = range(3, 9)
    whole = LocalRollout(model, ends).generate(PROMPTS, SEEDS, sampling)
    assert len({len(one) for group in whole for one in group}) > 2  # they leave at different times
    for most in (1, 60_000, 120_000):
        cut = LocalRollout(model, ends, cache_bytes=most).generate(PROMPTS, SEEDS, sampling)
        assert [[one.ids for one in group] for group in cut] == [
            [one.ids for one in group] for group in whole
        ]


def test_the_model_is_left_as_it_was(tmp_path: Path) -> None:
    model = tiny("llama", tmp_path)
    model.train()
    inner = next(module for module in model.modules() if isinstance(module, torch.nn.Linear))
    inner.eval()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    state = torch.get_rng_state()
    drawn = LocalRollout(model, []).generate(PROMPTS, SEEDS, Sampling(3, 1.0))
    assert model.training
    assert not inner.training
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    assert not any("forward" in vars(module) for module in model.modules())
    model(input_ids=torch.tensor([PROMPTS[0]])).logits.sum().backward()
    assert drawn


def test_lora_weights_are_those_of_the_moment(tmp_path: Path) -> None:
    model = tiny("llama", tmp_path)
    engine = LocalRollout(model, [])
    before = engine.generate(PROMPTS, SEEDS, Sampling(9))
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight += 0.1
    after = engine.generate(PROMPTS, SEEDS, Sampling(9))
    assert before != after
    is_right(engine, model)
    with model.disable_adapter():
        is_right(engine, model)


def test_transformers_batching_is_right(tmp_path: Path) -> None:
    model = tiny("llama", tmp_path)
    engine = TransformersRollout(model, [], 0, cache_tokens=1024)
    is_right(engine, model)
    sampling = Sampling(9, 1.0)
    assert engine.generate(PROMPTS, SEEDS, sampling) == engine.generate(PROMPTS, SEEDS, sampling)
    [[whole]] = engine.generate(PROMPTS[:1], [[0]], Sampling(9))
    [[cut]] = TransformersRollout(model, [whole.ids[4]], 0, cache_tokens=1024).generate(
        PROMPTS[:1], [[0]], Sampling(9)
    )
    assert cut.ids == whole.ids[: len(cut)]
    assert cut.finished
    assert not whole.finished


@pytest.mark.slow
def test_a_real_model_draws_the_same_in_any_batch(kit_home: Path) -> None:
    model = tuned(SMOLLM, kit_home / "hub").eval()
    assert shares_prompts(model, 64)
    engine = LocalRollout(model, [2])
    prompts = [list(range(1000, 1030)), [3000, 3001, 3002, 3003]]
    [greedy, _] = engine.generate(prompts, [[0], []], Sampling(12))
    assert greedy[0].ids.tolist() == by_generate(model, prompts[0], 12, [2])
    together = engine.generate(prompts, [[1, 2, 3], [4]], Sampling(12, 1.0))
    for prompt, group, seeds in zip(prompts, together, [[1, 2, 3], [4]], strict=True):
        for one, seed in zip(group, seeds, strict=True):
            [[alone]] = engine.generate([prompt], [[seed]], Sampling(12, 1.0))
            assert alone.ids == one.ids
            assert alone.log_probs.tolist() == pytest.approx(one.log_probs.tolist(), abs=1e-4)
