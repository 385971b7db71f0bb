"""Runs as their folders hold them, made here: what a report is made of, without a training."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from math import exp, sin
from pathlib import Path
from typing import Any

from cesello.domain.ablation import Ablation, Arm, ArmScores, arm_figures
from cesello.domain.context import fence_for, write_context
from cesello.domain.document import Chunk
from cesello.domain.prompt_program import PromptProgram
from cesello.domain.recorded_run import RecordedRun
from cesello.domain.retrieval import Passage

Values = dict[str, Any]


def manifest(algorithm: str = "sft", **more: Any) -> Values:
    """As ``RunManifest`` is written."""
    return {
        "id": "one", "name": "quick", "algorithm": algorithm, "status": "completed",
        "started": "2026-11-28T01:00:00+00:00", "finished": "2026-11-28T01:05:00+00:00",
        "recipe_sha256": "ab" * 32, "seed": 0, "versions": {"cesello": "0.1.0"}, "machine": "Linux x86_64",
        "steps": 40, "planned_steps": 40, "seconds": 80.0,
        "model": {"name": "tiny", "parameters": 1000, "trainable_parameters": 10, "device": "cpu",
                  "dtype": "float32", "quantizer": "none"},
        "data": {"digest": "cd" * 32, "ended_by": "max_steps", "sources": [source("chat")]},
        "before": evaluation(0.2, 3.0), "after": evaluation(0.8, 2.0), "identity": {"recipe seed": "0"},
        "weights": {"adapter_model.safetensors": "ef" * 32}, "resumes": [], "skipped": 0, "splits": 0,
    } | more  # fmt: skip


def source(name: str, **more: Any) -> Values:
    """As ``SourceManifest`` is written."""
    return {
        "name": name, "origin": f"file {name}.jsonl", "fingerprint": "01" * 32, "read": 100, "kept": 80,
        "held_out": 20, "dropped": {}, "truncated": 0, "tokens": 4000, "planned": 1.0, "realised": 1.0,
        "drawn": 160, "drawn_tokens": 8000, "passes": 2.0,
    } | more  # fmt: skip


def evaluation(score: float | None, loss: float | None, rows: int = 100, **more: Any) -> Values:
    """As an ``Evaluation`` is written."""
    graded = {"reward": "exact", "rows": rows, "parts": {}, "score": score, "infra_errors": 0} | more
    return {
        "losses": {} if loss is None else {"chat": {"rows": rows, "tokens": 900, "loss": loss}},
        "graded": {} if score is None else {"chat": graded},
    }


def figures(name: str, values: Iterable[float], **more: Any) -> list[Values]:
    """A figure as it goes, step by step."""
    return [{"step": step, name: value} | more for step, value in enumerate(values, 1)]


def run(algorithm: str = "sft", **logs: Sequence[Mapping[str, Any]]) -> RecordedRun:
    """A run of that algorithm with these logs and nothing else."""
    return RecordedRun("runs/one", "completed", manifest(algorithm), logs)


def tuned() -> RecordedRun:
    """A fine-tuning that went well."""
    steps = range(1, 41)
    metrics = [
        {
            "step": step, "loss": 1 + 2 * exp(-step / 10) + 0.1 * sin(7 * step), "learning_rate": 1e-3 / step,
            "gradient_norm": 1.0 + 0.1 * sin(step), "token_accuracy": 0.5, "tokens": 200,
            "trained_tokens": 100,
        }
        for step in steps
    ]  # fmt: skip
    timings = [{"step": step, "seconds": 2.0, "tokens_per_second": 100.0, "memory": 2**30} for step in steps]
    evaluations = [
        {"step": step, "when": when} | evaluation(score, loss)
        for step, when, score, loss in (
            (0, "before", 0.2, 3.0),
            (20, "step", 0.5, 2.4),
            (40, "after", 0.8, 2.0),
        )
    ]
    rows = [
        {
            "source": "chat", "place": "chat.jsonl:3", "tokens": 4, "trained_tokens": 2, "truncated": False,
            "pieces": ["<|im_start|>", "what?\n", "it", " is"], "trained": [0, 0, 1, 1],
        }
    ]  # fmt: skip
    samples = {
        "before": [sample("what is 2?", "I do not know"), sample("what is 3?", "three", exact=1.0)],
        "after": [sample("what is 2?", "I do know: two", exact=1.0), sample("what is 3?", "four")],
    }
    return RecordedRun(
        "runs/one", "completed", manifest(),
        {"metrics": metrics, "timings": timings, "evaluations": evaluations}, samples, rows,
    )  # fmt: skip


def sample(prompt: str, completion: str, exact: float = 0.0) -> Values:
    """As a ``Sample`` is written."""
    return {
        "source": "chat", "prompt": prompt, "completion": completion, "expected": "it is",
        "parts": {"exact": exact},
    }  # fmt: skip


def reinforced(steps: int = 12, prompts: int = 2, answers: int = 4, said: str = "an answer") -> RecordedRun:
    """A reinforcement, with the tokens of one group a step."""
    metrics: list[Values] = []
    timings: list[Values] = []
    completions: list[Values] = []
    tokens: list[Values] = []
    for step in range(1, steps + 1):
        share = step / steps
        metrics.append({
            "step": step, "loss": 0.0, "reward": 0.2 + 0.5 * share, "reward_deviation": 0.2,
            "kl": 0.1 * share,
            "entropy": 2.0 - share, "completion_tokens": 3.0, "dead_groups": 0.1, "cut_off": 0.1,
            "reward/exact": 0.2, "reward/length": 0.1, "gradient_norm": 1.0, "learning_rate": 1e-4,
            "tokens": 100, "trained_tokens": 50,
        })  # fmt: skip
        phases = {"seconds_generate": 1.0, "seconds_score": 0.1, "seconds_update": 0.5}
        timings.append({"step": step, "seconds": 1.6, "tokens_per_second": 60.0, **phases})
        for prompt in range(prompts):
            for number in range(answers):
                completions.append(completion(step, prompt, number, f"{said} {step}.{prompt}.{number}"))
                if prompt == 0:
                    its = {"pieces": [said, " so", "."], "log_probs": [-0.01, -2.5, None]}
                    tokens.append({"step": step, "prompt": 0, "number": number, **its})
    evaluations = [{"step": 0, "when": "before"} | evaluation(0.2, None)]
    logs: dict[str, list[Values]] = {
        "metrics": metrics, "timings": timings, "evaluations": evaluations, "completions": completions,
        "tokens": tokens, "alarms": [{"step": 5, "name": "cut_off", "text": "30 % were cut off"}],
    }  # fmt: skip
    return RecordedRun("runs/one", "completed", manifest("grpo"), logs)


def completion(step: int, prompt: int, number: int, text: str, **more: Any) -> Values:
    """A line of ``completions.jsonl``."""
    reward = number / 4
    return {
        "step": step, "prompt": prompt, "replaced": False, "question": f"question {step}.{prompt}",
        "procedure": None, "completion": text, "turns": 1, "tools": {}, "tokens": 3, "finished": number != 1,
        "reward": reward, "parts": {"exact": reward, "length": 0.1}, "reasons": ["exact:wrong"],
        "verdict": "wrong", "advantage": reward - 0.4, "kl": 0.01,
    } | more  # fmt: skip


def grounding(*passages: tuple[str, float, str]) -> Values:
    """What a line of ``completions.jsonl`` has of passages: path, score and text of each."""
    chunks = [
        Chunk(path, 0, len(text), 1, text.count("\n") + 1, text, "python", "function")
        for path, _, text in passages
    ]
    found = [Passage(chunk, score) for chunk, (_, score, _) in zip(chunks, passages, strict=True)]
    memory = [
        {"path": one.chunk.path, "lines": [1, one.chunk.end_line], "score": one.score, "sha": "ab"}
        for one in found
    ]
    text = f"Passages of the project.\n{write_context(found, fence_for('?', found)).text}"
    return {"memory": memory, "memory_text": text, "memory_left_out": None}


def ablated() -> Values:
    """As ``cesello ablate`` keeps what it has asked: ten tasks, of which the memory solves seven more."""
    arms = [
        ArmScores(
            "run", arm, [float(task < solved) for task in range(10)], [arm.remembers] * 10, [False] * 10,
            [60 if arm.remembers else 20] * 10, [4] * 10, [0.5] * 10,
        )
        for arm, solved in ((Arm.BARE, 2), (Arm.MEMORY, 9))
    ]  # fmt: skip
    made = Ablation("one", "chat", "exact", 10, {}, arm_figures(arms), tuple(arms))
    kept = json.loads(json.dumps(asdict(made)))
    assert isinstance(kept, dict)
    return kept


def searched() -> RecordedRun:
    """A prompt search that found something."""
    first = PromptProgram("Answer.")
    better, refused = first.with_text("system", "Answer briefly."), first.with_text("system", "X")

    def candidate(program: PromptProgram, proposer: str, **more: Any) -> Values:
        plain = {
            "system": program.system,
            "procedure": "",
            "question": "{question}",
            "demos": [],
            "values": {},
        }
        return {"program": plain, "proposer": proposer, "edit": "", "parents": [], "trials": 0, "mean": None,
                "accepted": False, "rejected": ""} | more  # fmt: skip

    made = [
        candidate(first, "seed", trials=20, mean=0.4, accepted=True),
        candidate(better, "rules", edit="shorter", parents=[first.id], trials=20, mean=0.7, accepted=True),
        candidate(refused, "rules", edit="worse", parents=[better.id], rejected="too short"),
    ]
    bounds = {"low": 0.1, "high": 0.5}
    score = {"program": "", "tasks": 20, "mean": 0.4, "interval": bounds}
    report = {
        "verdict": "proven", "candidates": made, "best": made[1]["program"], "rounds": 3, "ended": "no ideas",
        "test": {"old": score, "new": score | {"mean": 0.7}, "gain": 0.3, "interval": bounds, "p": 0.01,
                 "test": "exact McNemar", "wins": 7, "losses": 1},
        "diff": {"system": "--- system (seed)\n+++ system (best)\n-Answer.\n+Answer briefly."},
        "spent": [{"phase": "search", "rollouts": 40, "tokens": 400, "optimizer_calls": 0, "seconds": 4.0}],
        "plan": {"search": 60},
    }  # fmt: skip
    search = {"verdict": "proven", "before": 0.4, "after": 0.7, "gain": 0.3, "interval": [0.1, 0.5],
              "p": 0.01, "test_tasks": 20}  # fmt: skip
    return RecordedRun("runs/one", "completed", manifest("apo", search=search), search=report)


def changed(one: RecordedRun, **more: Any) -> RecordedRun:
    """The same with another manifest in these."""
    return replace(one, manifest={**one.manifest, **more})


def write(one: RecordedRun, folder: Path) -> Path:
    """The folder of such a run, as a training leaves it."""
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(one.manifest))
    for name, lines in {**one.logs, **{f"samples-{when}": its for when, its in one.samples.items()}}.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for name, value in {"rows": one.rows, "search": one.search, "ablation": one.ablation}.items():
        if value:
            plain = dict(value) if isinstance(value, Mapping) else list(value)
            (folder / f"{name}.json").write_text(json.dumps(plain))
    return folder
