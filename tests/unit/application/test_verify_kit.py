from __future__ import annotations

import os
from pathlib import Path

from cesello.adapters.kit.folder_store import FolderKitStore
from cesello.application.verify_kit import VerifyKit
from cesello.domain.kit_state import State
from tests.fakes.kit import RecordedProgress, data_item, model_item


def test_every_item_is_looked_at_with_its_own_step(tmp_path: Path) -> None:
    store = FolderKitStore(tmp_path)
    with store.exclusive(), store.building(data_item()) as folder:
        (folder / "a.json").write_text("{}")
    progress = RecordedProgress()
    verify = VerifyKit((data_item(), model_item()), store)
    assert [report.state for report in verify(progress)] == [State.INSTALLED, State.ABSENT]
    assert progress.steps == [("words: computing sha256", None), ("tiny: computing sha256", None)]


def test_a_glance_trusts_size_and_time_where_verifying_does_not(tmp_path: Path) -> None:
    store = FolderKitStore(tmp_path)
    with store.exclusive(), store.building(data_item()) as folder:
        (folder / "a.json").write_text("{}")
    file = tmp_path / "kit" / "words" / "a.json"
    before = file.stat()
    file.write_text("[]")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    verify = VerifyKit((data_item(),), store)
    assert verify.glance()[0].state is State.INSTALLED
    assert verify(RecordedProgress())[0].state is State.DAMAGED
