"""LoRA weights by PEFT: fresh ones, those of a folder, and what a policy needs to know of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, set_peft_model_state_dict
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils.other import ModulesToSaveWrapper
from safetensors.torch import load_file, save_file
from torch.distributed.tensor import DTensor
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from ...domain.errors import ModelError
from ...domain.model_spec import LoraSpec
from ...domain.target_modules import Targets, targets
from .dequantise import is_quantised
from .language_modules import expert_parameters, linear_modules, other_modules
from .lean_model import make_lean
from .load_errors import explained
from .lora_init import as_plain_lora, loftq, orthogonal

OriginalWeights = Callable[[], Callable[[str], torch.Tensor]]
"""Gives what tells a layer's weight, shape [outputs, inputs], before it was quantised."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """A model with LoRA weights.

    Attributes:
        start: the trained weights as they were at first, by name, where that is not the base model alone:
            weights that are gone on from, and those that PiSSA took out of the base.
        moved: whether the base without them is not the base as published.
    """

    model: PeftModel
    start: dict[str, torch.Tensor] = field(default_factory=dict)
    moved: bool = False

    def reference(self) -> AbstractContextManager[Any]:
        """Within this, the model is what the training began with."""
        return self._at_start() if self.start else self.model.disable_adapter()

    def base(self) -> AbstractContextManager[Any]:
        """Within this, it is the base model as published."""
        return self._at_start() if self.moved else self.model.disable_adapter()

    @contextmanager
    def _at_start(self) -> Iterator[None]:
        trained = trained_weights(self.model)
        self._exchange(trained)
        try:
            yield
        finally:
            self._exchange(trained)

    def _exchange(self, trained: Mapping[str, torch.Tensor]) -> None:
        """Storages change places, and nothing is copied."""
        for name, weight in trained.items():
            weight.data, self.start[name] = self.start[name], weight.data


def chosen_targets(base: PreTrainedModel, lora: LoraSpec) -> Targets:
    """What is to get LoRA weights, of a base whose experts are not quantised yet.

    Raises:
        ModelError: M010, M011 for modules that it does not have, M012 for what its modules cannot have.
    """
    linear, experts = linear_modules(base), expert_parameters(base)
    chosen = targets(lora.target_modules, base.config.model_type, linear, experts)
    _check_possible(base, lora, chosen)
    return chosen


def fresh(
    base: PreTrainedModel, lora: LoraSpec, chosen: Targets, *, seed: int, original: OriginalWeights
) -> Tuned:
    """The base with new LoRA weights; the same seed gives the same."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        with explained(str(base.config.name_or_path)):
            tuned: Any = get_peft_model(base, _config(base, lora, chosen))
        if lora.init == "orthogonal":
            orthogonal(tuned)
        elif lora.init == "loftq":
            loftq(tuned, original())
    in_float32(tuned)
    make_lean(tuned)
    moved = lora.init == "pissa"
    return Tuned(tuned, _copied(tuned) if moved else {}, moved)


def saved(base: PreTrainedModel, weights: Path, *, trainable: bool) -> Tuned:
    """The base with the LoRA weights of a folder that was found safe.

    Args:
        trainable: to go on from them, with a frozen copy beside them.
    """
    with explained(str(weights)):
        tuned = PeftModel.from_pretrained(base, str(weights), is_trainable=trainable)
        if in_float32(tuned):
            # They were rounded to what the base's have before they could be told to be float32.
            set_peft_model_state_dict(tuned, load_file(weights / "adapter_model.safetensors"))
    make_lean(tuned)
    return Tuned(tuned, _copied(tuned) if trainable else {})


def trained_weights(model: Any) -> dict[str, torch.nn.Parameter]:
    """Those that stand beside the base model's own, by name."""
    return {name: weight for name, weight in model.named_parameters() if is_added(name)}


def _copied(model: Any) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in trained_weights(model).items()}


def in_float32(model: Any) -> bool:
    """Makes modules that are trained whole compute in float32, as LoRA weights do; whether there are any.

    In 16 bits AdamW's small steps would be rounded away, or in float16 divide by zero.
    """
    found = [module for module in model.modules() if isinstance(module, ModulesToSaveWrapper)]
    for module in found:
        kept = module.modules_to_save["default"]
        # Of the original, since tied modules share a weight that is float32 after the first of them.
        dtype = next(module.original_module.parameters()).dtype
        if dtype in (torch.float16, torch.bfloat16):
            kept.float()
            kept.register_forward_pre_hook(lambda _, inputs: tuple(map(_in(torch.float32), inputs)))
            kept.register_forward_hook(lambda _, inputs, output, dtype=dtype: _in(dtype)(output))
    return bool(found)


def _in(dtype: torch.dtype) -> Callable[[Any], Any]:
    """Numbers in that format, and ids as they are."""
    return lambda value: value.to(dtype) if value.is_floating_point() else value


def save_lora(tuned: Tuned, folder: Path) -> None:
    """Weights and configuration in the PEFT layout; what PiSSA moved becomes part of the weights again."""
    # "auto" would ask the hub whether the vocabulary was resized; cesello never resizes it.
    tuned.model.save_pretrained(str(folder), save_embedding_layers=False, state_dict=_gathered(tuned.model))
    if tuned.moved:
        _give_back(tuned.start, folder)


def _gathered(model: Any) -> dict[str, torch.Tensor] | None:
    """Weights that are spread over several processes, brought together by all of them; None: none is."""
    if not any(isinstance(weight, DTensor) for weight in model.parameters()):
        return None
    weights = trained_weights(model).items()
    return {name: w.full_tensor() if isinstance(w, DTensor) else w for name, w in weights}


def _give_back(moved: Mapping[str, torch.Tensor], folder: Path) -> None:
    """Rewrites what was saved for the untouched base model."""
    initial = {name.replace(".default.", "."): weight.cpu() for name, weight in moved.items()}
    weights, config = folder / "adapter_model.safetensors", folder / "adapter_config.json"
    save_file(as_plain_lora(load_file(weights), initial), weights, metadata={"format": "pt"})
    values = json.loads(config.read_text(encoding="utf-8"))
    # The rank is twice what it was and the scale, alpha / r or alpha / sqrt(r), stays.
    values["lora_alpha"] *= 2**0.5 if values["use_rslora"] else 2
    values |= {"r": 2 * values["r"], "init_lora_weights": True}
    config.write_text(json.dumps(values, indent=2, sort_keys=True), encoding="utf-8")


def tuned_names(model: Any) -> tuple[str, ...]:
    """Short names of what carries LoRA weights, each once, in the model's order."""
    layers = [(name, module) for name, module in model.named_modules() if isinstance(module, BaseTunerLayer)]
    return tuple(dict.fromkeys(_short_name(name, layer) for name, layer in layers))


def is_added(name: str) -> bool:
    """Whether a parameter, by its name, stands beside the base model's own."""
    parts = name.split(".")
    return "modules_to_save" in parts or any(part.startswith("lora_") for part in parts)


def _short_name(name: str, layer: Any) -> str:
    # Of experts, whose layers are nested, the parameter tells what they are.
    return str(getattr(layer, "parameter_name", None) or name.rsplit(".", 1)[-1])


def _config(base: PreTrainedModel, lora: LoraSpec, chosen: Targets) -> LoraConfig:
    inits = {"gaussian": "gaussian", "pissa": "pissa_niter_16"}
    tied = bool(getattr(base.config, "tie_word_embeddings", False)) and bool(lora.modules_to_save)
    return LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=list(chosen.modules),
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in base.modules()),
        target_parameters=list(chosen.parameters) or None,
        exclude_modules=other_modules(base) or None,
        modules_to_save=list(lora.modules_to_save) or None,
        ensure_weight_tying=tied,
        use_rslora=lora.rslora,
        use_dora=lora.dora,
        init_lora_weights=inits.get(lora.init, True),  # type: ignore[arg-type]
        bias="none",
        task_type="CAUSAL_LM",
    )


def _check_possible(base: PreTrainedModel, lora: LoraSpec, chosen: Targets) -> None:
    """Refuses what PEFT would refuse deep inside, or worse, would do in another way."""
    if chosen.parameters and (lora.dropout or lora.dora or lora.init not in ("default", "gaussian")):
        raise ModelError(
            "M012",
            "the weights of experts take LoRA without dropout, DoRA and special beginnings",
            where="lora",
            got=f"dropout {lora.dropout:g}, dora {str(lora.dora).lower()}, init {lora.init}",
            expected="dropout 0, dora false, init default or gaussian",
            fix="change these keys, or set lora.target_modules to attention",
        )
    for name in lora.modules_to_save:
        found = [m for n, m in base.named_modules() if n == name or n.endswith(f".{name}")]
        if not found or any(is_quantised(weight) for module in found for weight in module.parameters()):
            raise ModelError(
                "M012",
                f'the module "{name}" cannot be trained whole',
                where="lora.modules_to_save",
                got="no such module in the model" if not found else "a module whose weights are quantised",
                expected="a module that is not quantised, as embed_tokens, lm_head or a norm",
                fix="correct the name, or give it LoRA weights instead: lora.target_modules",
            )
