"""``cesello forget``."""

from __future__ import annotations

from pathlib import Path

import pytest

from cesello.adapters.memory.sqlite_chunk_store import SqliteChunkStore
from cesello.domain.remembered import IndexMark
from cesello.entrypoints.cli.main import run
from tests.remembered import keep, remembered


@pytest.mark.parametrize(
    ("store", "said"),
    [
        ("numpy", "the index of pgvector, which is not in use, may have"),
        ("pgvector", "an index of pgvector at another memory.server or collection may have"),
    ],
)
def test_an_index_elsewhere_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    store: str,
    said: str,
) -> None:
    (tmp_path / "cesello.yaml").write_text(f"memory: {{store: {store}, server: 'postgresql:///code'}}\n")
    chunks = SqliteChunkStore(tmp_path / ".cesello" / "memory")
    keep(chunks, remembered("a.py", "the text of a\n"))
    with chunks.writer():
        chunks.mark_index("pgvector:of another server", IndexMark(1, dirty=False))
    monkeypatch.chdir(tmp_path)
    assert run(["forget", "--all"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("1 file forgotten\n")
    assert said in told
