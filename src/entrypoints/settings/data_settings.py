"""The ``data`` section: what is trained on, from where, and in which shares."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from ...domain.row_slice import RowSlice
from .section import OWN_CODE, Section, Text

Shape: TypeAlias = Literal[
    "auto",
    "messages",
    "conversations",
    "instruction",
    "prompt_completion",
    "glaive",
    "xlam",
    "text",
    "bfcl",
    "prompt",
]


TaskName: TypeAlias = Literal["coding", "function_calling", "math", "reasoning_gym", "answer", "chat"]
TASKS: tuple[str, ...] = get_args(TaskName)
"""What rows can be, for the reward ``combined``."""


def _sliced(text: str) -> str:
    try:
        RowSlice.parse(text)
    except ValueError as cause:
        raise PydanticCustomError("row_slice", "{reason}", {"reason": str(cause)}) from cause
    return text


def _wanted(value: Any) -> Any:
    choices = value if isinstance(value, list) else [value]
    if not choices or not all(isinstance(choice, str | int | float) for choice in choices):
        raise PydanticCustomError("wanted_value", "text, a number, true or false, or a list of them")
    return value


def _task(value: Any) -> Any:
    task = {"name": value} if isinstance(value, str) else value
    if not isinstance(task, dict) or not isinstance(task.get("name"), str) or not task["name"]:
        raise PydanticCustomError("reasoning_task", "a task's name, or a map with its name and settings")
    return task


def _facts(value: Any) -> Any:
    """A list of columns is a map in which each is called as the source calls it."""
    if not isinstance(value, list):
        return value
    if not all(isinstance(column, str) and column for column in value):
        raise PydanticCustomError("facts", "names of columns, or a map of them")
    return {column: column for column in value}


_SCALAR = {"type": ["string", "number", "boolean"]}
PackageName: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")]
Slice: TypeAlias = Annotated[str, AfterValidator(_sliced)]
Wanted: TypeAlias = Annotated[
    Any,
    PlainValidator(_wanted),
    WithJsonSchema({"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR, "minItems": 1}]}),
]
_COLUMN = {"type": "string", "minLength": 1}
Facts: TypeAlias = Annotated[
    dict[Text, Text],
    BeforeValidator(_facts),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "object", "additionalProperties": _COLUMN},
                {"type": "array", "items": _COLUMN},
            ]
        }
    ),
]
Task: TypeAlias = Annotated[
    Any,
    PlainValidator(_task),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {
                    "type": "object",
                    "properties": {"name": {"type": "string", "minLength": 1}},
                    "required": ["name"],
                },
            ]
        }
    ),
]


class SourceSettings(Section):
    """What every source has, wherever it comes from."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9_-]+$",
        description="What reports and --set call this source; no two sources share a name.",
        examples=["code"],
    )
    weight: float = Field(
        default=1.0,
        ge=0,
        allow_inf_nan=False,
        description="Its share of the rows trained on, relative to the other sources; 0: only evaluated.",
    )
    shape: Shape = Field(default="auto", description="The form of its rows; auto looks at their columns.")
    columns: dict[str, Text] = Field(
        default={},
        description="Standard column name: the source's own, as {prompt: problem, completion: solution}.",
    )
    reference: Facts = Field(
        default={},
        description="What a reward may know of a row, and the source's column of it, as {tests: test, setup: "
        "imports}; or a list of columns that keep their names. The model never sees it.",
    )
    task: TaskName | None = Field(
        default=None,
        description="What its rows are, for the reward combined: coding, function_calling, math, "
        "reasoning_gym or chat; null: it looks at each row.",
    )
    slice: Slice | None = Field(
        default=None,
        description='Read this part alone, as "[:5%]", "[100:]" or "[-100:]", with the quotes; null: all.',
    )
    where: dict[Text, Wanted] = Field(
        default={},
        description="Keep rows whose own column has this value, as {language: it} or {language: [it, en]}.",
    )
    max_samples: int | None = Field(
        default=None, ge=1, description="Use at most so many rows, a seeded sample of all; null: all of them."
    )
    holdout: int = Field(default=24, ge=0, description="Rows kept out of training, for evaluation.")
    min_characters: int | None = Field(
        default=None, ge=1, description="Drop conversations with less text, in characters; null: no limit."
    )
    max_characters: int | None = Field(
        default=None, ge=1, description="Drop conversations with more text, in characters; null: no limit."
    )


class HubSource(SourceSettings):
    """A dataset on the Hugging Face hub."""

    kind: Literal["hub"] = Field(description="A dataset on the hub.")
    repo: str = Field(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)?$",
        description="The dataset's name.",
        examples=["HuggingFaceH4/ultrachat_200k"],
    )
    config: Text | None = Field(
        default=None, description="A configuration of the dataset; null: its default."
    )
    split: Text = Field(default="train", description="The split to read.")
    revision: Text | None = Field(
        default=None, description="A commit, to read the same rows next year too; null: the newest."
    )
    streaming: bool = Field(
        default=False,
        description="Read row by row over the network, without a full download; a slice ends it early.",
    )


class FileSource(SourceSettings):
    """Files of your own."""

    kind: Literal["file"] = Field(description="Files of your own.")
    path: Text = Field(
        description="Under root: a file (jsonl, json, csv (.gz, .zst), parquet, arrow), a folder, or "
        "a pattern with *.",
        examples=["data/conversations.jsonl"],
    )


class PackageJoin(Section):
    """Rows of a second folder, added to those of the first that have the same key."""

    folder: Text = Field(
        description="A folder of the package; its file of the same name is joined.",
        examples=["data/possible_answer"],
    )
    key: Text = Field(description="The column that both rows share.", examples=["id"])


class PackageSource(SourceSettings):
    """Data that an installed Python package carries."""

    kind: Literal["package"] = Field(description="Data that an installed Python package carries.")
    package: PackageName = Field(
        description="The package's name on PyPI.",
        examples=["bfcl-eval"],
    )
    files: tuple[Text, ...] = Field(
        strict=False,
        min_length=1,
        description="Paths inside the package.",
        examples=[["data/BFCL_v4_simple_python.json"]],
    )
    join: PackageJoin | None = Field(default=None, description="Answers kept in other files; null: none.")


class StdlibSource(SourceSettings):
    """Functions of Python code that is here already: their docstring asks, their code answers."""

    kind: Literal["stdlib"] = Field(
        description="Documented functions of Python code: of its standard library, a package, or a folder."
    )
    modules: Annotated[tuple[Text, ...], Field(strict=False, min_length=1)] | None = Field(
        default=None,
        description="Modules of the standard library, as [json, textwrap]; null: all, unless there is a "
        "package or a folder.",
    )
    package: PackageName | None = Field(
        default=None, description="An installed package instead, by its name on PyPI or in an import."
    )
    folder: Text | None = Field(default=None, description="A folder of your own code instead, under root.")


class ReasoningGymSource(SourceSettings):
    """Generated tasks with answers that can be verified; needs pip install "cesello[reasoning]"."""

    kind: Literal["reasoning_gym"] = Field(description="Tasks generated by the package reasoning-gym.")
    tasks: tuple[Task, ...] = Field(
        strict=False,
        min_length=1,
        description="Names of its tasks, or maps of a name and settings, as {name: chain_sum, max_terms: 3}.",
        examples=[["chain_sum", "letter_counting"]],
    )
    size: int = Field(default=500, ge=1, description="Rows of every task; a task's own size goes before.")
    seed: int = Field(default=0, ge=0, description="Another seed, other rows.")


class PythonSource(SourceSettings):
    """What a function of your own gives: an iterable of mappings, each a row."""

    kind: Literal["python"] = Field(description="Rows that a function of your own gives. It is run.")
    function: str | None = Field(
        default=None,
        pattern=OWN_CODE,
        description="module:function; the module is a .py file or a package under root. Null: entry_point.",
        examples=["my_rows:generate"],
    )
    entry_point: Text | None = Field(
        default=None,
        description="What an installed package offers in the group cesello.sources; null: function.",
    )
    arguments: dict[Text, Any] = Field(default={}, description="What it is called with, by name.")


class ReplaySource(SourceSettings):
    """Prompts that the untouched base model answers: training on what it says keeps it from forgetting."""

    kind: Literal["replay"] = Field(description="Prompts that the untouched base model answers.")
    path: Text = Field(
        description="Files of prompts, as of the kind file, in any shape; answers in them are not used.",
        examples=["data/prompts.jsonl"],
    )
    max_new_tokens: int = Field(default=256, ge=1, description="Longest answer, in tokens.")
    temperature: float = Field(
        default=0.0, ge=0, allow_inf_nan=False, description="0 takes the likeliest token every time."
    )


Source: TypeAlias = (
    HubSource | FileSource | PackageSource | StdlibSource | ReasoningGymSource | PythonSource | ReplaySource
)


class MixtureSettings(Section):
    """How the sources are mixed; after any n rows each is within one row of its share."""

    temperature: float | None = Field(
        default=None,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Shares follow rows ** temperature (0 to 1) instead of the weights; null: the weights.",
    )
    max_passes: int = Field(default=4, ge=1, description="How often one row may come at most.")
    stop: Literal["max_steps", "first_exhausted", "all_seen"] = Field(
        default="max_steps",
        description="What ends the training: the steps, the first source used up, or every row seen once.",
    )


class CopiesSettings(Section):
    """Rows that say the same. Copies of held-out rows are never trained on."""

    drop: Literal["none", "exact", "near"] = Field(
        default="exact",
        description="Train once on rows that are the same in one or two sources (exact), or also on rows "
        "that are nearly the same (near); none keeps them all.",
    )
    similarity: float = Field(
        default=0.8,
        gt=0,
        le=1,
        allow_inf_nan=False,
        description="Share of word groups in common from which two rows are nearly the same, 0 to 1.",
    )


class DataSettings(Section):
    """What the model learns from."""

    system_prompt: str | None = Field(
        default="You are a helpful AI assistant specialized in coding.",
        description="Put before conversations that bring none of their own; null: none.",
    )
    prompt: Text | None = Field(
        default=None,
        description="A prompt file under root, as a search (algorithm: apo) writes it: system prompt, "
        "procedure, question and demos around every conversation, in place of system_prompt; null: none.",
    )
    max_tokens: int = Field(default=1024, ge=1, description="Longest row, in tokens.")
    overlong: Literal["truncate", "drop", "split"] = Field(
        default="truncate", description="A longer row is cut off, left out, or cut into several."
    )
    mixture: MixtureSettings = MixtureSettings()
    copies: CopiesSettings = CopiesSettings()
    sources: tuple[Annotated[Source, Field(discriminator="kind")], ...] = Field(
        strict=False, min_length=1, description="The datasets, each with a name and a weight."
    )
