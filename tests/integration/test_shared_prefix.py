"""Completions that share their prompt are, to the model, rows alone: their scores and all gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    Gemma2Config,
    Gemma3TextConfig,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    OPTConfig,
    PretrainedConfig,
    Qwen3Config,
)

from cesello.adapters.model import prefix_attention
from cesello.adapters.model.attention_kernels import CpuKernel, Runs, VarlenKernel
from cesello.adapters.model.checkpointing import compute_again
from cesello.adapters.model.hub_cache import HubCache
from cesello.adapters.model.label_log_probs import label_log_probs
from cesello.adapters.model.lean_model import make_lean
from cesello.adapters.model.prefix_attention import Layout, attend, prefix_mask
from cesello.adapters.model.shared_prefix import (
    PromptGroup,
    Way,
    attends_by_group,
    cheapest_way,
    completion_inputs,
    completion_scores,
    cut,
)

pytestmark = pytest.mark.usefixtures("one_thread")

MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
SIZES: dict[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "attn_implementation": "sdpa",
}
GATED: dict[str, Any] = {**SIZES, "intermediate_size": 64, "num_key_value_heads": 2, "head_dim": 8}
SHARING: dict[str, PretrainedConfig] = {
    "llama": LlamaConfig(**GATED),
    "qwen3": Qwen3Config(**GATED),
    "gpt-neox": GPTNeoXConfig(**SIZES, intermediate_size=64),
    "gemma3": Gemma3TextConfig(
        **GATED, sliding_window=64, layer_types=["sliding_attention", "full_attention"]
    ),
}
OTHERS: dict[str, tuple[PretrainedConfig, Way]] = {
    "soft limits of attention": (Gemma2Config(**{**GATED, "attn_implementation": "eager"}), Way.PACKED),
    "biases of positions": (BloomConfig(vocab_size=300, hidden_size=32, n_layer=2, n_head=4), Way.PADDED),
    "positions of its own": (OPTConfig(**SIZES, ffn_dim=64, word_embed_proj_dim=32, dropout=0.0), Way.PADDED),
    "another attention": (LlamaConfig(**{**GATED, "attn_implementation": "eager"}), Way.PACKED),
    "a short window": (MistralConfig(**GATED, sliding_window=16), Way.PACKED),
}  # fmt: skip


def drawn(length: int, seed: int) -> list[int]:
    return torch.randint(3, 300, (length,), generator=torch.Generator().manual_seed(seed)).tolist()


def group(prompt: int, *lengths: int) -> PromptGroup:
    return PromptGroup(drawn(prompt, prompt), [drawn(one, 100 * prompt + one) for one in lengths])


GROUPS = [group(19, 7, 12, 1, 5), group(1, 3, 2), group(6, 9)]
MARKED = PromptGroup(drawn(8, 1), [drawn(6, 2), drawn(4, 3)], [b"\1\1\0\0\1\1", b"\0\0\1\1"])


def tiny(config: PretrainedConfig) -> Any:
    torch.manual_seed(0)
    return tuned(AutoModelForCausalLM.from_config(config), std=0.1)


def tuned(base: Any, std: float) -> Any:
    """With LoRA weights that do something, on every linear layer."""
    torch.manual_seed(0)
    model: Any = get_peft_model(base, LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=std)
    make_lean(model)
    return model.train()


def step(model: Any, groups: Sequence[PromptGroup], way: Way) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Log-probabilities, and the gradients of a loss that weighs each of them differently."""
    model.zero_grad()
    scores = completion_scores(model, groups, label_log_probs, way=way).log_probs_L
    (scores.exp() * torch.linspace(-1, 2, len(scores))).sum().backward()
    return scores.detach(), [weight.grad.clone() for weight in model.parameters() if weight.requires_grad]


def assert_alike(model: Any, groups: Sequence[PromptGroup], other: Way = Way.PACKED) -> None:
    ours, our_gradients = step(model, groups, Way.SHARED)
    theirs, their_gradients = step(model, groups, other)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
    assert any(gradient.abs().max() > 1e-3 for gradient in their_gradients)
    for one, another in zip(our_gradients, their_gradients, strict=True):
        torch.testing.assert_close(one, another, rtol=0, atol=1e-5)


@pytest.mark.parametrize("other", [Way.PACKED, Way.PADDED])
@pytest.mark.parametrize("name", SHARING)
def test_shared_is_packed_is_padded(name: str, other: Way) -> None:
    model = tiny(SHARING[name])
    assert attends_by_group(model, 40)
    assert_alike(model, GROUPS, other)


@pytest.mark.parametrize("name", SHARING)
def test_scores_are_those_of_each_completion_alone(name: str) -> None:
    model = tiny(SHARING[name])
    ours, _ = step(model, GROUPS, Way.SHARED)
    with torch.no_grad():
        alone = [
            torch.log_softmax(model(input_ids=torch.tensor([[*one.prompt, *its]])).logits[0].float(), -1)[
                torch.arange(len(its)) + len(one.prompt) - 1, torch.tensor(its)
            ]
            for one in GROUPS
            for its in one.completions
        ]
    torch.testing.assert_close(ours, torch.cat(alone), rtol=0, atol=1e-5)


@pytest.mark.slow
def test_the_same_on_a_real_model(kit_home: Path) -> None:
    places = HubCache(kit_home / "hub").arguments(MODEL)
    model = tuned(AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32, **places), std=0.02)
    ours, our_gradients = step(model, GROUPS[:2], Way.SHARED)
    theirs, their_gradients = step(model, GROUPS[:2], Way.PACKED)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-4)  # logits of 35 are known to 2e-6 each
    for one, another in zip(our_gradients, their_gradients, strict=True):
        torch.testing.assert_close(one, another, rtol=0, atol=1e-5)


def test_a_long_prompt_is_taken_in_tiles() -> None:
    assert_alike(tiny(SHARING["llama"]), [group(700, 30, 21), group(450, 400)])


class _Counting(CpuKernel):
    """Knows how often it computed."""

    def __init__(self) -> None:
        self.calls = 0

    def forward(self, *args: Any, **options: Any) -> Any:
        self.calls += 1
        return super().forward(*args, **options)


def test_activations_can_be_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    model, kernel = tiny(SHARING["llama"]), _Counting()
    assert attends_by_group(model, 40)
    monkeypatch.setitem(prefix_attention._KERNELS, "cpu", kernel)
    kept, kept_gradients = step(model, GROUPS, Way.SHARED)
    assert kernel.calls == 4  # two layers, two products each
    compute_again(model.get_base_model())
    again, gradients = step(model, GROUPS, Way.SHARED)
    assert kernel.calls == 4 + 8
    torch.testing.assert_close(again, kept, rtol=0, atol=1e-5)
    for one, another in zip(gradients, kept_gradients, strict=True):
        torch.testing.assert_close(one, another, rtol=0, atol=1e-5)


@pytest.mark.parametrize("way", Way)
def test_only_trained_tokens_are_scored(way: Way) -> None:
    model = tiny(SHARING["llama"])
    whole, _ = step(model, [PromptGroup(MARKED.prompt, MARKED.completions)], way)
    marked, _ = step(model, [MARKED], way)
    torch.testing.assert_close(marked, whole[[0, 1, 4, 5, 8, 9]], rtol=0, atol=1e-6)


def test_the_row_is_as_long_as_it_must_be() -> None:
    asked = completion_inputs(tiny(SHARING["llama"]), [group(10, 5, 5, 5)], Way.SHARED)
    assert asked.inputs["input_ids"].shape == (1, 10 + 3 * 4)
    assert asked.inputs["position_ids"].tolist() == [[*range(10), *[10, 11, 12, 13] * 3]]


@pytest.mark.parametrize("name", OTHERS)
def test_who_cannot_share_goes_the_plain_way(name: str) -> None:
    config, way = OTHERS[name]
    model = tiny(config)
    assert cheapest_way(model, GROUPS) is way
    chosen = completion_scores(model, GROUPS, label_log_probs).log_probs_L
    padded = completion_scores(model, GROUPS, label_log_probs, way=Way.PADDED).log_probs_L
    torch.testing.assert_close(chosen, padded, rtol=0, atol=1e-5)


def test_a_window_counts_prompt_and_completion() -> None:
    model = tiny(OTHERS["a short window"][0])
    assert cheapest_way(model, [group(9, 7, 6)]) is Way.SHARED
    assert cheapest_way(model, [group(9, 8, 6)]) is Way.PACKED
    assert_alike(model, [group(9, 7, 6)])


@pytest.mark.parametrize(
    ("groups", "way"),
    [
        ([group(30, 8, 8)], Way.SHARED),
        ([group(30, 8)], Way.PACKED),  # nobody to share with
        ([group(1, 40, 40)], Way.PACKED),  # next to nothing to share
        ([group(1, 40, 40), group(30, 8, 8)], Way.SHARED),
    ],
)
def test_the_cheaper_way_is_chosen(groups: list[PromptGroup], way: Way) -> None:
    assert cheapest_way(tiny(SHARING["llama"]), groups) is way


def test_groups_are_cut_to_fit() -> None:
    marked = PromptGroup([1, 2], [[3], [4, 5], [6]], [b"\1", b"\0\1", b"\1"])
    parts = list(cut([marked, PromptGroup([7], [[8]])], 5))
    assert parts == [
        [PromptGroup([1, 2], [[3], [4, 5]], [b"\1", b"\0\1"])],
        [PromptGroup([1, 2], [[6]], [b"\1"]), PromptGroup([7], [[8]])],
    ]
    assert list(cut([group(9, 5)], 3)) == [[group(9, 5)]]


def test_cut_groups_have_the_gradients_they_have_whole() -> None:
    model = tiny(SHARING["llama"])
    whole, _ = step(model, GROUPS, Way.SHARED)
    parts = [step(model, part, Way.SHARED)[0] for part in cut(GROUPS, 30)]
    assert len(parts) > 2
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=1e-5)


# Attention


LAYOUT = Layout((5, 390), ((4, 0, 2), (3, 7)))


class ManyAtOnce:
    """A GPU's kernel, as torch's operators are described, in plain numbers on a CPU."""

    @staticmethod
    def forward(q: Any, k: Any, v: Any, starts: Any, seen: Any, *rest: Any, scale: Any) -> tuple[Any, ...]:
        _, _, dropout, causal, _ = rest
        assert dropout == 0.0
        assert all(one.is_contiguous() for one in (q, k, v))
        made = [ManyAtOnce.one(q[a], k[b], v[b], causal) for a, b in ManyAtOnce.runs(starts, seen)]
        return torch.cat([out for out, _ in made]), torch.cat([logs for _, logs in made], 1), None, None, None

    @staticmethod
    def backward(g: Any, q: Any, k: Any, v: Any, out: Any, logs: Any, *rest: Any, scale: Any) -> Any:
        starts, seen, _, _, dropout, causal, _, _ = rest
        assert dropout == 0.0
        over = [torch.zeros_like(one) for one in (q, k, v)]
        for a, b in ManyAtOnce.runs(starts, seen):
            weights = (ManyAtOnce.products(q[a], k[b], causal) - logs[:, a, None]).exp()
            repeated = ManyAtOnce.repeated(v[b], q)
            of_products = weights * (
                torch.einsum("tad,sad->ats", g[a], repeated) - (g[a] * out[a]).sum(-1).T[..., None]
            )
            width = q.shape[-1] ** -0.5
            over[0][a] = torch.einsum("ats,sad->tad", of_products, ManyAtOnce.repeated(k[b], q)) * width
            of_key = torch.einsum("ats,tad->sad", of_products, q[a]) * width
            of_value = torch.einsum("ats,tad->sad", weights, g[a])
            over[1][b] = of_key.unflatten(1, (k.shape[1], -1)).sum(2)
            over[2][b] = of_value.unflatten(1, (k.shape[1], -1)).sum(2)
        return tuple(over)

    @staticmethod
    def one(q: Any, k: Any, v: Any, causal: bool) -> tuple[Any, Any]:
        products = ManyAtOnce.products(q, k, causal)
        return torch.einsum(
            "ats,sad->tad", products.softmax(-1), ManyAtOnce.repeated(v, q)
        ), products.logsumexp(-1)

    @staticmethod
    def products(q: Any, k: Any, causal: bool) -> Any:
        products = torch.einsum("tad,sad->ats", q, ManyAtOnce.repeated(k, q)) * q.shape[-1] ** -0.5
        return products.masked_fill(
            torch.ones_like(products[0], dtype=torch.bool).triu(1) & causal, -torch.inf
        )

    @staticmethod
    def repeated(of_keys: Any, q: Any) -> Any:
        return of_keys.repeat_interleave(q.shape[1] // of_keys.shape[1], 1)

    @staticmethod
    def runs(starts: Any, seen: Any) -> list[tuple[slice, slice]]:
        assert starts.dtype == seen.dtype == torch.int32
        pairs = (pairwise(one.tolist()) for one in (starts, seen))
        return [(slice(*a), slice(*b)) for a, b in zip(*pairs, strict=True)]


def attended(
    inputs: Sequence[torch.Tensor], by: Callable[..., torch.Tensor], *args: Any
) -> list[torch.Tensor]:
    """The output and the gradients."""
    leaves = [one.clone().requires_grad_() for one in inputs]
    output = by(*leaves, *args)
    weights = torch.linspace(-1, 1, output.numel()).reshape(output.shape)
    return [output.detach(), *torch.autograd.grad((output.float() * weights).sum(), leaves)]


def made(dtype: torch.dtype) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    tokens = sum(LAYOUT.itself.queries)
    return [torch.randn(1, heads, tokens, 16, generator=generator).to(dtype) for heads in (6, 2, 2)]


@pytest.mark.parametrize(
    ("dtype", "close"), [(torch.float64, 1e-10), (torch.float32, 1e-5), (torch.bfloat16, 6e-2)]
)
def test_attention_is_that_of_the_mask(dtype: torch.dtype, close: float) -> None:
    inputs, mask = made(dtype), prefix_mask(LAYOUT, "cpu")
    ours = attended(inputs, attend, mask, 0.0, None)
    theirs = attended(inputs, prefix_attention._by_mask, LAYOUT, 0.0, None)
    for one, another in zip(ours, theirs, strict=True):
        assert float((one - another).abs().max() / another.abs().max()) < close


def test_the_layout_survives_without_what_is_attached_to_the_mask() -> None:
    assert prefix_attention._layout_of(prefix_mask(LAYOUT, "cpu").clone()) == LAYOUT


def test_a_gpu_s_kernel_is_asked_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = made(torch.float64)
    usual = attended(inputs, prefix_attention._by_mask, LAYOUT, 0.0, None)
    monkeypatch.setattr(torch.ops.aten, "_flash_attention_forward", ManyAtOnce.forward)
    monkeypatch.setattr(torch.ops.aten, "_flash_attention_backward", ManyAtOnce.backward)
    at_once = VarlenKernel()
    ours = attended(inputs, prefix_attention._Attended.apply, LAYOUT, at_once, None)
    for one, another in zip(ours, usual, strict=True):
        torch.testing.assert_close(one, another, rtol=0, atol=1e-9)


class _Wrong(CpuKernel):
    """Gives gradients that are not right."""

    def backward(self, *args: Any, **options: Any) -> Any:
        over_query, over_key, over_value = super().backward(*args, **options)
        return over_query, over_key * 1.01, over_value


@pytest.mark.parametrize("broken", [_Wrong(), None])
def test_a_kernel_that_has_changed_is_not_used(monkeypatch: pytest.MonkeyPatch, broken: Any) -> None:
    monkeypatch.setitem(prefix_attention._KERNELS, "cpu", broken)
    prefix_attention._is_right.cache_clear()
    query, _, value = made(torch.float32)
    try:
        assert prefix_attention._kernel(query, value, 0.0) is None
    finally:
        prefix_attention._is_right.cache_clear()


def test_dropout_of_attention_goes_by_the_mask() -> None:
    query, key, value = made(torch.float32)
    mask = prefix_mask(LAYOUT, "cpu")
    torch.manual_seed(0)
    some = attend(query, key, torch.ones_like(value), mask, 0.5, None)
    assert (some - 1).abs().max() > 0.1
    assert some.mean() == pytest.approx(1, abs=0.05)


def test_runs_without_queries_are_left_out() -> None:
    runs = Runs((2, 0, 1), (3, 4, 5), causal=False)
    assert list(runs.pairs()) == [(slice(0, 2), slice(0, 3)), (slice(2, 3), slice(7, 12))]
    assert [*accumulate(runs.keys)][-1] == 12


def test_any_scorer_can_be_asked() -> None:
    def labels(model: Any, inputs: Mapping[str, Any], labels_L: torch.Tensor, at: Any) -> list[int]:
        return labels_L.tolist()

    expected = [token for one in GROUPS for its in one.completions for token in its]
    model = tiny(SHARING["llama"])
    assert all(completion_scores(model, GROUPS, labels, way=way) == expected for way in Way)


def test_a_kernel_that_is_first_asked_in_inference_mode_is_not_taken_for_wrong() -> None:
    """Otherwise a run's first rollout would rule it out, and one that goes on within a rollout would not."""
    prefix_attention._is_right.cache_clear()
    with torch.inference_mode():
        in_inference = prefix_attention._is_right("cpu", torch.float32)
    prefix_attention._is_right.cache_clear()
    assert in_inference == prefix_attention._is_right("cpu", torch.float32) is True
