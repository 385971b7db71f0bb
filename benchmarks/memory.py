"""Memory as planned and as measured: what a training takes, predicted from the configuration alone.

Each setting runs in a process of its own: it imports everything, trains a tiny model, and only then counts by
how much the memory of the process grows while the real model is loaded and trained. On a CPU that is the
growth of the resident set (`/proc`), with the allocator told to give back what is free, and once as it is by
default; on a GPU it is what torch allocated at most. `--device cuda` takes the 1.5B and 7B shapes with random
weights, in bfloat16 and NF4. Figures go to `benchmarks/results/`.
"""

from __future__ import annotations

import gc
import json
import platform
import random
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click

RESULTS = Path(__file__).parent / "results"
SMOLLM = "HuggingFaceTB/SmolLM2-135M-Instruct"
GIB = 2**30
_STEPS = 2


@dataclass(frozen=True, slots=True)
class Setting:
    """One training.

    Attributes:
        rows: tokens of each row of the forward pass; half of them are labels.
        loose: the allocator keeps freed blocks, as it does where memory is plenty.
    """

    name: str
    model: str
    rows: tuple[int, ...]
    padded: bool = False
    checkpointing: bool = False
    quantizer: str = "none"
    dtype: str = "float32"
    device: str = "cpu"
    loose: bool = False


_ROWS = (256, 224, 160, 128)
ON_CPU = [
    Setting("padded", SMOLLM, _ROWS, padded=True),
    Setting("packed", SMOLLM, _ROWS),
    Setting("checkpointed", SMOLLM, _ROWS, checkpointing=True),
    Setting("packed, nf4", SMOLLM, _ROWS, quantizer="nf4"),
    Setting("packed, allocator by default", SMOLLM, _ROWS, loose=True),
    Setting("checkpointed, allocator by default", SMOLLM, _ROWS, checkpointing=True, loose=True),
]
_LONG = (2048, 2048)
ON_GPU = [
    Setting(f"{name}, {quantizer}, {'checkpointed' if checkpointing else 'kept'}", model, _LONG,
            checkpointing=checkpointing, quantizer=quantizer, dtype="bfloat16", device="cuda")
    for name, model in (("1.5B", "Qwen/Qwen2.5-1.5B"), ("7B", "mistralai/Mistral-7B-v0.3"))
    for quantizer in ("none", "nf4")
    for checkpointing in (False, True)
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measured:
    """Bytes as planned and as measured, and what a step took."""

    setting: str
    planned: int
    measured: int
    ratio: float
    seconds_per_step: float


def measure(setting: Setting, weights: Path | None) -> Measured:
    """Trains two steps in this process: the optimizer's moments are there from the second on.

    Args:
        weights: where models of noise are kept for other settings.
    """
    import torch

    from cesello.adapters.model.hf_provider import HfModelProvider
    from cesello.adapters.model.hub_cache import HubCache
    from cesello.adapters.model.meta_predictor import MetaPredictor
    from cesello.adapters.model.quantizers import FourBitQuantizer, NoQuantizer
    from cesello.adapters.training.cpu_allocator import give_back_at_once
    from cesello.domain.footprint import Evaluating, ForwardPass, RowSize
    from cesello.domain.model_spec import LoraSpec, ModelSpec
    from cesello.entrypoints.home import home

    quantizers: dict[str, Any] = {"none": NoQuantizer(), "nf4": FourBitQuantizer()}
    files = HubCache(home() / "hub")
    lora = LoraSpec(dropout=0.0)
    model = ModelSpec(setting.model, dtype=setting.dtype, device=setting.device)
    work = ForwardPass(
        tuple(RowSize(tokens, tokens // 2) for tokens in setting.rows), setting.padded, setting.checkpointing
    )
    plan = MetaPredictor(quantizers, files).footprint(model, setting.quantizer, lora, work, Evaluating(1, 1))
    if not setting.loose:
        give_back_at_once()
    with tempfile.TemporaryDirectory() as folder:
        _warm_up(Path(folder), quantizers[setting.quantizer], setting)
        source = model if setting.device == "cpu" else _random_weights(model, weights or Path(folder))
        provider = HfModelProvider(quantizers[setting.quantizer], files)
        provider.encoder(source)
        before = _now(setting.device)
        policy = provider.load(source, lora, seed=0, gradient_checkpointing=setting.checkpointing)
        _forget_peak(setting.device)
        seconds = _train(policy, setting)
        torch.cuda.synchronize() if setting.device == "cuda" else None
        grown = _peak(setting.device) - before
    return Measured(setting.name, plan.training, grown, round(plan.training / grown, 4), round(seconds, 3))


def _train(policy: Any, setting: Setting) -> float:
    """Seconds of the last step."""
    from cesello.adapters.training.lightning_sft import LightningSft
    from cesello.domain.schedule import StepReport, TrainingPlan
    from cesello.domain.tokens import token_row
    from tests.fakes.run import FakeStop
    from tests.fakes.training import heard

    draw = random.Random(0)
    rows = [
        token_row([draw.randrange(256) for _ in range(count)], [2 * at >= count for at in range(count)])
        for count in setting.rows
    ]
    reports: list[StepReport] = []
    plan = TrainingPlan(_STEPS, batch_size=len(rows), padded=setting.padded, learning_rate=1e-4)
    LightningSft().optimize(policy, [[rows]] * _STEPS, plan, on_step=heard(reports), stop=FakeStop())
    return reports[-1].seconds


def _warm_up(folder: Path, quantizer: Any, setting: Setting) -> None:
    """Libraries take memory of their own when they are first used."""
    from cesello.adapters.model.hf_provider import HfModelProvider
    from cesello.adapters.model.hub_cache import HubCache
    from cesello.domain.model_spec import LoraSpec, ModelSpec
    from tests.tiny_model import make_tiny_model

    model = ModelSpec(str(make_tiny_model(folder / "tiny")), dtype=setting.dtype, device=setting.device)
    policy = HfModelProvider(quantizer, HubCache(None)).load(model, LoraSpec(dropout=0.0), seed=0)
    _train(policy, Setting("tiny", "tiny", (64, 32)))


def _random_weights(model: Any, folder: Path) -> Any:
    """The model's shape with weights of noise, saved where it can be loaded from."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from cesello.adapters.model.known_models import known_config
    from tests.tiny_model import tiny_tokenizer

    known = known_config(model.name)
    assert known is not None
    place = folder / model.name.replace("/", "--")
    if not place.exists():
        with torch.device(model.device):
            whole = AutoModelForCausalLM.from_config(AutoConfig.for_model(**known), dtype=torch.bfloat16)
        whole.save_pretrained(place)
        tiny_tokenizer().save_pretrained(place)
        del whole
        gc.collect()
        torch.cuda.empty_cache()
    return replace(model, name=str(place))


def _now(device: str) -> int:
    return _allocated() if device == "cuda" else _status("VmRSS")


def _peak(device: str) -> int:
    import torch

    return torch.cuda.max_memory_allocated() if device == "cuda" else _status("VmHWM")


def _forget_peak(device: str) -> None:
    """What loading took at most is no matter of the training."""
    import torch

    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    else:
        Path("/proc/self/clear_refs").write_text("5")


def _allocated() -> int:
    import torch

    return torch.cuda.memory_allocated()


def _status(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:")) * 1024


@click.command()
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--only", multiple=True, help="Measure this setting in this process and print it as JSON.")
@click.option(
    "--weights", type=click.Path(path_type=Path), help="With --only: where models of noise are kept."
)
@click.option("--rows", help="With --only: tokens of each row, as 64,32.")
def main(device: str, only: tuple[str, ...], weights: Path | None, rows: str | None) -> None:
    """Predicts and measures every setting of a device."""
    settings = ON_CPU if device == "cpu" else ON_GPU
    for name in only:
        setting = next(one for one in settings if one.name == name)
        if rows is not None:
            setting = replace(setting, rows=tuple(map(int, rows.split(","))))
        click.echo(json.dumps(asdict(measure(setting, weights))))
        gc.collect()  # models hold themselves in circles
    if only:
        return
    measured: list[dict[str, Any]] = []
    # In memory where there is such a place: models of noise are as large as real ones.
    shared = "/dev/shm" if device == "cuda" and Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        for setting in settings:
            one = _in_its_own_process(device, setting, folder)
            measured.append(one)
            figures = f"planned {one['planned'] / GIB:6.3f} GiB, measured {one['measured'] / GIB:6.3f} GiB"
            click.echo(
                f"{one['setting']:36} {figures}, {one['ratio']:.3f}, {one['seconds_per_step']:.2f} s a step"
            )
    result = {"machine": _machine(device), "settings": measured}
    (RESULTS / f"memory-{device}.json").write_text(json.dumps(result, indent=2) + "\n")


def _in_its_own_process(device: str, setting: Setting, weights: str) -> dict[str, Any]:
    command = [sys.executable, __file__, "--device", device, "--only", setting.name, "--weights", weights]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _machine(device: str) -> str:
    import os

    import torch

    if device == "cuda":
        return torch.cuda.get_device_name()
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "CPU")
    return f"{os.cpu_count()} cores of {model}, {platform.system()} {platform.machine()}"


if __name__ == "__main__":
    main()
