"""A recipe: everything a run depends on. The descriptions feed the JSON schema and ``cesello init``.

These models check one value at a time; what holds between keys is in ``contradictions``.
"""

from __future__ import annotations

import re
from importlib import metadata
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from .apo_settings import ApoSettings
from .data_settings import DataSettings
from .grpo_settings import GrpoSettings
from .memory_settings import MemorySettings
from .reward_settings import Rewards, SandboxSettings
from .section import OWN_CODE, DType, Section, Text

OWN_ALGORITHMS = ("sft", "grpo", "apo")
GRPO_DEFAULTS: dict[str, dict[str, Any]] = {"training": {"learning_rate": 1e-5}, "lora": {"dropout": 0.0}}
"""What is usual there, where a recipe does not say otherwise."""
ALGORITHMS = "cesello.algorithms"
"""The group of entry points in which installed packages offer algorithms."""


def is_local(model_name: str) -> bool:
    """Whether a model's name is a folder rather than a name on the hub."""
    return model_name.startswith(("./", "../", "/"))


class ModelSettings(Section):
    """The base model."""

    name: str = Field(
        pattern=r"^(\.{0,2}/.*|[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)?)$",
        description="A name on the hub, or a folder under root that starts with ./, ../ or /.",
        examples=["HuggingFaceTB/SmolLM2-135M-Instruct"],
    )
    revision: Text | None = Field(
        default=None, description="A commit on the hub, to get the same weights; null: the newest."
    )
    dtype: DType = Field(
        default="auto", description="Number format of the weights; auto takes what the device does well."
    )
    attention: Literal["auto", "sdpa", "eager", "flash_attention_2"] = Field(
        default="auto",
        description="How attention is computed; auto: flash_attention_2 where its package is installed and a "
        "GPU computes in 16 bits, else sdpa.",
    )
    kernels: Literal["none", "liger"] = Field(
        default="none",
        description="liger: norms and rotations in Liger's kernels, on a GPU with the extra of that name.",
    )
    device_map: Literal["auto"] | None = Field(
        default=None,
        description="auto: layers are spread over all GPUs and what does not fit goes to the CPU; null: all "
        "of the model on one device.",
    )


class QuantizerSettings(Section):
    """Whether the frozen base weights are stored in fewer bits."""

    name: Literal["none", "nf4", "fp4", "int8", "torchao_int8"] = Field(
        default="none",
        description="nf4, fp4: 4 bits (QLoRA takes nf4); int8, torchao_int8: 8 bits; none: as they are.",
    )
    double_quant: bool = Field(
        default=True, description="nf4, fp4: quantise the scales too, about 0.4 bit less per weight."
    )
    compute_dtype: DType = Field(
        default="auto", description="nf4, fp4: number format that quantised weights are computed in."
    )
    storage: Literal["uint8", "float32", "bfloat16", "float16"] = Field(
        default="uint8",
        description="nf4, fp4: number format the packed bytes are kept in, the bytes being the same; engines "
        "that cut weights up want that of the other weights.",
    )
    upcast: bool = Field(
        default=False,
        description="Norms, embeddings and head in float32, as QLoRA was first trained: twice their memory.",
    )


def _written_as(value: Any) -> str:
    return "preset" if isinstance(value, str) else "names"


TargetModules: TypeAlias = Annotated[
    Annotated[Literal["attention", "mlp", "all-linear"], Tag("preset")]
    | Annotated[tuple[Text, ...], Field(strict=False, min_length=1), Tag("names")],
    Discriminator(_written_as),
]


class LoraSettings(Section):
    """The weights that are trained: two thin matrices beside each target module."""

    r: int = Field(
        default=16, ge=1, description="Rank of the matrices: more learns more and costs more memory."
    )
    alpha: int = Field(default=32, ge=1, description="Their output is scaled by alpha / r.")
    dropout: float = Field(
        default=0.05,
        ge=0,
        lt=1,
        allow_inf_nan=False,
        description="Share of inputs dropped, 0 to below 1; with grpo 0.",
    )
    target_modules: TargetModules = Field(
        default="attention", description="attention, mlp, all-linear, or a list of names as [q_proj, v_proj]."
    )
    rslora: bool = Field(
        default=False, description="Scale by alpha / sqrt(r) instead of alpha / r: for a large r."
    )
    dora: bool = Field(
        default=False, description="Learn magnitude and direction apart: a little better, slower."
    )
    init: Literal["default", "gaussian", "orthogonal", "pissa", "loftq"] = Field(
        default="default",
        description="How they begin. default, gaussian: one matrix zero; orthogonal: neither; pissa: with "
        "the largest singular values of weights that are not quantised; loftq: with what quantisation "
        "lost.",
    )
    modules_to_save: tuple[Text, ...] = Field(
        default=(),
        strict=False,
        description="Modules trained whole and saved too, as [embed_tokens, lm_head] for new tokens.",
    )
    continue_from: Text | None = Field(
        default=None,
        description="A run's folder, or one of LoRA weights, under root, to go on from; its r, alpha, "
        "dropout and modules are taken. null: begin anew.",
    )


class CallbackSettings(Section):
    """A Lightning callback of your own."""

    code: str = Field(
        pattern=OWN_CODE,
        description="module:Class; the module is a .py file or a package under root.",
        examples=["my_callbacks:Watch"],
    )
    arguments: dict[Text, Any] = Field(default={}, description="What it is made with, by name.")


class TrainingSettings(Section):
    """How the weights are optimised."""

    max_steps: int | None = Field(
        default=None,
        ge=1,
        description="Optimizer steps; null: until data.mixture.stop ends the training.",
        examples=[100],
    )
    batching: Literal["rows", "grouped", "packed"] = Field(
        default="rows",
        description="rows: as they are drawn; grouped: rows of like length together; packed: sequences "
        "filled up to data.max_tokens with whole rows.",
    )
    batch_size: int = Field(
        default=4, ge=1, description="Rows of one forward pass; when packed, sequences of it."
    )
    window: int = Field(
        default=1024, ge=1, description="grouped, packed: so many rows may change places with each other."
    )
    accumulate: int = Field(default=1, ge=1, description="Forward passes of one optimizer step.")
    learning_rate: float = Field(
        default=2e-4, gt=0, allow_inf_nan=False, description="The peak, after the warmup; with grpo 1e-5."
    )
    weight_decay: float = Field(default=0.01, ge=0, allow_inf_nan=False, description="AdamW's weight decay.")
    warmup_steps: int = Field(
        default=0, ge=0, description="Steps in which the learning rate rises to its peak."
    )
    final_learning_rate: float = Field(
        default=0.0,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Where the cosine ends, as a share of the peak, 0 to 1.",
    )
    gradient_clip: float = Field(
        default=1.0, gt=0, allow_inf_nan=False, description="Largest norm of the gradient."
    )
    gradient_checkpointing: bool = Field(
        default=False, description="Compute activations twice to save memory: about a third more time."
    )
    activation_offload: bool = Field(
        default=False,
        description="With gradient_checkpointing, what is kept nevertheless waits in the host's memory.",
    )
    optimizer: Literal["adamw", "adamw_8bit", "paged_adamw", "paged_adamw_8bit"] = Field(
        default="adamw",
        description="adamw: torch's, fused; adamw_8bit: moments in 8 bits; paged_: moments move to the "
        "host's memory where the GPU's is short.",
    )
    on_nonfinite: Literal["error", "skip"] = Field(
        default="error",
        description="A loss or gradient that is not finite ends the training, or its step is left out (at "
        "most 3 in a row); its rows are kept either way.",
    )
    deterministic: bool = Field(
        default=False,
        description="The same bits from the same steps on a GPU too, as they are on a CPU; slower.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where the training runs; auto: a GPU if any."
    )
    strategy: Literal["auto", "ddp", "fsdp"] = Field(
        default="auto",
        description="How the processes of torchrun share the work. ddp: each holds the whole model; fsdp: "
        "each holds a part of its weights; auto: ddp where there are several.",
    )
    callbacks: tuple[CallbackSettings, ...] = Field(
        default=(),
        strict=False,
        description="Lightning callbacks of your own that watch the training, as [{code: my_file:MyCallback, "
        "arguments: {every: 10}}]. Their code is run.",
    )


class CheckpointSettings(Section):
    """When a training is saved on its way, so that it can be gone on with to the bit: train --resume."""

    every_steps: int | None = Field(
        default=None, ge=1, description="After every so many steps; null: by time alone."
    )
    every_minutes: float | None = Field(
        default=10.0,
        gt=0,
        allow_inf_nan=False,
        description="And after so many minutes; null: by steps alone.",
    )
    keep_last: int = Field(default=2, ge=1, description="The newest so many are kept,")
    keep_best: int = Field(
        default=1,
        ge=0,
        description="and so many with the lowest held-out loss, where evaluation.every_steps measures it.",
    )
    final: Literal["last", "best"] = Field(
        default="last", description="The run's weights are those of the last step, or of the best checkpoint."
    )


class GenerateSettings(Section):
    """Answers to held-out prompts, graded by a reward."""

    source: Text = Field(description="A source's name.", examples=["functions"])
    reward: Text = Field(
        description="How answers are graded: a reward of the recipe by its name, blend for all of them, or "
        "coding, function_calling, chat, math, reasoning_gym, length or combined as they are.",
        examples=["function_calling"],
    )
    rows: int = Field(default=24, ge=1, description="Held-out rows that are answered.")


class EvaluationSettings(Section):
    """What is measured on held-out rows, before and after the training."""

    rows: int | None = Field(
        default=None, ge=1, description="Held-out rows per source that the loss is taken on; null: all."
    )
    batch_size: int = Field(default=8, ge=1, description="Rows of one forward pass.")
    samples: int = Field(default=3, ge=0, description="Answers per source kept to be read, before and after.")
    max_new_tokens: int = Field(default=96, ge=1, description="Longest answer, in tokens.")
    every_steps: int | None = Field(
        default=None, ge=1, description="Also after every so many steps; null: before and after only."
    )
    patience: int | None = Field(
        default=None,
        ge=1,
        description="The training ends after so many of those evaluations without a lower held-out loss; "
        "null: never for that.",
    )
    least_improvement: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="By how much the loss must fall to count, in nats.",
    )
    generate: tuple[GenerateSettings, ...] = Field(
        default=(),
        strict=False,
        description="Graded answers, as [{source: functions, reward: function_calling, rows: 24}].",
    )


def offered_algorithms() -> tuple[str, ...]:
    """What installed packages offer."""
    return tuple(sorted(metadata.entry_points(group=ALGORITHMS).names))


def _known_algorithm(value: Any) -> Any:
    if isinstance(value, str) and value not in OWN_ALGORITHMS and not re.match(OWN_CODE, value):
        offered = offered_algorithms()
        if value not in offered:
            known = ", ".join(f"'{name}'" for name in (*OWN_ALGORITHMS, *offered))
            raise PydanticCustomError("unknown_algorithm", "unknown", {"expected": known})
    return value


class Recipe(Section):
    """Everything a run depends on."""

    algorithm: Annotated[str, BeforeValidator(_known_algorithm)] = Field(
        default="sft",
        description="How the model learns. sft: supervised fine-tuning; grpo: reinforcement by the rewards; "
        "apo: it does not, a better prompt is searched; my_file:MyAlgorithm: a class of your own under root; "
        "or the name of one that an installed package offers. Its code is run.",
    )
    algorithm_arguments: dict[Text, Any] = Field(
        default={}, description="What a class of your own is made with, by name."
    )
    grpo: GrpoSettings = GrpoSettings()
    apo: ApoSettings = ApoSettings()
    name: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9-]+$",
        max_length=64,
        description="Part of the run's id: small letters, digits and hyphens; null: none.",
    )
    seed: int = Field(
        default=0, ge=0, le=2**32 - 1, description="The same seed gives the same order of rows."
    )
    output: Text = Field(default="runs", description="Folder of the runs, relative to the current folder.")
    root: Text = Field(
        default=".", description="Paths below stay under this folder, itself relative to the recipe's."
    )
    model: ModelSettings
    quantizer: QuantizerSettings = QuantizerSettings()
    lora: LoraSettings = LoraSettings()
    data: DataSettings
    training: TrainingSettings = TrainingSettings()
    checkpoint: CheckpointSettings = CheckpointSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    rewards: Rewards = Field(
        default=(), strict=False, description="What judges answers, each with a kind, a name and a weight."
    )
    blend: Literal["mean", "sum"] = Field(
        default="mean",
        description="How the scores of the rewards that apply to a row become one. mean: by weight; sum: of "
        "score x weight, kept within -1 and 1.",
    )
    sandbox: SandboxSettings = SandboxSettings()
    loggers: tuple[Literal["tensorboard", "wandb", "mlflow", "trackio"], ...] = Field(
        default=("tensorboard",),
        strict=False,
        description="Where the figures go besides the run's own files: tensorboard, wandb, mlflow, trackio; "
        "the last three are extras to be installed.",
    )
    traces: bool = Field(
        default=True,
        description="Keep what the run does and how long that takes in runs.sqlite of the folder of runs.",
    )
    memory: MemorySettings = MemorySettings()

    @model_validator(mode="before")
    @classmethod
    def _with_defaults_of_the_algorithm(cls, values: Any) -> Any:
        if not (isinstance(values, dict) and values.get("algorithm") == "grpo"):
            return values
        usual = {
            section: defaults | values.get(section, {})
            for section, defaults in GRPO_DEFAULTS.items()
            if isinstance(values.get(section, {}), dict)
        }
        return values | usual
