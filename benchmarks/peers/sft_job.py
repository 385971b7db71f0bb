"""What a contender of ``benchmarks/sft_vs_trl.py`` is asked: the same rows, model and LoRA for each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from cesello.domain.tokens import TokenRow, token_row

LORA: dict[str, Any] = {"r": 16, "lora_alpha": 32, "lora_dropout": 0.0}
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
LEARNING_RATE = 1e-4


@dataclass(frozen=True, slots=True)
class Job:
    """A few optimizer steps.

    Attributes:
        model: a name that the kit holds, or a known shape, which gets random weights.
        steps: the rows of every step, each as ids and labels (1 or 0); one forward pass takes them all.
        max_tokens: no step has more.
        without: parts of cesello that are left off, for the table of ablations.
    """

    model: str
    steps: list[list[tuple[list[int], list[int]]]]
    max_tokens: int
    device: str = "cpu"
    dtype: str = "float32"
    quantizer: str = "none"
    checkpointing: bool = False
    without: tuple[str, ...] = ()

    def rows(self) -> list[list[TokenRow]]:
        return [[token_row(ids, list(map(bool, labels))) for ids, labels in rows] for rows in self.steps]

    def tokens(self) -> list[int]:
        return [sum(len(ids) for ids, _ in rows) for rows in self.steps]


@dataclass
class Clock:
    """When every step was over, by the clock and in the process's own time, and what its loss was."""

    device: str
    ends: list[float] = field(default_factory=list)
    worked: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    def tick(self, loss: float | None = None) -> None:
        import torch

        if self.device == "cuda":
            torch.cuda.synchronize()
        self.ends.append(time.perf_counter())
        self.worked.append(time.process_time())
        if loss is not None:
            self.losses.append(loss)

    def seconds(self) -> list[float]:
        """Of all steps but the first, between the end of one and the end of the next."""
        return _between(self.ends)

    def processor_seconds(self) -> list[float]:
        """The same without what the process waited for a processor that others used."""
        return _between(self.worked)


def _between(times: list[float]) -> list[float]:
    return [after - before for before, after in pairwise(times)]


def as_json(job: Job) -> dict[str, Any]:
    return asdict(job)


def job_of(values: dict[str, Any]) -> Job:
    return Job(**{**values, "without": tuple(values["without"])})


def base_model(job: Job) -> Any:
    """The frozen model: the kit's weights, or noise in a known shape, made where it is trained."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    dtype = getattr(torch, job.dtype)
    if job.device == "cpu":
        from cesello.adapters.model.hub_cache import HubCache
        from cesello.entrypoints.home import home

        place = HubCache(home() / "hub").arguments(job.model)
        return AutoModelForCausalLM.from_pretrained(
            job.model, dtype=dtype, attn_implementation="sdpa", **place
        )
    from cesello.adapters.model.known_models import known_config

    known = known_config(job.model)
    assert known is not None
    with torch.device(job.device):
        model = AutoModelForCausalLM.from_config(
            AutoConfig.for_model(**known), dtype=dtype, attn_implementation="sdpa"
        )
    if job.quantizer == "nf4":
        _in_nf4(model, dtype)
    return model


def _in_nf4(model: Any, dtype: Any) -> None:
    """As ``from_pretrained`` with bitsandbytes leaves a model, without files in between."""
    from importlib import import_module

    import torch
    from transformers import BitsAndBytesConfig
    from transformers.quantizers.auto import AutoHfQuantizer

    layers: Any = import_module("bitsandbytes.nn")

    model.requires_grad_(False)
    for name, layer in list(model.named_modules()):
        if isinstance(layer, torch.nn.Linear) and name != "lm_head":
            new = layers.Linear4bit(
                layer.in_features, layer.out_features, layer.bias is not None, dtype,
                compress_statistics=True, quant_type="nf4", device="meta",
            )  # fmt: skip
            weight = layers.Params4bit(
                layer.weight.data, requires_grad=False, compress_statistics=True, quant_type="nf4"
            )
            new.weight = weight.to(layer.weight.device)
            new.bias = layer.bias
            model.set_submodule(name, new)
    model.is_loaded_in_4bit = model.is_quantized = True
    # Trainer asks it whether what it made can be trained.
    model.hf_quantizer = AutoHfQuantizer.from_config(BitsAndBytesConfig(load_in_4bit=True))
    torch.cuda.empty_cache()


def peak_bytes(device: str) -> int:
    import torch

    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024


def forget_peak(device: str) -> None:
    import torch

    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    else:
        Path("/proc/self/clear_refs").write_text("5")


def labels_of(rows: Sequence[tuple[list[int], list[int]]]) -> list[list[int]]:
    """In transformers' manner: the token where it is trained, -100 elsewhere and where a row starts."""
    return [
        [token if label and at else -100 for at, (token, label) in enumerate(zip(ids, labels, strict=True))]
        for ids, labels in rows
    ]
