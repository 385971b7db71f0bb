"""A run's folder may have come from somebody else: what is logged there goes nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from cesello.adapters.logs.private_files import append_private, write_private


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    victim, log, partial = (tmp_path / name for name in ("victim", "log.jsonl", ".file.csv.partial"))
    victim.write_text("precious\n")
    log.symlink_to(victim)
    partial.symlink_to(victim)
    with pytest.raises(OSError, match="symbolic"):
        append_private(log, b"{}\n")
    with pytest.raises(OSError, match="symbolic"):
        write_private(tmp_path / "file.csv", b"step,loss\n")
    assert victim.read_text() == "precious\n"
