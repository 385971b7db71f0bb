"""What a training takes: parameters and bytes, predicted before any weight is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .target_modules import targets


@dataclass(frozen=True, slots=True)
class RowSize:
    """A row of a forward pass: its tokens, and how many of them are labels."""

    tokens: int
    trained: int


@dataclass(frozen=True, slots=True)
class ForwardPass:
    """The largest forward pass of a training.

    Attributes:
        padded: rows are padded to one width instead of laid end to end.
        checkpointing: activations are computed again in the backward pass instead of kept.
        offloads: what is kept for that waits in the host's memory.
        accumulates: the gradients of an earlier pass are there already.
    """

    rows: tuple[RowSize, ...]
    padded: bool = False
    checkpointing: bool = False
    offloads: bool = False
    accumulates: bool = False

    @property
    def tokens(self) -> int:
        """That are computed, padding included."""
        longest = max(row.tokens for row in self.rows)
        return len(self.rows) * longest if self.padded else sum(row.tokens for row in self.rows)

    @property
    def labels(self) -> int:
        """Positions whose logits are computed; of padded rows, columns in which any row has a label."""
        if not self.padded:
            return sum(row.trained for row in self.rows)
        return len(self.rows) * max(row.trained for row in self.rows)


@dataclass(frozen=True, slots=True)
class Evaluating:
    """What is done at once when a model is evaluated.

    Attributes:
        answers: that are written together; ``tokens`` of each, with its prompt.
        scored: tokens whose loss is taken in one pass.
    """

    answers: int
    tokens: int
    scored: int = 0


@dataclass(frozen=True, slots=True)
class ModelShape:
    """A model without its weights.

    Attributes:
        dtype: of what is not quantised, and of what is computed.
        linear: outputs and inputs of every linear layer but the projection to the vocabulary, by full name.
        experts: likewise of every parameter with one matrix per expert, as (experts, outputs, inputs).
        cache_bytes: that one token of an answer takes in the cache of keys and values.
        positions: tokens of the longest row that it was made for; None where its configuration does not say.
    """

    name: str
    architecture: str
    dtype: str
    parameters: int
    layers: int
    linear: Mapping[str, tuple[int, int]]
    experts: Mapping[str, tuple[int, int, int]]
    cache_bytes: int
    positions: int | None = None

    def lora_parameters(self, preset: str, r: int) -> int:
        """Weights of plain LoRA of rank r: r (outputs + inputs) for every matrix.

        Raises:
            ModelError: M011 when the architecture has no such preset.
        """
        chosen = targets(preset, self.architecture, list(self.linear), list(self.experts))
        linear = [shape for name, shape in self.linear.items() if _ends(name, chosen.modules)]
        experts = [shape for name, shape in self.experts.items() if _ends(name, chosen.parameters)]
        return r * (sum(map(sum, linear)) + sum(count * (rows + columns) for count, rows, columns in experts))


def _ends(name: str, ends: Sequence[str]) -> bool:
    return any(name == end or name.endswith(f".{end}") for end in ends)


@dataclass(frozen=True, slots=True)
class Footprint:
    """The memory of one device in a training, in bytes, but for what the process takes before it.

    Attributes:
        weights: the base model as it is stored.
        quantised: of these, what is stored in fewer bits, and ``quantised_parameters`` how many that are.
        lora: the weights that are trained, with the frozen copy where there is one.
        gradients: of them.
        optimizer: two moments of every trained weight.
        activations: kept from the forward pass for the backward one.
        logits: what projecting to the vocabulary and the loss add to them.
        step: the most that a step adds to what rests in memory; less than the sum of the three above, since
            gradients come while activations go.
        evaluation: what evaluating adds, when nothing is trained: prompts that are read at once, of which
            ``cache`` are keys and values, or rows whose loss is taken.
        beginning: what is held beside the base weights until the LoRA weights have begun.
    """

    parameters: int
    trainable: int
    quantised_parameters: int
    weights: int
    quantised: int
    lora: int
    gradients: int
    optimizer: int
    activations: int
    logits: int
    step: int
    evaluation: int = 0
    cache: int = 0
    beginning: int = 0

    @property
    def whole(self) -> int:
        """The base weights that are not quantised: embeddings, head, norms."""
        return self.weights - self.quantised

    @property
    def resting(self) -> int:
        """Held from the first step to the last."""
        return self.weights + self.lora + self.optimizer

    @property
    def training(self) -> int:
        """The most that a step holds."""
        return self.resting + self.step

    @property
    def peak(self) -> int:
        """The most that is held at any time."""
        return max(self.training, self.resting + self.evaluation, self.weights + self.lora + self.beginning)

    @property
    def bits(self) -> float | None:
        """Of a quantised weight, scales included; None where nothing is quantised."""
        return 8 * self.quantised / self.quantised_parameters if self.quantised_parameters else None


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """The memory of a device, in bytes.

    Attributes:
        device: ``cpu`` or ``cuda``.
        name: in words.
        free: what a training can take; None where the system does not tell.
    """

    device: str
    name: str
    total: int | None
    free: int | None


CUDA_CONTEXT = 600 * 2**20
"""What CUDA and its libraries take beside the tensors, about half a GiB on the cards of today; a card that is
here tells what is free without it."""

LOOSE = 1.8
"""A CPU's allocator holds up to 1.75 times what is in use (measured on glibc) unless it is told not to."""


def fits(footprint: Footprint, memory: DeviceMemory) -> bool:
    """Whether a training fits; where nobody knows how much is free, it is let try."""
    return memory.free is None or footprint.peak <= memory.free


def is_tight(footprint: Footprint, memory: DeviceMemory) -> bool:
    """Whether a CPU's allocator must give back at once what is not in use, which costs time."""
    return memory.device == "cpu" and memory.free is not None and footprint.peak * LOOSE > memory.free
