from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.tiny_model import make_tiny_model

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

    from cesello.domain.recorded_run import RecordedRun
    from cesello.domain.run_report import Report
    from tests.opened_pages import Open, Scheme
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from tests.opened_pages import CHROMIUM, QUIET

    if CHROMIUM is None:
        assert not os.environ.get("CI"), "CI installs chromium, and opens the page with it"
        pytest.skip("no chromium on this machine: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        made = driver.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield made
        made.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Opens the page of a run."""
    from tests.opened_pages import Opened

    contexts: list[BrowserContext] = []

    def show(run: RecordedRun | Report | Path, scheme: Scheme = "light", width: int = 1280) -> Opened:
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800})
        contexts.append(context)
        one = Opened(context.new_page(), tmp_path / f"{len(contexts)}.html")
        one.page.on("console", lambda message: one.said.append(message.text))
        one.page.on("pageerror", lambda error: one.said.append(str(error)))
        one.page.on("dialog", one.refuse)
        one.page.on("request", lambda request: one.said.append(request.url))
        one.show(run)
        return one

    yield show
    for context in contexts:
        context.close()
