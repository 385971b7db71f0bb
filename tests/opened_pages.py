"""A page of a run in a headless browser, as a test looks at it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cesello.domain.recorded_run import RecordedRun
from cesello.domain.run_report import Report, run_report
from cesello.entrypoints.cli.row_text import visible
from cesello.entrypoints.report.page import page

if TYPE_CHECKING:
    from playwright.sync_api import Dialog, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
Scheme = Literal["light", "dark"]


@dataclass
class Opened:
    """A page in a browser.

    Attributes:
        said: what it wrote to the console, asked of the network, and showed in dialogs.
    """

    page: Page
    file: Path
    said: list[str] = field(default_factory=list)

    def show(self, run: RecordedRun | Report | Path) -> None:
        """Shows the page of a run, or a page that was written."""
        if isinstance(run, Path):
            self.file = run
        else:
            report = run_report(run) if isinstance(run, RecordedRun) else run
            self.file.write_text(page(report, str, visible), encoding="utf-8")
        self.page.goto(self.file.as_uri())
        self.page.wait_for_selector("html[data-ready]")
        self.said.remove(self.file.as_uri())

    def refuse(self, dialog: Dialog) -> None:
        """Closes it, and keeps what it said."""
        self.said.append(dialog.message)
        dialog.dismiss()

    def barriers(self, within: str | None = None) -> list[object]:
        """What axe finds wrong with it once it is unfolded: rules, and the first elements that break them.

        A rule that could not be tried, as that of contrast where axe cannot read a colour, is among them.

        Args:
            within: a selector of its parts; the whole page takes seconds.
        """
        from axe_core_python.sync_playwright import Axe

        self.page.evaluate(OPENED)
        found = Axe().run(self.page, within)
        assert len(found["passes"]) > (10 if within else 20)
        untried = [(one["id"], one["message"]) for one in found["incomplete"] if "error" in one]
        broken = [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found["violations"]]
        return [*untried, *broken]

    def count(self, selector: str) -> int:
        return self.page.locator(selector).count()

    def text(self, selector: str) -> str:
        return self.page.locator(selector).first.inner_text()


OPENED = """async () => {
  document.querySelectorAll("details").forEach((one) => { one.open = true; });
  await new Promise((go) => setTimeout(go, 50));
}"""
"""Opens all that is folded, and waits until it is filled; what waits for its moment has it."""

Open = Callable[..., Opened]
"""Takes a run, and how the page is looked at."""
