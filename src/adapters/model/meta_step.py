"""One training step on the meta device, with an account of what it would hold in memory.

It is the real step: the model's own forward pass, the loss of ``packed_loss`` and torch's backward pass run
through every operation, and no operation computes anything. Three things are stood in for. Attention takes
what the fused kernels of torch take (inputs, output, a number per query), where the meta device would take
the whole matrix of scores. So do the matrix products of experts, which it knows in bfloat16 alone. And a
question about a value, which there is none of here, is answered with zero: transformers asks whether a mask
masks nothing, and so builds the mask.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ...domain.footprint import Evaluating, ForwardPass
from ...domain.tokens import token_row
from .packed_loss import summed_loss


@dataclass(frozen=True, slots=True)
class StepMemory:
    """Bytes that a step adds to what rests in memory.

    Attributes:
        kept: when the forward pass reaches the projection to the vocabulary.
        logits: that are added until the backward pass comes back from there.
        peak: the most, gradients included.
    """

    kept: int
    logits: int
    peak: int


def step_memory(model: Any, work: ForwardPass) -> StepMemory:
    """Runs forward and backward pass of the work on a model of the meta device."""
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    if work.accumulates:
        for weight in trained:
            weight.grad = torch.empty_like(weight)
    gradients = [weight.grad for weight in trained if weight.grad is not None]
    account = _Account([*model.parameters(), *model.buffers(), *gradients])
    account.held = sum(gradient.nbytes for gradient in gradients)
    rows = [token_row([0] * row.tokens, _labels(row.tokens, row.trained)) for row in work.rows]
    kept: list[int] = []
    most: list[int] = []

    def reached(head: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        kept.append(account.held)
        inputs[0].register_hook(lambda _: most.append(account.peak))

    hook = model.get_output_embeddings().register_forward_pre_hook(reached)
    model.train()
    try:
        with _stood_in(), account:
            summed_loss(model, rows, packed=not work.padded).backward()
    finally:
        hook.remove()
        model.zero_grad()
    return StepMemory(kept[0], most[0] - kept[0], account.peak)


def cache_bytes(base: Any, tokens: int = 8) -> int:
    """What one token takes in the cache of keys and values."""
    ids = torch.zeros(1, tokens, dtype=torch.long, device="meta")
    with torch.no_grad(), _stood_in(), _Account([]):
        cache = base(input_ids=ids, use_cache=True).past_key_values
    tensors = [getattr(layer, kind) for layer in cache.layers for kind in ("keys", "values")]
    total: int = sum(tensor.nbytes for tensor in tensors if tensor is not None)
    return total // tokens


def evaluation_memory(model: Any, evaluating: Evaluating) -> int:
    """Bytes that the largest pass of an evaluation takes, keys and values of prompts included.

    Args:
        evaluating: answers as long as they become; that their prompts are shorter is left out of account.
    """
    row = token_row([0] * evaluating.scored, _labels(evaluating.scored, evaluating.scored - 1))
    ids = torch.zeros(evaluating.answers, evaluating.tokens, dtype=torch.long, device="meta")
    passes: list[Callable[[], Any]] = []
    if evaluating.scored:
        passes.append(lambda: summed_loss(model, [row]))
    if evaluating.answers:
        # Prompts are padded to one width, so there is a mask.
        passes.append(
            lambda: model(
                input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=True, logits_to_keep=1
            )
        )
    was_training = model.training
    model.eval()
    peaks = [_peak_of(model, one) for one in passes]
    model.train(was_training)
    return max(peaks, default=0)


def _peak_of(model: Any, compute: Callable[[], Any]) -> int:
    account = _Account([*model.parameters(), *model.buffers()])
    with torch.no_grad(), _stood_in(), account:
        compute()
    return account.peak


def _labels(tokens: int, trained: int) -> list[bool]:
    """At the end of a row, where an answer is."""
    return [at >= tokens - trained for at in range(tokens)]


class _Account(TorchDispatchMode):
    """Counts the bytes of every tensor that is made, for as long as it lives.

    Args:
        known: tensors that are there already.
    """

    def __init__(self, known: Sequence[torch.Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.held = self.peak = 0
        # By the storage, which tensors share that are views of each other.
        self._sizes: dict[int, int] = {tensor.untyped_storage()._cdata: 0 for tensor in known}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default:
            return 0
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor)
        return made

    def _count(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if tensor.device.type != "meta" or key in self._sizes:
            return
        self._sizes[key] = storage.nbytes()
        self.held += storage.nbytes()
        self.peak = max(self.peak, self.held)
        weakref.finalize(storage, self._forget, key)

    def _forget(self, key: int) -> None:
        self.held -= self._sizes.pop(key)


@contextmanager
def _stood_in() -> Iterator[None]:
    """Tensors of the meta device take what fused kernels take; others are computed as ever."""
    real_attention, real_experts = functional.scaled_dot_product_attention, functional.grouped_mm
    real_autocast = torch.autocast

    def attention(query: Any, key: Any, value: Any, attn_mask: Any = None, *args: Any, **options: Any) -> Any:
        if query.device.type != "meta":
            return real_attention(query, key, value, attn_mask, *args, **options)
        return _FusedAttention.apply(query, key, value, attn_mask)  # type: ignore[no-untyped-call]

    def experts(inputs: Any, weights: Any, *args: Any, **options: Any) -> Any:
        if inputs.device.type != "meta":
            return real_experts(inputs, weights, *args, **options)
        return _FusedExperts.apply(inputs, weights)  # type: ignore[no-untyped-call]

    def autocast(device_type: str, *args: Any, **options: Any) -> Any:
        # PEFT switches it off for experts, and the meta device has none to be switched.
        return nullcontext() if device_type == "meta" else real_autocast(device_type, *args, **options)

    kernels, library = cast(Any, functional), cast(Any, torch)
    kernels.scaled_dot_product_attention, kernels.grouped_mm = attention, experts
    library.autocast = autocast
    try:
        yield
    finally:
        kernels.scaled_dot_product_attention, kernels.grouped_mm = real_attention, real_experts
        library.autocast = real_autocast


class _FusedAttention(torch.autograd.Function):
    """Keeps its inputs, its output and the logarithm of every query's sum; shapes [B, H, T, D]."""

    @staticmethod
    def forward(ctx: Any, query: Any, key: Any, value: Any, mask: Any) -> Any:
        batch, heads, tokens, _ = query.shape
        output = query.new_empty(batch, tokens, heads, value.shape[-1]).transpose(1, 2)
        sums = query.new_empty(batch, heads, tokens, dtype=torch.float32)
        # The kernels add a mask to the scores, so one of truth values is made into numbers.
        added = [] if mask is None else [torch.empty_like(mask, dtype=query.dtype)]
        ctx.save_for_backward(query, key, value, output, sums, *added)
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        query, key, value, *_ = ctx.saved_tensors
        return torch.empty_like(query), torch.empty_like(key), torch.empty_like(value), None


class _FusedExperts(torch.autograd.Function):
    """Rows, each times the matrix of its expert: [S, I] and [E, I, O] make [S, O]."""

    @staticmethod
    def forward(ctx: Any, inputs: Any, weights: Any) -> Any:
        # As torch's: what a gradient is not asked for is not kept.
        kept = inputs if weights.requires_grad else inputs.new_empty(0)
        ctx.save_for_backward(kept, weights)
        ctx.shape = inputs.shape
        return inputs.new_empty(len(inputs), weights.shape[-1])

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (gradient,) = gradients
        _, weights = ctx.saved_tensors
        return gradient.new_empty(ctx.shape), torch.empty_like(weights) if ctx.needs_input_grad[1] else None
