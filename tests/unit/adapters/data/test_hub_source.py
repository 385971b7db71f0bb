"""Names of the hub that the library would take for something in the current folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cesello.adapters.data.hub_source import HubSource
from cesello.domain.errors import DataError


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("repo", ["data", "some/data", "json", "parquet"])
def test_the_current_folder_is_not_the_hub(
    repo: str, streaming: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (tmp_path, tmp_path / "data", tmp_path / "some" / "data"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "train.json").write_text(json.dumps([{"text": "not of the hub"}]))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        list(HubSource("s", repo, streaming=streaming).rows())
    assert (caught.value.code, caught.value.where) == ("D003", 'source "s"')
    assert "current folder" in caught.value.what
    assert "kind: file" in str(caught.value.fix)
