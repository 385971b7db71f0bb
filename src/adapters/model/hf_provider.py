"""Models of transformers: found, quantised, given LoRA weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from peft import prepare_model_for_kbit_training
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers.pytorch_utils import Conv1D
from transformers.utils.hub import cached_file
from transformers.utils.import_utils import is_flash_attn_2_available

from ...domain.errors import ModelError
from ...domain.model_spec import LoraSpec, ModelSpec, PolicyFacts
from ...domain.ports.hub import ModelFiles
from ...domain.ports.model import Quantizer
from ...domain.ports.run import Stop
from ...domain.source import identity_of
from ...domain.target_modules import Targets
from .chat_encoder import ChatEncoder
from .checkpointing import compute_again
from .dequantise import is_quantised, parameter_count
from .devices import chosen_device, chosen_dtype, take_own_gpu
from .folder_errors import lacking
from .hf_policy import HfPolicy
from .liger_kernels import use_liger
from .load_errors import explained
from .lora_files import check_weights, start_of, targets_of
from .model_files import check_beside, find_files
from .peft_lora import Tuned, chosen_targets, fresh, saved, trained_weights, tuned_names
from .tokenizer_files import check_vocabulary, load_tokenizer


class HfModelProvider:
    """Loads causal language models by hub name or from a folder.

    Only safetensors are read and no code of a model's repository is run.

    Args:
        quantizer: how the frozen weights are stored.
        files: where a name's files are.
        stop: ends the writing of answers.
    """

    def __init__(self, quantizer: Quantizer, files: ModelFiles, stop: Stop | None = None) -> None:
        self._quantizer = quantizer
        self._files = files
        self._stop = stop

    def load(
        self,
        model: ModelSpec,
        lora: LoraSpec,
        *,
        seed: int,
        gradient_checkpointing: bool = False,
        activation_offload: bool = False,
    ) -> HfPolicy:
        place = find_files(model, self._files)
        start = start_of(model, lora)
        encoder = ChatEncoder(load_tokenizer(model.name, place))
        base = self._base(model, place)
        check_here(base, model)
        check_vocabulary(encoder.tokenizer, base)
        chosen = chosen_targets(base, lora) if start is None else targets_of(start)
        self._complete(base, model, chosen)
        count = parameter_count(base)
        if gradient_checkpointing:
            compute_again(base, offload=activation_offload)
        if start is not None:
            tuned = saved(base, start, trainable=True)
        else:
            tuned = fresh(base, lora, chosen, seed=seed, original=lambda: self._original(model, place))
        return self._policy(model, tuned, encoder, count)

    def encoder(self, model: ModelSpec) -> ChatEncoder:
        return ChatEncoder(load_tokenizer(model.name, find_files(model, self._files)))

    def identity(self, model: ModelSpec) -> str | None:
        weights = _weights_identity(model.name, find_files(model, self._files))
        if weights is None:
            return None
        device = chosen_device(model.device)
        dtype = chosen_dtype(model.dtype, device)
        stored = sorted(map(repr, self._quantizer.load_options(dtype).items()))
        return identity_of(weights, device, dtype, model.attention, self._quantizer.name, stored)

    def reopen(self, model: ModelSpec, weights: Path) -> HfPolicy:
        check_weights(model, weights)
        place = find_files(model, self._files)
        encoder = ChatEncoder(load_tokenizer(str(weights), {}))
        base = self._base(model, place)
        check_vocabulary(encoder.tokenizer, base)
        self._complete(base, model, targets_of(weights))
        count = parameter_count(base)
        return self._policy(model, saved(base, weights, trainable=False), encoder, count)

    def plain(self, model: ModelSpec) -> PreTrainedModel:
        """A model as its files hold it: neither quantised nor with LoRA weights."""
        return self._base(model, find_files(model, self._files), quantised=False)

    def _base(self, model: ModelSpec, place: Mapping[str, Any], *, quantised: bool = True) -> PreTrainedModel:
        device = chosen_device(model.device)
        take_own_gpu(device)
        dtype = chosen_dtype(model.dtype, device)
        base = _pretrained(
            model.name,
            place,
            device_map=model.device_map or {"": device},
            dtype=dtype,
            attn_implementation=_attention(model, device, dtype),
            **(self._quantizer.load_options(dtype) if quantised else {}),
        )
        if model.kernels == "liger":
            use_liger(base)
        return base

    def _original(self, model: ModelSpec, place: Mapping[str, Any]) -> Callable[[str], torch.Tensor]:
        """What tells a layer's weight before it was quantised; the plain model is held beside the other."""
        dtype = chosen_dtype(model.dtype, chosen_device(model.device))
        plain = _pretrained(model.name, place, device_map={"": "cpu"}, dtype=dtype)

        def weight(name: str) -> torch.Tensor:
            layer: Any = plain.get_submodule(name)
            return layer.weight.T if isinstance(layer, Conv1D) else layer.weight

        return weight

    def _complete(self, base: PreTrainedModel, model: ModelSpec, chosen: Targets) -> None:
        """Makes the base ready for LoRA weights: all of it quantised that is to be, and frozen."""
        if self._quantizer.name != "none":
            self._quantizer.complete(base, keep=chosen.parameters)
            _keep_exact(base)
            _leave_files(base)
            if model.upcast:
                prepare_model_for_kbit_training(base, use_gradient_checkpointing=False)
        base.requires_grad_(False)

    def _policy(self, model: ModelSpec, tuned: Tuned, encoder: ChatEncoder, parameters: int) -> HfPolicy:
        whole: Any = tuned.model
        facts = PolicyFacts(
            name=model.name,
            architecture=str(whole.config.model_type),
            parameters=parameters,
            trainable_parameters=sum(weight.numel() for weight in trained_weights(whole).values()),
            target_modules=tuned_names(whole),
            quantizer=self._quantizer.name,
            dtype=str(whole.dtype).removeprefix("torch."),
            device=str(whole.device),
            chat_template=encoder.origin,
        )
        return HfPolicy(tuned, encoder, facts, self._stop)


def _pretrained(name: str, place: Mapping[str, Any], **options: Any) -> PreTrainedModel:
    """A model with all its weights; the library would make up those that a file lacks.

    Raises:
        ModelError: those of ``explained`` and ``check_beside``, M002 when weights have other shapes than the
            model, M014 when some are missing.
    """
    options["dtype"] = getattr(torch, options["dtype"])
    loaded: Any
    with explained(name):
        check_beside(name, place)
        config = AutoConfig.from_pretrained(name, **place, trust_remote_code=False)
        # The recipe says how attention is computed: a model's files could even name a kernel of the hub.
        config._attn_implementation = options.get("attn_implementation")
        config._experts_implementation = None
        loaded = AutoModelForCausalLM.from_pretrained(
            name,
            **place,
            **options,
            config=config,
            # transformers looks for LoRA weights beside the base model, in a place of its own choice.
            adapter_kwargs=dict(place),
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            # Told below, by name; the library's error leaves the names to its log.
            ignore_mismatched_sizes=True,
        )
    model, info = loaded
    for weight, stored, wanted in sorted(info["mismatched_keys"]):
        raise ModelError(
            "M002",
            "a model's weights have other shapes than its config.json says",
            where=f"{name}/config.json",
            got=f"{weight} {list(stored)}",
            expected=list(wanted),
            fix="bring config.json and the weights of the same model together",
        )
    missing = sorted(info["missing_keys"])
    if missing:
        raise lacking(name, f"{len(missing)} missing, as {missing[0]}")
    return model  # type: ignore[no-any-return]


def _attention(model: ModelSpec, device: str, dtype: str) -> str | None:
    """The implementation in transformers' words; None is sdpa where the architecture has it, else eager.

    FlashAttention computes in 16 bits, on a GPU alone.
    """
    if model.attention != "auto":
        return model.attention
    flash = device == "cuda" and dtype != "float32" and is_flash_attn_2_available()
    return "flash_attention_2" if flash else None


def check_here(base: PreTrainedModel, model: ModelSpec) -> None:
    """Refuses to train a model whose layers accelerate has put away: it brings them for forward passes alone.

    Raises:
        ModelError: M006.
    """
    places = set(getattr(base, "hf_device_map", {}).values())
    away = places & {"cpu", "disk"}
    if away and len(places) > 1:
        raise ModelError(
            "M006",
            "the model does not fit the GPUs, and layers that were put away cannot be trained beside",
            where=model.name,
            got=f"layers on {', '.join(map(str, sorted(away)))}",
            expected="all layers on GPUs",
            fix="set quantizer.name to nf4, take a smaller model or more GPUs",
        )


def _weights_identity(name: str, place: Mapping[str, Any]) -> str | None:
    """The files of a folder, or the commit of a name on the hub."""
    folder = Path(name)
    if folder.is_dir():
        files = sorted(file for file in folder.iterdir() if file.suffix in (".safetensors", ".json"))
        return identity_of([(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files])
    with explained(name):
        config = cached_file(name, "config.json", **place)
    # models--ORG--NAME/snapshots/COMMIT/config.json
    return identity_of(name, Path(config).parent.name) if config else None


def _keep_exact(base: PreTrainedModel) -> None:
    """Stops bitsandbytes from repacking 4-bit weights at the first evaluation.

    On CPUs with AVX512-BF16 it does so for a kernel that computes in bfloat16 whatever was asked and has no
    gradient: every training step after that evaluation would be silently wrong, and weights that are loaded
    again would not answer as they did in the training.
    """
    repacking = "support_avx512bf16_for_cpu"
    for module in base.modules():
        if hasattr(module, repacking):
            setattr(module, repacking, False)


def _leave_files(base: PreTrainedModel) -> None:
    """Copies what a CPU would read from the mapped weights, whose files stay in memory for that alone."""
    for weight in (*base.parameters(), *base.buffers()):
        if weight.device.type == "cpu" and not is_quantised(weight):
            weight.data = weight.data.clone()
