"""The model card of an export: what was merged into what, how alike it is, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .export import ExportManifest, Parity
from .model_card import table


def export_card(manifest: ExportManifest, run: Mapping[str, Any], *, system_prompt: str = "") -> str:
    """Markdown with the metadata block that model hubs read.

    Args:
        run: the run's manifest as it is in its file; what it lacks is left out.
    """
    parts = [
        _metadata(manifest),
        f"# {manifest.run.name}",
        f"`{manifest.base_model}` with the LoRA weights of a training by cesello merged in, as "
        f"{manifest.dtype}. {manifest.meaning}",
        _prompt(system_prompt),
        "## How alike it is to the model that was trained",
        _parity(manifest.parity),
        "## Data",
        _data(run.get("data") or {}),
        "## Held-out figures of the training",
        _figures(run.get("before") or {}, run.get("after") or {}),
        "## Provenance",
        f"Run `{manifest.run.id}`, recipe sha256 `{manifest.run.recipe_sha256}`, LoRA weights sha256 "
        f"`{manifest.run.lora_sha256}`. Exported {manifest.created}; `export.json` has the sha256 of every "
        "file, and `cesello verify` checks them.",
        table(["library", "version"], sorted(manifest.versions.items())),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _metadata(manifest: ExportManifest) -> str:
    fixed = "library_name: transformers\npipeline_tag: text-generation\ntags:\n- cesello"
    return f"---\nbase_model: {manifest.base_model}\nbase_model_relation: finetune\n{fixed}\n---"


def _prompt(system_prompt: str) -> str:
    if not system_prompt:
        return ""
    lines = "\n".join(f"    {line}" for line in system_prompt.splitlines())
    return f"Its conversations began with this system prompt:\n\n{lines}"


def _parity(parity: Parity) -> str:
    asked = f"{parity.positions} label positions of {parity.rows} {parity.origin}"
    measured = f"The trained model was computed in {parity.dtype} on {parity.device}."
    rows = [
        ("largest difference of logits", f"{parity.max_logit_difference:.3g}"),
        ("mean KL(trained, merged), nats per token", f"{parity.mean_kl:.3g}"),
        ("greedy answers that are the same", f"{parity.same_answers} of {parity.prompts}"),
    ]
    return f"{table(['figure', f'at {asked}'], rows)}\n\n{measured}"


def _data(data: Mapping[str, Any]) -> str:
    sources = data.get("sources") or ()
    rows = [(one["name"], one["origin"], one["kept"], one["held_out"]) for one in sources]
    return table(["source", "origin", "rows", "held out"], rows) if rows else "Not recorded."


def _figures(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    rows = list(_figure_rows(before, after))
    return table(["figure", "before", "after"], rows) if rows else "None were taken."


def _figure_rows(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, loss in before.get("losses", {}).items():
        then = after.get("losses", {}).get(name)
        yield f"{name}: loss", f"{loss['loss']:.4f}", f"{then['loss']:.4f}" if then else "-"
    for name, graded in before.get("graded", {}).items():
        then = after.get("graded", {}).get(name)
        for part, value in graded["parts"].items():
            last = f"{then['parts'].get(part, 0):g}" if then else "-"
            yield f"{name}: {part} of {graded['rows']}", f"{value:g}", last
