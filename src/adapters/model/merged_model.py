"""LoRA weights merged into their base model, one layer at a time in float32.

A layer's weight is taken as it was trained on, made float32, merged by PEFT, and rounded once to what is
written, so that there is never a second copy of the model in float32.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from ...domain.errors import ModelError
from ...domain.export import Into, MergeSpec
from ...domain.ports.run import Observer, Stop
from .dequantise import quantised_weights
from .hf_provider import HfModelProvider
from .peft_lora import saved
from .tokenizer_files import load_tokenizer

_WRAPPED = ".base_layer"
"""Part of the names of layers that PEFT has put LoRA weights around."""


class HfModelExporter:
    """Merges with PEFT and writes what transformers reads.

    Args:
        provider: loads the base model, quantised as it was trained or plain.
    """

    def __init__(self, provider: HfModelProvider) -> None:
        self._provider = provider

    def merge(self, spec: MergeSpec, folder: Path, observer: Observer, stop: Stop) -> None:
        weights = Path(spec.weights)
        observer.phase(f"loading {spec.model.name}")
        base = self._plain(spec)
        seen = self._seen(spec) if spec.into is Into.DEQUANTISED else ()
        merging = _Merging(base, saved(base, weights, trainable=False).model, spec.dtype)
        stop.check()
        observer.phase("merging", len(merging.layers))
        with torch.no_grad():
            for _ in merging.merged(seen):
                stop.check()
                observer.advance()
            model = merging.unloaded()
        observer.phase("saving")
        _save(model, weights, folder)

    def _plain(self, spec: MergeSpec) -> PreTrainedModel:
        """The base on the CPU: in the training's format, or where that was quantised, in the one written.

        Of a quantised base the plain one gives only what was left as it was.
        """
        dtype = spec.dtype if spec.quantised else spec.model.dtype
        place = replace(spec.model, dtype=dtype, device="cpu", device_map=None, attention="auto")
        base = self._provider.plain(place)
        if getattr(base.config, "quantization_config", None) is not None:
            raise ModelError(
                "M033",
                "the base model's own files are quantised, so nothing can be merged into them",
                where=spec.model.name,
                fix="train on the model that it was made of, or use the LoRA weights alone",
            )
        return base

    def _seen(self, spec: MergeSpec) -> Iterator[tuple[str, torch.Tensor]]:
        """Every quantised weight by its name in the plain base, as the training saw it."""
        trained = self._provider.reopen(spec.model, Path(spec.weights))
        yield from quantised_weights(trained.model.base_model.unload())


class _Merging:
    """A plain base with LoRA weights on it, while they are merged.

    Attributes:
        layers: those with LoRA weights, by the name of the parameter of the base that they change.
    """

    def __init__(self, base: Any, tuned: Any, dtype: str) -> None:
        self._base = base
        self._tuned = tuned
        self._dtype = getattr(torch, dtype)
        # Some architectures keep a few sensitive weights in float32 whatever is asked.
        self._kept = [re.compile(one) for one in base._get_dtype_plan(self._dtype)]
        self._places = {name.replace(_WRAPPED, ""): weight for name, weight in base.named_parameters()}
        self.layers = {
            f"{name.replace(_WRAPPED, '')}.{getattr(layer, 'parameter_name', 'weight')}": layer
            for name, layer in base.named_modules()
            if isinstance(layer, BaseTunerLayer)
        }

    def merged(self, seen: Iterable[tuple[str, torch.Tensor]]) -> Iterator[str]:
        """Puts what is seen in its place, merges every layer, and names those that are done.

        Raises:
            ModelError: M032 for what is not finite.
        """
        left = dict(self.layers)
        turned = self._turned()
        for name, weight in seen:
            values = weight.T if name in turned else weight
            self._places[name].data = values.to("cpu", torch.float32)
            yield from self._done(name, left.pop(name, None))
        for name, layer in left.items():
            self._places[name].data = self._places[name].data.float()
            yield from self._done(name, layer)

    def unloaded(self) -> Any:
        """The model without any trace of PEFT, in one number format."""
        model: Any = self._tuned.base_model.unload()
        _tie(model)
        for name, weight in model.named_parameters():
            if weight.is_floating_point():
                weight.data = self._rounded(name, weight.data)
        return model

    def _turned(self) -> set[str]:
        """Weights that GPT-2's kind of layer keeps as [inputs, outputs]."""
        modules = self._base.named_modules()
        return {f"{n.replace(_WRAPPED, '')}.weight" for n, module in modules if isinstance(module, Conv1D)}

    def _done(self, name: str, layer: Any) -> Iterator[str]:
        if layer is not None:
            try:
                layer.merge(safe_merge=True)
            except ValueError as cause:
                raise _not_finite(name, "the LoRA weights") from cause
        self._places[name].data = self._rounded(name, self._places[name].data)
        if layer is not None:
            yield name

    def _rounded(self, name: str, values: torch.Tensor) -> torch.Tensor:
        kept = any(pattern.search(name) for pattern in self._kept)
        rounded = values.to(torch.float32 if kept else self._dtype)
        if not torch.isfinite(rounded).all():
            raise _not_finite(name, f"a weight that {self._dtype} cannot hold")
        return rounded


def _not_finite(name: str, cause: str) -> ModelError:
    return ModelError(
        "M032",
        "a merged weight is not a finite number",
        where=name,
        got=cause.replace("torch.", ""),
        fix="export with --dtype bfloat16 or float32, or train again at a lower learning rate",
    )


def _tie(model: Any) -> None:
    """Embeddings and head stay one where they are one; where the training parted them, the config says so."""
    inner, outer = model.get_input_embeddings(), model.get_output_embeddings()
    if outer is None or not model.config.get_text_config().tie_word_embeddings:
        return
    if inner.weight.data_ptr() == outer.weight.data_ptr():
        outer.weight = inner.weight
        return
    model.config.tie_word_embeddings = False
    model.config.get_text_config().tie_word_embeddings = False


def _save(model: Any, weights: Path, folder: Path) -> None:
    tokenizer: Any = load_tokenizer(str(weights), {})
    model.hf_device_map = {}  # the library takes a model on the CPU for one that is partly elsewhere
    model.config.name_or_path = ""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    _end_answers(folder / "generation_config.json", tokenizer)


def _end_answers(path: Path, tokenizer: Any) -> None:
    """Others end an answer where cesello does: at the tokenizer's end, and at those the authors name.

    In the file, since the library saves no changed configuration that contradicts itself, as some do.
    """
    values = json.loads(path.read_text(encoding="utf-8"))
    named = values.get("eos_token_id")
    listed = named if isinstance(named, list) else [] if named is None else [named]
    ends = sorted({int(tokenizer.eos_token_id), *listed})
    values["eos_token_id"] = ends if len(ends) > 1 else ends[0]
    if values.get("pad_token_id") is None:
        values["pad_token_id"] = int(tokenizer.pad_token_id)
    path.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")
