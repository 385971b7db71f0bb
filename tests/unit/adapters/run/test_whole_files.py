"""A run's folder may have come from somebody else: what is written there goes nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from cesello.adapters.run.whole_files import append_line, write_whole


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    victim, log, partial = (tmp_path / name for name in ("victim", "log.jsonl", ".file.json.partial"))
    victim.write_text("precious\n")
    log.symlink_to(victim)
    partial.symlink_to(victim)
    with pytest.raises(OSError, match="symbolic"):
        append_line(log, b"{}\n")
    with pytest.raises(OSError, match="symbolic"):
        write_whole(tmp_path / "file.json", "{}\n")
    assert victim.read_text() == "precious\n"
