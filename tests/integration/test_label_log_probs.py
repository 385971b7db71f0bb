"""Log-probabilities without logits are those of the logits, and so is every gradient through them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cesello.adapters.model import label_scores
from cesello.adapters.model.label_log_probs import LabelLogProbs, hidden_log_probs, label_log_probs
from cesello.adapters.model.vocabulary_loss import Head
from tests.tiny_architectures import make_tiny

pytestmark = pytest.mark.usefixtures("one_thread")
HEADS = {
    "plain": {},
    "scaled": {"scale": 0.25},
    "capped": {"cap": 3.0},
    "scaled and capped": {"scale": 1.5, "cap": 2.0},
}


def plainly(head: Head, hidden_LH: torch.Tensor, labels_L: torch.Tensor, temperature: float) -> LabelLogProbs:
    """As one would write it."""
    logits_LV = (hidden_LH @ head.weight.T + (0 if head.bias is None else head.bias)) * head.scale
    if head.cap is not None:
        logits_LV = head.cap * torch.tanh(logits_LV / head.cap)
    logs_LV = torch.log_softmax(logits_LV / temperature, -1)
    return LabelLogProbs(logs_LV.gather(1, labels_L[:, None])[:, 0], -(logs_LV.exp() * logs_LV).sum(-1))


@pytest.mark.parametrize("labels_of_a_part", [1, 7, 1000])
@pytest.mark.parametrize("temperature", [0.6, 1.0, 1.7])
@pytest.mark.parametrize("head", HEADS)
def test_they_are_those_of_the_logits(
    head: str, temperature: float, labels_of_a_part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "cesello.adapters.model.vocabulary_loss._NUMBERS", {"cpu": labels_of_a_part * 50, "cuda": 0}
    )
    generator = torch.Generator().manual_seed(0)
    weight, bias = (torch.randn(size, generator=generator) for size in ((50, 16), (50,)))
    hidden_LH = torch.randn(20, 16, generator=generator).requires_grad_()
    labels_L = torch.randint(0, 50, (20,), generator=generator)
    made = hidden_log_probs(Head(weight, bias, **HEADS[head]), hidden_LH, labels_L, temperature=temperature)
    exact_LH = hidden_LH.detach().double().requires_grad_()
    exact = plainly(Head(weight.double(), bias.double(), **HEADS[head]), exact_LH, labels_L, temperature)
    torch.testing.assert_close(made.log_probs_L.double(), exact.log_probs_L, rtol=1e-5, atol=2e-6)
    torch.testing.assert_close(made.entropies_L.double(), exact.entropies_L, rtol=1e-5, atol=2e-6)
    assert not made.entropies_L.requires_grad
    # Not a sum, so that each label's gradient is weighed by a number of its own.
    for scored in (made, exact):
        (scored.log_probs_L.exp() * scored.log_probs_L.sin()).sum().backward()
    assert hidden_LH.grad is not None
    assert exact_LH.grad is not None
    torch.testing.assert_close(hidden_LH.grad.double(), exact_LH.grad, rtol=1e-4, atol=2e-6)


def test_a_sharp_distribution_keeps_its_small_entropy() -> None:
    """Next to large logits a small entropy is easily lost in rounding."""
    weight = torch.eye(50, 16)
    hidden_LH = torch.zeros(1, 16)
    hidden_LH[0, 3] = 18.0
    made = hidden_log_probs(Head(weight, None), hidden_LH, torch.tensor([3]))
    exact = plainly(Head(weight.double(), None), hidden_LH.double(), torch.tensor([3]), 1.0)
    assert float(exact.entropies_L) < 2e-5
    torch.testing.assert_close(made.entropies_L.double(), exact.entropies_L, rtol=0, atol=1e-7)


def test_a_word_that_is_ruled_out_has_no_part_in_the_entropy() -> None:
    bias = torch.tensor([0.0, 0.0, -torch.inf])
    made = hidden_log_probs(Head(torch.zeros(3, 4), bias), torch.zeros(1, 4), torch.tensor([0]))
    assert float(made.entropies_L) == pytest.approx(torch.log(torch.tensor(2.0)).item())


def test_no_labels_have_no_log_probabilities_and_no_gradient() -> None:
    hidden_LH = torch.zeros(0, 4, requires_grad=True)
    made = hidden_log_probs(Head(torch.zeros(3, 4), None), hidden_LH, torch.zeros(0, dtype=torch.int64))
    made.log_probs_L.sum().backward()
    assert made.log_probs_L.shape == made.entropies_L.shape == (0,)
    assert hidden_LH.grad is not None


def loaded(architecture: str, folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(make_tiny(architecture, folder), dtype=torch.float32)
    model.get_output_embeddings().weight.requires_grad_(False)
    return model.eval()


def gradients_of(model: Any, scored: LabelLogProbs) -> list[torch.Tensor]:
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    return list(torch.autograd.grad(scored.log_probs_L.exp().sum(), weights))


def as_it_is(model: Any) -> None:
    """A frozen projection."""


def a_head_that_is_trained(model: Any) -> None:
    model.get_output_embeddings().weight.requires_grad_(True)


def a_head_that_does_more(model: Any) -> None:
    model.get_output_embeddings().register_forward_hook(lambda module, inputs, output: 2 * output)


TRIED: dict[Callable[[Any], None], bool | None] = {
    as_it_is: True,
    a_head_that_is_trained: None,
    a_head_that_does_more: False,
}
"""What came of trying whether the head is a plain projection."""


@pytest.mark.parametrize("change", TRIED)
@pytest.mark.parametrize("architecture", ["llama", "gemma2", "granite", "cohere2"])
def test_a_model_gives_what_its_logits_say(
    architecture: str, change: Callable[[Any], None], tmp_path: Path
) -> None:
    model = loaded(architecture, tmp_path)
    change(model)
    generator = torch.Generator().manual_seed(0)
    ids_BT = torch.randint(3, 250, (2, 12), generator=generator)
    rows_L, columns_L = torch.tensor([0, 0, 1, 1, 1]), torch.tensor([2, 5, 0, 5, 3])
    labels_L = ids_BT[rows_L, columns_L + 6]
    inputs = {"input_ids": ids_BT, "logits_to_keep": torch.arange(5, 11), "use_cache": False}
    # The first call of a model tries what the second relies on.
    _, made = (label_log_probs(model, inputs, labels_L, (rows_L, columns_L), temperature=0.7) for _ in "12")
    logits_LV = model(input_ids=ids_BT, use_cache=False).logits[:, 5:11][rows_L, columns_L]
    logs_LV = torch.log_softmax(logits_LV / 0.7, -1)
    expected = LabelLogProbs(logs_LV.gather(1, labels_L[:, None])[:, 0], -(logs_LV.exp() * logs_LV).sum(-1))
    torch.testing.assert_close(made.log_probs_L, expected.log_probs_L, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(made.entropies_L, expected.entropies_L.detach(), rtol=1e-5, atol=1e-5)
    assert not made.entropies_L.requires_grad
    for ours, theirs in zip(gradients_of(model, made), gradients_of(model, expected), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
    assert label_scores._known.get(model.get_output_embeddings()) is TRIED[change]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_about_right(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(300, 64, generator=generator).to(dtype) / 8
    hidden_LH = torch.randn(20, 64, generator=generator).to(dtype).requires_grad_()
    labels_L = torch.randint(0, 300, (20,), generator=generator)
    made = hidden_log_probs(Head(weight, None), hidden_LH, labels_L)
    exact_LH = hidden_LH.detach().double().requires_grad_()
    exact = plainly(Head(weight.double(), None), exact_LH, labels_L, 1.0)
    assert made.log_probs_L.dtype == torch.float32
    torch.testing.assert_close(made.log_probs_L.double(), exact.log_probs_L, rtol=0, atol=2e-2)
    (made.log_probs_L**2).sum().backward()
    (exact.log_probs_L**2).sum().backward()
    assert hidden_LH.grad is not None
    assert exact_LH.grad is not None
    assert hidden_LH.grad.dtype == dtype
    assert (hidden_LH.grad - exact_LH.grad).norm() / exact_LH.grad.norm() < 1e-2


def test_without_gradients_nothing_is_kept_for_them() -> None:
    kept: list[torch.Size] = []
    weight, hidden_LH = torch.randn(50, 16), torch.randn(20, 16)
    labels_L = torch.arange(20)

    def noted(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.shape)
        return tensor

    def scored(hidden_LH: torch.Tensor) -> None:
        with torch.autograd.graph.saved_tensors_hooks(noted, lambda tensor: tensor):
            hidden_log_probs(Head(weight, None), hidden_LH, labels_L)

    with torch.no_grad():
        scored(hidden_LH.requires_grad_())
    assert kept == []
    scored(hidden_LH)
    assert kept == [(20, 16)]  # of the size of the hidden states, not of the logits
