"""What is exported behaves as what was trained, for every quantizer and every kind of LoRA weights."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from cesello.adapters.model.hf_provider import HfModelProvider
from cesello.adapters.model.hub_cache import HubCache
from cesello.adapters.model.merged_model import HfModelExporter
from cesello.adapters.model.parity import HfParityProbe, HfReference, kl
from cesello.adapters.model.quantizers import FourBitQuantizer, Int8Quantizer, NoQuantizer
from cesello.adapters.model.torchao_quantizer import TorchaoInt8Quantizer
from cesello.domain.errors import ModelError
from cesello.domain.export import Into, MergeSpec, Parity, Probes, shortened
from cesello.domain.export_probes import BUILT_IN
from cesello.domain.model_spec import LoraSpec, ModelSpec
from cesello.domain.ports.model import Quantizer
from tests.fakes.run import FakeStop, RecordingObserver
from tests.tiny_architectures import make_tiny
from tests.tiny_model import make_tiny_model
from tests.trained_lora import ALL_LINEAR, save_trained

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    # LoRA weights of a quantised base remember its layers' kind, and are put on a plain one.
    pytest.mark.filterwarnings("ignore:fan_in_fan_out is set to False:UserWarning"),
    pytest.mark.filterwarnings("ignore:You have passed exclude_modules:UserWarning"),
]

QUANTIZERS: dict[str, Callable[[], Quantizer]] = {
    "none": NoQuantizer,
    "nf4": FourBitQuantizer,
    "int8": Int8Quantizer,
    "torchao_int8": TorchaoInt8Quantizer,
}
EXPERTS = ("q_proj", "mlp.experts.gate_up_proj", "mlp.experts.down_proj")
WATCHING = RecordingObserver(), FakeStop()


@dataclass
class Trained:
    """A model with LoRA weights that say something, and what it said."""

    provider: HfModelProvider
    model: ModelSpec
    weights: Path
    quantised: bool
    said: list[HfReference] = field(default_factory=list)

    def merge(self, folder: Path, into: Into, dtype: str) -> Path:
        spec = MergeSpec(self.model, str(self.weights), into, dtype, self.quantised)
        folder.mkdir()
        HfModelExporter(self.provider).merge(spec, folder, *WATCHING)
        return folder

    def parity(self, folder: Path, into: Into, dtype: str = "float32") -> Parity:
        return self.reference().compared_with(self.merge(folder, into, dtype), dtype, *WATCHING)

    def reference(self) -> HfReference:
        if not self.said:
            rows = tuple(shortened(row) for row in self.provider.encoder(self.model).encode(BUILT_IN))
            probes = Probes("built-in", rows, tuple(talk.prompt() for talk in BUILT_IN[:4]))
            self.said.append(HfParityProbe(self.provider).ask(self.model, self.weights, probes, *WATCHING))
        return self.said[0]


def train(quantizer: Quantizer, base: Path, folder: Path, lora: LoraSpec, dtype: str = "float32") -> Trained:
    provider, model = HfModelProvider(quantizer, HubCache(None)), ModelSpec(str(base), dtype=dtype)
    folder.mkdir(exist_ok=True)
    save_trained(provider, model, folder, lora)
    return Trained(provider, model, folder, quantizer.name != "none")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def trained(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Trained]:
    made: dict[str, Trained] = {}

    def get(name: str) -> Trained:
        if name not in made:
            made[name] = train(QUANTIZERS[name](), tiny, tmp_path_factory.mktemp(name), ALL_LINEAR)
        return made[name]

    return get


def test_a_plain_run_comes_back_exactly(trained: Callable[[str], Trained], tmp_path: Path) -> None:
    parity = trained("none").parity(tmp_path / "out", Into.BASE)
    assert parity.max_logit_difference < 1e-4
    assert parity.mean_kl < 1e-9
    assert parity.same_answers == parity.prompts == 4


@pytest.mark.parametrize("name", ["nf4", "torchao_int8"])
def test_what_a_quantised_training_saw_comes_back_exactly(
    trained: Callable[[str], Trained], tmp_path: Path, name: str
) -> None:
    seen = trained(name).parity(tmp_path / "seen", Into.DEQUANTISED)
    base = trained(name).parity(tmp_path / "base", Into.BASE)
    assert seen.max_logit_difference < 1e-4
    assert seen.same_answers == seen.prompts
    assert base.max_logit_difference > 1000 * seen.max_logit_difference
    assert base.mean_kl > 1000 * abs(seen.mean_kl)


def test_of_int8_only_the_rounding_of_activations_is_left(
    trained: Callable[[str], Trained], tmp_path: Path
) -> None:
    seen = trained("int8").parity(tmp_path / "seen", Into.DEQUANTISED)
    base = trained("int8").parity(tmp_path / "base", Into.BASE)
    assert seen.mean_kl < base.mean_kl
    assert seen.max_logit_difference < 0.02


@pytest.mark.parametrize(("name", "into"), [("none", Into.BASE), ("nf4", Into.DEQUANTISED)])
def test_weights_are_rounded_once(
    trained: Callable[[str], Trained], tmp_path: Path, name: str, into: Into
) -> None:
    run = trained(name)
    exact = load_file(run.merge(tmp_path / "exact", into, "float32") / "model.safetensors")
    half = load_file(run.merge(tmp_path / "half", into, "bfloat16") / "model.safetensors")
    assert exact.keys() == half.keys()
    for weight in exact:
        assert half[weight].dtype == torch.bfloat16
        assert torch.equal(half[weight], exact[weight].bfloat16()), weight
    config = json.loads((tmp_path / "half" / "config.json").read_text())
    assert (config["dtype"], "quantization_config" in config) == ("bfloat16", False)


LORAS = {
    "dora": LoraSpec(dropout=0.0, dora=True),
    "rslora": LoraSpec(dropout=0.0, rslora=True, r=4, alpha=2),
    "pissa": LoraSpec(dropout=0.0, init="pissa"),
    "loftq": LoraSpec(dropout=0.0, init="loftq"),
    "embeddings": LoraSpec(dropout=0.0, modules_to_save=("embed_tokens", "lm_head")),
}


@pytest.mark.parametrize(
    ("quantizer", "lora"),
    [
        ("none", "dora"), ("none", "rslora"), ("none", "pissa"), ("none", "embeddings"),
        ("nf4", "dora"), ("nf4", "rslora"), ("nf4", "loftq"), ("nf4", "embeddings"),
    ],
)  # fmt: skip
def test_every_kind_of_lora_weights_is_merged(tiny: Path, tmp_path: Path, quantizer: str, lora: str) -> None:
    run = train(QUANTIZERS[quantizer](), tiny, tmp_path / "lora", LORAS[lora])
    into = Into.DEQUANTISED if run.quantised else Into.BASE
    assert run.parity(tmp_path / "out", into).max_logit_difference < 1e-4


@pytest.mark.parametrize("modules", [("embed_tokens",), ("lm_head",), ("embed_tokens", "lm_head")])
def test_embeddings_that_are_also_the_head_stay_so(tmp_path: Path, modules: tuple[str, ...]) -> None:
    tied = make_tiny("gemma", tmp_path / "tied")
    run = train(FourBitQuantizer(), tied, tmp_path / "lora", LoraSpec(dropout=0.0, modules_to_save=modules))
    assert run.parity(tmp_path / "out", Into.DEQUANTISED).max_logit_difference < 1e-4
    assert json.loads((tmp_path / "out" / "config.json").read_text())["tie_word_embeddings"]
    assert "lm_head.weight" not in load_file(tmp_path / "out" / "model.safetensors")


@pytest.mark.parametrize(
    ("architecture", "lora"),
    [
        ("gpt2", ALL_LINEAR),
        ("mixtral", LoraSpec(dropout=0.0, target_modules=EXPERTS)),
        ("qwen3_moe", ALL_LINEAR),
    ],
)
def test_other_kinds_of_layers_are_merged(tmp_path: Path, architecture: str, lora: LoraSpec) -> None:
    """GPT-2 keeps its weights the other way round; experts are parameters, quantised or with LoRA weights."""
    run = train(FourBitQuantizer(), make_tiny(architecture, tmp_path / "base"), tmp_path / "lora", lora)
    assert run.parity(tmp_path / "seen", Into.DEQUANTISED).max_logit_difference < 1e-4
    assert run.parity(tmp_path / "base-16", Into.BASE).max_logit_difference > 1e-3


def test_an_export_ends_its_answers_where_the_run_did(tiny: Path, tmp_path: Path) -> None:
    """At the tokenizer's end and at those that the base model's authors named."""
    base = _copied(tiny, tmp_path / "base")
    named = {"eos_token_id": [7, 9], "temperature": 0.5}  # with a contradiction, as published ones have
    (base / "generation_config.json").write_text(json.dumps(named))
    run = train(NoQuantizer(), base, tmp_path / "lora", LoraSpec(dropout=0.0))
    out = run.merge(tmp_path / "out", Into.BASE, "bfloat16")
    written = json.loads((out / "generation_config.json").read_text())
    assert (written["eos_token_id"], written["pad_token_id"]) == ([2, 7, 9], 0)


@pytest.mark.parametrize(("size", "dtype"), [(float("inf"), "float32"), (1e3, "float16")])
def test_what_is_not_finite_is_refused(tiny: Path, tmp_path: Path, size: float, dtype: str) -> None:
    run = train(NoQuantizer(), tiny, tmp_path / "lora", LoraSpec(dropout=0.0))
    file = tmp_path / "lora" / "adapter_model.safetensors"
    save_file({name: weight * size for name, weight in load_file(file).items()}, file)
    with pytest.raises(ModelError) as caught:
        run.merge(tmp_path / "out", Into.BASE, dtype)
    assert caught.value.code == "M032"
    assert "q_proj" in str(caught.value.where)
    assert not list((tmp_path / "out").iterdir())


def test_a_model_that_float16_cannot_compute_is_not_exported(tiny: Path, tmp_path: Path) -> None:
    """Its weights fit, the logits do not."""
    base = _copied(tiny, tmp_path / "base")
    weights = load_file(base / "model.safetensors")
    weights["lm_head.weight"] *= 5e5
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    run = train(NoQuantizer(), base, tmp_path / "lora", LoraSpec(dropout=0.0))
    with pytest.raises(ModelError, match="M039") as caught:
        run.parity(tmp_path / "out", Into.BASE, "float16")
    assert caught.value.where == str(tmp_path / "out")
    assert run.parity(tmp_path / "again", Into.BASE, "bfloat16").positions > 0


def _copied(tiny: Path, folder: Path) -> Path:
    folder.mkdir()
    for file in tiny.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def test_a_base_whose_own_files_are_quantised_is_refused(tiny: Path, tmp_path: Path) -> None:
    config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")
    AutoModelForCausalLM.from_pretrained(
        tiny, quantization_config=config, device_map="cpu", dtype=torch.float32
    ).save_pretrained(tmp_path / "base")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / "base" / name).write_bytes((tiny / name).read_bytes())
    run = train(NoQuantizer(), tmp_path / "base", tmp_path / "lora", LoraSpec(dropout=0.0))
    with pytest.raises(ModelError, match="M033"):
        run.merge(tmp_path / "out", Into.BASE, "float32")


def test_kl_is_in_nats_per_position() -> None:
    half, tenth = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.9, 0.1]]).log()
    expected = 0.5 * math.log(0.5 / 0.9) + 0.5 * math.log(0.5 / 0.1)
    shifted = tenth + 3.0  # logits say the same when all of them grow
    assert kl(half, shifted).tolist() == pytest.approx([expected])
    assert kl(half, half).tolist() == [0.0]
    assert kl(half, tenth).tolist() != pytest.approx(kl(tenth, half).tolist())


def test_the_trained_model_is_measured_as_it_was_trained(tiny: Path, tmp_path: Path) -> None:
    run = train(FourBitQuantizer(), tiny, tmp_path / "lora", ALL_LINEAR, dtype="bfloat16")
    parity = run.parity(tmp_path / "out", Into.DEQUANTISED, "bfloat16")
    assert parity.dtype == "bfloat16"
    assert 0 < parity.max_logit_difference < 0.1
    exact = replace(run, model=replace(run.model, dtype="float32"), said=[])
    assert exact.reference().compared_with(tmp_path / "out", "bfloat16", *WATCHING).dtype == "float32"


def test_no_layer_stays_in_float32_when_it_is_merged(
    trained: Callable[[str], Trained], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, counts = trained("nf4"), []
    plain = run.provider.plain
    loaded: list[Any] = []

    def remember(model: ModelSpec) -> Any:
        loaded.append(plain(model))
        return loaded[-1]

    monkeypatch.setattr(run.provider, "plain", remember)
    observer = RecordingObserver()

    def count(amount: int = 1) -> None:
        weights = {n: w for n, w in loaded[0].named_parameters() if ".lora_" not in n}
        counts.append(sum(weight.dtype == torch.float32 for weight in weights.values()))

    monkeypatch.setattr(observer, "advance", count)
    (tmp_path / "out").mkdir()
    spec = MergeSpec(run.model, str(run.weights), Into.DEQUANTISED, "bfloat16", True)
    HfModelExporter(run.provider).merge(spec, tmp_path / "out", observer, FakeStop())
    assert counts == [0] * 14
