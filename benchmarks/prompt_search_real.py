"""The same searches as ``prompt_search.py``, on answers of a real model to real tasks.

Every answer is drawn once: SmolLM2-135M, greedily, to 360 sums of `recipes/grpo-reasoning.yaml` under each of
the 16 prompts that four instructions make, judged by the recipe's reward. Then each side searches in that
table, 200 times, over 255 of the tasks, dealt anew each time (cesello: parts of 120, 60 and 75), and what it
ships is judged by the 105 others, less what the first prompt reaches on them. "Worse" is the share of
searches where that is below zero. The table is kept with the result, so that the searches can be run again
without the model: `--table FILE` reads it from there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

import click

from benchmarks.peers.prompt_sides import SEED, SIDES
from benchmarks.prompt_search import figures, told
from benchmarks.sft_vs_trl import RESULTS, machine
from cesello import load_recipe, recipe_container
from cesello.application.load_policy import load_policy
from cesello.application.prepare_tasks import TaskLimits
from cesello.domain.conversation import Conversation, Role
from cesello.domain.generation import Completion, Sampling
from cesello.domain.prompt_program import PromptProgram
from cesello.domain.prompt_search import Task
from cesello.domain.reward import Attempt
from cesello.entrypoints.requests import data_request, lora_spec
from tests.fakes.prompt import clauses_in

RECIPE = Path(__file__).resolve().parent.parent / "recipes" / "grpo-reasoning.yaml"
FIRST = "You are a helpful AI assistant."
INSTRUCTIONS = (
    "Answer with the number alone.",
    "Think step by step before you answer.",
    "You are careful with plus and minus signs.",
    "Repeat the expression, then an equals sign and the result.",
)
TASKS, TOGETHER = 360, 24
PARTS = (120, 60, 75)

Table = Mapping[str, str]
"""By the numbers of a prompt's instructions, as "0,2": of every task 1 where it is solved, else 0."""


def prompts() -> dict[str, str]:
    """Every set of instructions, and the prompt that it makes."""
    numbers = range(len(INSTRUCTIONS))
    sets = [some for size in range(len(INSTRUCTIONS) + 1) for some in combinations(numbers, size)]
    return {
        ",".join(map(str, some)): "\n".join([FIRST, *(INSTRUCTIONS[one] for one in some)]) for some in sets
    }


def asked() -> tuple[Table, str]:
    """Asks the model everything, and says who it is."""
    loaded = load_recipe(RECIPE, ["data.system_prompt=null"])
    container, request = recipe_container(loaded), data_request(loaded)
    parts = container.prepare_tasks()(request, TaskLimits(TASKS, 1, 1))
    policy = load_policy(container.model_provider(), container.observer(), request, lora_spec(loaded))
    reward = container.rewards()["blend"]
    tasks, table = list(parts.search)[:TASKS], dict[str, str]()
    for key, system in prompts().items():
        table[key] = "".join(_solved(PromptProgram(system), tasks, policy, reward))
        click.echo(f"{table[key].count('1') / len(tasks):6.1%}  {key or 'none'}", err=True)
    container.rewards().close()
    return table, loaded.recipe.model.name


def _solved(program: PromptProgram, tasks: Sequence[Task], policy: Any, reward: Any) -> list[str]:
    marks = []
    for at in range(0, len(tasks), TOGETHER):
        batch = [task.conversation for task in tasks[at : at + TOGETHER]]
        answers = policy.generate([program.around(one) for one in batch], Sampling(32), lora=False)
        attempts = [Attempt(*pair) for pair in zip(batch, (one.text for one in answers), strict=True)]
        marks += [str(int((result.score or 0.0) >= 1 - 1e-6)) for result in reward.score(attempts)]
    return marks


@dataclass
class TableWorld:
    """A ``World`` of answers that are known; the tasks are dealt anew for each seed."""

    seed: int
    table: Table
    parts: tuple[int, int, int] = PARTS
    clauses: int = len(INSTRUCTIONS)
    calls: list[Conversation] = field(default_factory=list)

    def __post_init__(self) -> None:
        count = len(next(iter(self.table.values())))
        self._order = Random(f"tasks {self.seed}").sample(range(count), count)

    def generate(self, prompts: Sequence[Conversation], sampling: Sampling) -> list[Completion]:
        self.calls += prompts
        return [Completion(self._answer(prompt), 5, True) for prompt in prompts]

    def _answer(self, prompt: Conversation) -> str:
        system = prompt.messages[0].content if prompt.messages[0].role is Role.SYSTEM else ""
        return "right" if self.solves(system, prompt.messages[-1].content) else "wrong"

    def solves(self, system: str, question: str, seed: int = 0) -> bool:
        """``question`` is "task N"."""
        return self._row(system)[self._order[int(question.split()[1])]] == "1"

    def success(self, system: str) -> float:
        """Of the tasks that no search of this seed has seen."""
        left = self._order[sum(self.parts) :]
        return sum(self._row(system)[task] == "1" for task in left) / len(left)

    def _row(self, system: str) -> str:
        return self.table[",".join(map(str, sorted(clauses_in(system))))]


@click.command(help=__doc__)
@click.option("--seeds", type=click.IntRange(min=2), default=200, show_default=True)
@click.option("--rollouts", type=click.IntRange(min=100), default=600, show_default=True)
@click.option("--table", type=click.Path(path_type=Path, exists=True), help="A result to take answers from.")
@click.option("--output", type=click.Path(path_type=Path), default=RESULTS / "prompt-search-real.json")
def main(seeds: int, rollouts: int, table: Path | None, output: Path) -> None:
    known = json.loads(table.read_text()) if table else {}
    answers, model = (known["table"], known["model"]) if known else asked()
    outcomes: dict[str, list[Any]] = {side: [] for side in SIDES}
    for side, search in SIDES.items():
        for seed in range(seeds):
            world = TableWorld(seed, answers)
            found = search(world, rollouts)
            outcomes[side].append((world.success(found.system) - world.success(SEED), found))
    ours = [gain for gain, _ in outcomes["cesello"]]
    sides = {side: figures(its, ours) for side, its in outcomes.items()}
    click.echo("\n".join(told(f"{model}, sums", sides)))
    result = {
        "machine": known.get("machine") or machine(), "model": model, "first": FIRST,
        "instructions": INSTRUCTIONS, "seeds": seeds, "rollouts": rollouts, "parts": PARTS,
        "sides": sides, "table": answers,
    }  # fmt: skip
    output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
