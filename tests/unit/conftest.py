"""Unit tests never load torch: a test that does so fails, and so does a file that does so when collected."""

from __future__ import annotations

import sys
from collections.abc import Generator

import pytest

LOADED_TORCH = "loaded torch, which belongs in tests/integration"


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    before = "torch" in sys.modules
    report = yield
    if not before and "torch" in sys.modules:
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} {LOADED_TORCH}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    before = "torch" in sys.modules
    yield
    if not before and "torch" in sys.modules:
        pytest.fail(f"{item.nodeid} {LOADED_TORCH}", pytrace=False)
