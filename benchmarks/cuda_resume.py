"""Exact resume on a GPU: a training saved on its way and gone on with, against the same training undisturbed.

For every optimizer and number format, with `deterministic` and without: whether the same training run
twice, and one that is gone on with after half its steps, end with the same bits. Figures go to
`benchmarks/results/cuda-resume.json`.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import click

RESULTS = Path(__file__).parent / "results"
_STEPS = 8


def bits(policy: Any) -> list[Any]:
    return [w.detach().cpu() for w in policy.model.parameters() if w.requires_grad]


def same(one: list[Any], other: list[Any]) -> bool:
    import torch

    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def check(
    model: Path, optimizer: str, dtype: str, quantizer: str, deterministic: bool, device: str
) -> dict[str, Any]:
    """Trains three times: twice whole, once with a stop in the middle."""
    import torch

    from cesello.adapters.model.hf_provider import HfModelProvider
    from cesello.adapters.model.hub_cache import HubCache
    from cesello.adapters.model.quantizers import FourBitQuantizer, NoQuantizer
    from cesello.adapters.training.lightning_sft import LightningSft
    from cesello.domain.checkpoint import Checkpoint, CheckpointState
    from cesello.domain.model_spec import LoraSpec, ModelSpec
    from cesello.domain.ports.training import TrainingState
    from cesello.domain.schedule import StepReport, TrainingPlan
    from cesello.domain.tokens import token_row
    from tests.fakes.run import FakeStop

    stored = FourBitQuantizer("nf4") if quantizer == "nf4" else NoQuantizer()
    provider = HfModelProvider(stored, HubCache(None))
    plan = TrainingPlan(_STEPS, learning_rate=1e-3, optimizer=optimizer, deterministic=deterministic, seed=1)
    lora = LoraSpec(r=16, alpha=32, dropout=0.1, target_modules="all-linear")
    rows = [token_row([(7 * n + at) % 250 for at in range(60 + 9 * n)], [at > 20 for at in range(60 + 9 * n)])
            for n in range(12)]  # fmt: skip
    batches = [[rows[n % 6 : n % 6 + 3], rows[n % 5 : n % 5 + 4]] for n in range(_STEPS)]
    torch.use_deterministic_algorithms(deterministic)

    def trained(start: Checkpoint | None = None, folder: Path | None = None) -> tuple[Any, dict[str, Any]]:
        policy = provider.load(ModelSpec(str(model), dtype=dtype, device=device), lora, seed=0)
        plain: dict[str, Any] = {}

        def on_step(report: StepReport, state: TrainingState) -> bool:
            if folder is not None and report.step == _STEPS // 2:
                state.save(folder)
                plain.update(json.loads(json.dumps(state.plain)))
            return True

        LightningSft().optimize(policy, batches, plan, on_step=on_step, stop=FakeStop(), start=start)
        return bits(policy), plain

    with tempfile.TemporaryDirectory() as place:
        whole, plain = trained(folder=Path(place))
        again, _ = trained()
        half = Checkpoint(Path(place), CheckpointState(_STEPS // 2, None, plain, {}))
        resumed, _ = trained(start=half)
    return {"run twice": same(whole, again), "gone on with": same(whole, resumed)}


@click.command()
@click.option("--output", type=click.Path(path_type=Path), default=RESULTS / "cuda-resume.json")
def main(output: Path) -> None:
    """Checks every setting and says what is the same to the bit; on a CPU too, where nothing is written."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"

    from tests.tiny_model import make_tiny_model

    settings = [
        ("adamw", "bfloat16", "none"), ("adamw", "float32", "none"), ("adamw", "bfloat16", "nf4"),
        ("adamw_8bit", "bfloat16", "none"), ("paged_adamw", "bfloat16", "none"),
        ("paged_adamw_8bit", "bfloat16", "nf4"),
    ]  # fmt: skip
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        tiny = make_tiny_model(Path(folder) / "tiny")
        for optimizer, dtype, quantizer in settings:
            for deterministic in (True, False):
                named = {
                    "optimizer": optimizer,
                    "dtype": dtype,
                    "quantizer": quantizer,
                    "deterministic": deterministic,
                }
                try:
                    figures = check(tiny, optimizer, dtype, quantizer, deterministic, device)
                except Exception as failure:
                    figures = {"failed": f"{type(failure).__name__}: {failure}"[:300]}
                found.append(named | figures)
                click.echo(json.dumps(found[-1]))
    if device == "cuda":
        result = {"machine": torch.cuda.get_device_name(), "torch": torch.__version__, "settings": found}
        output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
