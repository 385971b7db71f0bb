"""A model that can be asked, scored, tuned and saved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from ..conversation import Conversation
from ..generation import Completion, LossTotal, Sampling
from ..model_spec import LoraSpec, ModelSpec, PolicyFacts
from ..tokens import TokenRow


class Policy(Protocol):
    """A model with its tokenizer and the LoRA weights being tuned."""

    @property
    def facts(self) -> PolicyFacts:
        """What was loaded."""
        ...

    def encode(self, conversation: Conversation) -> TokenRow:
        """The conversation as the model reads it, whole, with its labels.

        Text of the conversation never becomes a special token.
        """
        ...

    def score(self, rows: Sequence[TokenRow]) -> LossTotal:
        """The cross-entropy of the rows' trained tokens, without dropout and without gradients."""
        ...

    def generate(
        self, prompts: Sequence[Conversation], sampling: Sampling, *, lora: bool = True
    ) -> tuple[Completion, ...]:
        """One completion a prompt, in the prompts' order; ``lora=False`` asks the untouched base model."""
        ...

    def stream(self, prompt: Conversation, sampling: Sampling, *, lora: bool = True) -> Iterator[str]:
        """The completion of one prompt, piece by piece."""
        ...

    def save(self, folder: Path) -> None:
        """LoRA weights in the PEFT layout and the tokenizer, as safetensors and JSON."""
        ...


class ModelProvider(Protocol):
    """Loads, quantises and prepares a model."""

    def load(
        self,
        model: ModelSpec,
        lora: LoraSpec,
        *,
        seed: int,
        gradient_checkpointing: bool = False,
    ) -> Policy:
        """The base model with fresh LoRA weights; the same seed gives the same weights.

        Raises:
            ModelError: M001 not found, M002 unreadable, M003 no tokenizer, M010, M011 target modules.
        """
        ...

    def reopen(self, model: ModelSpec, weights: Path) -> Policy:
        """The base model with LoRA weights that were saved before.

        Raises:
            ModelError: M004 when the weights belong to another base model, M008 when they are not safetensors
                or bring code, and those of ``load``.
        """
        ...


class Quantizer(Protocol):
    """How the frozen base weights are stored."""

    @property
    def name(self) -> str:
        """As in the recipe: none, nf4, int8."""
        ...

    def load_options(self, device: str, compute_dtype: str) -> dict[str, object]:
        """Keyword arguments for the library that loads the model; empty where nothing is quantised."""
        ...
