"""What mixing is for: the quickstart's steps on all three sources, and on the function calls alone.

Prints held-out loss of every source and the graded answers, before, mixed and alone, and writes them to
``benchmarks/results/mixing.json``. Both trainings take the same number of steps, rows a step and seed.

    python benchmarks/mixing.py
"""

from __future__ import annotations

import json
import platform
from pathlib import Path

from cesello import RunManifest, load_recipe, train

HERE = Path(__file__).resolve().parent
RECIPE = HERE.parent / "recipes" / "quickstart.yaml"
ALONE = ("data.sources.coding.weight=0", "data.sources.chat.weight=0")


def trained(name: str, *changes: str) -> RunManifest:
    """The quickstart with some keys changed."""
    return train(load_recipe(RECIPE, [f"name={name}", *changes]))


def figures(manifest: RunManifest, when: str) -> dict[str, float]:
    """Losses by source and graded parts, flat."""
    evaluation = manifest.before if when == "before" else manifest.after
    assert evaluation is not None
    losses = {f"{name}: loss": round(loss.loss, 4) for name, loss in evaluation.losses.items()}
    parts = {part: value for graded in evaluation.graded.values() for part, value in graded.parts.items()}
    return losses | parts


def main() -> None:
    """Both trainings, one after the other."""
    mixed, alone = trained("mixed"), trained("alone", *ALONE)
    columns = {
        "before": figures(mixed, "before"),
        "mixed": figures(mixed, "after"),
        "alone": figures(alone, "after"),
    }
    result = {
        "machine": f"{platform.machine()}, no GPU",
        "versions": dict(mixed.versions),
        "steps": mixed.steps,
        "seconds": {"mixed": round(mixed.seconds), "alone": round(alone.seconds)},
        "digests": {
            "mixed": mixed.data.digest if mixed.data else "",
            "alone": alone.data.digest if alone.data else "",
        },
        "figures": columns,
    }
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "mixing.json").write_text(json.dumps(result, indent=2) + "\n")
    print(f"{'figure':<24}" + "".join(f"{name:>10}" for name in columns))
    for figure in columns["before"]:
        print(f"{figure:<24}" + "".join(f"{column[figure]:>10g}" for column in columns.values()))


if __name__ == "__main__":
    main()
