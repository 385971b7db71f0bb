"""The same searches as ``prompt_search.py``, on answers of a real model to real tasks.

Every answer is drawn once: SmolLM2-135M, greedily, to each task under each of the 16 prompts that four things
make. *Sums* of `recipes/grpo-reasoning.yaml` under four instructions, which matter little to this model. And
*names*, who of two people likes what (``needle_haystack`` of reasoning-gym), under an instruction, two solved
tasks and one that is solved in a sentence, which matter much: without a solved task hardly any answer is the
name alone, as the reward wants it.

Each side then searches in that table, 200 times, with 392 tasks that are drawn from it with replacement, anew
each time (cesello: parts of 120, 72 and 200, the most that a recipe takes by default). So the table is all
the tasks there could be: what a prompt solves of it is the truth, and what is shipped is judged by that, less
what the first prompt solves. "Worse" is the share of searches where it is below zero. On a start with some of
the four things in the first prompt, an edit may take them away. The tables are kept with the result, so that
the searches can be run again without the model: `--table FILE` reads them from there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

import click

from benchmarks.peers.prompt_sides import SEED, SIDES, Found
from benchmarks.prompt_search import figures, told
from benchmarks.sft_vs_trl import RESULTS, machine
from cesello import load_recipe, recipe_container
from cesello.application.load_policy import load_policy
from cesello.application.prepare_tasks import TaskLimits
from cesello.domain.conversation import Conversation, Role
from cesello.domain.generation import Completion, Sampling
from cesello.domain.prompt_gate import asked
from cesello.domain.prompt_program import Demo, PromptProgram
from cesello.domain.prompt_search import Task
from cesello.domain.reward import Attempt
from cesello.entrypoints.requests import data_request, lora_spec
from tests.fakes.prompt import clauses_in

RECIPE = Path(__file__).resolve().parent.parent / "recipes" / "grpo-reasoning.yaml"
FIRST = "You are a helpful AI assistant."
THINGS, TOGETHER = 4, 40
PARTS = (120, 72, 200)

Answers = Mapping[str, str]
"""By the numbers of what a prompt holds, as "0,2": of every task 1 where it is solved, else 0."""


@dataclass(frozen=True, slots=True)
class Study:
    """What is asked, and the four things that a prompt may hold.

    Attributes:
        changes: to the recipe of the sums.
        things: instructions are added to the system prompt, solved tasks are shown in this order.
        starts: sets of things that a search begins with.
        tasks: how many, at most.
        longest: tokens of an answer.
    """

    changes: Sequence[str]
    things: Sequence[str | Demo]
    starts: Sequence[str]
    tasks: int
    longest: int

    def program(self, held: Sequence[int]) -> PromptProgram:
        """The first prompt and these things."""
        things = [self.things[number] for number in held]
        lines = [one for one in things if isinstance(one, str)]
        return PromptProgram(
            "\n".join([FIRST, *lines]), demos=tuple(one for one in things if isinstance(one, Demo))
        )


STUDIES = {
    "sums": Study(
        (),
        (
            "Answer with the number alone.",
            "Think step by step before you answer.",
            "You are careful with plus and minus signs.",
            "Repeat the expression, then an equals sign and the result.",
        ),
        ("",),
        tasks=360,
        longest=32,
    ),
    "names": Study(
        (
            "data.sources=[{name: names, kind: reasoning_gym, size: 800, holdout: 8, tasks: "
            "[{name: needle_haystack, min_num_statements: 2, max_num_statements: 2}]}]",
            "rewards=[{kind: reasoning_gym}]",
            "evaluation.generate=[]",
        ),
        (
            Demo(
                "Eroni derides electric bikes. Louis idolizes blogging. \n"
                "Who derides electric bikes? Reply only with a name.",
                "Eroni derides electric bikes.",
            ),
            Demo(
                "Abdulkarem curses limousines. Yoolgeun neglects humor. \n"
                "Who curses limousines? Reply only with a name.",
                "Abdulkarem",
            ),
            Demo(
                "Carlo loathes surfing. Tylar is nuts about wrestling. \n"
                "Who is nuts about wrestling? Reply only with a name.",
                "Tylar",
            ),
            "Write the name alone, without a full stop.",
        ),
        ("", "2"),
        tasks=200,
        longest=7,
    ),
}


def sets() -> list[tuple[int, ...]]:
    """Every set of things, the empty one first."""
    return [some for size in range(THINGS + 1) for some in combinations(range(THINGS), size)]


def key(held: Iterable[int]) -> str:
    return ",".join(map(str, sorted(held)))


def drawn(study: Study) -> tuple[Answers, str]:
    """Asks the model everything, and says who it is."""
    loaded = load_recipe(RECIPE, ["data.system_prompt=null", *study.changes])
    container, request = recipe_container(loaded), data_request(loaded)
    parts = container.prepare_tasks()(request, TaskLimits(study.tasks + len(study.things), 1, 1))
    shown = {one.question for one in study.things if isinstance(one, Demo)}
    tasks = [task for task in parts.search if asked(task.conversation) not in shown][: study.tasks]
    policy = load_policy(container.model_provider(), container.observer(), request, lora_spec(loaded))
    reward = container.rewards()["blend"]
    answers: dict[str, str] = {}
    for held in sets():
        answers[key(held)] = "".join(_solved(study.program(held), tasks, policy, reward, study.longest))
        click.echo(f"{answers[key(held)].count('1') / len(tasks):6.1%}  {key(held) or 'none'}", err=True)
    container.rewards().close()
    return answers, loaded.recipe.model.name


def _solved(
    program: PromptProgram, tasks: Sequence[Task], policy: Any, reward: Any, longest: int
) -> list[str]:
    marks = []
    for at in range(0, len(tasks), TOGETHER):
        batch = [task.conversation for task in tasks[at : at + TOGETHER]]
        answers = policy.generate([program.around(one) for one in batch], Sampling(longest), lora=False)
        attempts = [Attempt(*pair) for pair in zip(batch, (one.text for one in answers), strict=True)]
        marks += [str(int((result.score or 0.0) >= 1 - 1e-6)) for result in reward.score(attempts)]
    return marks


@dataclass
class TableWorld:
    """A ``World`` of answers that are known; a seed draws its tasks.

    Attributes:
        start: what the first prompt holds; a clause of that number takes it away.
    """

    seed: int
    answers: Answers
    start: str = ""
    parts: tuple[int, int, int] = PARTS
    clauses: int = THINGS
    calls: list[Conversation] = field(default_factory=list)

    def __post_init__(self) -> None:
        count = len(next(iter(self.answers.values())))
        self._tasks = Random(f"tasks {self.seed}").choices(range(count), k=sum(self.parts))
        self._held = {int(number) for number in self.start.split(",") if number}

    def generate(self, prompts: Sequence[Conversation], sampling: Sampling) -> list[Completion]:
        self.calls += prompts
        return [Completion(self._answer(prompt), 5, True) for prompt in prompts]

    def _answer(self, prompt: Conversation) -> str:
        system = prompt.messages[0].content if prompt.messages[0].role is Role.SYSTEM else ""
        return "right" if self.solves(system, prompt.messages[-1].content) else "wrong"

    def solves(self, system: str, question: str, seed: int = 0) -> bool:
        """``question`` is "task N"."""
        return self._row(system)[self._tasks[int(question.split()[1])]] == "1"

    def success(self, system: str) -> float:
        """Of all tasks of the table."""
        row = self._row(system)
        return row.count("1") / len(row)

    def _row(self, system: str) -> str:
        return self.answers[key(self._held ^ clauses_in(system))]


def searches(name: str, answers: Answers, start: str, seeds: int, rollouts: int) -> dict[str, Any]:
    """What each side gains in the table, from that start."""
    outcomes: dict[str, list[tuple[float, Found]]] = {side: [] for side in SIDES}
    for side, search in SIDES.items():
        for seed in range(seeds):
            world = TableWorld(seed, answers, start)
            found = search(world, rollouts)
            outcomes[side].append((world.success(found.system) - world.success(SEED), found))
    ours = [gain for gain, _ in outcomes["cesello"]]
    sides = {side: figures(its, ours) for side, its in outcomes.items()}
    click.echo("\n".join(told(f"{name}, from {start or 'nothing'}", sides)))
    return sides


def _share(row: str) -> float:
    return round(row.count("1") / len(row), 4)


@click.command(help=__doc__)
@click.option("--seeds", type=click.IntRange(min=2), default=200, show_default=True)
@click.option("--rollouts", type=click.IntRange(min=100), default=600, show_default=True)
@click.option("--only", type=click.Choice(sorted(STUDIES)), multiple=True, help="Of the tables.")
@click.option("--table", type=click.Path(path_type=Path, exists=True), help="A result to take answers from.")
@click.option("--output", type=click.Path(path_type=Path), default=RESULTS / "prompt-search-real.json")
def main(seeds: int, rollouts: int, only: Sequence[str], table: Path | None, output: Path) -> None:
    known = json.loads(table.read_text()) if table else {}
    tables: dict[str, Any] = dict(known.get("tables", {}))
    for name in only or STUDIES:
        study = STUDIES[name]
        if name in tables:
            answers, model = tables[name]["answers"], tables[name]["model"]
        else:
            answers, model = drawn(study)
        tables[name] = {
            "model": model,
            "first": FIRST,
            "things": [one if isinstance(one, str) else [one.question, one.answer] for one in study.things],
            "solved": {held or "nothing": _share(row) for held, row in answers.items()},
            "starts": {
                start or "nothing": searches(name, answers, start, seeds, rollouts) for start in study.starts
            },
            "answers": answers,
        }
    result = {
        "machine": known.get("machine") or machine(), "seeds": seeds, "rollouts": rollouts, "parts": PARTS,
        "tables": tables,
    }  # fmt: skip
    output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
