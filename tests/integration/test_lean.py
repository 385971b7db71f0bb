"""Every way to a quicker step gives the loss and the gradients of the plain way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from cesello.adapters.model import document_attention, label_scores, lean_linear, peft_lora
from cesello.adapters.model.document_attention import attends_by_document
from cesello.adapters.model.lean_linear import LowRank
from cesello.adapters.model.lean_lora import LeanLinear
from cesello.adapters.model.lean_model import make_lean
from cesello.adapters.model.liger_kernels import use_liger
from cesello.adapters.model.packed_loss import scores
from cesello.adapters.model.peft_lora import chosen_targets, fresh
from cesello.adapters.model.vocabulary_loss import Head, summed_cross_entropy
from cesello.domain.errors import ModelError
from cesello.domain.model_spec import LoraSpec
from cesello.domain.tokens import TokenRow, token_row
from tests.tiny_architectures import TINY, make_tiny

pytestmark = pytest.mark.usefixtures("one_thread")
PADDED = {"bloom", "falcon", "mpt", "opt"}
BY_MASK = {"gemma2", "gemma3", "gpt_neox", "gptj", "gpt_bigcode", "phi"}


def rows() -> list[TokenRow]:
    generator = torch.Generator().manual_seed(0)
    lengths = (9, 4, 13)
    ids = [torch.randint(3, 300, (length,), generator=generator).tolist() for length in lengths]
    return [token_row(one, [at % 3 != 0 for at in range(len(one))]) for one in ids]


def tuned(architecture: str, folder: Path, **lora: Any) -> Any:
    """With LoRA weights none of which is zero."""
    from transformers import AutoModelForCausalLM

    base: Any = AutoModelForCausalLM.from_pretrained(make_tiny(architecture, folder), dtype=torch.float32)
    base.requires_grad_(False)
    spec = LoraSpec(**{"r": 4, "dropout": 0.0, "target_modules": "all-linear", **lora})
    model = fresh(base, spec, chosen_targets(base, spec), seed=0, original=lambda: lambda _: base).model
    generator = torch.Generator().manual_seed(1)
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = torch.randn(weight.shape, generator=generator) / 10
    return model.eval()  # some have dropout of their own


def step(model: Any, packed: bool = True) -> tuple[float, int, dict[str, torch.Tensor]]:
    model.zero_grad()
    scored = scores(model, rows(), packed=packed)
    scored.loss.backward()
    gradients = {
        name: weight.grad.clone() for name, weight in model.named_parameters() if weight.requires_grad
    }
    return float(scored.loss.detach()), int(scored.right), gradients


def apart(ours: torch.Tensor, plain: torch.Tensor) -> float:
    """The length of the difference, of that of the plain one."""
    return float((ours - plain).norm() / plain.norm())


@contextmanager
def plainly(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """PEFT's own layers, the mask of all against all, and logits."""
    with monkeypatch.context() as patch:
        patch.setattr(peft_lora, "make_lean", lambda model: None)
        patch.setattr("cesello.adapters.model.packed_loss.attends_by_document", lambda model, longest: False)
        patch.setattr(label_scores, "head_of", lambda model: None)
        yield


@pytest.mark.parametrize("architecture", TINY)
def test_a_step_is_that_of_the_plain_way(
    architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = architecture not in PADDED
    with plainly(monkeypatch):
        loss, right, gradients = step(tuned(architecture, tmp_path), packed)
    model = tuned(architecture, tmp_path)
    for _ in range(2):  # the first call tries whether the ways are right
        our_loss, our_right, ours = step(model, packed)
        assert our_loss == pytest.approx(loss, rel=1e-5)
        assert our_right == right
        assert gradients.keys() == ours.keys()
        for name, gradient in gradients.items():
            assert apart(ours[name], gradient) < 1e-5, name


@pytest.mark.parametrize("architecture", TINY)
def test_the_plan_knows_which_attention_goes_by_document(architecture: str, tmp_path: Path) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    model = tuned(architecture, tmp_path)
    with torch.device("meta"):
        planned = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(tmp_path))
    assert attends_by_document(model, 13) == attends_by_document(planned, 13) or architecture in PADDED
    assert model.get_base_model() in document_attention._known or not attends_by_document(planned, 13)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("target_modules", ["attention", "mlp", "all-linear"])
def test_lean_layers_give_the_gradient_of_what_they_compute(
    target_modules: str, dropout: float, tmp_path: Path
) -> None:
    """Against differences of the loss along the gradient, with the same places dropped every time."""
    model = tuned("llama", tmp_path, target_modules=target_modules, dropout=dropout).double().train()
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    weights = [weight for weight in model.parameters() if weight.requires_grad]

    def loss() -> torch.Tensor:
        torch.manual_seed(0)
        logits = model(input_ids=ids, use_cache=False).logits[0]
        return cross_entropy(logits[:-1], ids[0, 1:])

    loss_there = loss()
    gradients = torch.autograd.grad(loss_there, weights)
    length = sum(float(gradient.square().sum()) for gradient in gradients) ** 0.5
    way = [gradient * 1e-3 / length for gradient in gradients]
    sides = []
    for sign in (1, -1):
        for weight, one in zip(weights, way, strict=True):
            weight.data += sign * one
        sides.append(float(loss().detach()))
        for weight, one in zip(weights, way, strict=True):
            weight.data -= sign * one
    expected = sum(float((gradient * one).sum()) for gradient, one in zip(gradients, way, strict=True))
    assert (sides[0] - sides[1]) / 2 == pytest.approx(expected, rel=2e-3)


def test_dropout_takes_its_share_of_what_lora_reads_and_nothing_of_the_base() -> None:
    layer = torch.nn.Linear(2000, 3, bias=False).requires_grad_(False)
    x = torch.ones(50, 2000)
    added = LowRank(torch.eye(1, 2000).fill_(1.0), torch.ones(3, 1), 1.0, dropout=0.25)
    y, kept = lean_linear.forward(layer, added, x)
    low = (y - layer(x))[:, 0]
    assert kept is not None
    assert kept.mask_TI is not None
    assert float(kept.mask_TI.float().mean()) == pytest.approx(0.75, abs=0.01)
    assert float(low.mean()) == pytest.approx(2000, rel=0.01)


@pytest.mark.parametrize("cap", [None, 4.0])
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_the_loss_in_parts_is_the_loss(cap: float | None, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cesello.adapters.model.vocabulary_loss._NUMBERS", {"cpu": size * 50, "cuda": 0})
    torch.manual_seed(0)
    hidden, labels = torch.randn(20, 8, requires_grad=True), torch.randint(50, (20,))
    weight, bias = torch.randn(50, 8), torch.randn(50)
    head = Head(weight, bias, scale=0.5, cap=cap)
    logits = (hidden @ weight.T + bias) * 0.5
    logits = logits if cap is None else cap * torch.tanh(logits / cap)
    whole = cross_entropy(logits, labels, reduction="sum")
    (expected,) = torch.autograd.grad(3 * whole, hidden)
    loss, right = summed_cross_entropy(head, hidden, labels)
    (gradient,) = torch.autograd.grad(3 * loss, hidden)
    assert float(loss.detach()) == pytest.approx(float(whole.detach()), rel=1e-6)
    assert int(right) == int((logits.argmax(-1) == labels).sum())
    assert apart(gradient, expected) < 1e-6


def test_a_head_that_is_trained_or_changed_gives_logits(tmp_path: Path) -> None:
    model = tuned("llama", tmp_path, modules_to_save=("lm_head",))
    loss, _, gradients = step(model)
    assert any("lm_head" in name and float(gradient.norm()) > 0 for name, gradient in gradients.items())
    plain = tuned("llama", tmp_path)
    head = plain.get_output_embeddings()
    head.register_forward_hook(lambda module, inputs, output: 2 * output)
    doubled, *_ = step(plain)
    assert doubled != pytest.approx(loss, rel=1e-3)
    assert label_scores._known[head] is False


def test_rows_without_labels_have_no_loss(tmp_path: Path) -> None:
    scored = scores(tuned("llama", tmp_path), [token_row([5, 6, 7], [False] * 3)])
    assert float(scored.loss.detach()) == int(scored.right) == 0


def test_what_peft_must_do_itself_is_left_to_it(tmp_path: Path) -> None:
    model = tuned("llama", tmp_path, dora=True)
    layer = next(module for module in model.modules() if isinstance(module, LeanLinear))
    x = torch.randn(2, 3, 64)
    torch.testing.assert_close(layer(x), super(LeanLinear, layer).forward(x))
    plain = tuned("llama", tmp_path)
    layer = next(module for module in plain.modules() if isinstance(module, LeanLinear))
    tuned_output = layer(x)
    with plain.disable_adapter():
        torch.testing.assert_close(layer(x), layer.base_layer(x))
    layer.merge()
    torch.testing.assert_close(layer(x), tuned_output, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("checkpointed", [False, True])
def test_bfloat16_is_about_as_near_as_what_peft_makes(
    checkpointed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rounded in other places, as under autocast: A and B once, where PEFT makes float32 of x."""
    _, _, exact = step(tuned("llama", tmp_path))

    def error() -> float:
        model = tuned("llama", tmp_path)
        for weight in model.parameters():
            weight.data = weight.data if weight.requires_grad else weight.data.bfloat16()
        if checkpointed:
            model.get_base_model().activation_checkpointing_enable({"use_reentrant": False})
            model.train()
        _, _, gradients = step(model)
        assert {gradient.dtype for gradient in gradients.values()} == {torch.float32}
        return max(apart(gradient, exact[name]) for name, gradient in gradients.items())

    ours = error()
    with plainly(monkeypatch):
        theirs = error()
    assert 0 < ours < 2 * theirs


def test_a_block_with_code_of_its_own_is_left_alone() -> None:
    class Scaled(LlamaRMSNorm):
        def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
            return 2 * super().forward(hidden_states)

    layers = torch.nn.ModuleList([Scaled(8), LlamaRMSNorm(8), LlamaRMSNorm(8)]).requires_grad_(False)
    replaced: Any = layers[2]
    replaced.forward = lambda hidden_states: hidden_states
    make_lean(layers)
    assert [type(layer) in (Scaled, LlamaRMSNorm) for layer in layers] == [True, False, True]


def test_kernels_for_gpus_are_refused_on_a_cpu(tiny: Path) -> None:
    from transformers import AutoModelForCausalLM

    with pytest.raises(ModelError, match="Liger's kernels cannot be used here"):
        use_liger(AutoModelForCausalLM.from_pretrained(tiny))
