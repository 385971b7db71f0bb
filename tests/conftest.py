from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# On a busy machine an example takes as long as it takes; pytest's own limit finds what hangs.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


@pytest.fixture(scope="session")
def kit_home() -> Path:
    """The home folder with the offline kit in it; the first run on a machine downloads it."""
    from cesello.entrypoints.home import home
    from cesello.entrypoints.kit_wiring import build_kit
    from tests.fakes.kit import RecordedProgress

    folder = home()
    build_kit(folder).install(RecordedProgress())
    return folder


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Tiny models gain nothing by more threads, and on a busy machine lose much."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
