from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def kit_home() -> Path:
    """The home folder with the offline kit in it; the first run on a machine downloads it."""
    from cesello.entrypoints.home import home
    from cesello.entrypoints.kit_wiring import build_kit
    from tests.fakes.kit import RecordedProgress

    folder = home()
    build_kit(folder).install(RecordedProgress())
    return folder
