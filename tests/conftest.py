from __future__ import annotations

import gc
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest

# On a busy machine an example takes as long as it takes; pytest's own limit finds what hangs.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays to the end: looking through it for garbage takes a third of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def kit_home() -> Path:
    """The home folder with the offline kit in it; the first run on a machine downloads it."""
    from cesello.entrypoints.home import home
    from cesello.entrypoints.kit_wiring import build_kit
    from tests.fakes.kit import RecordedProgress

    folder = home()
    build_kit(folder).install(RecordedProgress())
    return folder


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with ``cesello`` and ``python`` that have the libraries loaded once for all tests."""
    from tests.warm_commands import warm_commands

    with warm_commands(tmp_path_factory.mktemp("warm") / "it") as folder:
        yield folder


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Tiny models gain nothing by more threads, and on a busy machine lose much."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
