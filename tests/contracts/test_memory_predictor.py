"""What every MemoryPredictor owes, on the fake and on the meta device; and what Devices owe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cesello.adapters.model.hub_cache import HubCache
from cesello.adapters.model.meta_predictor import MetaPredictor
from cesello.adapters.model.quantizers import FourBitQuantizer, NoQuantizer
from cesello.adapters.model.torch_devices import TorchDevices
from cesello.domain.errors import ModelError
from cesello.domain.footprint import Evaluating, Footprint, ForwardPass, RowSize
from cesello.domain.model_spec import LoraSpec, ModelSpec
from cesello.domain.ports.model import Devices, MemoryPredictor, Quantizer
from tests.fakes.model import FakeDevices, FakeMemoryPredictor
from tests.tiny_model import make_tiny_model

WORK = ForwardPass((RowSize(32, 16), RowSize(16, 8)))


@dataclass
class Workshop:
    """A predictor, a model that it knows, and one that it does not."""

    predictor: MemoryPredictor
    model: ModelSpec
    missing: ModelSpec

    def footprint(
        self,
        quantizer: str = "none",
        lora: LoraSpec | None = None,
        work: ForwardPass = WORK,
        evaluating: Evaluating | None = None,
    ) -> Footprint:
        lora = lora or LoraSpec()
        return self.predictor.footprint(self.model, quantizer, lora, work, evaluating or Evaluating(1, 1))


@pytest.fixture(params=["fake", "meta"], scope="module")
def workshop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    if request.param == "fake":
        return Workshop(FakeMemoryPredictor(), ModelSpec("fake"), ModelSpec("missing"))
    tiny = make_tiny_model(tmp_path_factory.mktemp("model") / "tiny")
    quantizers: dict[str, Quantizer] = {"none": NoQuantizer(), "nf4": FourBitQuantizer()}
    predictor = MetaPredictor(quantizers, HubCache(None))
    model = ModelSpec(str(tiny), dtype="float32")
    return Workshop(predictor, model, ModelSpec(str(tiny.parent / "missing")))


def test_the_shape_tells_what_lora_has(workshop: Workshop) -> None:
    shape = workshop.predictor.shape(workshop.model)
    assert (shape.name, shape.architecture) == (workshop.model.name, "llama")
    assert shape.parameters > 0
    assert shape.layers > 0
    assert shape.cache_bytes > 0
    assert shape.positions is not None
    assert shape.positions > 0
    attention, mlp = (shape.lora_parameters(preset, 4) for preset in ("attention", "mlp"))
    assert shape.lora_parameters("all-linear", 4) == attention + mlp


def test_all_parts_are_there(workshop: Workshop) -> None:
    footprint = workshop.footprint()
    assert footprint.parameters == workshop.predictor.shape(workshop.model).parameters
    assert footprint.trainable > 0
    for part in ("weights", "lora", "gradients", "optimizer", "activations", "step", "cache"):
        assert getattr(footprint, part) > 0, part
    assert footprint.bits is None


def test_the_same_question_gets_the_same_answer(workshop: Workshop) -> None:
    assert workshop.footprint() == workshop.footprint()


def test_more_rows_take_more(workshop: Workshop) -> None:
    more = replace(WORK, rows=WORK.rows * 2)
    assert workshop.footprint(work=more).step > workshop.footprint().step


def test_padding_takes_memory_too(workshop: Workshop) -> None:
    uneven = replace(WORK, rows=(RowSize(64, 8), RowSize(8, 4)))
    padded = workshop.footprint(work=replace(uneven, padded=True))
    assert padded.activations > workshop.footprint(work=uneven).activations


def test_what_is_computed_again_is_not_kept(workshop: Workshop) -> None:
    again = workshop.footprint(work=replace(WORK, checkpointing=True))
    assert again.activations < workshop.footprint().activations


def test_gradients_of_an_earlier_pass_come_on_top(workshop: Workshop) -> None:
    later = workshop.footprint(work=replace(WORK, accumulates=True))
    first = workshop.footprint()
    assert 0 < later.step - first.step <= first.gradients


def test_four_bits_take_less(workshop: Workshop) -> None:
    stored, plain = workshop.footprint("nf4"), workshop.footprint()
    assert stored.weights < plain.weights
    assert stored.parameters == plain.parameters
    assert stored.quantised_parameters > 0
    assert stored.bits is not None
    assert stored.bits >= 4


def test_answers_take_what_their_tokens_take(workshop: Workshop) -> None:
    shape = workshop.predictor.shape(workshop.model)
    assert workshop.footprint(evaluating=Evaluating(3, 50)).cache == 150 * shape.cache_bytes
    assert workshop.footprint(evaluating=Evaluating(0, 50)).cache == 0


def test_a_model_that_is_not_here_is_told(workshop: Workshop) -> None:
    with pytest.raises(ModelError) as caught:
        workshop.predictor.shape(workshop.missing)
    assert (caught.value.code, caught.value.exit_status) == ("M001", 4)
    with pytest.raises(ModelError, match="M001"):
        workshop.predictor.footprint(workshop.missing, "none", LoraSpec(), WORK, Evaluating(1, 1))


def test_a_wrong_target_is_told_before_anything_is_loaded(workshop: Workshop) -> None:
    with pytest.raises(ModelError, match=r"M010.*c_attn.*q_proj"):
        workshop.footprint(lora=LoraSpec(target_modules=("c_attn",)))


# Devices


@pytest.mark.parametrize("devices", [FakeDevices(free=2**30), TorchDevices()], ids=["fake", "torch"])
def test_a_device_tells_its_memory(devices: Devices) -> None:
    memory = devices.memory("cpu")
    assert memory.device == "cpu"
    assert memory.name
    assert memory.free is not None
    assert memory.total is not None
    assert 0 < memory.free <= memory.total


def test_a_gpu_that_is_not_here_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ModelError, match="M005"):
        TorchDevices().memory("cuda")
    assert TorchDevices().memory("auto").device == "cpu"


def test_a_process_that_is_confined_has_no_more_than_its_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cesello.adapters.model.torch_devices._GROUP", tmp_path)
    (tmp_path / "memory.max").write_text(f"{2**29}\n")
    (tmp_path / "memory.current").write_text(f"{2**28}\n")
    (tmp_path / "memory.stat").write_text(f"anon 5\ninactive_file {2**20}\n")
    memory = TorchDevices().memory("cpu")
    assert (memory.total, memory.free) == (2**29, 2**28 + 2**20)
    (tmp_path / "memory.max").write_text("max\n")
    assert (TorchDevices().memory("cpu").total or 0) > 2**29
