"""Which modules of a model get LoRA weights: presets by architecture, or names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .errors import ModelError


@dataclass(frozen=True, slots=True)
class ModuleNames:
    """The weights of one architecture that can be adapted.

    Attributes:
        attention, mlp: linear layers.
        experts: of a mixture of experts, the parameters that hold one matrix per expert; they count as mlp.
    """

    attention: tuple[str, ...]
    mlp: tuple[str, ...]
    experts: tuple[str, ...] = ()


_QKVO = ("q_proj", "k_proj", "v_proj", "o_proj")
_GATED = ("gate_proj", "up_proj", "down_proj")
_EXPERTS = ("mlp.experts.gate_up_proj", "mlp.experts.down_proj")
_LLAMA = ModuleNames(_QKVO, _GATED)
_NEOX = ModuleNames(("query_key_value", "dense"), ("dense_h_to_4h", "dense_4h_to_h"))

TARGET_MODULES: dict[str, ModuleNames] = {
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "gemma": _LLAMA,
    "gemma2": _LLAMA,
    "gemma3": _LLAMA,
    "gemma3_text": _LLAMA,
    "smollm3": _LLAMA,
    "olmo2": _LLAMA,
    "granite": _LLAMA,
    "cohere2": _LLAMA,
    "stablelm": _LLAMA,
    "glm4": ModuleNames(_QKVO, ("gate_up_proj", "down_proj")),
    "phi": ModuleNames(("q_proj", "k_proj", "v_proj", "dense"), ("fc1", "fc2")),
    "phi3": ModuleNames(("qkv_proj", "o_proj"), ("gate_up_proj", "down_proj")),
    "gpt_neox": _NEOX,
    "falcon": _NEOX,
    "bloom": _NEOX,
    "gpt2": ModuleNames(("c_attn", "attn.c_proj"), ("c_fc", "mlp.c_proj")),
    "gpt_bigcode": ModuleNames(("c_attn", "attn.c_proj"), ("c_fc", "mlp.c_proj")),
    "gptj": ModuleNames(("q_proj", "k_proj", "v_proj", "out_proj"), ("fc_in", "fc_out")),
    "opt": ModuleNames(("q_proj", "k_proj", "v_proj", "out_proj"), ("fc1", "fc2")),
    "mpt": ModuleNames(("Wqkv", "attn.out_proj"), ("up_proj", "down_proj")),
    "starcoder2": ModuleNames(_QKVO, ("c_fc", "c_proj")),
    "mixtral": ModuleNames(_QKVO, (), _EXPERTS),
    # Every Qwen MoE of this kind has an expert that all tokens share; Qwen3's has none.
    "qwen2_moe": ModuleNames(_QKVO, _GATED, _EXPERTS),
    "qwen3_moe": ModuleNames(_QKVO, (), _EXPERTS),
}
"""By ``model_type`` of the configuration. Pythia is a GPT-NeoX; Mistral has the names of Llama."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What gets LoRA weights, as suffixes of full names.

    Attributes:
        modules: linear layers.
        parameters: parameters with one matrix per expert.
    """

    modules: tuple[str, ...]
    parameters: tuple[str, ...] = ()


def targets(
    chosen: str | tuple[str, ...],
    architecture: str,
    linear_modules: Sequence[str],
    expert_parameters: Sequence[str] = (),
) -> Targets:
    """The weights that get LoRA weights.

    Args:
        chosen: a preset (``attention``, ``mlp``, ``all-linear``) or names.
        architecture: the ``model_type`` of the model's configuration.
        linear_modules: full names of the model's linear layers without the vocabulary projection, as
            ``model.layers.0.self_attn.q_proj``.
        expert_parameters: full names of the parameters that hold one matrix per expert.

    Raises:
        ModelError: M010 when a name matches no module, M011 when no preset is known for the architecture.
    """
    if chosen == "all-linear":
        return Targets(short_names(linear_modules))
    names = (chosen,) if isinstance(chosen, str) else chosen
    if isinstance(chosen, str):
        names = _preset(chosen, architecture, linear_modules)
    for name in names:
        if not _is_any(name, linear_modules) and not _is_any(name, expert_parameters):
            raise _unknown(name, linear_modules, expert_parameters)
    modules = tuple(name for name in names if _is_any(name, linear_modules))
    return Targets(modules, tuple(name for name in names if name not in modules))


def _preset(chosen: str, architecture: str, linear_modules: Sequence[str]) -> tuple[str, ...]:
    names = TARGET_MODULES.get(architecture)
    if names is None:
        raise ModelError(
            "M011",
            f'no preset "{chosen}" is known for the architecture "{architecture}"',
            where="lora.target_modules",
            expected=f"all-linear or names among: {', '.join(short_names(linear_modules))}",
            fix="set lora.target_modules to all-linear or to a list of names",
        )
    return names.attention if chosen == "attention" else names.mlp + names.experts


def _is_any(name: str, full_names: Iterable[str]) -> bool:
    return any(full == name or full.endswith(f".{name}") for full in full_names)


def _unknown(name: str, linear_modules: Sequence[str], experts: Sequence[str]) -> ModelError:
    real = [*short_names(linear_modules), *dict.fromkeys(".".join(one.split(".")[-3:]) for one in experts)]
    return ModelError(
        "M010",
        f'the model has no linear module "{name}"',
        where="lora.target_modules",
        expected=f"one of: {', '.join(real)}",
        fix="use one of the real names, a preset (attention, mlp), or all-linear",
    )


def short_names(linear_modules: Sequence[str]) -> tuple[str, ...]:
    """Last parts of module names, each once, in order."""
    return tuple(dict.fromkeys(name.rsplit(".", 1)[-1] for name in linear_modules))
