from __future__ import annotations

from pathlib import Path

import pytest

from cesello.adapters.model.hub_cache import HubCache


def seeded(folder: Path, repository: str) -> HubCache:
    refs = folder / repository / "refs"
    refs.mkdir(parents=True)
    (refs / "main").write_text("ab" * 20)
    return HubCache(folder)


def test_a_seeded_name_is_loaded_from_the_cache_alone(tmp_path: Path) -> None:
    cache = seeded(tmp_path, "models--some-org--tiny")
    assert cache.arguments("some-org/tiny") == {"cache_dir": str(tmp_path), "local_files_only": True}


@pytest.mark.parametrize("name", ["some-org/other", "tiny", "", "../some-org/tiny", "/some-org/tiny"])
def test_any_other_name_goes_its_usual_way(tmp_path: Path, name: str) -> None:
    assert seeded(tmp_path, "models--some-org--tiny").arguments(name) == {}


@pytest.mark.parametrize("folder", [None, Path("nowhere")])
def test_without_a_kit_every_name_goes_its_usual_way(folder: Path | None) -> None:
    assert HubCache(folder).arguments("some-org/tiny") == {}
