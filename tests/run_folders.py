"""Folders of runs, as a training writes them, made by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

STEPS = 12


def metrics_line(step: int, **changes: Any) -> dict[str, Any]:
    """A step of a fine-tuning."""
    line = {
        "step": step,
        "loss": 2.0 / step,
        "perplexity": 2.0,
        "token_accuracy": 0.5,
        "learning_rate": 1e-3,
        "gradient_norm": 0.25,
        "tokens": 100,
        "trained_tokens": 40,
    }
    return line | changes


def rewarded_line(step: int, **changes: Any) -> dict[str, Any]:
    """A step of a reinforcement."""
    figures = {
        "reward": step / 20,
        "reward_deviation": 0.1,
        "dead_groups": 0.25,
        "cut_off": 0.0,
        "completion_tokens": 40.0,
        "entropy": 1.0 / step,
        "kl": 0.01 * step,
    }
    return metrics_line(step, token_accuracy=None, **figures) | changes


def timings_line(step: int, **changes: Any) -> dict[str, Any]:
    """What took how long."""
    return {
        "step": step,
        "seconds": 2.0,
        "tokens_per_second": 50.0,
        "roofline": None,
        "memory": None,
    } | changes


def evaluation(loss: float = 2.0, calls: float = 0.0, rows: int = 8) -> dict[str, Any]:
    """Held-out figures, as they are in a manifest and, with step and when, in a log."""
    graded = {
        "reward": "function_calling",
        "rows": rows,
        "parts": {"exact_call": calls},
        "score": calls / rows,
    }
    return {
        "losses": {"chat": {"rows": rows, "tokens": 90, "loss": loss}},
        "graded": {"chat": graded | {"not_applicable": 0, "infra_errors": 0}},
    }


def manifest(id_: str, **changes: Any) -> dict[str, Any]:
    """Of a completed fine-tuning."""
    return {
        "id": id_,
        "name": id_.rpartition("-")[2],
        "algorithm": "sft",
        "status": "completed",
        "started": "2026-01-02T03:04:05+00:00",
        "finished": "2026-01-02T03:05:05+00:00",
        "recipe_sha256": "abc",
        "seed": 7,
        "versions": {"torch": "2.0"},
        "machine": "a machine",
        "steps": STEPS,
        "planned_steps": STEPS,
        "seconds": 24.0,
        "final_loss": 0.2,
        "model": {"name": "org/tiny"},
        "data": {"digest": "d1gest", "sources": [{"name": "chat", "fingerprint": "f", "held_out": 8}]},
        "before": evaluation(),
        "after": evaluation(1.0, 6.0),
        "identity": {
            "recipe seed": "7",
            "recipe training.max_steps": str(STEPS),
            "recipe data.sources[0].name": '"chat"',
            "recipe data.sources[0].holdout": "8",
            "tokenizer": "t",
            "data": "d1gest",
        },
        "error": None,
    } | changes


def write_log(run: Path, log: str, lines: Iterable[Mapping[str, Any]], *, mode: str = "w") -> None:
    """A log, or with mode a what is added to one."""
    with (run / f"{log}.jsonl").open(mode) as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)


def write_run(
    folder: Path, id_: str = "demo", *, steps: int = STEPS, rewarded: bool = False, **changes: Any
) -> Path:
    """A run with its logs.

    Args:
        steps: that were done.
        changes: of the manifest.
    """
    run = folder / id_
    run.mkdir(parents=True)
    write_manifest(run, **({"algorithm": "grpo"} if rewarded else {}) | changes)
    line = rewarded_line if rewarded else metrics_line
    phases = {"seconds_generate": 1.25, "seconds_score": 0.25, "seconds_update": 0.5} if rewarded else {}
    write_log(run, "metrics", (line(step) for step in range(1, steps + 1)))
    write_log(run, "timings", (timings_line(step, **phases) for step in range(1, steps + 1)))
    evaluations = [{"step": 0, "when": "before", **evaluation()}]
    if steps == STEPS:
        evaluations.append({"step": STEPS, "when": "after", **evaluation(1.0, 6.0)})
    write_log(run, "evaluations", evaluations)
    return run


def write_manifest(run: Path, **changes: Any) -> None:
    """In one piece, as the store does."""
    (run / ".manifest").write_text(json.dumps(manifest(run.name, **changes)))
    (run / ".manifest").replace(run / "manifest.json")


def write_search(run: Path, means: Iterable[tuple[int, float | None]]) -> None:
    """The report of a prompt search: trials and mean score of every prompt."""
    candidates = [{"trials": trials, "mean": mean} for trials, mean in means]
    (run / "search.json").write_text(json.dumps({"candidates": candidates}))
