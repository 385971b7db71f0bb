"""What a run of ``benchmarks/grpo_learning.py`` begins with, whichever side trains."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from cesello import Container, FinetuneRequest, LoadedRecipe, finetune_request, load_recipe, recipe_container
from cesello.application.load_policy import load_policy
from cesello.application.open_run import RunChoice
from cesello.application.prepare_data import PreparedData
from cesello.application.prepare_source import PreparedSource

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
STEPS = {"sums": 24, "products": 24, "functions": 24}
"""Optimizer steps of each task, where nothing else is said."""
PRODUCTS = {"name": "products", "min_terms": 2, "max_terms": 3, "min_digits": 1, "max_digits": 1}
"""Tasks of reasoning-gym that take the place of the recipe's sums."""
ANSWERS = 4
"""Drawn to every held-out row."""


@dataclass(frozen=True, slots=True)
class Job:
    """A training and how it is judged.

    Attributes:
        task: a key of ``STEPS``; ``side`` a key of ``SIDES``.
        rows: held out, of all sources together.
        folder: for runs and weights, absolute.
    """

    task: str
    side: str
    seed: int
    steps: int
    rows: int
    folder: str

    @property
    def name(self) -> str:
        return f"{self.task}-{self.side}-{self.seed}-{self.steps}-{self.rows}"

    def recipe(self) -> LoadedRecipe:
        """The recipe of the task, with a seed and a length of its own."""
        changes = [
            *self._anywhere(),
            f"root={json.dumps(self.folder)}",
            f"training.max_steps={self.steps}",
            "training.learning_rate=5.0e-4",
            f"training.warmup_steps={min(4, self.steps)}",
            "checkpoint.final=last",
            "evaluation.every_steps=null",
            "evaluation.samples=0",
        ]
        if self.task in ("sums", "products"):
            changes += _held_out("sums", self.rows)
            if self.task == "products":
                changes.append(f"data.sources.sums.tasks={json.dumps([PRODUCTS])}")
            return load_recipe(RECIPES / "grpo-reasoning.yaml", changes)
        # As many of the fine-tuning's own held-out rows as it has for that, 24 of 96; others are of a source
        # that it has not seen.
        own = min(24, self.rows // 4)
        changes += [
            f"lora.continue_from=runs/{self._quickstart}",
            f"evaluation.generate.functions.rows={own}",
            *_held_out("live", self.rows - own),
        ]
        self._fine_tune()
        return load_recipe(RECIPES / "grpo-functions.yaml", changes)

    @property
    def _quickstart(self) -> str:
        """Every seed has a fine-tuning of its own: another one would have learnt rows that are held out."""
        return f"quickstart-{self.seed}" if self.seed else "quickstart"

    def _fine_tune(self) -> None:
        manifest = Path(self.folder, "runs", self._quickstart, "manifest.json")
        if manifest.is_file() and json.loads(manifest.read_text())["status"] == "completed":
            return
        loaded = load_recipe(RECIPES / "quickstart.yaml", self._anywhere())
        choice = RunChoice(self._quickstart, resume=True)
        recipe_container(loaded).finetune()(finetune_request(loaded, choice))

    def _anywhere(self) -> list[str]:
        output = json.dumps(str(Path(self.folder, "runs")))
        return [f"seed={self.seed}", f"output={output}", "training.device=cpu"]


def _held_out(source: str, rows: int) -> list[str]:
    return [f"data.sources.{source}.holdout={rows}", f"evaluation.generate.{source}.rows={rows}"]


class Task:
    """All that both sides begin with: the recipe, the rows of every step, and the policy at its start."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.recipe = job.recipe()
        self.container: Container = recipe_container(self.recipe)
        self.request: FinetuneRequest = finetune_request(self.recipe)

    @cached_property
    def data(self) -> PreparedData:
        return self.container.prepare_data()(self.request.data, lambda: self.start)

    @cached_property
    def start(self) -> Any:
        return self.policy(None)

    def policy(self, weights: Path | None) -> Any:
        """The model with LoRA weights, or with those that the training begins with."""
        lora = replace(self.request.lora, continue_from=str(weights)) if weights else self.request.lora
        its = self.container
        return load_policy(its.model_provider(), its.observer(), self.request.data, lora)

    def source(self, name: str) -> PreparedSource:
        """One of the prepared sources."""
        return next(one for one in self.data.sources if one.spec.name == name)
