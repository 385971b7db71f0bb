"""Models of transformers: found, quantised, given LoRA weights."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.pytorch_utils import Conv1D
from transformers.utils.hub import cached_file

from ...domain.errors import ModelError
from ...domain.model_spec import LoraSpec, ModelSpec, PolicyFacts, target_modules
from ...domain.ports.hub import ModelFiles
from ...domain.ports.model import Quantizer
from ...domain.source import identity_of
from .chat_encoder import ChatEncoder
from .hf_policy import HfPolicy
from .hub_cache import hub_files


class HfModelProvider:
    """Loads causal language models by hub name or from a folder.

    Only safetensors are read and no code of a model's repository is run.

    Args:
        quantizer: how the frozen weights are stored.
        files: where a name's files are.
    """

    def __init__(self, quantizer: Quantizer, files: ModelFiles) -> None:
        self._quantizer = quantizer
        self._files = files

    def load(
        self,
        model: ModelSpec,
        lora: LoraSpec,
        *,
        seed: int,
        gradient_checkpointing: bool = False,
    ) -> HfPolicy:
        place = self._place(model)
        tokenizer = self._tokenizer(model.name, place)
        base = self._prepared(self._base(model, place), gradient_checkpointing)
        chosen = target_modules(lora, base.config.model_type, _linear_modules(base))
        config = LoraConfig(
            r=lora.r,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=list(chosen),
            bias="none",
            task_type="CAUSAL_LM",
        )
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            tuned = get_peft_model(base, config)
        return self._policy(model, tuned, tokenizer)

    def encoder(self, model: ModelSpec) -> ChatEncoder:
        return ChatEncoder(self._tokenizer(model.name, self._place(model)))

    def identity(self, model: ModelSpec) -> str | None:
        weights = _weights_identity(model.name, self._place(model))
        if weights is None:
            return None
        device = _device(model.device)
        dtype = _dtype(model.dtype, device)
        stored = sorted(map(repr, self._quantizer.load_options(device, dtype).items()))
        return identity_of(weights, device, dtype, model.attention, self._quantizer.name, stored)

    def reopen(self, model: ModelSpec, weights: Path) -> HfPolicy:
        _check_weights(model, weights)
        place = self._place(model)
        tokenizer = self._tokenizer(str(weights), {})
        with _explained(str(weights)):
            tuned = PeftModel.from_pretrained(self._base(model, place), str(weights))
        return self._policy(model, tuned, tokenizer)

    def _tokenizer(self, name: str, place: Mapping[str, Any]) -> PreTrainedTokenizerBase:
        try:
            tokenizer: Any = AutoTokenizer.from_pretrained(name, **place, trust_remote_code=False)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as cause:
            if not (Path(name) / "adapter_config.json").exists():
                with _explained(name):  # a model that is missing or broken has no usable tokenizer either
                    AutoConfig.from_pretrained(name, **place, trust_remote_code=False)
            raise ModelError(
                "M003",
                "a model has no usable tokenizer",
                where=name,
                got=_first_line(cause),
                expected="tokenizer.json or the tokenizer files of its family",
                fix="put the tokenizer's files beside the weights",
            ) from cause
        if not tokenizer.is_fast:
            raise ModelError(
                "M003",
                "a tokenizer does not tell where in a text its tokens stand, so answers cannot be told apart",
                where=name,
                expected="a tokenizer.json",
                fix="save it once with the tokenizers library's fast form of it",
            )
        if tokenizer.eos_token_id is None:
            raise ModelError(
                "M003",
                "a tokenizer has no end-of-sequence token, so answers would never end",
                where=name,
                fix="set eos_token in its tokenizer_config.json",
            )
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        tokenizer.init_kwargs.pop("local_files_only", None)  # saved, it would tell how this machine found it
        return tokenizer  # type: ignore[no-any-return]

    def _place(self, model: ModelSpec) -> dict[str, Any]:
        """Where the model's files are; the kit knows no revision of the hub, so a pinned one is the hub's."""
        place = {"revision": model.revision} if model.revision else dict(self._files.arguments(model.name))
        files = () if "local_files_only" in place else _files(model)
        if files is None:
            return place | {"local_files_only": True}
        _check_safe(model.name, files)
        return place

    def _base(self, model: ModelSpec, place: Mapping[str, Any]) -> PreTrainedModel:
        device = _device(model.device)
        dtype = _dtype(model.dtype, device)
        options = self._quantizer.load_options(device, dtype)
        with _explained(model.name):
            base: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
                model.name,
                **place,
                **options,
                dtype=getattr(torch, dtype),
                attn_implementation=model.attention,
                # transformers looks for LoRA weights beside the base model, in a place of its own choice.
                adapter_kwargs=dict(place),
                use_safetensors=True,
                trust_remote_code=False,
            )
        return base if "device_map" in options else base.to(device)  # type: ignore[arg-type]

    def _prepared(self, base: PreTrainedModel, checkpointing: bool) -> PreTrainedModel:
        """Frozen and ready for LoRA; quantised models get fp32 norms and head (as QLoRA was trained)."""
        options = {"use_reentrant": False}
        if self._quantizer.name != "none":
            _keep_differentiable(base)
            return prepare_model_for_kbit_training(  # type: ignore[no-any-return]
                base,
                use_gradient_checkpointing=checkpointing,
                gradient_checkpointing_kwargs=options,
            )
        if checkpointing:
            base.gradient_checkpointing_enable(gradient_checkpointing_kwargs=options)
            base.enable_input_require_grads()
        return base

    def _policy(self, model: ModelSpec, tuned: Any, tokenizer: PreTrainedTokenizerBase) -> HfPolicy:
        encoder = ChatEncoder(tokenizer)
        layers = [name for name, module in tuned.named_modules() if isinstance(module, BaseTunerLayer)]
        facts = PolicyFacts(
            name=model.name,
            architecture=str(tuned.config.model_type),
            parameters=tuned.base_model.model.num_parameters() - tuned.num_parameters(only_trainable=True),
            trainable_parameters=sum(p.numel() for n, p in tuned.named_parameters() if "lora_" in n),
            target_modules=tuple(dict.fromkeys(name.rsplit(".", 1)[-1] for name in layers)),
            quantizer=self._quantizer.name,
            dtype=str(tuned.dtype).removeprefix("torch."),
            device=str(tuned.device),
            chat_template=encoder.origin,
        )
        return HfPolicy(tuned, encoder, facts)


def _weights_identity(name: str, place: Mapping[str, Any]) -> str | None:
    """The files of a folder, or the commit of a name on the hub."""
    folder = Path(name)
    if folder.is_dir():
        files = sorted(file for file in folder.iterdir() if file.suffix in (".safetensors", ".json"))
        return identity_of([(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files])
    with _explained(name):
        config = cached_file(name, "config.json", **place)
    # models--ORG--NAME/snapshots/COMMIT/config.json
    return identity_of(name, Path(config).parent.name) if config else None


def _keep_differentiable(base: PreTrainedModel) -> None:
    """Stops bitsandbytes from repacking 4-bit weights at the first evaluation.

    On CPUs with AVX512-BF16 it does so for a kernel that has no gradient: every training step after that
    evaluation would be silently wrong.
    """
    repacking = "support_avx512bf16_for_cpu"
    for module in base.modules():
        if hasattr(module, repacking):
            setattr(module, repacking, False)


def _linear_modules(base: PreTrainedModel) -> list[str]:
    """Full names of the linear layers, without the projection to the vocabulary."""
    head = base.get_output_embeddings()
    linear = (torch.nn.Linear, Conv1D)
    return [
        name for name, module in base.named_modules() if isinstance(module, linear) and module is not head
    ]


def _device(wanted: str) -> str:
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ModelError(
            "M005",
            "no CUDA device is here",
            got="device cuda",
            fix="set training.device to auto or cpu",
        )
    return wanted if wanted != "auto" else "cuda" if torch.cuda.is_available() else "cpu"


def _dtype(wanted: str, device: str) -> str:
    """The named dtype; auto takes bfloat16 where a GPU computes in it, else float32.

    A CPU without units for bfloat16 is about fifty times slower in it than in float32.
    """
    if wanted != "auto":
        return wanted
    return "bfloat16" if device == "cuda" and torch.cuda.is_bf16_supported() else "float32"


_PICKLED = (".bin", ".ckpt", ".pkl", ".pt", ".pth")
"""Endings of pickles."""


def _files(model: ModelSpec) -> tuple[str, ...] | None:
    """Names of the model's files; None when its hub cannot be reached."""
    folder = Path(model.name)
    if folder.is_dir():
        return tuple(path.name for path in folder.iterdir())
    return () if folder.is_absolute() else hub_files(model.name, model.revision)


def _check_safe(name: str, files: Sequence[str]) -> None:
    """Refuses pickles alone; transformers would let a service of the hub convert them."""
    pickled = sorted(file for file in files if file.endswith(_PICKLED))
    if pickled and not any(file.endswith(".safetensors") for file in files):
        raise ModelError(
            "M002",
            "a model's weights are pickles, whose reading can run code",
            where=name,
            got=", ".join(pickled[:3]),
            expected="safetensors",
            fix="take a model or a revision whose weights are safetensors",
        )


_RUNS_CODE = ("auto_mapping", "megatron_config", "tokenizer_kwargs")
"""Keys of ``adapter_config.json`` through which PEFT imports or configures more than weights."""


def _check_weights(model: ModelSpec, weights: Path) -> None:
    """Refuses what PEFT would load but should not: pickles, configured imports, weights of another model."""
    path = weights / "adapter_config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        base = config.get("base_model_name_or_path")
    except (OSError, ValueError, AttributeError) as cause:
        raise ModelError(
            "M002",
            "LoRA weights cannot be read",
            where=str(path),
            got=_first_line(cause),
            fix="name another run",
        ) from cause
    unsafe = [key for key in _RUNS_CODE if config.get(key)]
    if unsafe or not (weights / "adapter_model.safetensors").is_file():
        raise ModelError(
            "M008",
            "LoRA weights are not safe to load",
            where=str(weights),
            got=f"the keys {', '.join(unsafe)}" if unsafe else "no adapter_model.safetensors",
            expected="safetensors and a plain adapter_config.json",
            fix="save them again with cesello or with PEFT's save_pretrained",
        )
    if base != model.name:
        raise ModelError(
            "M004",
            "LoRA weights belong to another base model",
            where=str(path),
            got=base,
            expected=model.name,
            fix="load them on the model they were trained on",
        )


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """What the libraries say of a model that cannot be loaded, in our form."""
    try:
        yield
    except torch.OutOfMemoryError as cause:
        raise ModelError(
            "M006",
            "the model does not fit in the device's memory",
            where=name,
            fix="set quantizer.name to nf4 or take a smaller model",
        ) from cause
    except (
        OSError,
        ValueError,
        KeyError,
        RuntimeError,
        SafetensorError,
        ImportError,
    ) as cause:
        local = Path(name).exists()
        if isinstance(cause, OSError) and not local and "safetensors" not in str(cause):
            raise _not_found(name, cause) from cause
        raise ModelError(
            "M002",
            "a model cannot be loaded",
            where=name,
            got=_first_line(cause),
            expected="config.json and complete safetensors of a causal language model",
            fix="check the folder's files" if local else "check the name and revision",
        ) from cause


def _not_found(name: str, cause: Exception) -> ModelError:
    if Path(name).is_absolute():
        return ModelError(
            "M001", "the folder of a model does not exist", where=name, fix="correct model.name"
        )
    return ModelError(
        "M001",
        f'the model "{name}" is not here and cannot be fetched',
        got=_first_line(cause),
        fix="run `cesello kit install` for the offline models, correct model.name, or let the hub be reached",
    )


def _first_line(cause: Exception) -> str:
    return (str(cause).strip().splitlines() or [type(cause).__name__])[0][:200]
