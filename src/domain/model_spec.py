"""Which model is tuned and how, and what is known of it once it is loaded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A base model.

    Attributes:
        name: a hub name or a local folder.
        dtype: of weights that are not quantised; ``auto`` takes what the device does well.
        attention: the attention implementation, in transformers' words; ``auto`` takes FlashAttention where
            it is installed and can be used, else ``sdpa``.
        upcast: norms, embeddings and head of a quantised model in float32, as QLoRA was first trained.
        kernels: ``liger`` takes Liger's for norms and rotations, on a GPU.
        device_map: ``auto`` spreads the layers over all GPUs and, where they do not suffice, the CPU.
    """

    name: str
    revision: str | None = None
    dtype: str = "auto"
    attention: str = "auto"
    device: str = "auto"
    device_map: str | None = None
    upcast: bool = False
    kernels: str = "none"


@dataclass(frozen=True, slots=True)
class LoraSpec:
    """Low-rank adaptation (Hu et al., arXiv 2106.09685): W + s B A with s = alpha / r.

    Attributes:
        target_modules: a preset (``attention``, ``mlp``, ``all-linear``) or the names of modules.
        rslora: s = alpha / sqrt(r) (Kalajdzievski, arXiv 2312.03732).
        dora: the direction and the magnitude of W are learnt apart (Liu et al., arXiv 2402.09353).
        init: how A and B begin; see ``INITS``.
        modules_to_save: modules that are trained whole and saved with the LoRA weights.
        continue_from: a folder of LoRA weights to go on from; r, alpha and the modules are then theirs.
    """

    r: int = 16
    alpha: int = 32
    dropout: float = 0.05
    target_modules: str | tuple[str, ...] = "attention"
    rslora: bool = False
    dora: bool = False
    init: str = "default"
    modules_to_save: tuple[str, ...] = ()
    continue_from: str | None = None


INITS: dict[str, str] = {
    "default": "A by Kaiming, B zero: the model begins as it was",
    "gaussian": "A normal with deviation 1 / r, B zero",
    "orthogonal": "A and B in orthogonal subspaces, so that B A is zero; r must be even",
    "pissa": "the largest singular values of W move into A and B (Meng et al., arXiv 2404.02948)",
    "loftq": "A and B make up for what quantisation lost of W (Li et al., arXiv 2310.08659)",
}
"""How LoRA weights can begin."""


@dataclass(frozen=True, slots=True)
class PolicyFacts:
    """What was loaded, for the manifest and for a person."""

    name: str
    architecture: str
    parameters: int
    trainable_parameters: int
    target_modules: tuple[str, ...]
    quantizer: str
    dtype: str
    device: str
    chat_template: str
    """``model`` when the tokenizer brought one, ``chatml`` when it got ours."""
