"""How others load what a run gave: commands and programs that a person can paste."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .target_modules import TARGET_MODULES

_FOUR_BITS = """BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="{name}",
        bnb_4bit_use_double_quant={double},
        bnb_4bit_compute_dtype=torch.{compute},
    )"""
_QUANTISED: Mapping[str, tuple[str, str]] = {
    "nf4": ("BitsAndBytesConfig", _FOUR_BITS),
    "fp4": ("BitsAndBytesConfig", _FOUR_BITS),
    "int8": ("BitsAndBytesConfig", "BitsAndBytesConfig(load_in_8bit=True)"),
    "torchao_int8": ("TorchAoConfig", "TorchAoConfig(Int8WeightOnlyConfig())"),
}
"""By a quantizer's name: the class of transformers that asks for it, and how it is called."""

_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM takes for --max-lora-rank; 16 where nothing is said."""


@dataclass(frozen=True, slots=True)
class LoraLayout:
    """LoRA weights on the disk, as their ``adapter_config.json`` tells.

    Attributes:
        base: the base model's name or folder, in which ``revision`` if it is pinned.
        experts: whether parameters of experts have LoRA weights.
        dtype, quantizer: how the base was loaded in the training.
        compute: what 4-bit weights were computed in.
        upcast: whether what was not quantised was in float32.
        own_template: whether the chat template is ours, since the base model has none.
    """

    folder: str
    name: str
    base: str
    revision: str | None
    rank: int
    dora: bool
    modules_to_save: bool
    experts: bool
    dtype: str
    quantizer: str
    double_quant: bool
    compute: str
    own_template: bool
    system_prompt: str
    architecture: str = "llama"
    upcast: bool = False


def merged_program(folder: str, system_prompt: str) -> str:
    """A program that asks a merged model by plain transformers."""
    return "\n".join(
        [
            "from transformers import AutoModelForCausalLM, AutoTokenizer",
            "",
            f"tokenizer = AutoTokenizer.from_pretrained({_text(folder)})",
            f'model = AutoModelForCausalLM.from_pretrained({_text(folder)}, dtype="auto")',
            *_asking(system_prompt),
        ]
    )


def lora_program(lora: LoraLayout) -> str:
    """A program that asks the LoRA weights on their base by PEFT, the base as it was trained on."""
    quantised, call = _QUANTISED.get(lora.quantizer, ("", ""))
    classes = ", ".join(filter(None, ["AutoModelForCausalLM", "AutoTokenizer", quantised]))
    torchao = ["from torchao.quantization import Int8WeightOnlyConfig"] if "torchao" in lora.quantizer else []
    return "\n".join(
        [
            "import torch",
            "from peft import PeftModel",
            *torchao,
            f"from transformers import {classes}",
            "",
            f"tokenizer = AutoTokenizer.from_pretrained({_text(lora.folder)})",
            "base = AutoModelForCausalLM.from_pretrained(",
            *(f"    {one}," for one in _loading(lora, call)),
            ")",
            f"model = PeftModel.from_pretrained(base, {_text(lora.folder)})",
            *_asking(system_prompt=lora.system_prompt),
        ]
    )


def _loading(lora: LoraLayout, call: str) -> list[str]:
    options = [_text(lora.base), f"dtype=torch.{lora.dtype}"]
    if lora.revision:
        options.append(f"revision={_text(lora.revision)}")
    if call:
        values = {"name": lora.quantizer, "double": lora.double_quant, "compute": lora.compute}
        options.append(f"quantization_config={call.format(**values)}")
    return options


def merged_commands(folder: str) -> Sequence[str]:
    """Commands that serve a merged model."""
    return [f"vllm serve {shlex.quote(folder)}"]


def lora_commands(lora: LoraLayout) -> Sequence[str]:
    """Commands that serve the LoRA weights on their base; none where vLLM cannot."""
    if vllm_lacks(lora):
        return []
    words = ["vllm", "serve", lora.base]
    words += ["--revision", lora.revision] if lora.revision else []
    words += ["--enable-lora", "--lora-modules", f"{lora.name}={lora.folder}"]
    if lora.rank > 16:
        words += ["--max-lora-rank", str(next(rank for rank in _RANKS if rank >= lora.rank))]
    if lora.own_template:
        words += ["--chat-template", f"{lora.folder}/chat_template.jinja"]
    return [shlex.join(words)]


def peft_differs(lora: LoraLayout) -> str:
    """What of the base plain PEFT has in another number format than the training; empty where nothing is."""
    names = TARGET_MODULES.get(lora.architecture)
    experts = names is not None and bool(names.experts) and not lora.experts
    differing = {
        "experts": experts and lora.quantizer in ("nf4", "fp4"),
        "Falcon's layers": lora.architecture == "falcon" and lora.quantizer != "none",
        "embeddings, head and norms": lora.upcast and lora.quantizer != "none",
    }
    return " and ".join(what for what, is_so in differing.items() if is_so)


def vllm_lacks(lora: LoraLayout) -> str:
    """What of these LoRA weights vLLM does not load; empty where it loads them."""
    lacking = {
        "DoRA": lora.dora,
        "modules that were trained whole": lora.modules_to_save,
        "experts' parameters": lora.experts,
        f"rank {lora.rank}": lora.rank > _RANKS[-1],
    }
    return " and ".join(what for what, is_so in lacking.items() if is_so)


def modelfile(gguf: str, system_prompt: str) -> str:
    """What Ollama makes a model of; ``gguf`` is the name of a file beside it."""
    lines = [f"FROM ./{gguf}"]
    if system_prompt and '"""' not in system_prompt:
        lines.append(f'SYSTEM """{system_prompt}"""')
    return "\n".join(lines) + "\n"


def ollama_command(name: str, file: str) -> str:
    """Makes a model of Ollama out of a Modelfile."""
    return shlex.join(["ollama", "create", name, "-f", file])


def _asking(system_prompt: str) -> list[str]:
    turns = [{"role": "system", "content": system_prompt}] if system_prompt else []
    turns.append({"role": "user", "content": "Hello!"})
    return [
        "",
        f"messages = {json.dumps(turns, ensure_ascii=False)}",
        "inputs = tokenizer.apply_chat_template(",
        '    messages, add_generation_prompt=True, return_dict=True, return_tensors="pt"',
        ").to(model.device)",
        "answer = model.generate(**inputs, max_new_tokens=64)",
        'print(tokenizer.decode(answer[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))',
    ]


def _text(value: str) -> str:
    """As a string of Python, which a string of JSON is as well."""
    return json.dumps(value, ensure_ascii=False)
