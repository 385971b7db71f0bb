"""The section of a recipe that says which prompt is searched, by whom, and what that may cost."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .section import SECRET, Section, Text


class GeneratorSettings(Section):
    """A model that is asked."""

    kind: Literal["policy", "openai"] = Field(
        default="policy", description="policy: the recipe's own model; openai: a server's."
    )
    url: Text | None = Field(
        default=None, description="Of openai: where the server is, as http://localhost:8000/v1."
    )
    model: Text | None = Field(default=None, description="Of openai: the model's name there.")
    api_key_env: str | None = Field(
        default=None,
        pattern=SECRET,
        description="The environment variable with the server's key, CESELLO_...; the key is kept nowhere.",
    )
    timeout_seconds: float = Field(
        default=120.0, gt=0, allow_inf_nan=False, description="Of openai: for one answer."
    )


class OptimizerSettings(GeneratorSettings):
    """The model that thinks of prompts. Of the recipe's own, the base model without LoRA weights."""

    max_new_tokens: int = Field(default=512, ge=1, description="Longest answer of it, in tokens.")


class TasksSettings(Section):
    """How many tasks each part has at most; held-out rows test, 5 of 8 others are searched on."""

    search: int = Field(default=120, ge=1, description="Tasks that prompts are tried and thought of on.")
    selection: int = Field(default=72, ge=1, description="Tasks that choose among them.")
    test: int = Field(default=200, ge=1, description="Held-out tasks that the winner is proven on, once.")


class BudgetSettings(Section):
    """What the search may spend, the test included. It is never exceeded."""

    rollouts: int = Field(default=600, ge=1, description="Answers to tasks.")
    optimizer_calls: int = Field(default=0, ge=0, description="Calls of the optimizer.")
    tokens: int | None = Field(
        default=None,
        ge=1,
        description="That all answers to tasks have together, the optimizer's not among them; null: not "
        "limited.",
    )


class ApoSettings(Section):
    """Prompt search (algorithm: apo). The model is not changed; tasks are the rows, judged by the rewards."""

    components: tuple[Literal["system", "procedure", "question", "demos"], ...] = Field(
        default=("system", "demos"),
        strict=False,
        min_length=1,
        description="What may be changed: texts, and demos, which are solved tasks before the question.",
    )
    prompt: Text | None = Field(
        default=None,
        description="A prompt file under root to begin with, as another search wrote it; null: the texts "
        "below.",
    )
    system: str | None = Field(
        default=None, description="The system prompt to begin with; null: data.system_prompt."
    )
    procedure: str = Field(
        default="", description="A standard operating procedure that follows it; empty: none."
    )
    procedure_of: Text | None = Field(
        default=None,
        description="A procedure of this project: the body of its version in use is the procedure to begin "
        "with, and all that may change; null: the text above.",
    )
    question: str = Field(
        default="{question}", description="What the user's last turn becomes; it holds {question}."
    )
    values: dict[Text, str] = Field(
        default={}, description="Placeholder: what stands for it in these texts, as {product: cesello}."
    )
    tasks: TasksSettings = TasksSettings()
    budget: BudgetSettings = BudgetSettings()
    proposers: tuple[Literal["rules", "demos", "merge", "reflective", "history", "gepa"], ...] = Field(
        default=("rules", "demos", "merge"),
        strict=False,
        min_length=1,
        description="Who thinks of prompts. rules: instructions by the rewards' reasons; demos: solved "
        "tasks; merge: parts of two good prompts; reflective, history, gepa: the optimizer is asked.",
    )
    optimizer: OptimizerSettings | None = Field(
        default=None, description="The model that reflective, history and gepa ask; null: there is none."
    )
    generator: GeneratorSettings = GeneratorSettings()
    max_new_tokens: int = Field(default=256, ge=1, description="Longest answer to a task, in tokens.")
    temperature: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="Of these answers; 0 takes the likeliest token every time.",
    )
    replicates: int = Field(
        default=1, ge=1, description="Answers to the same task; above 1 they are drawn by a temperature."
    )
    batch_size: int = Field(default=16, ge=1, description="Tasks that are answered together.")
