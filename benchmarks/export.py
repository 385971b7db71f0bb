"""What a merged model loses: the quickstart, on a quantised and on a plain base, merged in every way.

Trains SmolLM2 for 24 steps of ``recipes/quickstart.yaml`` with NF4 and without a quantizer, exports each run
into every base and number format that it has, and writes the parity figures of each to
``benchmarks/results/export.json``. Also says by how much the training lowered the held-out losses, for scale.

    python benchmarks/export.py
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cesello import RunManifest, load_recipe, recipe_container, train
from cesello.entrypoints.export_requests import export_request, run_recipe

HERE = Path(__file__).resolve().parent
RECIPE = HERE.parent / "recipes" / "quickstart.yaml"
STEPS = ("training.max_steps=24", "evaluation.generate=[]", "evaluation.samples=0")
WAYS = {
    "nf4": [
        ("dequantised", "float32"),
        ("dequantised", "bfloat16"),
        ("base", "float32"),
        ("base", "bfloat16"),
    ],
    "none": [("base", "float32"), ("base", "bfloat16")],
}


def measured(run: str, folder: Path, into: str, dtype: str) -> dict[str, Any]:
    """Exports a run and takes the figures of what was written."""
    container = recipe_container(load_recipe(RECIPE, [f"output={folder / 'runs'}"]))
    summary = container.run_store().find(run)
    loaded = run_recipe(summary)
    request = export_request(
        loaded,
        summary,
        folder / f"{run}-{into}-{dtype}",
        into=into,
        dtype=dtype,
        rows=16,
        overwrite=True,
        gguf=None,
    )
    manifest = recipe_container(loaded).export_model()(request)
    return asdict(manifest.parity)


def learnt(manifest: RunManifest) -> dict[str, float]:
    """By how much the held-out loss of every source fell, in nats a token."""
    before, after = manifest.before, manifest.after
    assert before is not None
    assert after is not None
    return {name: round(loss.loss - after.losses[name].loss, 4) for name, loss in before.losses.items()}


def main() -> None:
    """Both trainings, and their exports."""
    rows: list[dict[str, Any]] = []
    lowered: dict[str, dict[str, float]] = {}
    with TemporaryDirectory() as name:
        folder = Path(name)
        for quantizer, ways in WAYS.items():
            changes = [
                *STEPS,
                f"quantizer.name={quantizer}",
                f"name={quantizer}",
                f"output={folder / 'runs'}",
            ]
            manifest = train(load_recipe(RECIPE, changes))
            lowered[quantizer] = learnt(manifest)
            for into, dtype in ways:
                parity = measured(manifest.id, folder, into, dtype)
                rows.append({"quantizer": quantizer, "into": into, "written": dtype, **parity})
                print(rows[-1])
    result = {"losses lowered by": lowered, "exports": rows}
    (HERE / "results" / "export.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
