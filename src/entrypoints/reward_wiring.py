"""One builder per reward and per sandbox; see ``wiring``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from ..domain.code_tests import Limits
from ..domain.errors import UsageError
from ..domain.ports.reward import RewardModel
from ..domain.ports.run import Stop
from ..domain.ports.sandbox import IsolatedFunctions, Sandbox
from ..domain.reward import Blend
from .rewards_by_name import Made, RewardsByName
from .wiring import own_code

if TYPE_CHECKING:
    from .settings import reward_settings as options

_REWARDS = f"{__name__.split('.', maxsplit=1)[0]}.adapters.reward"

UNSAFE = "unsafe"
"""The tier that holds nothing: a command line can ask for it, and no recipe."""


def sandbox(config: Mapping[str, Any], stop: Stop | None = None) -> Sandbox:
    """Where programs are run; nothing is started before one is.

    Args:
        config: the recipe's section, or what stands for it.
    """
    if config["tier"] == "remote":
        from ..adapters.sandbox.remote_sandbox import RemoteSandbox

        return RemoteSandbox(config["url"], _secret(config["token_env"], "sandbox.token_env"))
    from ..adapters.sandbox.local_sandbox import LocalSandbox

    return LocalSandbox(config["tier"], config["workers"], stop)


def isolated_functions(config: Mapping[str, Any], stop: Stop | None = None) -> IsolatedFunctions:
    """Where functions of ours meet a model's text: on this machine, since the packages they use are here."""
    from ..adapters.sandbox.sandboxed_functions import SandboxedFunctions

    tier = "auto" if config["tier"] == "remote" else config["tier"]
    return SandboxedFunctions(tier, config["workers"], stop)


def _secret(variable: str | None, where: str) -> str | None:
    """What an environment variable holds, which is never written anywhere."""
    if variable is None:
        return None
    if not os.environ.get(variable):
        what = f'the environment variable "{variable}" is not set'
        raise UsageError("C012", what, where=where, fix=f"export {variable}=...")
    return os.environ[variable]


@dataclass(frozen=True, slots=True)
class Ground:
    """What rewards are made on.

    Attributes:
        root: own code is under it.
        sandbox, functions: give them, the same ones each time.
        of_kind: the recipe's first reward of a kind, or the built-in one.
    """

    root: str
    sandbox: Callable[[], Sandbox]
    functions: Callable[[], IsolatedFunctions]
    of_kind: Callable[[str], Made]


def coding(given: options.CodingSettings, ground: Ground) -> Made:
    """Programs in the sandbox."""
    from ..adapters.reward.coding_reward import CodingReward

    box = ground.sandbox()
    limits = Limits(wall=given.wall_seconds, cpu=given.cpu_seconds, memory=given.memory_mb << 20)
    return Made(CodingReward(box, limits, partial=given.partial), (lambda: box.tier,), (box.close,))


def function_calling(given: options.FunctionCallingSettings, ground: Ground) -> Made:
    """Right calls of the right functions."""
    from ..adapters.reward.function_calling_reward import FunctionCallingReward

    return Made(FunctionCallingReward())


def chat(given: options.ChatSettings, ground: Ground) -> Made:
    """The manners of an answer."""
    from ..adapters.reward.chat_reward import ChatReward

    return Made(ChatReward(shortest=given.shortest, longest=given.longest))


def form(given: options.FormatSettings, ground: Ground) -> Made:
    """A pattern or a schema."""
    from ..adapters.reward.format_reward import FormatReward

    return Made(FormatReward(pattern=given.pattern, json_schema=given.json_schema))


def math(given: options.MathSettings, ground: Ground) -> Made:
    """Equal results."""
    from ..adapters.reward.math_reward import MathReward

    functions = ground.functions()
    check = partial(functions.call, f"{_REWARDS}.math_check:equal", [])
    return Made(MathReward(functions), (check,), (functions.close,))


def answer(given: options.AnswerSettings, ground: Ground) -> Made:
    """Short answers."""
    from ..adapters.reward.answer_reward import AnswerReward

    return Made(AnswerReward())


def reasoning_gym(given: options.ReasoningGymSettings, ground: Ground) -> Made:
    """Generated tasks."""
    from ..adapters.reward.reasoning_gym_reward import ReasoningGymReward

    functions = ground.functions()
    check = partial(functions.call, f"{_REWARDS}.reasoning_gym_check:score", [])
    return Made(ReasoningGymReward(functions, partial=given.partial), (check,), (functions.close,))


def length(given: options.LengthSettings, ground: Ground) -> Made:
    """How long an answer is."""
    from ..adapters.reward.length_reward import LengthReward

    return Made(LengthReward(shortest=given.shortest, longest=given.longest, unit=given.unit))


def judge(given: options.JudgeSettings, ground: Ground) -> Made:
    """Another model's opinion."""
    from ..adapters.model.openai_generator import OpenAiGenerator
    from ..adapters.reward.judge_reward import JudgeReward

    generator = OpenAiGenerator(
        url=given.url, model=given.model, api_key_env=given.api_key_env, timeout=given.timeout_seconds
    )
    scale = {"lowest": given.lowest, "highest": given.highest}
    key = partial(_secret, given.api_key_env, f'reward "{given.called}"')
    return Made(JudgeReward(generator, rubric=given.rubric, **scale), (key,))


def combined(given: options.CombinedSettings, ground: Ground) -> Made:
    """The reward that fits the row."""
    from ..adapters.reward.combined_reward import CombinedReward
    from .settings.data_settings import TASKS

    made = {task: ground.of_kind(task) for task in TASKS}
    return _on_top_of(made.values(), CombinedReward({task: one.reward for task, one in made.items()}))


def function(given: options.FunctionSettings, ground: Ground) -> Made:
    """A function of somebody's own, in a process that loads it as ``own_code`` does."""
    from ..adapters.reward.function_reward import FunctionReward
    from .settings.reward_settings import REWARDS

    name = given.called
    reward = FunctionReward(
        name,
        f"{own_code.__module__}:{own_code.__name__}",
        {"name": given.function, "root": ground.root, "asked_by": f'reward "{name}"', "group": REWARDS},
        arguments=given.arguments,
        timeout_seconds=given.timeout_seconds,
    )
    return Made(reward, (reward.start,), (reward.close,))


BUILDERS: Mapping[str, Callable[[Any, Ground], Made]] = {
    "coding": coding,
    "function_calling": function_calling,
    "chat": chat,
    "format": form,
    "math": math,
    "answer": answer,
    "reasoning_gym": reasoning_gym,
    "length": length,
    "judge": judge,
    "combined": combined,
    "function": function,
}


def rewards(
    given: Sequence[Mapping[str, Any]],
    blend: str,
    root: str,
    sandbox: Callable[[], Sandbox],
    functions: Callable[[], IsolatedFunctions],
) -> RewardsByName:
    """The rewards of a recipe, their blend, and every built-in one as it is.

    Args:
        given: the recipe's section, or what stands for it.
        sandbox, functions: give them; asked when a reward first needs one.
    """
    from pydantic import TypeAdapter

    from .settings.reward_settings import BLEND, BUILT_IN, Rewards

    own = {one.called: one for one in TypeAdapter(Rewards).validate_python(tuple(given))}
    kinds = {one.kind: name for name, one in reversed(own.items())}

    def of_kind(kind: str) -> Made:
        return by_name.made(kinds[kind]) if kind in kinds else built_in(kind)

    def built_in(kind: str) -> Made:
        return BUILDERS[kind](BUILT_IN[kind].model_validate({"kind": kind}), ground)

    def blended() -> Made:
        from ..adapters.reward.blended_reward import BlendedReward

        made = {name: by_name.made(name) for name, one in own.items() if one.weight}
        weights = {name: own[name].weight for name in made}
        parts = {name: one.reward for name, one in made.items()}
        return _on_top_of(made.values(), BlendedReward(parts, weights, Blend(blend)))

    ground = Ground(root, sandbox, functions, of_kind)
    builders = {kind: partial(built_in, kind) for kind in BUILT_IN}
    builders |= {name: partial(BUILDERS[one.kind], one, ground) for name, one in own.items()}
    by_name = RewardsByName(builders | {BLEND: blended})
    return by_name


def _on_top_of(made: Iterable[Made], reward: RewardModel) -> Made:
    """A reward that asks others, and stands on what they stand on."""
    below = tuple(made)
    checks = chain.from_iterable(one.check for one in below)
    return Made(reward, tuple(checks), tuple(chain.from_iterable(one.close for one in below)))
