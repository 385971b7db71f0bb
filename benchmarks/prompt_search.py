"""What prompt search gains and how often it ships a worse prompt: cesello, gepa, Agent Lightning's rule.

Simulated, so that the truth is known. A prompt is a set of 12 clauses, of which some help, some hurt, and the
others do nothing; a helpful one adds 0.05 to 0.10 to the seed's success of 0.3 to 0.5, a harmful one takes as
much. In one kind of world every set of clauses has something of its own besides (a standard deviation of
0.05). Tasks differ in difficulty (a standard deviation of 1.5 logits); an answer to a task under a prompt is
right or wrong once and for all. Every side has the same rollouts, edits of the same kind (a clause more, or
one time in five a clause less, blindly chosen, never a prompt that was proposed before), and pays for an
answer once. cesello divides 360 tasks into parts of 150, 90 and 120; the others have no test and use all of
them. gepa is the real one.

Gain is the success of what is shipped on all tasks there could be, without noise, less the seed's; "worse" is
the share of seeds where that is below zero; intervals are at 95 %.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import click

from benchmarks.peers.prompt_sides import KINDS, SEED, SIDES, Found, Kind
from benchmarks.sft_vs_trl import RESULTS, machine
from cesello.domain.statistics import Interval, student, wilson


def outcome(kind: Kind, side: str, seed: int, rollouts: int) -> tuple[float, Found]:
    """The true gain of one search, and what it shipped."""
    world = kind.world(seed)
    found = SIDES[side](world, rollouts)
    return world.success(found.system) - world.success(SEED), found


def figures(outcomes: Sequence[tuple[float, Found]], ours: Sequence[float]) -> dict[str, Any]:
    """Of one side in one kind of world.

    Args:
        ours: cesello's gains on the same seeds.
    """
    gains = [gain for gain, _ in outcomes]
    worse = sum(gain < -1e-9 for gain in gains)
    shipped = sum(found.system != SEED for _, found in outcomes)
    ahead = [mine - its for mine, its in zip(ours, gains, strict=True)]
    return {
        "gain": round(fmean(gains), 4),
        "gain interval": _ends(student(gains)),
        "worse": worse / len(gains),
        "worse interval": _ends(wilson(worse, len(gains))),
        "shipped": shipped / len(gains),
        "shipped interval": _ends(wilson(shipped, len(gains))),
        "rollouts": round(fmean(found.rollouts for _, found in outcomes), 1),
        "most rollouts": max(found.rollouts for _, found in outcomes),
        "cesello ahead by": round(fmean(ahead), 4),
        "ahead interval": _ends(student(ahead)),
    }


def _ends(interval: Interval) -> list[float]:
    return [round(interval.low, 4), round(interval.high, 4)]


def told(kind: str, sides: dict[str, Any]) -> list[str]:
    """A table."""
    lines = [f"{kind}:"]
    for side, its in sides.items():
        gain, worse, ahead = (its[name] for name in ("gain interval", "worse interval", "ahead interval"))
        lines.append(
            f"  {side:46} gain {its['gain']:+.3f} [{gain[0]:+.3f}, {gain[1]:+.3f}]"
            f"  worse {its['worse']:6.1%} [{worse[0]:.1%}, {worse[1]:.1%}]  shipped {its['shipped']:4.0%}"
            f"  cesello ahead by {its['cesello ahead by']:+.3f} [{ahead[0]:+.3f}, {ahead[1]:+.3f}]"
            f"  rollouts {its['rollouts']:.0f}"
        )
    return lines


@click.command(help=__doc__)
@click.option("--seeds", type=click.IntRange(min=2), default=200, show_default=True)
@click.option("--rollouts", type=click.IntRange(min=100), default=600, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=RESULTS / "prompt-search.json")
def main(seeds: int, rollouts: int, output: Path) -> None:
    worlds: dict[str, Any] = {}
    for name, kind in KINDS.items():
        outcomes = {side: [outcome(kind, side, seed, rollouts) for seed in range(seeds)] for side in SIDES}
        ours = [gain for gain, _ in outcomes["cesello"]]
        worlds[name] = {side: figures(its, ours) for side, its in outcomes.items()}
        click.echo("\n".join(told(name, worlds[name])))
    result = {"machine": machine(), "seeds": seeds, "rollouts": rollouts, "worlds": worlds}
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
