"""The page of a run in a browser: it draws, it loads nothing, everybody can use it, and data stays data."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from cesello.domain.recorded_run import RecordedRun
from cesello.domain.run_report import run_report
from cesello.entrypoints.cli.row_text import visible
from cesello.entrypoints.report.page import page
from tests.page_injections import PAGE_INJECTIONS
from tests.recorded_runs import changed, completion, reinforced, sample, searched, source, tuned

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Dialog, Page

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

    def show(self, run: RecordedRun) -> None:
        """Shows the page of a run."""
        self.file.write_text(page(run_report(run), str, visible), encoding="utf-8")
        self.page.goto(self.file.as_uri())
        self.page.wait_for_selector("html[data-ready]")
        self.said.remove(self.file.as_uri())

    def refuse(self, dialog: Dialog) -> None:
        """Closes it, and keeps what it said."""
        self.said.append(dialog.message)
        dialog.dismiss()

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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
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
    contexts: list[BrowserContext] = []

    def show(run: RecordedRun, scheme: Scheme = "light", width: int = 1280) -> Opened:
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


def everything() -> RecordedRun:
    """With every part that a page can have."""
    given = {"name": "debug", "mode": "full", "sha": "", "request": ""}
    passages = [{"path": "src/a.py", "lines": [1, 9], "score": 0.5}]
    lines = [{**line, "procedure": given, "memory": passages} for line in reinforced().log("completions")]
    logs = {**reinforced().logs, **tuned().logs, "completions": lines}
    search = searched().search
    return replace(tuned(), logs=logs, search=search, damaged=("a file cannot be read",))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_everything_is_drawn_without_a_word_or_a_request(opened: Open, scheme: Scheme, width: int) -> None:
    one = opened(everything(), scheme, width)
    assert one.said == []
    assert one.count("#charts figure svg path.curve") > 8
    one.page.wait_for_selector("#masked pre")
    assert one.count("#masked pre span.trained") == 2
    assert one.count("#explorer .answer") == 4
    assert one.count("#candidates circle") == 2
    assert one.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("scheme", "width"), [("light", 360), ("dark", 1280)])
def test_everybody_can_use_it(opened: Open, scheme: Scheme, width: int) -> None:
    from axe_core_python.sync_playwright import Axe

    one = opened(everything(), scheme, width)
    one.page.evaluate(OPENED)
    found = Axe().run(one.page)
    assert [(each["id"], [node["html"] for node in each["nodes"]][:3]) for each in found["violations"]] == []
    assert len(found["passes"]) > 20


def test_the_switch_turns_the_light_off_and_on(opened: Open) -> None:
    one = opened(tuned())
    colours = []
    for _ in range(3):
        colours.append(one.page.evaluate("getComputedStyle(document.body).backgroundColor"))
        one.page.click("#theme")
    assert colours[0] == colours[2] != colours[1]


def test_groups_are_explored_with_the_keyboard_alone(opened: Open) -> None:
    one = opened(reinforced())
    question = "#explorer .question pre"
    assert one.text(question) == "question 1.0"
    one.page.focus("#explorer input[type=range]")
    one.page.keyboard.press("ArrowRight")
    assert one.text(question) == "question 2.0"
    one.page.keyboard.press("Tab")
    one.page.keyboard.press("Tab")
    one.page.keyboard.press("Enter")
    assert one.text(question) == "question 2.1"
    one.page.focus("#explorer .prompts button")
    one.page.keyboard.press("Enter")
    assert one.text(question) == "question 2.0"
    assert one.page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
    one.page.fill("#explorer input[type=search]", "answer 9.1.2")
    one.page.keyboard.press("Enter")
    assert one.text(question) == "question 9.1"
    assert one.said == []


def test_groups_are_explored_with_the_mouse(opened: Open) -> None:
    one = opened(reinforced())
    one.page.click("#explorer .prompts button:nth-child(2)")
    assert one.text("#explorer .question pre") == "question 1.1"
    box = one.page.locator("#explorer .map svg").bounding_box()
    assert box is not None
    one.page.mouse.click(box["x"] + box["width"] - 2, box["y"] + 2)
    assert one.text("#explorer .question pre") == "question 12.0"
    rewards = one.page.locator("#explorer .answer header strong").all_inner_texts()
    assert rewards == [f"#{n} · reward {said}" for n, said in enumerate(("0.75", "0.50", "0.25", "0.00"), 1)]
    one.page.hover("#explorer .tokens span:nth-child(2)")
    assert one.text("#explorer .answer .reading") == '" so": probability 0.0821, -2.5 nats'
    one.page.click("#explorer .answer summary")
    assert one.text("#explorer .answer table tbody tr:nth-child(2)").split() == ['"', 'so"', "0.0821", "-2.5"]
    one.page.select_option("#explorer select", "farthest from the reference")
    assert one.said == []


def test_a_curve_is_read_with_the_keyboard_the_mouse_and_as_a_table(opened: Open) -> None:
    one = opened(tuned())
    reading = "#charts figure:first-child .reading"
    assert one.text(reading).startswith("step 40: training 0.9979, mean 1.067")
    one.page.focus("#charts figure:first-child input")
    one.page.keyboard.press("Home")
    assert one.text(reading) == "step 0: held out: chat 3"
    said = one.page.get_attribute("#charts figure:first-child input", "aria-valuetext")
    assert said == "step 0: held out: chat 3"
    picture = one.page.locator("#charts figure:first-child .plot")
    box = picture.bounding_box()
    assert box is not None
    picture.hover(position={"x": box["width"] - 15, "y": 50})
    assert one.text(reading).startswith("step 40: training 0.9979, mean 1.067")
    one.page.click("#charts figure:first-child summary")
    one.page.wait_for_selector("#charts figure:first-child tbody tr")
    assert one.count("#charts figure:first-child tbody tr") == 41


def test_ten_thousand_completions_are_there_in_two_seconds(opened: Open) -> None:
    words = "It is said that an answer has about so many words, and then some more of them. " * 4
    run = reinforced(steps=312, prompts=4, answers=8, said=words)
    assert len(run.log("completions")) == 9_984
    one = opened(run)
    assert one.text("#explorer output") == "1 of 312"
    assert one.said == []
    if milliseconds(one) >= 2_000:  # once more: others are at work on the machine too
        one.page.reload()
        assert milliseconds(one) < 2_000


def milliseconds(one: Opened) -> float:
    """From the beginning of the navigation until everything was drawn."""
    return float(one.page.get_attribute("html", "data-ready") or "inf")


def test_of_a_long_answer_and_a_long_row_the_rest_is_shown_or_told(opened: Open) -> None:
    """Tokens are kept of their beginning alone."""
    run = reinforced(steps=1, prompts=1, answers=2)
    text = "an answer 1.0.0 so. and so on"
    lines = [line | {"tokens": 1500} | ({"completion": text} if at == 0 else {})
             for at, line in enumerate(map(dict, run.log("completions")))]  # fmt: skip
    tokens = [dict(line) for line in run.log("tokens")]
    tokens[0]["pieces"] = ["an answer 1.0.0", " so", "."]
    rows = [dict(tuned().rows[0]) | {"tokens": 2000}]
    one = opened(replace(run, logs={**run.logs, "completions": lines, "tokens": tokens}, rows=rows))
    shown = one.page.locator("#explorer .answer").all_inner_texts()
    [with_rest] = [said for said in shown if text in said]
    [without] = [said for said in shown if text not in said]
    assert (
        "1,497 tokens more: of the first 3 alone the probability was kept; the rest has no shade."
        in with_rest
    )
    assert "completions.jsonl has the text of all" in without
    assert "kl 0.0100" in without
    one.show(replace(tuned(), rows=rows))
    assert "1,996 tokens more are not in this page." in one.text("#masked")


def test_alarms_are_not_nothing(opened: Open) -> None:
    run = replace(reinforced(), status="completed")
    assert "no check found anything; what was told on the way is below" in opened(run).text("#health")
    assert "Nothing to worry about" in opened(replace(run, logs={**run.logs, "alarms": []})).text("#health")


def nasty(text: str) -> RecordedRun:
    """A run that holds a text wherever a run can hold one."""
    run = everything()
    logs = {name: [dict(line) for line in lines] for name, lines in run.logs.items()}
    logs["metrics"] = [{**line, text: 1.0, f"reward/{text}": 0.5} for line in logs["metrics"]]
    logs["timings"] = [line | {f"seconds_{text}": 1.0} for line in logs["timings"]]
    logs["alarms"] = [{"step": 1, "name": text, "text": text}]
    given = {"name": text, "mode": text, "sha": text, "request": text}
    logs["completions"] = [
        completion(
            1, 0, number, text, question=text, procedure=given, parts={text: 0.5}, reasons=[text],
            verdict=text, tools={text: 2}, turns=2, memory=[{"path": text, "lines": [1, 2], "score": 0.5}],
            memory_left_out=text,
        )
        for number in range(2)
    ]  # fmt: skip
    logs["tokens"] = [
        {"step": 1, "prompt": 0, "number": number, "pieces": [text, "</script>"], "log_probs": [-1.0, -9.0]}
        for number in range(2)
    ]
    graded = {"losses": {text: {"loss": 1.0, "rows": 9}},
              "graded": {text: {"score": 0.5, "rows": 9, "reward": text, "parts": {text: 1}}}}  # fmt: skip
    logs["evaluations"] = [{"step": step, "when": text} | graded for step in (0, 1)]
    search = dict(run.search) | {
        "ended": text, "diff": {text: f"+{text}\n-{text}"}, "spent": [{"phase": text, "rollouts": 3}],
        "candidates": [dict(one) | {"edit": text, "proposer": text, "rejected": text}
                       for one in run.search["candidates"]],
    }  # fmt: skip
    search["candidates"][0]["program"] = dict(search["candidates"][0]["program"]) | {"system": text}
    made = changed(
        run, id=text, name=text, algorithm=f"mine:{text}", error=text, machine=text, started=text,
        ended_by=text, before=graded, after=graded, versions={text: text}, weights={text: text},
        identity={text: text}, resumes=[{"step": 1, "at": text, "differences": [text]}],
        model={"name": text, "device": text, "dtype": text, "quantizer": text, "parameters": 3},
        data={"digest": text, "sources": [source(text, origin=text, fingerprint=text, dropped={text: 90})]},
    )  # fmt: skip
    pair = [sample(text, text) | {"parts": {text: 1.0}, "expected": text, "source": text}]
    row = dict(run.rows[0]) | {"source": text, "place": text, "pieces": [text, text], "trained": [0, 1]}
    return replace(
        made, path=text, status="failed", logs=logs, search=search, rows=[row], damaged=(text,),
        samples={"before": pair, "after": [pair[0] | {"completion": f"{text} more"}]},
    )  # fmt: skip


STRUCTURE = """() => {
  const seen = {};
  for (const node of document.querySelectorAll("*")) {
    const names = [...node.attributes].map((one) => one.name).sort().join(" ");
    const kind = `${node.tagName.toLowerCase()} ${names}`;
    seen[kind] = (seen[kind] ?? 0) + 1;
  }
  return seen;
}"""
"""How many elements with which attributes there are, whatever these hold."""


def test_data_stays_data_wherever_it_stands(opened: Open) -> None:
    one = opened(nasty("harmless"))
    one.page.evaluate(OPENED)
    ours = one.page.evaluate(STRUCTURE).keys()
    for name, text in PAGE_INJECTIONS.items():
        one.show(nasty(text))
        one.page.evaluate(OPENED)
        found = one.page.evaluate(STRUCTURE).keys()
        assert (name, found - ours, one.said) == (name, set(), [])
        assert one.page.evaluate("[document.querySelectorAll('owned').length, location.href]") == [
            0,
            one.file.as_uri(),
        ]
