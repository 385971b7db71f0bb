"""Exporting, with a fake behind every port."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cesello.application.choose_probes import BUILT_INS, HELD_OUT
from cesello.application.export_model import ExportRequest
from cesello.domain.errors import Interrupted, ModelError, UsageError
from cesello.domain.export import Into
from cesello.domain.model_spec import ModelSpec
from tests.export_workshop import DATA, Workshop, the_run
from tests.fakes.data import FakeDatasetSource
from tests.fakes.run import FixedClock


@pytest.fixture
def workshop() -> Workshop:
    return Workshop()


@pytest.fixture
def request_(tmp_path: Path) -> ExportRequest:
    model = ModelSpec("fake", dtype="float32")
    return ExportRequest(the_run(tmp_path), model, DATA, tmp_path / "out", versions={"torch": "0"})


def test_the_manifest_tells_what_was_merged_into_what(workshop: Workshop, request_: ExportRequest) -> None:
    manifest = workshop.export(request_)
    assert (manifest.into, manifest.dtype, manifest.base_model) == (Into.BASE, "bfloat16", "fake")
    assert manifest.meaning == "The base weights are as the training saw them."
    assert (manifest.run.id, manifest.run.recipe_sha256, manifest.run.lora_sha256) == ("1-demo", "abc", "def")
    assert (manifest.created, manifest.versions) == (FixedClock().now(), {"torch": "0"})
    assert {"README.md", "config.json", "model.safetensors", "tokenizer.json"} <= set(manifest.files)
    assert workshop.folders.read(request_.folder) == manifest


def test_a_quantised_run_is_merged_into_what_it_saw(workshop: Workshop, tmp_path: Path) -> None:
    run = the_run(tmp_path, quantizer="nf4", dtype="float16")
    request = ExportRequest(run, ModelSpec("fake"), DATA, tmp_path / "out")
    manifest = workshop.export(request)
    assert (manifest.into, manifest.dtype) == (Into.DEQUANTISED, "float16")
    assert "as nf4 rounded them, which is what the training saw" in manifest.meaning
    other = workshop.export(replace(request, into=Into.BASE, dtype="float32", folder=tmp_path / "other"))
    assert (other.into, other.dtype) == (Into.BASE, "float32")
    assert "the training did not see" in other.meaning
    assert other.parity.max_logit_difference > manifest.parity.max_logit_difference


def test_what_was_not_quantised_cannot_be_made_whole(workshop: Workshop, request_: ExportRequest) -> None:
    with pytest.raises(ModelError, match="M031"):
        workshop.export(replace(request_, into=Into.DEQUANTISED))
    assert not request_.folder.exists()


def test_it_is_measured_on_held_out_rows_of_every_source_in_turn(
    workshop: Workshop, request_: ExportRequest
) -> None:
    parity = workshop.export(replace(request_, rows=5)).parity
    [probes] = workshop.probe.asked
    assert (parity.origin, parity.rows, parity.prompts) == (HELD_OUT, 5, 5)
    asked = [prompt.messages[-1].content.split()[0] for prompt in probes.prompts]
    assert asked == ["a", "b", "a", "b", "a"]
    assert parity.fingerprint == probes.fingerprint
    assert parity.positions == sum(row.trained_tokens for row in probes.rows) > 5


def test_a_run_without_held_out_rows_is_measured_on_built_in_ones(
    workshop: Workshop, request_: ExportRequest
) -> None:
    data = replace(DATA, sources=tuple(replace(source, holdout=0) for source in DATA.sources))
    parity = workshop.export(replace(request_, data=data)).parity
    assert (parity.origin, parity.rows, parity.prompts) == (BUILT_INS, 8, 8)
    assert any(BUILT_INS in note and "holds none out" in note for note in workshop.observer.notes)


def test_a_run_whose_data_is_gone_is_measured_on_built_in_rows(
    workshop: Workshop, request_: ExportRequest
) -> None:
    workshop.datasets["a"] = FakeDatasetSource(None, "a")
    assert workshop.export(request_).parity.origin == BUILT_INS
    assert any("a source does not exist" in note for note in workshop.observer.notes)


def test_the_trained_model_is_asked_before_the_merged_one_is_made(
    workshop: Workshop, request_: ExportRequest
) -> None:
    workshop.export(request_)
    named = [name for name, total in workshop.observer.phases if total and not name.startswith("token")]
    assert named == ["measuring the trained model", "merging", "measuring the merged model"]
    done = dict(zip(workshop.observer.phases, workshop.observer.done, strict=True))
    assert all(count == total for (_, total), count in done.items() if total)


def test_the_card_tells_figures_data_and_prompt(workshop: Workshop, request_: ExportRequest) -> None:
    workshop.export(replace(request_, system_prompt="Be brief."))
    card = (request_.folder / "README.md").read_text()
    assert card.startswith("---\nbase_model: fake\n")
    assert "    Be brief." in card
    assert "| a | memory | 7 | 5 |" in card
    assert "held-out rows of the run" in card
    assert "LoRA weights sha256 `def`" in card


def test_a_local_model_is_named_without_its_folder(workshop: Workshop, tmp_path: Path) -> None:
    model = ModelSpec(str(tmp_path / "tiny"))
    manifest = workshop.export(ExportRequest(the_run(tmp_path), model, DATA, tmp_path / "out"))
    assert manifest.base_model == "tiny"
    assert str(tmp_path) not in (tmp_path / "out" / "README.md").read_text()


def test_what_is_there_is_not_touched(workshop: Workshop, request_: ExportRequest) -> None:
    request_.folder.mkdir()
    (request_.folder / "mine.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(UsageError) as caught:
            workshop.export(replace(request_, overwrite=overwrite))
        assert (caught.value.code, caught.value.where) == ("C060", str(request_.folder))
    assert (request_.folder / "mine.txt").read_text() == "mine"
    assert not workshop.probe.asked


def test_a_run_without_weights_is_refused(workshop: Workshop, request_: ExportRequest) -> None:
    with pytest.raises(ModelError, match="M007"):
        workshop.export(replace(request_, run=replace(request_.run, path="nowhere")))


@pytest.mark.parametrize("check", range(1, 7))
def test_a_stop_leaves_nothing(workshop: Workshop, request_: ExportRequest, check: int) -> None:
    workshop.stop.at_check = check
    with pytest.raises(Interrupted):
        workshop.export(request_)
    assert not request_.folder.exists()
    assert not workshop.folders.kept


def test_a_gguf_file_is_made_of_the_finished_folder(workshop: Workshop, request_: ExportRequest) -> None:
    file = request_.folder.with_name("demo.gguf")
    workshop.export(replace(request_, gguf=file))
    assert file.read_bytes().startswith(b"GGUF")
    assert file.with_name("Modelfile").read_text() == "FROM ./demo.gguf\n"


def test_without_a_converter_no_work_is_done(workshop: Workshop, request_: ExportRequest) -> None:
    workshop.gguf.installed = False
    with pytest.raises(ModelError, match="M034"):
        workshop.export(replace(request_, gguf=request_.folder.with_name("demo.gguf")))
    assert not workshop.observer.phases
    assert not request_.folder.exists()
