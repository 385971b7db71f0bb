"""How often checks find something in trainings that are sound, and in some that are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from math import exp
from random import Random
from typing import Any

import pytest

from cesello.domain.health import CHECKS, health
from cesello.domain.recorded_run import RecordedRun
from tests.recorded_runs import changed, evaluation, figures, run

RUNS = 100
ALLOWED = 0.05

QUICKSTARTS: dict[str, list[float]] = {
    "seed 0": [
        1.95, 0.53, 2.06, 1.33, 2.21, 0.95, 0.68, 1.29, 1.51, 2.26, 1.47, 0.31, 1.42, 0.51, 1.36, 1.85, 0.19,
        0.76, 1.42, 1.93, 1.61, 0.37, 1.12, 0.98, 1.55, 1.48, 0.48, 1.44, 0.67, 1.6, 1.06, 1.03,
    ],
    "seed 1": [
        1.86, 1.56, 1.53, 1.24, 1.69, 1.55, 0.9, 2.37, 0.75, 1.75, 1.58, 0.16, 1.28, 0.62, 1.37, 1.07, 0.23,
        1.52, 0.87, 1.3, 1.52, 0.23, 2.22, 1.58, 1.36, 1.17, 0.14, 1.53, 0.87, 1.86, 1.34, 0.42,
    ],
}  # fmt: skip
"""Losses of two real runs of the quickstart, SmolLM2-135M: on held-out rows the loss fell in all sources, of
function calls from 0.75 to 0.1. Batches are of three sources whose losses differ tenfold."""


@pytest.mark.parametrize("losses", QUICKSTARTS.values(), ids=QUICKSTARTS)
@pytest.mark.parametrize("held_out", [True, False])
def test_a_quickstart_is_not_told_that_its_loss_did_not_fall(losses: list[float], held_out: bool) -> None:
    lines = [{"step": step} | evaluation(None, loss) for step, loss in ((0, 1.94), (32, 1.6))]
    one = run(metrics=figures("loss", losses), evaluations=lines if held_out else [])
    assert {"loss falls", "no spikes of the loss"} <= set(health(one).fine)


def test_a_loss_is_only_asked_for_where_the_held_out_one_did_not_fall() -> None:
    flat = figures("loss", [1.0 + 0.05 * (step % 2) for step in range(60)])
    lines = [{"step": step} | evaluation(None, loss) for step, loss in ((0, 2.0), (60, 2.0))]
    assert "loss falls" in {one.check for one in health(run(metrics=flat, evaluations=lines)).findings}


Noise = Callable[[Random], float]


def of_sources(random: Random) -> float:
    """The loss of a batch of four rows of three sources that differ by far."""
    kinds = {"calls": (0.2, 30), "code": (1.7, 60), "chat": (3.3, 90)}
    rows = [kinds[name] for name in random.choices(list(kinds), [0.6, 0.2, 0.2], k=4)]
    total = sum(loss * tokens * exp(random.gauss(0, 0.3)) for loss, tokens in rows)
    return total / sum(tokens for _, tokens in rows)


NOISE: dict[str, Noise] = {
    "log-normal": lambda random: exp(random.gauss(0, 0.35)),
    "even": lambda random: exp(random.gauss(0, 0.03)),
    "of sources": of_sources,
}


def tuned(noise: Noise, steps: int, random: Random) -> RecordedRun:
    """A fine-tuning whose loss falls by a fifth or more, from a start that is steep or not."""
    fall, pace = random.uniform(0.5, 2.0), random.uniform(2.0, steps / 2)
    metrics = [
        {
            "step": step,
            "loss": (1 + fall * exp(-step / pace)) * noise(random),
            "gradient_norm": (0.5 + 8 * exp(-step / 4)) * exp(random.gauss(0, 0.4)),
        }
        for step in range(1, steps + 1)
    ]
    speeds = figures("tokens_per_second", [100 * exp(random.gauss(0, 0.2)) for _ in range(steps)])
    return changed(run(metrics=metrics, timings=speeds), before=None, after=None)


def reinforced(rows: int, random: Random, gain: float = 0.15, pace: float = 1.0) -> RecordedRun:
    """A reinforcement of 60 steps whose reward rises by 0.15, that of held-out rows in truth by the gain.

    More and more groups are all alike, which is what learning brings; ``pace`` is that of the last steps.
    """
    metrics = [
        {
            "step": step,
            "reward": 0.4 + 0.15 * min(1, step / 40) + random.gauss(0, 0.05),
            "dead_groups": min(1, max(0, random.gauss(0.1 + 0.6 * step / 60, 0.15))),
            "cut_off": max(0, random.gauss(0.15, 0.1)),
            "entropy": (1 + exp(-step / 20)) * exp(random.gauss(0, 0.1)),
            "kl": 0.3 * step / 60 * exp(random.gauss(0, 0.3)),
            "completion_tokens": (50 + step / 3) * exp(random.gauss(0, 0.2)),
            "gradient_norm": exp(random.gauss(0, 0.4)),
        }
        for step in range(1, 61)
    ]
    before, after = (sum(random.random() < p for _ in range(rows)) / rows for p in (0.4, 0.4 + gain))
    graded = {"before": evaluation(before, None, rows), "after": evaluation(after, None, rows)}
    timings = [taken(line, random, pace if line["step"] > 40 else 1.0) for line in metrics]
    return changed(run("grpo", metrics=metrics, timings=timings), **graded)


def taken(line: dict[str, Any], random: Random, pace: float) -> dict[str, Any]:
    """A step of 64 answers: those of groups that are all alike are drawn, and not learnt from."""
    drawn, learnt = 64 * line["completion_tokens"], 1 - line["dead_groups"]
    seconds = {
        "seconds_generate": drawn / 500 * exp(random.gauss(0, 0.1)) / pace,
        "seconds_score": 0.2 / pace,
        "seconds_update": drawn * learnt / 2000 / pace,
    }
    every = sum(seconds.values())
    return {"step": line["step"], "seconds": every, "tokens_per_second": drawn * learnt / every, **seconds}


def rates(runs: Sequence[RecordedRun]) -> Counter[str]:
    return Counter(one.check for each in runs for one in health(each).findings)


@cache
def of_tuned(noise: str, steps: int) -> Counter[str]:
    return rates([tuned(NOISE[noise], steps, Random(seed)) for seed in range(RUNS)])


@cache
def of_reinforced(rows: int) -> Counter[str]:
    return rates([reinforced(rows, Random(seed)) for seed in range(RUNS)])


@pytest.mark.parametrize("check", CHECKS)
def test_a_check_seldom_finds_anything_in_a_sound_run(check: str) -> None:
    found = {f"{noise}, {steps}": of_tuned(noise, steps)[check] for noise in NOISE for steps in (32, 200)}
    if check != "enough held-out rows":  # which is so
        found |= {f"{rows} rows": of_reinforced(rows)[check] for rows in (24, 40, 200)}
    assert {name: count for name, count in found.items() if count > ALLOWED * RUNS} == {}


def told(make: Callable[[Random], RecordedRun], check: str) -> float:
    return rates([make(Random(seed)) for seed in range(40)])[check] / 40


def test_what_is_wrong_is_mostly_found() -> None:
    def with_peak(name: str, times: float) -> Callable[[Random], RecordedRun]:
        def made(random: Random) -> RecordedRun:
            one = tuned(NOISE["even"], 60, random)
            lines: list[dict[str, Any]] = [dict(line) for line in one.log("metrics")]
            lines[40][name] *= times
            return run(metrics=lines)

        return made

    def flat(random: Random) -> RecordedRun:
        return run(metrics=figures("loss", [exp(random.gauss(0, 0.1)) for _ in range(100)]))

    assert told(with_peak("loss", 2.5), "no spikes of the loss") > 0.9
    assert told(with_peak("gradient_norm", 200), "gradients stay bounded") > 0.9
    assert told(flat, "loss falls") > 0.7
    assert told(lambda random: reinforced(400, random, gain=-0.05), "the reward carries over") > 0.8
    assert told(lambda random: reinforced(40, random, pace=0.5), "the speed holds") > 0.9


def test_the_start_of_a_training_is_no_spike() -> None:
    steep = [{"step": step, "loss": 1 + 9 * exp(-step / 3), "gradient_norm": 0.1 + 9 * exp(-step / 3)}
             for step in range(1, 61)]  # fmt: skip
    assert {"no spikes of the loss", "gradients stay bounded"} <= set(health(run(metrics=steep)).fine)


def test_warmup_is_left_out() -> None:
    rising = [1.0] * 8 + [9.0] + [1.0] * 40
    one = run(metrics=figures("loss", rising))
    spikes = "no spikes of the loss"
    assert spikes not in health(one).fine
    assert spikes in health(changed(one, identity={"recipe training.warmup_steps": "9"})).fine
