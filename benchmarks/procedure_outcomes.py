"""How often procedures are promoted and quarantined rightly, and how often by mistake, in simulated runs.

Every history has 400 requests and chances of success that nobody tells the rules: without the procedure, with
the active version, and with one on trial. Requests are held out, and meet the versions, as `cesello` has it.

    python -m benchmarks.procedure_outcomes [--seeds 200] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from cesello.domain.procedure import Outcome, ProcedureRun, Status, Version
from cesello.domain.procedure_looks import Verdict, first_verdict
from cesello.domain.procedure_outcomes import choose
from cesello.domain.statistics import wilson

ACTIVE = Version("p", "a" * 64, "", "user", "", Status.ACTIVE)
DRAFT = Version("p", "d" * 64, ACTIVE.sha, "user", "", Status.TRIAL)
REQUESTS = 400
CHANCES: tuple[tuple[float, float, float | None], ...] = (
    (0.5, 0.3, None),
    (0.5, 0.5, None),
    (0.8, 0.8, None),
    (0.2, 0.2, None),
    (0.5, 0.55, None),
    (0.5, 0.7, None),
    (0.4, 0.6, 0.8),
    (0.4, 0.6, 0.4),
    (0.4, 0.6, 0.6),
)
"""Without the procedure, with the active version, with the one on trial; None: none is."""


def run(
    number: int = 0, *, version: Version = ACTIVE, won: bool = True, held_out: bool = False
) -> ProcedureRun:
    """One that was judged."""
    outcome = Outcome.SUCCESS if won else Outcome.FAILURE
    return ProcedureRun(
        str(number), "p", version.sha, "request", "full", outcome, "", "", held_out, origin="generate"
    )


def runs_of(seed: int, without: float, active: float, draft: float | None = None) -> list[ProcedureRun]:
    """A history, newest first, as it would be if nothing were ever changed."""
    random, runs = Random(seed), list[ProcedureRun]()
    for number in range(REQUESTS):
        chosen = choose(f"{seed}/{number}", ACTIVE, DRAFT if draft is not None else None)
        chance = without if chosen.held_out else active
        if draft is not None and not chosen.held_out and chosen.version is DRAFT:
            chance = draft
        won = random.random() < chance
        runs.append(run(number, version=chosen.version, won=won, held_out=chosen.held_out))
    return runs[::-1]


def first(seed: int, without: float, active: float, draft: float | None = None) -> Verdict | None:
    """The first change in a history."""
    runs = runs_of(seed, without, active, draft)
    return first_verdict(runs, ACTIVE, DRAFT if draft is not None else None)


def fates(seeds: range, without: float, active: float, draft: float | None = None) -> Counter[str]:
    """What seeded histories came to first."""
    found = [first(seed, without, active, draft) for seed in seeds]
    names = {ACTIVE.sha: "active", DRAFT.sha: "trial"}
    return Counter("kept" if one is None else f"{names[one.version.sha]} {one.status}" for one in found)


def measure(seeds: int) -> list[dict[str, Any]]:
    """All figures."""
    rows = []
    for without, active, draft in CHANCES:
        found = fates(range(seeds), without, active, draft)
        intervals = {name: wilson(count, seeds) for name, count in found.items()}
        rows.append(
            {
                "without": without,
                "active": active,
                "trial": draft,
                "histories": seeds,
                "came_to": dict(sorted(found.items())),
                "intervals": {
                    name: [round(one.low, 3), round(one.high, 3)] for name, one in sorted(intervals.items())
                },
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=200, help="histories of each kind")
    parser.add_argument("--json", type=Path, help="write the figures there")
    arguments = parser.parse_args()
    rows = measure(arguments.seeds)
    print(f"{'without':>8} {'active':>7} {'trial':>6}  what {arguments.seeds} histories came to first")
    for row in rows:
        trial = "-" if row["trial"] is None else row["trial"]
        came = ", ".join(
            f"{name} {count} ({row['intervals'][name][0]:.1%} to {row['intervals'][name][1]:.1%})"
            for name, count in row["came_to"].items()
        )
        print(f"{row['without']:>8} {row['active']:>7} {trial:>6}  {came}")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
