from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.embedding_server import embedding_service
from tests.tiny_model import make_tiny_model


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Of an embedder that is there at once; tests/integration/test_procedure_matching.py has the kit's."""
    with embedding_service() as service:
        yield service.url


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that is read and copied, and not written to."""
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")
