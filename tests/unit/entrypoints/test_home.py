from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from cesello.entrypoints.home import home


def test_the_variable_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CESELLO_HOME", str(tmp_path / "here"))
    assert home() == tmp_path / "here"
    assert not home().exists()


def test_a_relative_home_and_a_tilde_become_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setenv("CESELLO_HOME", "here")
    assert home() == tmp_path / "here"
    monkeypatch.setenv("CESELLO_HOME", "~/here")
    assert home() == tmp_path / "me" / "here"


@pytest.mark.parametrize("value", [None, ""])
def test_without_it_the_users_cache_is_taken(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("CESELLO_HOME", raising=False)
    if value is not None:
        monkeypatch.setenv("CESELLO_HOME", value)
    assert home() == platformdirs.user_cache_path("cesello", appauthor=False)
