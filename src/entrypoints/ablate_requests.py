"""From a run to what ``AblateRun`` is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..application.ablate_run import AblateRequest, AblateRun
from ..application.compare_ways import CompareRequest, Seen, Way, unseen
from ..application.prepare_source import question
from ..application.run_weights import weights_of
from ..domain.ablation import Arm
from ..domain.conversation import Conversation
from ..domain.errors import UsageError
from ..domain.generation import Sampling
from ..domain.ports.model import Policy
from ..domain.ports.reward import RewardModel
from ..domain.prompt_program import PromptProgram
from ..domain.reward import Attempt
from .compare_requests import Models, Tried, judge, tried, with_memory
from .container import Container
from .export_requests import run_recipe
from .prompt_choice import asked_prompt
from .requests import data_request, library_versions, model_spec
from .settings import LoadedRecipe
from .settings.grpo_settings import SEARCH

RUN, BASE = "run", "base"

MEMORY = ".cesello/memory"
"""Where a project's memory is, seen from its root."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A run, and the arms that its tasks are asked in.

    Attributes:
        container: whose rows are grounded and instructed as the arms say.
        forgetful: the same without the tool ``search``, for arms that do not remember.
        overrides: settings of the recipe that were changed.
        model: loads the run's own model, or the base model.
    """

    tried: Tried
    container: Container
    forgetful: Container
    arms: Sequence[Arm]
    overrides: Sequence[str]
    sampling: Sampling
    reward: str
    source: str
    rows: int
    program: PromptProgram

    def model(self, name: str) -> Policy:
        """The run's, or the base model with fresh LoRA weights, which change nothing."""
        spec = model_spec(self.tried.loaded)
        weights = weights_of(self.tried.run).resolve() if name == RUN else None
        called = self.tried.run.id if name == RUN else "base model"
        return Models([self.tried])(Way(called, name, spec, weights, self.program))

    def answers(self, policy: Policy, prompts: Sequence[Conversation], arm: Arm) -> Sequence[Attempt]:
        """As the run's evaluations ask: with its tools, and step by step where it was guided.

        An arm that does not remember does not search the memory by itself either.
        """
        optimizer = (self.container if arm.remembers else self.forgetful).policy_optimizer()
        found: Sequence[Attempt] = optimizer.answers(policy, prompts, self.sampling, self.container.stop())
        return found

    def request(self, models: Sequence[str], batch: int) -> AblateRequest:
        """The tasks are held-out rows that the run has not trained on.

        Raises:
            DataError: D060 when there is none, and those of the sources.
        """
        loaded = self.tried.loaded
        # Rows that passages do not fit beside go without, so that they change nothing of what is held out.
        modes = dict.fromkeys(["off", loaded.recipe.memory.procedures])
        seen = [_seen(loaded, self._rows(mode)) for mode in modes]
        _, tasks = unseen(CompareRequest((), self.source, self.reward, self.rows, seen, self.sampling))
        return AblateRequest(
            self.tried.run.id, self.source, self.reward, models, self.arms,
            [task for task in tasks if question(task).messages], self.program, loaded.recipe.data.max_tokens,
            self._settings(), batch,
        )  # fmt: skip

    def _settings(self) -> dict[str, object]:
        """What decides the answers besides the tasks."""
        return {
            "model": self.tried.loaded.recipe.model.name,
            "weights": str(weights_of(self.tried.run)),
            "memory": str(self.container.memory_folder()),
            "overrides": list(self.overrides),
            "max_new_tokens": self.sampling.max_new_tokens,
            "versions": dict(library_versions()),
        }

    def _rows(self, procedures: str) -> Container:
        """Makes rows as they are read, or with the procedures of the training alone."""
        loaded = self.tried.loaded
        made = with_memory(loaded, {"retrieve": "off", "procedures": procedures})
        for name in ("observer", "stop"):
            getattr(made, name).override(getattr(self.container, name))
        return made

    def ablate(self, reward: RewardModel) -> AblateRun:
        """The use case."""
        return AblateRun(
            self.model,
            self.answers,
            reward,
            self.container.instruct_rows() if any(arm.follows for arm in self.arms) else None,
            self.container.ground_rows() if any(arm.remembers for arm in self.arms) else None,
            self.container.observer(),
            self.container.stop(),
        )


def asked(
    name: str,
    runs: str | None,
    overrides: Sequence[str],
    *,
    arms: str | None,
    memory: Path | None,
    source: str | None,
    reward: str | None,
    rows: int | None,
    max_new_tokens: int | None,
) -> Asked:
    """What a command line asks of a run.

    Raises:
        UsageError: C150, C151 by the run; C180 by arms that cannot be, C181 when there is nothing to compare.
    """
    found = tried(name, runs)
    loaded = run_recipe(found.run, overrides)
    weights_of(found.run)
    container = _arms_container(loaded, memory)
    own = [tool for tool in loaded.recipe.grpo.tools if tool != SEARCH]
    searches = own != list(loaded.recipe.grpo.tools)
    forgetful = _arms_container(loaded, memory, own) if searches else container
    if searches:
        for part in ("observer", "stop", "own_tools"):  # one process a tool, whichever arm asks
            getattr(forgetful, part).override(getattr(container, part))
    found = replace(found, loaded=loaded, container=container)
    _, graded = judge([found], source, reward, rows)
    chosen = _arms(arms, container)
    longest = max_new_tokens or loaded.recipe.evaluation.max_new_tokens
    program = asked_prompt(loaded, Path(found.run.path), None)
    return Asked(
        found,
        container,
        forgetful,
        chosen,
        overrides,
        Sampling(longest),
        graded.reward,
        graded.source,
        graded.rows,
        program,
    )


def _arms_container(
    loaded: LoadedRecipe, memory: Path | None, tools: Sequence[str] | None = None
) -> Container:
    """As the recipe says, but that nothing is held out, and that both are there to be put in.

    Args:
        tools: in place of the recipe's.
    """
    mode = loaded.recipe.memory.procedures
    changes: dict[str, Any] = {
        "retrieve": "on",
        "retrieve_holdout": 0.0,
        "procedures": "full" if mode == "off" else mode,
        "procedure_holdout": 0.0,
    }
    if memory is not None:
        inner = memory / MEMORY
        changes["folder"] = str((inner if inner.is_dir() else memory).absolute())
    return with_memory(loaded, changes, tools)


def _arms(named: str | None, container: Container) -> tuple[Arm, ...]:
    """Those named, or those that there is something for; the bare one always, and first."""
    wanted = _named(named) if named is not None else tuple(Arm)
    remembers = bool(container.chunk_store().state().texts)
    follows = bool(container.procedure_store().active())
    if named is not None and any(arm.remembers for arm in wanted):
        _ = container.retrieve_context().pin  # what is in the way is told
    if named is not None and any(arm.follows for arm in wanted) and not follows:
        what = "no procedure is in use that could be put into a prompt"
        raise UsageError("C180", what, where="--arms", fix="cesello sop new NAME, or leave the arm out")
    found = tuple(arm for arm in wanted if (remembers or not arm.remembers) and (follows or not arm.follows))
    if found == (Arm.BARE,):
        what = "there is neither a memory nor a procedure to do with and without"
        fix = "cesello remember PATH, cesello sop new NAME, or name another --memory FOLDER"
        raise UsageError("C181", what, fix=fix)
    return found


def _named(names: str) -> tuple[Arm, ...]:
    given = {name.strip() for name in names.split(",") if name.strip()}
    if strange := sorted(given - set(Arm)):
        raise UsageError(
            "C180",
            "there is no such arm",
            where="--arms",
            got=strange[0],
            expected=", ".join(Arm),
            fix="--arms memory,both",
        )
    return tuple(arm for arm in Arm if arm is Arm.BARE or arm in given)


def _seen(loaded: LoadedRecipe, container: Container) -> Seen:
    # Without a prompt file: rows are shorter then, so that what was trained on is a part of what is found.
    data = data_request(loaded)
    data = replace(data, rules=replace(data.rules, prompt=None))
    return Seen(container.prepare_sources()(data), data.rules.system_prompt)
