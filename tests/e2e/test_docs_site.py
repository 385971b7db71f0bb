"""The documentation site: built strictly, its links lead somewhere, and nothing comes from elsewhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from tests.repository import ROOT

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LOADS = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}
"""Elements whose address is fetched when a page is opened."""


@dataclass
class Page(HTMLParser):
    """What a page has and where it leads.

    Attributes:
        ids: places in it that a link can name.
        links: addresses that a person can follow.
        loads: addresses that are fetched with it.
    """

    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value for name, value in attrs if value is not None}
        self.ids |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag in LOADS and LOADS[tag] in values:
            self.loads.append(values[LOADS[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    found = {}
    for file in sorted(site.rglob("*.html")):
        found[file] = page = Page()
        page.feed(file.read_text(encoding="utf-8"))
    return found


def inside(links: list[str]) -> Iterator[tuple[str, str]]:
    """Path and place of those that stay in the site."""
    for link in links:
        parts = urlsplit(link)
        if not parts.scheme and not parts.netloc:
            yield unquote(parts.path), unquote(parts.fragment)


def test_every_link_leads_somewhere(site: Path, pages: dict[Path, Page]) -> None:
    dead = []
    for file, page in pages.items():
        if file.name == "404.html":  # opened at any depth: its links are absolute
            continue
        for path, place in inside(page.links + page.loads):
            target = (file.parent / path).resolve() if path else file
            known = pages.get(target)
            if not target.exists() or (place and known is not None and place not in known.ids):
                dead.append(f"{file.relative_to(site)}: {path}#{place}")
    assert len(pages) > 25
    assert not dead


def test_every_page_of_the_folder_is_reached_by_the_menu(site: Path, pages: dict[Path, Page]) -> None:
    index = site / "index.html"
    reached = {(index.parent / path).resolve() for path, _ in inside(pages[index].links) if path}
    written = {
        (site / file.relative_to(ROOT / "docs")).with_suffix(".html") for file in ROOT.glob("docs/**/*.md")
    }
    assert written - {index} <= reached


def test_the_menu_names_every_page_once() -> None:
    named: list[str] = []

    def walk(entries: Any) -> None:
        for entry in entries:
            [value] = entry.values()
            walk(value) if isinstance(value, list) else named.append(value)

    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    walk(yaml.safe_load(text)["nav"])
    assert len(named) > 20
    assert [page for page in named if named.count(page) > 1] == []


def test_nothing_is_fetched_from_elsewhere(pages: dict[Path, Page]) -> None:
    fetched = {load for page in pages.values() for load in page.loads if urlsplit(load).netloc}
    assert not fetched


def test_the_reference_is_made_of_the_code(site: Path) -> None:
    commands = (site / "reference" / "commands.html").read_text()
    assert "cesello memory rebuild" in commands
    assert "--resume" in commands
    recipe = (site / "reference" / "recipe.html").read_text()
    assert "gradient_checkpointing" in recipe
    assert "pass_tokens" in recipe
    assert "<table>" not in recipe
    assert recipe.count("<dt>") > 150
    python = (site / "reference" / "python.html").read_text()
    assert "An index of vectors by cosine" in python
    assert "mixing.json" in (site / "benchmarks.html").read_text()


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_browser_opens_and_searches_pages_and_asks_nobody_else(site: Path) -> None:
    """Where there is one: what scripts load is known by running them alone."""
    if BROWSER is None:
        return
    from playwright.sync_api import sync_playwright

    complaints: list[str] = []
    asked: list[str] = []
    with served(site) as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("request", lambda one: asked.append(one.url))
        page.on("pageerror", lambda one: complaints.append(str(one)))
        page.on("console", lambda one: complaints.append(one.text) if one.type == "error" else None)
        for name in ("index", "tutorial", "howto/own-store", "reference/python", "reference/recipe", "data"):
            page.goto(f"{address}/{name}.html", wait_until="load")
            assert page.locator("h1").first.inner_text()
        page.set_viewport_size({"width": 360, "height": 700})
        page.goto(f"{address}/reference/recipe.html", wait_until="load")
        widest = (
            "Math.max(...[...document.querySelectorAll('dd')].map(one => one.scrollWidth - one.clientWidth))"
        )
        assert page.evaluate(widest) <= 0
        page.set_viewport_size({"width": 1280, "height": 720})
        page.goto(f"{address}/index.html")
        page.keyboard.press("/")
        page.keyboard.type("gradient_checkpointing")
        page.locator(".md-search-result__item").first.wait_for()
        browser.close()
    assert not [url for url in asked if not url.startswith((address, "data:", "blob:"))]
    assert not complaints
