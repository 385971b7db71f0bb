"""The ``rewards`` and ``sandbox`` sections: what judges answers, and where programs a model wrote are run."""

from __future__ import annotations

import re
from importlib import metadata
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from .section import OWN_CODE, SECRET, Section, Text

REWARDS = "cesello.rewards"
"""The group of entry points in which installed packages offer rewards."""

"""Variables whose content is sent somewhere: a recipe can name those alone that were meant for that."""

BLEND = "blend"
"""What the blend of all rewards is called, where a reward is named."""


class RewardSettings(Section):
    """What every reward has, whatever it judges by."""

    name: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_-]+$",
        description="What evaluation.generate and reports call it; no two share a name. Null: its kind.",
    )
    weight: float = Field(
        default=1.0,
        allow_inf_nan=False,
        description="How much its score counts in the blend; below 0: the less the better; 0: not in it.",
    )

    @property
    def called(self) -> str:
        """Its name, or the kind that stands for one."""
        return self.name or kind_of(type(self))


class CodingSettings(RewardSettings):
    """Runs the program of an answer in the sandbox, against the tests of the row."""

    kind: Literal["coding"] = Field(description="A program, run against the tests of the row.")
    wall_seconds: float = Field(
        default=10.0, gt=0, allow_inf_nan=False, description="For all tests of a program together."
    )
    cpu_seconds: int = Field(default=5, ge=1, description="Of the processor, for the program.")
    memory_mb: int = Field(default=1024, ge=64, description="Memory of the program, in MiB.")
    partial: bool = Field(default=False, description="Some of the tests passed is worth something.")


class FunctionCallingSettings(RewardSettings):
    """Compares the calls of an answer with those of the row."""

    kind: Literal["function_calling"] = Field(description="The right calls of the right functions.")


class ChatSettings(RewardSettings):
    """Length, repetition and language of an answer, and what it has in common with the row's reference."""

    kind: Literal["chat"] = Field(description="Length, repetition, language, words of the reference.")
    shortest: int = Field(default=5, ge=1, description="From so many words,")
    longest: int = Field(default=400, ge=1, description="to so many its length is right.")


def _compiled(pattern: str) -> str:
    import regex

    try:
        regex.compile(pattern, regex.DOTALL | regex.VERSION0)
    except (regex.error, RecursionError, OverflowError) as cause:
        raise PydanticCustomError("pattern", "{reason}", {"reason": str(cause)}) from cause
    return pattern


Pattern: TypeAlias = Annotated[Text, AfterValidator(_compiled)]


class FormatSettings(RewardSettings):
    """Whether an answer has a form: a pattern or a JSON schema, one of the two."""

    kind: Literal["format"] = Field(description="A pattern, or a JSON schema, that the answer fits.")
    pattern: Pattern | None = Field(
        default=None, description="A regular expression that all of the answer matches; null: json_schema."
    )
    json_schema: dict[Text, Any] | None = Field(
        default=None, description="A schema that the answer, read as JSON, keeps to; null: pattern."
    )


class MathSettings(RewardSettings):
    """Whether the answer's result equals the row's, as mathematics."""

    kind: Literal["math"] = Field(description="A result that equals the answer of the row.")


class AnswerSettings(RewardSettings):
    """Whether the answer is the short one of the row: a name, a path, a value."""

    kind: Literal["answer"] = Field(description="One of the right short answers of the row, and no more.")


class ReasoningGymSettings(RewardSettings):
    """What the package reasoning-gym says of an answer to one of its tasks."""

    kind: Literal["reasoning_gym"] = Field(description="Tasks of the package reasoning-gym.")
    partial: bool = Field(
        default=False, description="What the task says of a wrong answer is worth something."
    )


class LengthSettings(RewardSettings):
    """How long an answer is."""

    kind: Literal["length"] = Field(description="How long an answer is.")
    shortest: int = Field(default=1, ge=1, description="From so many words,")
    longest: int = Field(default=400, ge=1, description="to so many its length is right.")
    unit: Literal["words", "characters"] = Field(default="words", description="words or characters.")


class JudgeSettings(RewardSettings):
    """Another language model, asked over HTTP in OpenAI's form, says how good an answer is."""

    kind: Literal["judge"] = Field(description="The opinion of another model, over HTTP.")
    url: str = Field(
        pattern=r"^https?://[^\s]+$",
        description="Where it is asked, without /chat/completions.",
        examples=["http://localhost:8000/v1"],
    )
    model: Text = Field(description="Its name there.", examples=["Qwen/Qwen3-8B"])
    api_key_env: str | None = Field(
        default=None,
        pattern=SECRET,
        description="The environment variable that holds its key, CESELLO_...; null: none is sent.",
    )
    rubric: Text | None = Field(default=None, description="What makes an answer good; null: a general one.")
    lowest: int = Field(default=1, description="The worst grade it may give,")
    highest: int = Field(default=10, description="and the best.")
    timeout_seconds: float = Field(default=60.0, gt=0, allow_inf_nan=False, description="For one answer.")


class CombinedSettings(RewardSettings):
    """Takes the reward that fits the row: by the task of its source, or else by what the row holds."""

    kind: Literal["combined"] = Field(description="The reward that fits the row's task.")


def offered_rewards() -> tuple[str, ...]:
    """What installed packages offer."""
    return tuple(sorted(metadata.entry_points(group=REWARDS).names))


def _known_function(value: Any) -> Any:
    if isinstance(value, str) and not re.match(OWN_CODE, value) and value not in offered_rewards():
        known = ", ".join(f"'{name}'" for name in offered_rewards())
        raise PydanticCustomError("unknown_function", "unknown", {"expected": known})
    return value


class FunctionSettings(RewardSettings):
    """A function of your own: (prompt, completion, **row), which gives a number."""

    kind: Literal["function"] = Field(description="A function of your own. It is run.")
    function: Annotated[str, BeforeValidator(_known_function)] = Field(
        description="module:function, the module being a .py file or a package under root; or what an "
        "installed package offers in the group cesello.rewards.",
        examples=["my_rewards:judge"],
    )
    arguments: dict[Text, Any] = Field(default={}, description="What it is called with besides, by name.")
    timeout_seconds: float = Field(default=10.0, gt=0, allow_inf_nan=False, description="For one answer.")


Reward: TypeAlias = (
    CodingSettings
    | FunctionCallingSettings
    | ChatSettings
    | FormatSettings
    | MathSettings
    | AnswerSettings
    | ReasoningGymSettings
    | LengthSettings
    | JudgeSettings
    | CombinedSettings
    | FunctionSettings
)
Rewards: TypeAlias = tuple[Annotated[Reward, Field(discriminator="kind")], ...]


def kind_of(model: type[RewardSettings]) -> str:
    """What such a reward is in a recipe."""
    kind: str = get_args(model.model_fields["kind"].annotation)[0]
    return kind


KINDS = frozenset(kind_of(model) for model in get_args(Reward))
"""What a reward without a name is called."""

BUILT_IN = {
    kind_of(model): model
    for model in get_args(Reward)
    if model not in (FormatSettings, JudgeSettings, FunctionSettings)
}
"""Those that need no options: they can be named without being in the recipe."""


class SandboxSettings(Section):
    """Where programs a model wrote are run. It is not used where no reward runs any."""

    tier: Literal["auto", "landlock", "bubblewrap", "landlock+bubblewrap", "remote"] = Field(
        default="auto",
        description="How they are held; auto: the strongest that passes its test here, remote: by a service "
        "elsewhere.",
    )
    workers: int | None = Field(
        default=None, ge=1, description="Programs at a time; null: as many as there are processors."
    )
    url: str | None = Field(
        default=None, pattern=r"^https?://[^\s]+$", description="remote: the address of the service."
    )
    token_env: str | None = Field(
        default=None,
        pattern=SECRET,
        description="remote: the environment variable that holds its token, CESELLO_...; null: none is sent.",
    )
