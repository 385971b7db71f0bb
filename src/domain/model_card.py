"""The model card saved with LoRA weights: what they are, from which data, with which figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .run import Evaluation, RunManifest


def model_card(manifest: RunManifest) -> str:
    """Markdown with the metadata block that model hubs read."""
    model = manifest.model.name if manifest.model else "unknown"
    parts = [
        _metadata(model),
        f"# LoRA weights: {manifest.name}",
        _training(manifest, model),
        "## Data",
        _data(manifest),
        "## Held-out figures",
        _figures(manifest.before, manifest.after),
        "## Provenance",
        f"Recipe sha256 `{manifest.recipe_sha256}`; recipe and manifest stand beside this folder.",
        f"Machine: {manifest.machine or 'not named'}.",
        table(["library", "version"], sorted(manifest.versions.items())),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _metadata(model: str) -> str:
    fixed = "library_name: peft\npipeline_tag: text-generation\ntags:\n- lora\n- cesello"
    return f"---\nbase_model: {model}\n{fixed}\n---"


def _training(manifest: RunManifest, model: str) -> str:
    steps = f"{manifest.steps} of {manifest.planned_steps} steps"
    return f"Trained by cesello on `{model}`: {manifest.algorithm}, {steps}, seed {manifest.seed}."


def _data(manifest: RunManifest) -> str:
    if manifest.data is None:
        return "Not recorded."
    rows = [
        (
            source.name,
            source.origin,
            source.kept,
            source.held_out,
            f"{source.planned:.1%}",
            _share(source.realised),
        )
        for source in manifest.data.sources
    ]
    headings = [
        "source",
        "origin",
        "rows",
        "held out",
        "planned share",
        "realised share",
    ]
    return f"{table(headings, rows)}\n\nData digest `{manifest.data.digest}`."


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _figures(before: Evaluation | None, after: Evaluation | None) -> str:
    if before is None:
        return "None were taken."
    rows: list[tuple[str, str, str]] = [
        (
            f"{name}: loss",
            f"{loss.loss:.4f}",
            f"{after.losses[name].loss:.4f}" if after else "-",
        )
        for name, loss in before.losses.items()
    ]
    for name, graded in before.graded.items():
        rows += [
            (
                f"{name}: {part} of {graded.rows}",
                f"{value:g}",
                f"{after.graded[name].parts.get(part, 0.0):g}" if after else "-",
            )
            for part, value in graded.parts.items()
        ]
    return table(["figure", "before", "after"], rows)


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of Markdown."""
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    lines = [list(headings), ["---"] * len(headings), *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
