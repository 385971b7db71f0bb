"""Advantages, ratio, clip, divergence, every aggregation and all gradients are those of TRL's functions."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.peers.trl_python import ask_trl
from cesello.adapters.model.hf_provider import HfModelProvider
from cesello.adapters.model.hub_cache import HubCache
from cesello.adapters.model.label_log_probs import label_log_probs
from cesello.adapters.model.quantizers import NoQuantizer
from cesello.adapters.training.policy_loss import ScoredCompletions, padded, policy_loss
from cesello.domain.advantage import advantages
from cesello.domain.model_spec import LoraSpec, ModelSpec
from cesello.domain.objective import Aggregation, Objective, Ratio, Scale, StepSize
from tests.tiny_architectures import make_tiny

# TRL is brought by `make peers`.
pytestmark = [pytest.mark.download, pytest.mark.usefixtures("one_thread")]
BATCH, WIDTH, LIMIT = 6, 11, 40


def random_pass(seed: int) -> dict[str, torch.Tensor]:
    """Completions with ratios on both sides of the clip, one of them without anything that counts."""
    generator = torch.Generator().manual_seed(seed)
    log_probs = -3 * torch.rand(BATCH, WIDTH, generator=generator)

    def near(spread: float) -> torch.Tensor:
        return log_probs + spread * torch.randn(BATCH, WIDTH, generator=generator)

    lengths = torch.randint(1, WIDTH + 1, (BATCH, 1), generator=generator)
    mask = (torch.arange(WIDTH) < lengths) & (torch.rand(BATCH, WIDTH, generator=generator) > 0.15)
    mask[seed % BATCH] = False
    return {
        "log_probs": log_probs,
        "mask": mask,
        "advantages": torch.randn(BATCH, generator=generator),
        "old_per_token_logps": near(0.4),
        "ref_per_token_logps": near(0.7),
        "importance_sampling_ratio": near(0.0).exp() * 2,
    }


def plain(one: dict[str, torch.Tensor], *without: str) -> dict[str, Any]:
    """As JSON has it, which gives every float32 back to the bit."""
    return {
        name: value.long().tolist() if name == "mask" else value.tolist()
        for name, value in one.items()
        if name not in without
    }


CASES = [
    (aggregation, ratio, *more)
    for aggregation, ratio in product(Aggregation, Ratio)
    for more in ((None, 0.0, False), (1.6, 0.04, False), (1.6, 0.04, True))
]


@pytest.fixture(scope="module")
def theirs(tiny: Path) -> dict[Any, Any]:
    """Everything that is asked of TRL but the model's part, in one process: to import it takes its time."""
    asked: dict[Any, Any] = {
        (aggregation, ratio, dual_clip, beta, weighs): {
            "options": {
                "loss_type": aggregation.value,
                "importance_sampling_level": ratio.value,
                "epsilon": 0.2,
                "epsilon_high": 0.28,
                "delta": dual_clip,
                "beta": beta,
                "use_bias_correction_kl": weighs,
                "max_completion_length": LIMIT,
                "vllm_importance_sampling_mode": "token_truncate",
            },
            "steps": STEPS_ASKED,
        }
        for aggregation, ratio, dual_clip, beta, weighs in CASES
    }
    for scale in Scale:
        asked[scale] = {
            "options": {"num_generations": 4, "per_device_train_batch_size": 4, "scale_rewards": scale.value},
            "rewards": [[reward for group in groups for reward in group] for groups in REWARDS],
        }
    asked["weights"] = {
        "options": {
            "vllm_importance_sampling_mode": "token_truncate",
            "vllm_importance_sampling_clip_max": 2.0,
        },
        "drawn": [{"old": OLD.tolist(), "drawn": DRAWN.tolist()}],
    }
    questions = [{"base": str(tiny), **one} for one in asked.values()]
    return dict(zip(asked, ask_trl("trl_objective.py", questions), strict=True))


STEPS = {
    "one pass": ([random_pass(0)], ("importance_sampling_ratio",)),
    "several passes": ([random_pass(1), random_pass(2), random_pass(3)], ("importance_sampling_ratio",)),
    "the first update": (
        [random_pass(4), random_pass(5)],
        ("importance_sampling_ratio", "old_per_token_logps"),
    ),
    "another engine": ([random_pass(6), random_pass(7)], ()),
}
STEPS_ASKED = [[plain(one, *without) for one in passes] for passes, without in STEPS.values()]
REWARDS: list[list[list[float | None]]] = [
    torch.rand(5, 4, generator=torch.Generator().manual_seed(0)).tolist(),
    [
        [0.0, 0.0, 1.0, 0.0],
        [1.0, 1.0, 1.0, 1.0],
        [-1.0, None, 0.25, 0.5],
        [0.3, None, None, None],
        [None] * 4,
    ],
]
OLD = -torch.rand(2, 7, generator=torch.Generator().manual_seed(1))
DRAWN = OLD + torch.randn(2, 7, generator=torch.Generator().manual_seed(2))


def ours(one: dict[str, torch.Tensor], without: tuple[str, ...]) -> ScoredCompletions:
    old = one["old_per_token_logps"]
    given = {} if "old_per_token_logps" in without else {"old_BT": old}
    if "importance_sampling_ratio" not in without:
        given["drawn_BT"] = old - one["importance_sampling_ratio"].log()
    return ScoredCompletions(
        one["log_probs"].clone().requires_grad_(),
        one["mask"],
        one["advantages"],
        reference_BT=one["ref_per_token_logps"],
        **given,
    )


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("case", CASES)
def test_loss_and_gradients_are_those_of_trl(case: Any, step: str, theirs: dict[Any, Any]) -> None:
    aggregation, ratio, dual_clip, beta, weighs = case
    passes, without = STEPS[step]
    expected = theirs[case]["steps"][list(STEPS).index(step)]
    # TRL's loss is given the weights as they are, so that there is nothing left to be cut.
    objective = Objective(
        aggregation,
        ratio,
        dual_clip=dual_clip,
        beta=beta,
        weighs_divergence=weighs,
        max_completion_tokens=LIMIT,
        importance_cap=1e9,
    )
    scored = [ours(one, without) for one in passes]
    size = StepSize(BATCH * len(passes), sum(int(one["mask"].sum()) for one in passes), len(passes))
    made = [policy_loss(objective, one, size) for one in scored]
    assert sum(one.loss.item() for one in made) == pytest.approx(expected["loss"], rel=1e-6, abs=1e-6)
    for loss, one, gradient in zip(made, scored, expected["gradients"], strict=True):
        loss.loss.backward()
        torch.testing.assert_close(one.log_probs_BT.grad, torch.tensor(gradient), rtol=1e-5, atol=1e-7)
    figures, last = expected["figures"], made[-1].sums.figures()
    if ratio is Ratio.TOKEN:  # TRL's other figures are of completions without anything trained on as well
        assert last.clipped_low == pytest.approx(figures["clip_ratio/low_mean"], abs=1e-6)
        assert last.clipped_high == pytest.approx(figures["clip_ratio/high_mean"], abs=1e-6)
    if beta and not weighs:
        assert last.kl == pytest.approx(figures["kl"], rel=1e-5)


def test_the_cases_do_clip(theirs: dict[Any, Any]) -> None:
    figures = theirs[CASES[0]]["steps"][0]["figures"]
    assert figures["clip_ratio/low_mean"] > 0.02
    assert figures["clip_ratio/high_mean"] > 0.02


@pytest.mark.parametrize("scale", Scale)
def test_advantages_are_those_of_trl(scale: Scale, theirs: dict[Any, Any]) -> None:
    for groups, expected in zip(REWARDS, theirs[scale]["rewards"], strict=True):
        made = [value for group in advantages(groups, scale).groups for value in group.values]
        assert made == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_importance_weights_are_those_of_trl(theirs: dict[Any, Any]) -> None:
    expected = torch.tensor(theirs["weights"]["drawn"][0])
    mask = torch.ones(OLD.shape, dtype=torch.bool)
    scored = ScoredCompletions(OLD.clone().requires_grad_(), mask, torch.ones(2), drawn_BT=DRAWN)
    policy_loss(Objective(importance_cap=2.0), scored, StepSize(2, OLD.numel())).loss.backward()
    assert (expected == 2.0).any()
    assert scored.log_probs_BT.grad is not None
    torch.testing.assert_close(-scored.log_probs_BT.grad * OLD.numel(), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("architecture", ["llama", "qwen3", "gemma2"])
def test_a_models_step_is_trls_step(architecture: str, tmp_path: Path) -> None:
    base = make_tiny(architecture, tmp_path / "base")
    policy = HfModelProvider(NoQuantizer(), HubCache(None)).load(
        ModelSpec(str(base), dtype="float32"),
        LoraSpec(r=4, dropout=0.0, target_modules="all-linear"),
        seed=0,
    )
    generator = torch.Generator().manual_seed(1)
    for weight in policy.model.parameters():
        if weight.requires_grad:
            weight.data = torch.randn(weight.shape, generator=generator) / 10
    policy.save(tmp_path / "lora")
    prompt_BP, ids_BT = (torch.randint(3, 250, (4, width), generator=generator) for width in (6, 9))
    mask_BT = torch.arange(9) < torch.tensor([[9], [4], [7], [1]])
    advantages_B = torch.tensor([1.2, -0.4, 0.3, -1.1])
    text = {
        "prompt_ids": prompt_BP.tolist(),
        "prompt_mask": torch.ones_like(prompt_BP).tolist(),
        "completion_ids": ids_BT.tolist(),
        "completion_mask": mask_BT.long().tolist(),
        "advantages": advantages_B.tolist(),
    }
    asked = {"base": str(base), "lora": str(tmp_path / "lora"), "texts": [text]}
    temperatures = (1.0, 0.6)
    questions = [{**asked, "options": {"temperature": one, "loss_type": "dapo"}} for one in temperatures]
    inputs = {
        "input_ids": torch.cat([prompt_BP, ids_BT], 1),
        "attention_mask": torch.cat([torch.ones_like(prompt_BP), mask_BT.long()], 1),
        "logits_to_keep": torch.arange(5, 14),
        "use_cache": False,
    }
    policy.model.train()
    for temperature, answer in zip(temperatures, ask_trl("trl_objective.py", questions), strict=True):
        (expected,) = answer["texts"]
        policy.model.zero_grad()
        made = label_log_probs(
            policy.model, inputs, ids_BT[mask_BT], mask_BT.nonzero(as_tuple=True), temperature=temperature
        )
        for ours_L, name in ((made.log_probs_L, "log_probs"), (made.entropies_L, "entropies")):
            torch.testing.assert_close(ours_L, torch.tensor(expected[name])[mask_BT], rtol=1e-5, atol=1e-5)
        scored = ScoredCompletions(padded(made.log_probs_L, mask_BT), mask_BT, advantages_B)
        loss = policy_loss(Objective(), scored, StepSize(4, int(mask_BT.sum()))).loss
        loss.backward()
        assert loss.item() == pytest.approx(expected["loss"], rel=1e-5)
        compare(policy.model, expected["gradients"])


def compare(model: Any, expected: dict[str, Any]) -> None:
    gradients = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    assert gradients.keys() == expected.keys()
    for name, gradient in expected.items():
        theirs = torch.tensor(gradient)
        assert float((gradients[name] - theirs).norm() / theirs.norm()) < 1e-5, name
