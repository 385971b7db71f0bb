"""How fast the mixture's order is drawn, permutations included, on one core.

python benchmarks/order.py
"""

from __future__ import annotations

import json
import platform
import time
from collections import deque
from pathlib import Path

from cesello.domain.mixture import Mixture, MixtureSource, MixtureSpec

RESULT = Path(__file__).resolve().parent / "results" / "order.json"
SIZES = (100_000, 500_000, 1_000_000)
WEIGHTS = (0.6, 0.2, 0.2)
REPEATS = 5


def draws_per_second(temperature: float | None) -> tuple[int, float]:
    """Draws of one order from its first to its last, and the best rate of several times."""
    sources = tuple(
        MixtureSource(f"source {rows}", weight, rows) for rows, weight in zip(SIZES, WEIGHTS, strict=True)
    )
    mixture = Mixture(MixtureSpec(seed=1, temperature=temperature, max_passes=8), sources)
    count = sum(1 for _ in mixture.order())
    best = 0.0
    for _ in range(REPEATS):
        began = time.process_time()
        deque(mixture.order(), maxlen=0)
        best = max(best, count / (time.process_time() - began))
    return count, best


def main() -> None:
    """By weights and by temperature."""
    result: dict[str, object] = {
        "machine": f"{platform.machine()}, Python {platform.python_version()}, one core, CPU time",
        "rows": SIZES,
        "repeats": REPEATS,
    }
    for name, temperature in (("weights 0.6 0.2 0.2", None), ("temperature 0.7", 0.7)):
        count, rate = draws_per_second(temperature)
        result[name] = {"draws": count, "draws per second, best": round(rate)}
        print(f"{name:<22}{count:>10,} draws {rate:>12,.0f} per second")
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
