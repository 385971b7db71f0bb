"""What every ModelExporter and ParityProbe owe, on the fakes and on transformers with a tiny random model."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cesello.adapters.model.hf_provider import HfModelProvider
from cesello.adapters.model.hub_cache import HubCache
from cesello.adapters.model.merged_model import HfModelExporter
from cesello.adapters.model.parity import HfParityProbe
from cesello.adapters.model.quantizers import FourBitQuantizer
from cesello.domain.errors import Interrupted, ModelError
from cesello.domain.export import Into, MergeSpec, Parity, Probes
from cesello.domain.export_probes import BUILT_IN
from cesello.domain.model_spec import ModelSpec
from cesello.domain.ports.export import ModelExporter, ParityProbe
from cesello.domain.ports.model import Encoder
from tests.fakes.export import FakeModelExporter, FakeParityProbe
from tests.fakes.model import FACTS, FakeEncoder, FakePolicy
from tests.fakes.run import FakeStop, RecordingObserver
from tests.tiny_model import make_tiny_model
from tests.trained_lora import save_trained

pytestmark = pytest.mark.usefixtures("one_thread")


@dataclass
class Workshop:
    """Something that exports and measures, and LoRA weights for it."""

    exporter: ModelExporter
    probe: ParityProbe
    encoder: Encoder
    spec: MergeSpec

    @property
    def probes(self) -> Probes:
        rows = self.encoder.encode(BUILT_IN[:3])
        return Probes("built-in", tuple(rows), tuple(talk.prompt() for talk in BUILT_IN[:2]))

    def merge(self, folder: Path, **changes: object) -> RecordingObserver:
        folder.mkdir(exist_ok=True)
        observer = RecordingObserver()
        self.exporter.merge(replace(self.spec, **changes), folder, observer, FakeStop())  # type: ignore[arg-type]
        return observer

    def parity(self, folder: Path, dtype: str = "float32") -> Parity:
        watching = RecordingObserver(), FakeStop()
        weights = Path(self.spec.weights)
        reference = self.probe.ask(self.spec.model, weights, self.probes, *watching)
        return reference.compared_with(folder, dtype, *watching)


def _fake(folder: Path) -> Workshop:
    FakePolicy(FACTS, trained=3).save(folder)
    spec = MergeSpec(ModelSpec("fake", dtype="float32"), str(folder), Into.DEQUANTISED, "float32", True)
    return Workshop(FakeModelExporter(), FakeParityProbe(), FakeEncoder(), spec)


def _transformers(folder: Path) -> Workshop:
    model = ModelSpec(str(make_tiny_model(folder / "tiny")), dtype="float32")
    provider = HfModelProvider(FourBitQuantizer(), HubCache(None))
    save_trained(provider, model, folder)
    spec = MergeSpec(model, str(folder), Into.DEQUANTISED, "float32", True)
    return Workshop(HfModelExporter(provider), HfParityProbe(provider), provider.encoder(model), spec)


_MAKERS: dict[str, Callable[[Path], Workshop]] = {"fake": _fake, "transformers": _transformers}


@pytest.fixture(params=list(_MAKERS), scope="module")
def workshop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return _MAKERS[request.param](tmp_path_factory.mktemp("lora"))


@pytest.fixture(scope="module")
def merged(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("merged")
    workshop.merge(folder)
    return folder


def test_an_ordinary_folder_comes_of_it(merged: Path) -> None:
    names = {path.name for path in merged.iterdir()}
    assert names >= {
        "model.safetensors", "config.json", "generation_config.json", "tokenizer.json", "chat_template.jinja",
    }  # fmt: skip
    assert {Path(name).suffix for name in names} <= {".safetensors", ".json", ".jinja", ".txt", ".model"}
    assert "quantization_config" not in json.loads((merged / "config.json").read_text())


def test_no_file_tells_where_it_was_made(merged: Path, workshop: Workshop) -> None:
    for path in merged.iterdir():
        assert str(merged.parents[1]).encode() not in path.read_bytes(), path.name


def test_a_person_can_watch_it(workshop: Workshop, tmp_path: Path) -> None:
    observer = workshop.merge(tmp_path / "out")
    assert [name.split()[0] for name, _ in observer.phases] == ["loading", "merging", "saving"]
    assert observer.phases[1][1] == observer.done[1] > 1


def test_what_was_trained_is_what_is_merged(workshop: Workshop, merged: Path) -> None:
    parity = workshop.parity(merged)
    assert parity.max_logit_difference < 1e-5
    assert abs(parity.mean_kl) < 1e-9
    assert (parity.same_answers, parity.prompts, parity.rows) == (2, 2, 3)
    assert parity.positions == sum(row.trained_tokens for row in workshop.probes.rows)
    assert (parity.origin, parity.fingerprint) == ("built-in", workshop.probes.fingerprint)
    assert (parity.dtype, parity.device) == ("float32", "cpu")


def test_another_base_is_further_away(workshop: Workshop, merged: Path, tmp_path: Path) -> None:
    workshop.merge(tmp_path / "base", into=Into.BASE)
    other, same = workshop.parity(tmp_path / "base"), workshop.parity(merged)
    assert other.max_logit_difference > 100 * same.max_logit_difference
    assert other.mean_kl > max(same.mean_kl, 0.0)


def test_fewer_bits_are_a_little_away(workshop: Workshop, tmp_path: Path) -> None:
    workshop.merge(tmp_path / "half", dtype="bfloat16")
    assert 0 < workshop.parity(tmp_path / "half", "bfloat16").max_logit_difference < 0.1


def test_measuring_can_be_watched(workshop: Workshop, merged: Path) -> None:
    observer, stop = RecordingObserver(), FakeStop()
    weights = Path(workshop.spec.weights)
    reference = workshop.probe.ask(workshop.spec.model, weights, workshop.probes, observer, stop)
    reference.compared_with(merged, "float32", observer, stop)
    totals = {name: (total, done) for (name, total), done in zip(observer.phases, observer.done, strict=True)}
    for which in ("trained", "merged"):
        assert totals[f"measuring the {which} model"] == (5, 5)


def test_a_stop_ends_it_early(workshop: Workshop, merged: Path, tmp_path: Path) -> None:
    observer, stop = RecordingObserver(), FakeStop(at_check=2)
    with pytest.raises(Interrupted):
        workshop.exporter.merge(workshop.spec, tmp_path, observer, stop)
    assert not list(tmp_path.iterdir())
    weights = Path(workshop.spec.weights)
    with pytest.raises(Interrupted):
        workshop.probe.ask(workshop.spec.model, weights, workshop.probes, observer, FakeStop(at_check=1))


def test_a_base_that_is_not_here_is_told(workshop: Workshop, tmp_path: Path) -> None:
    missing = replace(workshop.spec.model, name=str(tmp_path / "missing"))
    name = "missing" if workshop.spec.model.name == "fake" else missing.name
    with pytest.raises(ModelError, match="M001"):
        workshop.merge(tmp_path, model=replace(missing, name=name))
