from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from cesello.adapters.model.token_choice import DeviceTimes, Times, choose, times

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
DRAWS = 20_000


def drawn(logits_V: torch.Tensor, temperature: float, top_p: float) -> torch.Tensor:
    """The share of each token."""
    row = times(0, CPU)
    chosen, _ = choose(logits_V.expand(DRAWS, -1), [row] * DRAWS, temperature, top_p)
    return torch.bincount(chosen, minlength=len(logits_V)) / DRAWS


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_come_as_often_as_their_probability_says(temperature: float) -> None:
    logits_V = torch.tensor([2.0, 1.0, 0.0, -1.0, -4.0, float("-inf")])
    expected = (logits_V / temperature).softmax(-1)
    deviation = (expected * (1 - expected) / DRAWS).sqrt()
    assert ((drawn(logits_V, temperature, 1.0) - expected).abs() <= 4 * deviation).all()


def test_top_p_keeps_the_likeliest_that_reach_it() -> None:
    logits_V = torch.tensor([0.1, 0.5, 0.15, 0.25]).log()
    kept = torch.tensor([0.0, 0.5, 0.0, 0.25]) / 0.75
    assert (drawn(logits_V, 1.0, 0.7) - kept).abs().max() < 0.02
    assert drawn(logits_V, 1.0, 0.01).tolist() == [0, 1, 0, 0]


def test_log_probabilities_are_those_at_the_temperature() -> None:
    logits_BV = torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
    for temperature, top_p in ((0.7, 1.0), (0.7, 0.3), (1.0, 1.0)):
        chosen, log_probs = choose(logits_BV, [times(n, CPU) for n in range(3)], temperature, top_p)
        expected = (logits_BV / temperature).log_softmax(-1).gather(-1, chosen[:, None])[:, 0]
        assert torch.allclose(log_probs, expected, atol=1e-6)


def test_greedy_takes_the_likeliest_and_no_random_numbers() -> None:
    logits_BV = torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
    chosen, log_probs = choose(logits_BV, [], 0.0, 1.0)
    assert chosen.tolist() == logits_BV.argmax(-1).tolist()
    assert torch.allclose(log_probs, logits_BV.log_softmax(-1).amax(-1))


def test_small_errors_of_logits_seldom_change_a_token() -> None:
    generator = torch.Generator().manual_seed(0)
    logits_BV = 3 * torch.randn(100, 5_000, generator=generator)
    moved_BV = logits_BV + 1e-4 * torch.randn(logits_BV.shape, generator=generator)
    differing = 0
    for turn in range(10):
        seeds = range(100 * turn, 100 * turn + 100)
        one, _ = choose(logits_BV, [times(seed, CPU) for seed in seeds], 1.0, 1.0)
        other, _ = choose(moved_BV, [times(seed, CPU) for seed in seeds], 1.0, 1.0)
        differing += int((one != other).sum())
    assert differing <= 3  # of 1,000; 0.1 are expected


def test_no_token_of_probability_zero_is_ever_drawn() -> None:
    logits_V = torch.full((50_000,), float("-inf"))
    logits_V[7] = 0.0
    row = times(3, CPU)
    assert {int(choose(logits_V[None], [row], 1.0, 1.0)[0]) for _ in range(50)} == {7}


@pytest.mark.parametrize("kind", [times, DeviceTimes])
def test_times_are_exponential_in_float64_and_of_their_seed_alone(kind: Callable[..., Times]) -> None:
    drawn_V = kind(3, CPU).next(100_000)
    assert drawn_V.dtype == torch.float64
    assert float(drawn_V.mean()) == pytest.approx(1.0, abs=0.02)
    assert float((drawn_V < 0.1).double().mean()) == pytest.approx(0.0952, abs=0.004)
    assert torch.equal(kind(3, CPU).next(100_000), drawn_V)
    assert not torch.equal(kind(4, CPU).next(100_000), drawn_V)
    for seed in (-1, 0, 2**64 + 5):
        assert float(kind(seed, CPU).next(1)[0]) > 0
