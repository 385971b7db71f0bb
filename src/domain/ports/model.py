"""A model that can be asked, scored, tuned and saved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from ..conversation import Conversation
from ..footprint import DeviceMemory, Evaluating, Footprint, ForwardPass, ModelShape
from ..generation import Completion, LossTotal, Sampling
from ..model_spec import LoraSpec, ModelSpec, PolicyFacts
from ..tokens import TokenRow


class Encoder(Protocol):
    """Turns conversations into what a model reads; it needs the tokenizer alone, no weights."""

    @property
    def identity(self) -> str:
        """A sha256 over tokenizer, chat template and way of encoding: same identity, same tokens."""
        ...

    @property
    def identities(self) -> Mapping[str, str]:
        """Its parts as a policy's identity names them: tokenizer, chat template."""
        ...

    def encode(self, conversations: Sequence[Conversation]) -> list[TokenRow]:
        """Each conversation whole, with its labels, in the order given.

        Text of a conversation never becomes a special token.

        Raises:
            DataError: D013 when the chat template leaves out what should be trained, D016 when it refuses the
                conversation.
        """
        ...

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """The text of each token, for display, of the length of ``ids``.

        Of several tokens that make one character together all but the last give an empty text, so that the
        joined pieces are the whole text.
        """
        ...


class Policy(Protocol):
    """A model with its tokenizer and the LoRA weights being tuned."""

    @property
    def facts(self) -> PolicyFacts:
        """What was loaded."""
        ...

    @property
    def identity(self) -> Mapping[str, str]:
        """What decides its answers and how it is trained: the same texts, the same policy.

        Of these names: base model, base weights, tokenizer, chat template, trained weights.
        """
        ...

    def encode(self, conversation: Conversation) -> TokenRow:
        """The conversation as the model reads it, whole, with its labels.

        Text of the conversation never becomes a special token.
        """
        ...

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """The text of each token, as its encoder has it."""
        ...

    def score(self, rows: Sequence[TokenRow], *, reference: bool = False) -> LossTotal:
        """The cross-entropy of the rows' trained tokens, without dropout and without gradients.

        Args:
            reference: asks what the training began with: the base model, or where it goes on from LoRA
                weights, the base model with these.
        """
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
        activation_offload: bool = False,
    ) -> Policy:
        """The base model with fresh LoRA weights, or with those that ``lora`` goes on from.

        The same seed gives the same weights.

        Args:
            gradient_checkpointing: activations are computed again in the backward pass instead of kept.
            activation_offload: what is kept nevertheless waits in the host's memory.

        Raises:
            ModelError: M001 not found, M002 unreadable, M003 no tokenizer, M010 to M012 what LoRA is asked,
                M014 weights missing; and those of ``reopen`` for weights to go on from.
        """
        ...

    def encoder(self, model: ModelSpec) -> Encoder:
        """What the policy of ``load`` encodes with, loaded without any weights.

        Raises:
            ModelError: M001 not found, M002 unreadable, M003 no tokenizer.
        """
        ...

    def identity(self, model: ModelSpec) -> str | None:
        """What decides the base model's answers: its weights, and how they are stored and computed.

        The same identity gives the same model, in every process; None where nothing cheap can tell.
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
        """As in the recipe: none, nf4, fp4, int8, torchao_int8."""
        ...

    def load_options(self, compute_dtype: str) -> dict[str, object]:
        """Keyword arguments for the library that loads the model; empty where nothing is quantised.

        Raises:
            ModelError: M009 when the library that quantises is not installed.
        """
        ...

    def complete(self, base: object, keep: Sequence[str] = ()) -> None:
        """Quantises what the library that loaded a model left as it was, in the model given.

        Args:
            keep: names of parameters, or their ends, that stay as they are since they get LoRA weights.
        """
        ...

    def stored_bytes(self, shape: Sequence[int], compute_dtype: str) -> int | None:
        """What a weight takes, scales included; None where it stays as it is.

        Args:
            shape: of two dimensions for a linear layer's, of three for one with a matrix per expert.
        """
        ...


class MemoryPredictor(Protocol):
    """Tells what a model takes from its configuration alone: no weight is read."""

    def shape(self, model: ModelSpec) -> ModelShape:
        """What the model is made of.

        Raises:
            ModelError: M001 not found, M002 unreadable.
        """
        ...

    def footprint(
        self, model: ModelSpec, quantizer: str, lora: LoraSpec, work: ForwardPass, evaluating: Evaluating
    ) -> Footprint:
        """What a training holds at most that does such a forward pass and is evaluated so.

        Args:
            quantizer: its name.

        Raises:
            ModelError: those of ``shape``, and M010 to M012 for what LoRA is asked.
        """
        ...


class Devices(Protocol):
    """What a model is computed on."""

    def memory(self, wanted: str, *, spread: bool = False) -> DeviceMemory:
        """Of the device that ``auto``, ``cpu`` or ``cuda`` chooses.

        Args:
            spread: of all GPUs together.

        Raises:
            ModelError: M005 when there is no such device.
        """
        ...
