"""Verifying an export against itself and against its run, with a fake behind every port."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from cesello.application.export_model import ExportRequest
from cesello.application.verify_export import TrainedModel
from cesello.domain.errors import DataError, Interrupted, ModelError
from cesello.domain.export import Damage, Wrong
from cesello.domain.model_spec import ModelSpec
from tests.export_workshop import DATA, Workshop, the_run
from tests.fakes.data import FakeDatasetSource
from tests.fakes.run import FakeStop


@pytest.fixture
def workshop() -> Workshop:
    return Workshop()


@pytest.fixture
def trained(workshop: Workshop, tmp_path: Path) -> TrainedModel:
    """A run that was exported to ``out``."""
    run, model = the_run(tmp_path), ModelSpec("fake", dtype="float32")
    workshop.export(ExportRequest(run, model, DATA, tmp_path / "out", rows=4))
    return TrainedModel(run, model, DATA)


def test_an_export_is_what_it_says(workshop: Workshop, trained: TrainedModel, tmp_path: Path) -> None:
    found = workshop.verify(tmp_path / "out", trained)
    assert found.is_good
    assert not found.damages
    assert not found.unmeasured
    assert [(figure.recorded, figure.agrees) for figure in found.figures] == [
        ("0.01", True),
        ("0.0001", True),
        ("4 of 4", True),
    ]
    assert all(figure.recorded == figure.again for figure in found.figures)
    assert workshop.probe.asked[0] == workshop.probe.asked[1]


def test_a_changed_file_is_named_and_nothing_is_measured(
    workshop: Workshop, trained: TrainedModel, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (out / "config.json").write_text("other")
    (out / "tokenizer.json").unlink()
    (out / "more.safetensors").write_text("more")
    found = workshop.verify(out, trained)
    assert not found.is_good
    assert found.damages == (
        Damage("config.json", Wrong.CHANGED),
        Damage("more.safetensors", Wrong.ADDED),
        Damage("tokenizer.json", Wrong.MISSING),
    )
    assert len(workshop.probe.asked) == 1


def test_figures_that_differ_too_much_are_told(
    workshop: Workshop, trained: TrainedModel, tmp_path: Path
) -> None:
    workshop.probe.drift = 0.2
    found = workshop.verify(tmp_path / "out", trained)
    assert not found.is_good
    assert [figure.agrees for figure in found.figures] == [False, False, False]


def test_figures_of_another_machine_may_differ_a_little(
    workshop: Workshop, trained: TrainedModel, tmp_path: Path
) -> None:
    workshop.probe.drift = 0.005
    found = workshop.verify(tmp_path / "out", trained)
    assert found.is_good
    assert found.figures[0].recorded != found.figures[0].again


def test_without_the_run_files_alone_are_checked(
    workshop: Workshop, trained: TrainedModel, tmp_path: Path
) -> None:
    gone = DataError("D030", 'there is no run "1-demo"', fix="see `cesello runs list`")
    found = workshop.verify(tmp_path / "out", gone)
    assert found.is_good
    assert found.unmeasured == 'the run is not there any more (there is no run "1-demo")'
    (tmp_path / "out" / "config.json").write_text("other")
    assert not workshop.verify(tmp_path / "out", gone).is_good


def test_without_its_weights_a_run_measures_nothing(
    workshop: Workshop, trained: TrainedModel, tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path / "run" / "lora")
    found = workshop.verify(tmp_path / "out", trained)
    assert found.is_good
    assert "the run holds no LoRA weights" in found.unmeasured


def test_a_run_that_was_trained_again_is_not_compared(
    workshop: Workshop, trained: TrainedModel, tmp_path: Path
) -> None:
    weights = {"weights": {"adapter_model.safetensors": "other"}}
    run = replace(trained.run, manifest={**trained.run.manifest, **weights})
    found = workshop.verify(tmp_path / "out", replace(trained, run=run))
    assert "no longer those exported" in found.unmeasured


@pytest.mark.parametrize("change", ["gone", "other rows"])
def test_without_the_data_files_alone_are_checked(
    workshop: Workshop, trained: TrainedModel, tmp_path: Path, change: str
) -> None:
    other = [{"instruction": "other", "response": "no"}] * 9
    workshop.datasets["a"] = FakeDatasetSource(None if change == "gone" else other, "a")
    found = workshop.verify(tmp_path / "out", trained)
    assert found.is_good
    assert found.unmeasured
    assert len(workshop.probe.asked) == 1


def test_what_was_measured_on_built_in_rows_is_measured_on_them_again(
    workshop: Workshop, tmp_path: Path
) -> None:
    run, model = the_run(tmp_path), ModelSpec("fake", dtype="float32")
    there, workshop.datasets["a"] = workshop.datasets["a"], FakeDatasetSource(None, "a")
    workshop.export(ExportRequest(run, model, DATA, tmp_path / "out"))
    workshop.datasets["a"] = there
    found = workshop.verify(tmp_path / "out", TrainedModel(run, model, DATA))
    assert found.is_good
    assert len(found.figures) == 3


def test_a_folder_that_is_no_export_is_refused(workshop: Workshop, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="M038"):
        workshop.verify(tmp_path, DataError("D030", "gone"))


def test_a_stop_is_not_taken_for_a_run_that_is_gone(
    workshop: Workshop, trained: TrainedModel, tmp_path: Path
) -> None:
    workshop.stop = FakeStop(at_check=1)
    with pytest.raises(Interrupted):
        workshop.verify(tmp_path / "out", trained)
