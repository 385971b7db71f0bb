"""The ``data`` section: what is trained on, from where, and in which shares."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from .section import Section, Text

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
        default=False, description="Read over the network while training, without a full download."
    )


class FileSource(SourceSettings):
    """Files of your own."""

    kind: Literal["file"] = Field(description="Files of your own.")
    path: Text = Field(
        description="Under root: a file (jsonl, json, csv, parquet, arrow), a folder, or a pattern with *.",
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
    package: str = Field(
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$",
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
    """Functions of the running Python's standard library: their docstring asks, their code answers."""

    kind: Literal["stdlib"] = Field(description="Functions of the running Python's standard library.")
    modules: Annotated[tuple[Text, ...], Field(strict=False, min_length=1)] | None = Field(
        default=None, description="Modules to take, as [json, textwrap]; null: all of them."
    )


Source: TypeAlias = HubSource | FileSource | PackageSource | StdlibSource


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


class DataSettings(Section):
    """What the model learns from."""

    system_prompt: str | None = Field(
        default="You are a helpful AI assistant specialized in coding.",
        description="Put before conversations that bring none of their own; null: none.",
    )
    max_tokens: int = Field(default=1024, ge=1, description="Longest row, in tokens.")
    overlong: Literal["truncate", "drop"] = Field(
        default="truncate", description="What happens to a longer row."
    )
    mixture: MixtureSettings = MixtureSettings()
    sources: tuple[Annotated[Source, Field(discriminator="kind")], ...] = Field(
        strict=False, min_length=1, description="The datasets, each with a name and a weight."
    )
