"""What several suites of exports need: a run, a manifest, the use cases with a fake behind every port."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cesello.application.choose_probes import ChooseProbes
from cesello.application.drop_copies import DropCopies
from cesello.application.export_model import ExportModel, ExportRequest
from cesello.application.prepare_data import DataRequest, PrepareData
from cesello.application.prepare_source import PrepareSource
from cesello.application.verify_export import TrainedModel, Verification, VerifyExport
from cesello.domain.errors import CeselloError
from cesello.domain.export import ExportedRun, ExportManifest, Into, Parity
from cesello.domain.mixture import MixtureSpec
from cesello.domain.model_spec import ModelSpec
from cesello.domain.ports.export import ExportFolders
from cesello.domain.run import RunStatus, RunSummary
from cesello.domain.schedule import TrainingPlan
from cesello.domain.source import SourceSpec
from tests.fakes.data import FakeDatasetSource
from tests.fakes.examples import FakeExampleStore, FakeNearCopies
from tests.fakes.export import FakeExportFolders, FakeGgufExporter, FakeModelExporter, FakeParityProbe
from tests.fakes.model import FACTS, FakeModelProvider, FakePolicy
from tests.fakes.run import FakeStop, FixedClock, RecordingObserver

DATA = DataRequest(
    model=ModelSpec("fake"),
    sources=(SourceSpec("a", holdout=5), SourceSpec("b", holdout=2)),
    mixture=MixtureSpec(),
    plan=TrainingPlan(max_steps=1, batch_size=1),
    max_steps=1,
)


def rows(word: str) -> list[Mapping[str, Any]]:
    return [{"instruction": f"{word} {number}", "response": f"yes {number}"} for number in range(12)]


def the_run(folder: Path, **model: object) -> RunSummary:
    """A completed run with LoRA weights in a folder."""
    weights = folder / "run" / "lora"
    weights.mkdir(parents=True)
    FakePolicy(FACTS, trained=3).save(weights)
    facts = {"name": "fake", "quantizer": "none", "dtype": "float32", **model}
    manifest = {
        "model": facts,
        "recipe_sha256": "abc",
        "weights": {"adapter_model.safetensors": "def"},
        "data": {"sources": [{"name": "a", "origin": "memory", "kept": 7, "held_out": 5}]},
    }
    path = str(folder / "run")
    return RunSummary("1-demo", "demo", RunStatus.COMPLETED, "now", "fake", 3, 3, path, manifest)


@dataclass
class Workshop:
    """Exports and verifies."""

    datasets: dict[str, FakeDatasetSource] = field(
        default_factory=lambda: {name: FakeDatasetSource(rows(name), name) for name in ("a", "b")}
    )
    probe: FakeParityProbe = field(default_factory=FakeParityProbe)
    folders: FakeExportFolders = field(default_factory=FakeExportFolders)
    gguf: FakeGgufExporter = field(default_factory=FakeGgufExporter)
    observer: RecordingObserver = field(default_factory=RecordingObserver)
    stop: FakeStop = field(default_factory=FakeStop)

    def probes(self) -> ChooseProbes:
        provider = FakeModelProvider()
        prepare = PrepareSource(FakeExampleStore(), self.observer, FakeStop())
        drop = DropCopies(FakeNearCopies(), self.observer, FakeStop())
        data = PrepareData(provider, self.datasets, prepare, drop, self.observer)
        return ChooseProbes(provider, data, self.observer)

    def export(self, request: ExportRequest) -> ExportManifest:
        return ExportModel(
            self.probes(),
            self.probe,
            FakeModelExporter(),
            self.folders,
            self.gguf,
            self.observer,
            self.stop,
            FixedClock(),
        )(request)

    def verify(self, folder: Path, trained: TrainedModel | CeselloError) -> Verification:
        use_case = VerifyExport(self.probes(), self.probe, self.folders, self.observer, self.stop)
        return use_case(folder, trained)


PARITY = Parity("held-out rows", "f", 2, 9, 0.25, 1e-3, 8, 7, "float32", "cpu")
MANIFEST = ExportManifest(
    ExportedRun("1-demo", "demo", "nf4", "abc", "def"),
    "org/base",
    Into.DEQUANTISED,
    "A meaning.",
    "bfloat16",
    "2026-01-02T03:04:05+00:00",
    16,
    PARITY,
    {"torch": "0"},
)


def fill(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "config.json").write_text("{}")


def exported(folders: ExportFolders, place: Path, *, overwrite: bool = False) -> ExportManifest:
    with folders.create(place, overwrite=overwrite) as folder:
        folder.fill(fill)
        return folder.finish("# A card\n", MANIFEST)
