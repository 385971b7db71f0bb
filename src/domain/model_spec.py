"""Which model is tuned and how: quantisation, LoRA, and the target modules of each architecture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .errors import ModelError


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A base model.

    Attributes:
        name: a hub name or a local folder.
        dtype: of weights that are not quantised; ``auto`` takes what the device does well.
        attention: the attention implementation, in transformers' words.
    """

    name: str
    revision: str | None = None
    dtype: str = "auto"
    attention: str = "sdpa"
    device: str = "auto"


@dataclass(frozen=True, slots=True)
class LoraSpec:
    """Low-rank adaptation (Hu et al., arXiv 2106.09685): W + (alpha / r) B A.

    Attributes:
        target_modules: a preset (``attention``, ``mlp``, ``all-linear``) or the names of modules.
    """

    r: int = 16
    alpha: int = 32
    dropout: float = 0.05
    target_modules: str | tuple[str, ...] = "attention"


@dataclass(frozen=True, slots=True)
class ModuleNames:
    """The linear layers of one architecture."""

    attention: tuple[str, ...]
    mlp: tuple[str, ...]


_LLAMA = ModuleNames(("q_proj", "k_proj", "v_proj", "o_proj"), ("gate_proj", "up_proj", "down_proj"))
_NEOX = ModuleNames(("query_key_value", "dense"), ("dense_h_to_4h", "dense_4h_to_h"))

TARGET_MODULES: dict[str, ModuleNames] = {
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "gemma": _LLAMA,
    "gemma2": _LLAMA,
    "gemma3_text": _LLAMA,
    "phi3": ModuleNames(("qkv_proj", "o_proj"), ("gate_up_proj", "down_proj")),
    "gpt_neox": _NEOX,
    "falcon": _NEOX,
    "bloom": _NEOX,
    "gpt2": ModuleNames(("c_attn", "attn.c_proj"), ("c_fc", "mlp.c_proj")),
    "gptj": ModuleNames(("q_proj", "k_proj", "v_proj", "out_proj"), ("fc_in", "fc_out")),
    "opt": ModuleNames(("q_proj", "k_proj", "v_proj", "out_proj"), ("fc1", "fc2")),
    "mpt": ModuleNames(("Wqkv", "attn.out_proj"), ("up_proj", "down_proj")),
    "starcoder2": ModuleNames(("q_proj", "k_proj", "v_proj", "o_proj"), ("c_fc", "c_proj")),
}
"""By ``model_type`` of the configuration. Pythia is a GPT-NeoX; Mistral has the names of Llama."""


def target_modules(lora: LoraSpec, architecture: str, linear_modules: Sequence[str]) -> tuple[str, ...]:
    """The modules that get LoRA weights.

    Args:
        architecture: the ``model_type`` of the model's configuration.
        linear_modules: full names of the model's linear layers without the vocabulary projection, as
            ``model.layers.0.self_attn.q_proj``.

    Returns:
        Suffixes of full names, as PEFT matches them.

    Raises:
        ModelError: M010 when a name matches no module, M011 when no preset is known for the architecture.
    """
    chosen = lora.target_modules
    if chosen == "all-linear":
        return short_names(linear_modules)
    if not isinstance(chosen, str):
        return tuple(_known(name, linear_modules) for name in chosen)
    names = TARGET_MODULES.get(architecture)
    if names is None:
        raise ModelError(
            "M011",
            f'no preset "{chosen}" is known for the architecture "{architecture}"',
            where="lora.target_modules",
            expected=f"all-linear or names among: {', '.join(short_names(linear_modules))}",
            fix="set lora.target_modules to all-linear or to a list of names",
        )
    preset = names.attention if chosen == "attention" else names.mlp
    return tuple(_known(name, linear_modules) for name in preset)


def _known(name: str, linear_modules: Sequence[str]) -> str:
    if any(full == name or full.endswith(f".{name}") for full in linear_modules):
        return name
    raise ModelError(
        "M010",
        f'the model has no linear module "{name}"',
        where="lora.target_modules",
        expected=f"one of: {', '.join(short_names(linear_modules))}",
        fix="use one of the real names, a preset (attention, mlp), or all-linear",
    )


def short_names(linear_modules: Sequence[str]) -> tuple[str, ...]:
    """Last parts of module names, each once, in order."""
    return tuple(dict.fromkeys(name.rsplit(".", 1)[-1] for name in linear_modules))


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
