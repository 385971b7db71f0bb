from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.tiny_model import make_tiny_model

if TYPE_CHECKING:
    from tests.strange_folders import Payload


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def lora(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fresh LoRA weights of the tiny model."""
    from cesello.domain.model_spec import LoraSpec, ModelSpec
    from tests.strange_folders import PROVIDER

    folder = tmp_path_factory.mktemp("lora") / "lora"
    PROVIDER.load(ModelSpec(str(tiny), dtype="float32"), LoraSpec(), seed=0).save(folder)
    return folder


@pytest.fixture
def payload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Payload]:
    """Code that would leave a trace, importable by its name as well."""
    from tests.strange_folders import MODULE, Payload

    made = Payload(tmp_path / "payload")
    made.folder.mkdir()
    made.module.write_text(f"import pathlib; pathlib.Path({str(made.marker)!r}).touch()")
    monkeypatch.syspath_prepend(str(made.folder))
    yield made
    sys.modules.pop(MODULE, None)
