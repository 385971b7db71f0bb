"""The loss of reinforcement: golden numbers, invariances, and what is clipped, masked and corrected."""

from __future__ import annotations

from dataclasses import fields, replace
from math import exp, inf, log, nan
from typing import Any

import pytest
import torch

from cesello.adapters.training.policy_loss import ScoredCompletions, mask_of, padded, policy_loss
from cesello.domain.objective import Aggregation, Objective, Ratio, StepSize

pytestmark = pytest.mark.usefixtures("one_thread")
OBJECTIVE = Objective(max_completion_tokens=512)
GOLDEN = {
    Aggregation.GRPO: (0.0, -0.05, 0.005),
    Aggregation.BNPO: (0.8182, -0.009091, 0.009091),
    Aggregation.DAPO: (0.8182, -0.009091, 0.009091),
    Aggregation.DR_GRPO: (0.08789, -0.0009766, 0.0009766),
}
"""Loss, and gradient of each token of the short and of the long completion."""


def lengths_mask(*lengths: int) -> torch.Tensor:
    return mask_of([b"\1" * length for length in lengths])


def step_of(mask_BT: torch.Tensor, passes: int = 1) -> StepSize:
    return StepSize(len(mask_BT), int(mask_BT.sum()), passes)


def random_completions(seed: int = 0, *, beta: bool = True) -> ScoredCompletions:
    """Six of up to nine tokens, with gaps in the mask, one of them masked whole."""
    generator = torch.Generator().manual_seed(seed)

    def log_probs() -> torch.Tensor:
        return -2 * torch.rand(6, 9, generator=generator)

    mask_BT = lengths_mask(9, 3, 7, 5, 8, 1) & (torch.rand(6, 9, generator=generator) > 0.2)
    mask_BT[3] = False
    return ScoredCompletions(
        log_probs().requires_grad_(),
        mask_BT,
        torch.tensor([1.3, -0.7, 0.2, 0.5, 0.0, -1.1]),
        old_BT=log_probs(),
        reference_BT=log_probs() if beta else None,
        entropies_BT=-log_probs(),
    )


def part_of(scored: ScoredCompletions, rows: slice) -> ScoredCompletions:
    """Some of the completions, padded no further than they need."""
    width = int(scored.mask_BT[rows].any(0).nonzero().max()) + 1 if scored.mask_BT[rows].any() else 1

    def cut(values: torch.Tensor | None) -> Any:
        return None if values is None else values[rows, :width] if values.dim() == 2 else values[rows]

    return ScoredCompletions(**{one.name: cut(getattr(scored, one.name)) for one in fields(scored)})


def gradient_of(loss: torch.Tensor, scored: ScoredCompletions) -> torch.Tensor:
    (gradient,) = torch.autograd.grad(loss, scored.log_probs_BT, retain_graph=True)
    return gradient


@pytest.mark.parametrize("ratio", Ratio)
@pytest.mark.parametrize("aggregation", Aggregation)
def test_the_golden_numbers(aggregation: Aggregation, ratio: Ratio) -> None:
    mask_BT = lengths_mask(10, 100)
    log_probs_BT = torch.full(mask_BT.shape, -1.0, requires_grad=True)
    scored = ScoredCompletions(log_probs_BT, mask_BT, torch.tensor([1.0, -1.0]))
    objective = replace(OBJECTIVE, aggregation=aggregation, ratio=ratio)
    made = policy_loss(objective, scored, step_of(mask_BT))
    loss, short, long = GOLDEN[aggregation]
    gradient_BT = gradient_of(made.loss, scored)
    assert made.loss.item() == pytest.approx(loss, rel=1e-4, abs=1e-6)
    assert gradient_BT[0, :10].tolist() == pytest.approx([short] * 10, rel=1e-4)
    assert gradient_BT[1].tolist() == pytest.approx([long] * 100, rel=1e-4)
    assert gradient_BT[0, 10:].tolist() == [0.0] * 90
    figures = made.sums.figures()
    assert (figures.ratio_least, figures.ratio_most, figures.clipped_low, figures.clipped_high) == (
        1,
        1,
        0,
        0,
    )


@pytest.mark.parametrize("cuts", [[6], [1, 5], [2, 2, 2], [1, 1, 1, 1, 1, 1]])
@pytest.mark.parametrize("ratio", Ratio)
@pytest.mark.parametrize("aggregation", [Aggregation.DAPO, Aggregation.GRPO, Aggregation.DR_GRPO])
def test_the_loss_does_not_depend_on_how_a_step_is_cut(
    aggregation: Aggregation, ratio: Ratio, cuts: list[int]
) -> None:
    scored = random_completions()
    objective = replace(OBJECTIVE, aggregation=aggregation, ratio=ratio, beta=0.04, dual_clip=1.5)
    whole = policy_loss(objective, scored, step_of(scored.mask_BT))
    starts = [sum(cuts[:at]) for at in range(len(cuts))]
    parts = [
        policy_loss(
            objective, part_of(scored, slice(start, start + size)), step_of(scored.mask_BT, len(cuts))
        )
        for start, size in zip(starts, cuts, strict=True)
    ]
    loss = torch.stack([part.loss for part in parts]).sum()
    assert loss.item() == pytest.approx(whole.loss.item(), abs=1e-7)
    torch.testing.assert_close(
        gradient_of(loss, scored), gradient_of(whole.loss, scored), rtol=1e-6, atol=1e-8
    )
    sums = parts[0].sums
    for part in parts[1:]:
        sums += part.sums
    ours, together = sums.figures(), whole.sums.figures()
    for name in ("clipped_low", "clipped_high", "dual_clipped", "ratio_least", "ratio_most", "entropy", "kl"):
        assert getattr(ours, name) == pytest.approx(getattr(together, name), rel=1e-6), name


def test_bnpo_depends_on_how_a_step_is_cut() -> None:
    scored = random_completions()
    objective = replace(OBJECTIVE, aggregation=Aggregation.BNPO)
    whole = policy_loss(objective, scored, step_of(scored.mask_BT))
    parts = [
        policy_loss(objective, part_of(scored, rows), step_of(scored.mask_BT, 2))
        for rows in (slice(0, 1), slice(1, 6))
    ]
    assert sum(part.loss.item() for part in parts) != pytest.approx(whole.loss.item(), rel=1e-2)


def one_token(
    log_ratio: float, advantage: float, objective: Objective = OBJECTIVE, **more: Any
) -> tuple[float, float, Any]:
    """Loss, gradient and figures of a completion of one token."""
    scored = ScoredCompletions(
        torch.tensor([[-1.0 + log_ratio]], dtype=torch.float64, requires_grad=True),
        torch.tensor([[True]]),
        torch.tensor([advantage], dtype=torch.float64),
        old_BT=torch.tensor([[-1.0]], dtype=torch.float64),
        **more,
    )
    made = policy_loss(objective, scored, StepSize(1, 1))
    return made.loss.item(), gradient_of(made.loss, scored).item(), made.sums.figures()


@pytest.mark.parametrize("ratio", Ratio)
@pytest.mark.parametrize(
    ("rho", "advantage", "loss", "slope", "clipped"),
    [
        (1.1, 2.0, -2.2, -2.2, "none"),
        (1.5, 2.0, -2.56, 0.0, "clipped_high"),
        (0.5, 2.0, -1.0, -1.0, "none"),  # good and less likely than it was: it is pushed up
        (0.9, -2.0, 1.8, 1.8, "none"),
        (0.5, -2.0, 1.6, 0.0, "clipped_low"),
        (1.5, -2.0, 3.0, 3.0, "none"),  # bad and likelier than it was: it is pushed down
    ],
)
def test_the_clip_holds_what_has_gone_far_enough(
    rho: float, advantage: float, loss: float, slope: float, clipped: str, ratio: Ratio
) -> None:
    made, gradient, figures = one_token(log(rho), advantage, replace(OBJECTIVE, ratio=ratio))
    assert [made, gradient] == pytest.approx([loss, slope])
    for name in ("clipped_low", "clipped_high", "dual_clipped"):
        assert getattr(figures, name) == (name == clipped)
    assert figures.ratio_least == figures.ratio_most == pytest.approx(rho)


def test_the_dual_clip_ends_what_a_bad_completion_can_cost() -> None:
    dual = replace(OBJECTIVE, dual_clip=3.0)
    assert one_token(log(2.9), -2.0, dual)[:2] == pytest.approx((5.8, 5.8))
    loss, gradient, figures = one_token(log(50.0), -2.0, dual)
    assert [loss, gradient, figures.dual_clipped] == pytest.approx([6.0, 0.0, 1.0])
    assert one_token(log(50.0), -2.0)[0] == pytest.approx(100.0)
    assert one_token(log(50.0), 2.0, dual)[:2] == one_token(log(50.0), 2.0)[:2]


def test_one_update_needs_no_old_log_probabilities() -> None:
    scored = random_completions()
    objective = replace(OBJECTIVE, beta=0.04)
    given = replace(scored, old_BT=scored.log_probs_BT.detach())
    made, same = (
        policy_loss(objective, one, step_of(one.mask_BT)) for one in (replace(scored, old_BT=None), given)
    )
    assert made.loss.item() == same.loss.item()
    torch.testing.assert_close(gradient_of(made.loss, scored), gradient_of(same.loss, given), rtol=0, atol=0)
    # The gradient is that of the plain form, -sum A log pi.
    plain = replace(objective, beta=0.0)
    gradient_BT = gradient_of(
        policy_loss(plain, replace(scored, old_BT=None), step_of(scored.mask_BT)).loss, scored
    )
    expected_BT = -scored.advantages_B[:, None] * scored.mask_BT / scored.mask_BT.sum()
    torch.testing.assert_close(gradient_BT, expected_BT)


def test_a_sequence_ratio_is_the_geometric_mean_over_trained_tokens() -> None:
    mask_BT = torch.tensor([[True, True, False, True]])
    log_probs_BT = torch.tensor([[-1.0, -2.0, -9.0, -0.5]], requires_grad=True)
    scored = ScoredCompletions(
        log_probs_BT, mask_BT, torch.tensor([1.0]), old_BT=torch.tensor([[-1.1, -2.0, 0.0, -0.4]])
    )
    figures = policy_loss(replace(OBJECTIVE, ratio=Ratio.SEQUENCE), scored, step_of(mask_BT)).sums.figures()
    assert figures.ratio_least == figures.ratio_most == pytest.approx(1.0, abs=1e-6)
    scored = replace(scored, old_BT=torch.tensor([[-1.3, -2.3, 0.0, -0.8]]))
    made = policy_loss(replace(OBJECTIVE, ratio=Ratio.SEQUENCE), scored, step_of(mask_BT))
    assert made.sums.figures().ratio_most == pytest.approx(exp(0.3))
    assert made.loss.item() == pytest.approx(-1.28)


def test_k3_is_never_negative_and_its_gradient_vanishes_at_the_reference() -> None:
    objective = replace(OBJECTIVE, beta=0.5)
    for difference in (-2.0, -0.1, 0.0, 0.1, 2.0):
        loss, gradient, figures = one_token(
            0.0, 0.0, objective, reference_BT=torch.tensor([[-1.0 + difference]], dtype=torch.float64)
        )
        expected = exp(difference) - difference - 1
        assert figures.kl == pytest.approx(expected)
        assert loss == pytest.approx(0.5 * expected)
        assert gradient == pytest.approx(0.5 * (1 - exp(difference)))
        assert loss >= 0


def test_times_the_ratio_k3_has_the_gradient_of_the_reverse_divergence() -> None:
    """In the mean over what the policy draws: of KL(policy, reference), not of KL(reference, policy)."""
    logits = torch.tensor([0.3, -0.8, 1.1], dtype=torch.float64, requires_grad=True)
    reference = torch.tensor([0.1, 0.7, -0.4], dtype=torch.float64).log_softmax(-1)
    now = logits.log_softmax(-1)
    divergences = {
        True: (now.exp() * (now - reference)).sum(),
        False: (reference.exp() * (reference - now)).sum(),
    }
    for weighs_divergence, divergence in divergences.items():
        objective = replace(OBJECTIVE, beta=1.0, weighs_divergence=weighs_divergence)
        total = torch.zeros((), dtype=torch.float64)
        for token, share in enumerate(now.exp().tolist()):
            scored = ScoredCompletions(
                now[token].view(1, 1),
                torch.tensor([[True]]),
                torch.tensor([0.0], dtype=torch.float64),
                reference_BT=reference[token].view(1, 1),
            )
            total = total + share * policy_loss(objective, scored, StepSize(1, 1)).loss
        (ours,) = torch.autograd.grad(total, logits, retain_graph=True)
        (exact,) = torch.autograd.grad(divergence, logits, retain_graph=True)
        torch.testing.assert_close(ours, exact)


def test_a_reference_without_a_weight_is_reported_and_costs_nothing() -> None:
    scored = random_completions()
    made = policy_loss(OBJECTIVE, scored, step_of(scored.mask_BT))
    assert (
        made.loss.item()
        == policy_loss(OBJECTIVE, replace(scored, reference_BT=None), step_of(scored.mask_BT)).loss.item()
    )
    assert made.sums.figures().kl is not None


def test_a_weight_without_a_reference_is_a_mistake() -> None:
    scored = random_completions(beta=False)
    with pytest.raises(ValueError, match="reference"):
        policy_loss(replace(OBJECTIVE, beta=0.04), scored, step_of(scored.mask_BT))


def test_what_is_outside_the_mask_may_be_anything() -> None:
    scored = random_completions()
    clean = policy_loss(replace(OBJECTIVE, beta=0.04), scored, step_of(scored.mask_BT))

    def spoilt(values: torch.Tensor, what: float) -> torch.Tensor:
        return values.detach().masked_fill(~scored.mask_BT, what)

    spoilable = ("log_probs_BT", "old_BT", "reference_BT", "entropies_BT")
    for what in (nan, inf, -inf):
        dirty = ScoredCompletions(
            **{
                one.name: spoilt(getattr(scored, one.name), what)
                if one.name in spoilable
                else getattr(scored, one.name)
                for one in fields(scored)
            }
        )
        dirty.log_probs_BT.requires_grad_()
        made = policy_loss(replace(OBJECTIVE, beta=0.04), dirty, step_of(scored.mask_BT))
        assert made.loss.item() == clean.loss.item()
        torch.testing.assert_close(
            gradient_of(made.loss, dirty), gradient_of(clean.loss, scored), rtol=0, atol=0
        )
        assert made.sums.figures() == clean.sums.figures()


@pytest.mark.parametrize("aggregation", Aggregation)
def test_where_nothing_is_trained_on_the_loss_is_nothing(aggregation: Aggregation) -> None:
    for width in (0, 3):
        mask_BT = torch.zeros(2, width, dtype=torch.bool)
        scored = ScoredCompletions(
            torch.zeros(2, width, requires_grad=True), mask_BT, torch.tensor([1.0, -1.0])
        )
        made = policy_loss(replace(OBJECTIVE, aggregation=aggregation), scored, step_of(mask_BT))
        assert made.loss.item() == 0
        assert gradient_of(made.loss, scored).abs().sum() == 0
        figures = made.sums.figures()
        assert (figures.tokens, figures.ratio_least, figures.ratio_most) == (0, 1.0, 1.0)
        assert (figures.entropy, figures.kl, figures.weight) == (None, None, None)


def test_another_engines_error_is_corrected_up_to_a_cap() -> None:
    drawn_BT = torch.tensor([[-1.0 - log(1.5), -1.0 - log(9.0), nan, -1.0 + log(4.0), nan]])
    mask_BT = torch.tensor([[True, True, True, True, False]])
    log_probs_BT = torch.full((1, 5), -1.0, requires_grad=True)
    scored = ScoredCompletions(log_probs_BT, mask_BT, torch.tensor([1.0]), drawn_BT=drawn_BT)
    made = policy_loss(OBJECTIVE, scored, step_of(mask_BT))
    weights = [1.5, 2.0, 1.0, 0.25]  # cut at the cap; where the engine gave no number, nothing is corrected
    assert gradient_of(made.loss, scored)[0].tolist() == pytest.approx(
        [*(-weight / 4 for weight in weights), 0.0]
    )
    figures = made.sums.figures()
    assert figures.weight == pytest.approx(sum(weights) / 4)
    assert figures.weights_cut == pytest.approx(0.25)
    uncorrected = policy_loss(replace(OBJECTIVE, importance_cap=None), scored, step_of(mask_BT))
    assert gradient_of(uncorrected.loss, scored)[0].tolist() == pytest.approx([-0.25] * 4 + [0.0])
    assert uncorrected.sums.figures().weight is None


def test_the_correction_is_not_of_the_divergence() -> None:
    more = {
        "reference_BT": torch.tensor([[-0.5]], dtype=torch.float64),
        "drawn_BT": torch.tensor([[-1.0 - log(1.5)]], dtype=torch.float64),
    }
    loss, *_ = one_token(0.0, 2.0, replace(OBJECTIVE, beta=1.0), **more)
    assert loss == pytest.approx(-1.5 * 2.0 + exp(0.5) - 0.5 - 1)


def test_figures_are_means_over_trained_tokens() -> None:
    scored = random_completions()
    figures = policy_loss(replace(OBJECTIVE, beta=0.04), scored, step_of(scored.mask_BT)).sums.figures()
    assert scored.old_BT is not None
    assert scored.reference_BT is not None
    assert scored.entropies_BT is not None
    mask = scored.mask_BT
    rhos = (scored.log_probs_BT.detach() - scored.old_BT).exp()
    bad, good = (scored.advantages_B < 0)[:, None], (scored.advantages_B > 0)[:, None]
    assert figures.tokens == mask.sum()
    assert figures.clipped_low == pytest.approx(float(((rhos < 0.8) & bad)[mask].float().mean()))
    assert figures.clipped_high == pytest.approx(float(((rhos > 1.28) & good)[mask].float().mean()))
    assert 0 < figures.clipped_low < 1
    assert 0 < figures.clipped_high < 1
    ends = [float(rhos[mask].min()), float(rhos[mask].max())]
    assert [figures.ratio_least, figures.ratio_most] == pytest.approx(ends)
    assert figures.entropy == pytest.approx(float(scored.entropies_BT[mask].mean()))
    difference = (scored.reference_BT - scored.log_probs_BT.detach())[mask]
    assert figures.kl == pytest.approx(float((difference.exp() - difference - 1).mean()), rel=1e-5)


def test_values_one_after_the_other_are_put_where_the_mask_has_them() -> None:
    mask_BT = mask_of([b"\1\0\1", b"", b"\0\1"])
    assert mask_BT.tolist() == [[True, False, True], [False] * 3, [False, True, False]]
    values_L = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    placed_BT = padded(values_L, mask_BT)
    assert placed_BT.tolist() == [[1, 0, 2], [0, 0, 0], [0, 3, 0]]
    (gradient,) = torch.autograd.grad((placed_BT * torch.arange(9.0).view(3, 3)).sum(), values_L)
    assert gradient.tolist() == [0, 2, 7]


def test_a_policy_of_two_arms_finds_the_better_one() -> None:
    """A bandit whose optimum is known: rewards 1 and 0.2, from even odds."""
    from cesello.domain.advantage import advantages

    generator = torch.Generator().manual_seed(0)
    logits = torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.05)
    for _ in range(150):
        arms = torch.multinomial(logits.detach().softmax(-1), 8, replacement=True, generator=generator)
        (group,) = advantages([[1.0 if arm == 0 else 0.2 for arm in arms.tolist()]]).groups
        log_probs_BT = logits.log_softmax(-1)[arms][:, None]
        mask_BT = torch.ones(8, 1, dtype=torch.bool)
        scored = ScoredCompletions(log_probs_BT, mask_BT, torch.tensor(group.values))
        optimizer.zero_grad()
        policy_loss(OBJECTIVE, scored, step_of(mask_BT)).loss.backward()
        optimizer.step()
    assert float(logits.detach().softmax(-1)[0]) > 0.95
