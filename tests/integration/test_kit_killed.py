"""An installation that is killed leaves nothing that the next one does not mend, and nothing half to load."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cesello.adapters.kit.folder_store import FolderKitStore
from cesello.adapters.model.hub_cache import HubCache
from cesello.domain.kit_state import State
from tests.fakes.kit import RecordedProgress, data_item, model_item, small_kit

MODEL_FILE = Path("hub", model_item().location.name, model_item().files, "model.safetensors")


def killed(home: Path, change: int) -> bool:
    """Whether the installation was killed before it was done."""
    program = [sys.executable, "-m", "tests.integration.killed_installation", str(home), str(change)]
    status = subprocess.run(program, cwd=Path(__file__).parents[2], check=False).returncode
    assert status in (0, -signal.SIGKILL)
    return status != 0


@pytest.mark.parametrize("change", range(1, 80, 3))
@pytest.mark.parametrize("before", ["nothing", "corrupted"])
def test_killed_anywhere_the_next_installation_mends(tmp_path: Path, change: int, before: str) -> None:
    if before == "corrupted":
        small_kit(tmp_path)(RecordedProgress())
        (tmp_path / MODEL_FILE).write_bytes(b"bad")
        (tmp_path / "kit" / "words" / "a.json").unlink()
    was_killed = killed(tmp_path, change)
    if was_killed and before == "nothing":
        seeded = bool(HubCache(tmp_path / "hub").arguments("some-org/tiny"))
        assert seeded == (FolderKitStore(tmp_path).inspect(model_item()).state is State.INSTALLED)
    done = small_kit(tmp_path)(RecordedProgress())
    store = FolderKitStore(tmp_path)
    assert {store.inspect(one.report.item, thorough=True).state for one in done} == {State.INSTALLED}
    assert (tmp_path / MODEL_FILE).read_bytes() == b"sthgiew"
    assert {path.name for path in (tmp_path / "kit").iterdir()} == {
        data_item().pin.name,
        ".downloads",
        ".lock",
    }
    assert os.listdir(tmp_path / "hub") == [model_item().location.name]
    assert os.listdir(tmp_path / "kit" / ".downloads") == []


def test_the_kills_reach_to_the_end(tmp_path: Path) -> None:
    assert killed(tmp_path / "a", 60)
    assert not killed(tmp_path / "b", 10_000)
