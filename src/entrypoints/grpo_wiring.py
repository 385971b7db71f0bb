"""Reinforcement as a recipe says: its plan, what draws completions, and the module that learns from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..domain.objective import Aggregation, Objective, Ratio, Scale
from ..domain.ports.grading import Rewards
from ..domain.ports.rollout import RolloutEngine
from ..domain.ports.run import Stop
from ..domain.ports.tools import Toolbox
from ..domain.reinforcement import Curriculum, ReinforcementPlan

if TYPE_CHECKING:
    from ..adapters.model.hf_policy import HfPolicy
    from ..adapters.training.guided_turns import Guide
    from ..adapters.training.lightning_sft import SftModule

_DRAWN = ("completions", "temperature", "top_p", "pass_tokens", "resample", "max_turns")
_ENUMS = {"aggregation": Aggregation, "ratio": Ratio, "scale": Scale}


def reinforcement_plan(settings: Mapping[str, Any]) -> ReinforcementPlan:
    """How completions are drawn and learnt from.

    Args:
        settings: the recipe's section ``grpo``.
    """
    given: Any = {key: value for key, value in settings.items() if key in Objective.__dataclass_fields__}
    for key, enum in _ENUMS.items():
        given[key] = enum(given[key])
    drawn: Any = {key: settings[key] for key in _DRAWN}
    curriculum = settings["curriculum"] and Curriculum(**settings["curriculum"])
    objective = Objective(**given)
    if settings["engine"] == "local":
        # Only another engine's log-probabilities are not our own.
        objective = replace(objective, importance_cap=None)
    return ReinforcementPlan(objective, **drawn, curriculum=curriculum)


def grpo_module(
    settings: Mapping[str, Any],
    root: str | Path,
    rewards: Rewards,
    tools: Toolbox | None = None,
    guide: Guide | None = None,
) -> Callable[..., SftModule]:
    """Makes GRPO's module, with what any module is made with."""
    from ..adapters.training.lightning_grpo import GrpoModule
    from .settings.reward_settings import BLEND

    return partial(
        GrpoModule,
        reinforcement=reinforcement_plan(settings),
        engine=partial(rollout_engine, settings, Path(root)),
        reward=partial(rewards.__getitem__, BLEND),
        tools=tools,
        guide=guide,
    )


def rollout_engine(settings: Mapping[str, Any], root: Path, policy: HfPolicy, stop: Stop) -> RolloutEngine:
    """What draws completions from a policy."""
    if settings["engine"] == "transformers":
        from ..adapters.model.transformers_rollout import TransformersRollout

        return TransformersRollout(policy.model, policy.ends, policy.pad, stop)
    if settings["engine"] == "vllm":
        from ..adapters.model.vllm_rollout import VllmRollout

        server = settings["vllm"]
        return VllmRollout(
            server["url"],
            policy.ends,
            save=policy.save,
            folder=root / server["folder"],
            stop=stop,
            api_key_env=server["api_key_env"],
        )
    from ..adapters.model.local_rollout import LocalRollout

    return LocalRollout(policy.model, policy.ends, stop)
