from __future__ import annotations

from pathlib import Path

import pytest

from cesello.adapters.run.folder_checkpoints import FolderCheckpoints
from tests.unit.adapters.run.saved_checkpoints import save


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints"


@pytest.fixture
def two(folder: Path) -> FolderCheckpoints:
    """Of the steps 1 and 2."""
    checkpoints = FolderCheckpoints(folder)
    save(checkpoints, 1)
    save(checkpoints, 2)
    return checkpoints
