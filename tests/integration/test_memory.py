"""The plan before the bill: what is predicted from a configuration is what is there when it is loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cesello.adapters.model.dequantise import quantised_parameters
from cesello.adapters.model.hf_provider import HfModelProvider
from cesello.adapters.model.hub_cache import HubCache
from cesello.adapters.model.meta_predictor import MetaPredictor
from cesello.adapters.model.quantizers import FourBitQuantizer, Int8Quantizer, NoQuantizer
from cesello.adapters.model.torchao_quantizer import TorchaoInt8Quantizer
from cesello.domain.footprint import Evaluating, ForwardPass, RowSize
from cesello.domain.model_spec import LoraSpec, ModelSpec
from cesello.domain.ports.model import Quantizer
from tests.repository import ROOT
from tests.tiny_architectures import TINY, make_tiny

MISTRAL = ModelSpec("mistralai/Mistral-7B-v0.3", device="cuda")
SMOLLM = "HuggingFaceTB/SmolLM2-135M-Instruct"
SMALL = ForwardPass((RowSize(8, 4),))
QUANTIZERS: list[Quantizer] = [
    NoQuantizer(),
    FourBitQuantizer("nf4"),
    FourBitQuantizer("nf4", double_quant=False),
    FourBitQuantizer("fp4"),
    Int8Quantizer(),
    TorchaoInt8Quantizer(),
]


def predictor(quantizer: Quantizer, folder: Path | None = None) -> MetaPredictor:
    return MetaPredictor({quantizer.name: quantizer}, HubCache(folder))


def held(policy: Any) -> tuple[int, int, int]:
    """Bytes of a policy's base weights, of those that are quantised, and of its LoRA weights."""
    weights = quantised = lora = 0
    for name, weight in policy.model.named_parameters():
        if "lora_" in name:
            lora += weight.nbytes
            continue
        size = stored(weight)
        weights += size
        quantised += size if size != weight.nbytes or hasattr(weight, "quant_state") else 0
    buffers = sum(buffer.nbytes for buffer in policy.model.buffers())
    return weights + buffers, quantised, lora


def scales(state: Any) -> int:
    """Bytes of what makes whole numbers of 4 bits."""
    nested = [state.state2.absmax, state.state2.code, state.offset] if state.nested else []
    return sum(tensor.nbytes for tensor in (state.absmax, state.code, *nested))


def beside_experts(module: Any) -> int:
    """Bytes kept beside a module's quantised parameters."""
    return sum(scales(module.parametrizations[name][0].quant_state) for name in quantised_parameters(module))


def stored(weight: Any) -> int:
    """Bytes of a parameter with all that its quantizer keeps beside it."""
    state = getattr(weight, "quant_state", None)
    if state is not None:
        return int(weight.nbytes) + scales(state)
    if getattr(weight, "SCB", None) is not None:
        return int(weight.CB.nbytes + weight.SCB.nbytes)
    if hasattr(weight.data, "qdata"):
        return int(weight.data.qdata.nbytes + weight.data.scale.nbytes)
    return int(weight.nbytes)


def test_mistral_has_the_parameters_of_the_papers() -> None:
    shape = predictor(NoQuantizer()).shape(MISTRAL)
    assert shape.parameters == 7_248_023_552
    assert shape.positions == 32768
    assert shape.lora_parameters("attention", 16) == 13_631_488
    assert shape.lora_parameters("all-linear", 16) == 41_943_040
    assert f"{13_631_488 / shape.parameters:.2%}" == "0.19%"


@pytest.mark.parametrize(("preset", "trainable"), [("attention", 13_631_488), ("all-linear", 41_943_040)])
def test_mistral_in_nf4_has_the_bits_of_the_paper(preset: str, trainable: int) -> None:
    lora = LoraSpec(r=16, target_modules=preset)
    footprint = predictor(FourBitQuantizer()).footprint(MISTRAL, "nf4", lora, SMALL, Evaluating(1, 1))
    assert footprint.trainable == trainable
    assert footprint.bits == pytest.approx(4.127, abs=5e-4)
    # 32,768 tokens of an answer take 4 GiB in 16 bits: 32 layers, 8 heads of 128, keys and values.
    assert footprint.cache == 2 * 2 * 32 * 8 * 128


@pytest.mark.parametrize("quantizer", QUANTIZERS, ids=lambda one: one.name)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("architecture", ["llama", "gpt2", "falcon", "gemma3", "qwen2_moe"])
def test_what_is_stored_is_what_was_planned(
    architecture: str, dtype: str, quantizer: Quantizer, tmp_path: Path
) -> None:
    model = ModelSpec(str(make_tiny(architecture, tmp_path)), dtype=dtype)
    lora = LoraSpec(r=4, dropout=0.0)
    plan = predictor(quantizer).footprint(model, quantizer.name, lora, SMALL, Evaluating(1, 1))
    policy = HfModelProvider(quantizer, HubCache(None)).load(model, lora, seed=0)
    weights, _, adapted = held(policy)
    assert plan.lora == adapted
    assert plan.trainable == policy.facts.trainable_parameters
    assert plan.parameters == policy.facts.parameters
    assert plan.weights == weights + sum(map(beside_experts, policy.model.modules()))


FEW = {"llama", "gpt2", "gpt_neox", "gemma3", "qwen2_moe", "phi"}
"""One of each kind of layers; the others are tried by ``make test-all``."""
ARCHITECTURES = [name if name in FEW else pytest.param(name, marks=pytest.mark.slow) for name in TINY]
KINDS = [LoraSpec(r=4, dropout=0.0, target_modules=preset) for preset in ("attention", "mlp", "all-linear")]
KINDS += [LoraSpec(r=4, dropout=0.0, dora=True, rslora=True)]


@pytest.mark.parametrize("quantizer", ["none", "nf4"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_kind_of_training_can_be_planned(architecture: str, quantizer: str, tmp_path: Path) -> None:
    model = ModelSpec(str(make_tiny(architecture, tmp_path)), dtype="bfloat16")
    quantizers: dict[str, Quantizer] = {"none": NoQuantizer(), "nf4": FourBitQuantizer()}
    planner = MetaPredictor(quantizers, HubCache(None))
    for lora in KINDS:
        for padded, checkpointing in ((False, False), (True, True)):
            work = ForwardPass((RowSize(16, 8), RowSize(8, 4)), padded, checkpointing)
            plan = planner.footprint(model, quantizer, lora, work, Evaluating(2, 16))
            assert plan.step > plan.gradients > 0
            assert plan.evaluation > plan.cache > 0


def test_reading_prompts_takes_more_than_their_keys_and_values() -> None:
    """Eight prompts of 2,048 tokens: a layer's activations are there for a moment, of all prompts at once."""
    footprint = predictor(FourBitQuantizer()).footprint(
        MISTRAL, "nf4", LoraSpec(), SMALL, Evaluating(8, 2048)
    )
    assert footprint.cache == 8 * 2048 * 2 * 2 * 32 * 8 * 128
    hidden = 8 * 2048 * 14336 * 2
    assert footprint.cache + hidden < footprint.evaluation < footprint.cache + 6 * hidden


def test_taking_losses_of_long_rows_can_take_more_than_a_short_step() -> None:
    """1,024 labels at a time over a vocabulary of 32,768: logits and their logarithms in 32 bits."""
    part = (4 + 4) * 1024 * 32768
    rows = [Evaluating(0, 0, scored=scored) for scored in (2048, 4096)]
    footprint, longer = (
        predictor(FourBitQuantizer()).footprint(MISTRAL, "nf4", LoraSpec(), SMALL, row) for row in rows
    )
    assert footprint.step < part <= footprint.evaluation < 1.2 * part
    assert longer.evaluation < 2 * part  # all of its logits would take four times as much
    assert footprint.peak == footprint.resting + footprint.evaluation


def test_a_frozen_copy_and_the_plain_weights_of_loftq_are_counted(tmp_path: Path) -> None:
    model = ModelSpec(str(make_tiny("llama", tmp_path / "base")), dtype="float32")
    quantizer = FourBitQuantizer()
    plans = {
        init: predictor(quantizer).footprint(model, "nf4", LoraSpec(init=init), SMALL, Evaluating(1, 1))
        for init in ("default", "loftq")
    }
    assert plans["loftq"].beginning == 4 * plans["loftq"].parameters
    assert plans["default"].beginning == 0
    provider = HfModelProvider(quantizer, HubCache(None))
    provider.load(model, LoraSpec(r=4), seed=0).save(tmp_path / "lora")
    on = LoraSpec(continue_from=str(tmp_path / "lora"))
    going_on = predictor(quantizer).footprint(model, "nf4", on, SMALL, Evaluating(1, 1))
    assert going_on.lora == 2 * going_on.gradients


def test_a_real_model_in_nf4_takes_the_bytes_of_the_plan(kit_home: Path) -> None:
    quantizer, model = FourBitQuantizer(), ModelSpec(SMOLLM, dtype="float32")
    files = kit_home / "hub"
    plan = predictor(quantizer, files).footprint(model, "nf4", LoraSpec(), SMALL, Evaluating(1, 1))
    policy = HfModelProvider(quantizer, HubCache(files)).load(model, LoraSpec(), seed=0)
    weights, quantised, lora = held(policy)
    assert (plan.weights, plan.quantised, plan.lora) == (weights, quantised, lora)
    # 30 layers of matrices as small as 192 x 576 feel their codebooks: 4.127 and 0.02 bits.
    assert 8 * quantised / plan.quantised_parameters == pytest.approx(4.143, abs=5e-3)


def test_upcasting_has_its_cost_in_the_plan() -> None:
    plans = [
        predictor(FourBitQuantizer()).footprint(
            replace(MISTRAL, upcast=upcast), "nf4", LoraSpec(), SMALL, Evaluating(1, 1)
        )
        for upcast in (False, True)
    ]
    embeddings_head_norms = 2 * 32768 * 4096 + 65 * 4096
    assert plans[1].weights - plans[0].weights == 2 * embeddings_head_norms
    assert plans[1].activations > plans[0].activations


SETTINGS = ["padded", "packed", "checkpointed"]


@pytest.fixture(scope="module")
def peaks() -> dict[str, Any]:
    """What three trainings of SmolLM2 take of a process, one after the other, and what was planned."""
    program = ROOT / "benchmarks" / "memory.py"
    options = [option for setting in SETTINGS for option in ("--only", setting)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(
        [sys.executable, program, *options, "--rows", "128,112,80,64"],
        capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return {one["setting"]: one for one in map(json.loads, lines)}


@pytest.mark.slow
@pytest.mark.parametrize("setting", SETTINGS)
def test_the_peak_of_a_training_is_within_a_tenth_of_the_plan(peaks: dict[str, Any], setting: str) -> None:
    measured = peaks[setting]
    assert measured["planned"] > 600 * 2**20, "more than the weights alone"
    assert 0.9 < measured["ratio"] < 1.1, measured
