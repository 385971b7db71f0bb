"""The section of a recipe that says how completions are drawn and learnt from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .section import OWN_CODE, SECRET, Section, Text

SEARCH = "search"
"""The tool of ours, which a recipe names without a colon."""

_TOOL = f"^{SEARCH}$|{OWN_CODE}"


class VllmSettings(Section):
    """A vLLM server that draws the completions; it is given the LoRA weights after every step."""

    url: Text = Field(description="Its address.", examples=["http://localhost:8000/v1"])
    api_key_env: str | None = Field(
        default=None,
        pattern=SECRET,
        description="The environment variable that holds its key, CESELLO_...; null: none is sent.",
    )
    folder: Text = Field(
        default="vllm-lora", description="Where LoRA weights are put for it, under root; it must see them."
    )


class CurriculumSettings(Section):
    """Which of a source's prompts is asked: rather one that is sometimes solved."""

    target: float = Field(
        default=0.5, ge=0, le=1, allow_inf_nan=False, description="The success rate that is sought."
    )
    candidates: int = Field(
        default=4, ge=2, le=64, description="Prompts of a source of which the nearest to it is asked."
    )


class GrpoSettings(Section):
    """Reinforcement (algorithm: grpo). Prompts are the rows; a step has training.batch_size of them."""

    completions: int = Field(
        default=8, ge=2, description="Of each prompt; they are compared with each other."
    )
    max_completion_tokens: int = Field(
        default=256, ge=1, description="Longest completion, with what tools say in it."
    )
    temperature: float = Field(
        default=1.0, gt=0, allow_inf_nan=False, description="At which completions are drawn."
    )
    top_p: float = Field(
        default=1.0,
        gt=0,
        le=1,
        allow_inf_nan=False,
        description="Only the likeliest tokens that together have this probability are drawn.",
    )
    aggregation: Literal["dapo", "grpo", "bnpo", "dr_grpo"] = Field(
        default="dapo",
        description="How tokens' losses become one. dapo: mean over the step's tokens; grpo: mean over "
        "completions of their means; bnpo: mean over a forward pass's tokens; dr_grpo: by a constant.",
    )
    ratio: Literal["token", "sequence"] = Field(
        default="token",
        description="What is compared with its probability before: token, or completion (GSPO).",
    )
    clip_low: float = Field(
        default=0.2, ge=0, lt=1, allow_inf_nan=False, description="The ratio is held above 1 minus this,"
    )
    clip_high: float = Field(default=0.28, ge=0, allow_inf_nan=False, description="and below 1 plus this.")
    dual_clip: float | None = Field(
        default=None,
        gt=1,
        allow_inf_nan=False,
        description="Largest ratio that counts where the advantage is negative; null: none.",
    )
    scale: Literal["group", "batch", "none"] = Field(
        default="group", description="By which standard deviation advantages are divided; none is Dr. GRPO."
    )
    beta: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="Weight of the divergence from the reference, what the training began with; 0: none.",
    )
    masks_overlong: bool = Field(
        default=True, description="A completion that was cut off is not learnt from, and counted."
    )
    skips_dead: bool = Field(
        default=True, description="Groups whose rewards are all equal are left out of the update."
    )
    resample: int = Field(
        default=0,
        ge=0,
        description="Prompts that are asked besides in a step at most, for those whose completions all score "
        "the same.",
    )
    curriculum: CurriculumSettings | None = Field(
        default=None, description="Prompts chosen by how often they were solved; null: in the data's order."
    )
    updates: int = Field(default=1, ge=1, description="Optimizer steps on every rollout.")
    pass_tokens: int = Field(
        default=4096, ge=1, description="Tokens of one forward pass, a group's prompt counted once."
    )
    engine: Literal["local", "transformers", "vllm"] = Field(
        default="local",
        description="What draws completions. local: cesello's own; transformers: its continuous batching; "
        "vllm: a server.",
    )
    vllm: VllmSettings | None = Field(default=None, description="engine vllm: its server.")
    tools: tuple[Annotated[str, Field(pattern=_TOOL)], ...] = Field(
        default=(),
        strict=False,
        description="What a completion may call. search: the memory. Functions of your own: module:function, "
        "the module being a .py file or a package under root. They are run.",
    )
    max_turns: int = Field(
        default=4,
        ge=1,
        description="With tools or guided procedures: answers in one completion; what the last one calls "
        "is not run.",
    )
    tool_timeout: float = Field(
        default=10.0, gt=0, allow_inf_nan=False, description="Seconds for one call of a tool."
    )
