from __future__ import annotations

from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

from cesello.adapters.logs.tensorboard_log import TensorBoardLog
from cesello.domain.ports.logs import LoggedRun

SETTINGS = {"training.max_steps": 9, "model": "tiny", "packed": True, "warmup": None, "modules": ["q", "v"]}


def test_the_settings_are_hyper_parameters(tmp_path: Path) -> None:
    TensorBoardLog().begin(LoggedRun("id", "demo", tmp_path, SETTINGS), 0)
    reader = EventAccumulator(str(tmp_path / "tensorboard"))
    reader.Reload()
    content = reader.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    found = metadata.parse_session_start_info_plugin_data(content)
    assert found.group_name == "id"
    assert {name: value.WhichOneof("kind") for name, value in found.hparams.items()} == {
        "training.max_steps": "number_value",
        "model": "string_value",
        "packed": "bool_value",
        "warmup": "string_value",
        "modules": "string_value",
    }


def test_each_process_has_a_file_of_its_own_in_their_order(tmp_path: Path) -> None:
    for resumed in (False, True, True):
        TensorBoardLog().begin(LoggedRun("id", "demo", tmp_path, resumed=resumed), 0)
    names = sorted(file.name for file in (tmp_path / "tensorboard").iterdir())
    assert names == [f"events.out.tfevents.00000{number}" for number in (1, 2, 3)]
    assert (tmp_path / "tensorboard").stat().st_mode & 0o777 == 0o700
