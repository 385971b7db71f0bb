from __future__ import annotations

import json
import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import pytest

from cesello.domain.run_report import duration, run_report
from cesello.domain.trace import SpanTime
from cesello.entrypoints.cli.row_text import visible
from cesello.entrypoints.report.page import as_script_data, page
from tests.page_injections import PAGE_INJECTIONS
from tests.recorded_runs import changed, reinforced, searched, tuned


class Elements(HTMLParser):
    """What a page is made of.

    Attributes:
        inside: the text of every script and style, with its type.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[str] = []
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open in ("script", "style"):
            self.inside.append(data)


def made(run: Any) -> str:
    return page(run_report(run), str, visible)


@pytest.mark.parametrize("text", PAGE_INJECTIONS.values(), ids=PAGE_INJECTIONS)
def test_data_in_a_script_is_data(text: str) -> None:
    written = as_script_data({text.replace("\ud800", ""): [text.replace("\ud800", "")]})
    assert not set("<>&\u2028\u2029") & set(written)
    assert json.loads(written) == {text.replace("\ud800", ""): [text.replace("\ud800", "")]}


@pytest.mark.parametrize("run", [tuned(), reinforced(), searched()])
def test_the_policy_lets_these_texts_run_and_no_other(run: Any) -> None:
    text = made(run)
    elements = Elements(text)
    [policy] = [its["content"] for tag, its in elements.tags if its.get("http-equiv")]
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    style, data, program = elements.inside
    for its in (style, program):
        digest = b64encode(sha256(its.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert set(json.loads(data)) == {"charts", "rows", "groups", "candidates", "passages"}


@pytest.mark.parametrize("run", [tuned(), reinforced(), searched()])
def test_nothing_is_loaded_and_nothing_is_styled_or_run_by_an_attribute(run: Any) -> None:
    for tag, its in Elements(made(run)).tags:
        assert not [name for name in its if name.startswith("on") or name in ("style", "src", "srcset")]
        assert tag not in ("link", "img", "iframe", "object", "base", "form")
        assert (its.get("href") or "#").startswith("#")


def test_ids_are_unique_and_every_part_can_be_reached() -> None:
    elements = Elements(made(tuned()))
    ids = [its["id"] for _, its in elements.tags if "id" in its]
    assert len(ids) == len(set(ids))
    targets = {its["href"] for tag, its in elements.tags if tag == "a" and "href" in its}
    assert targets <= {f"#{one}" for one in ids}


def test_a_secret_is_in_no_part_of_the_page() -> None:
    secret = "hf_" + "aBcDeFgHiJ" * 3 + "1234"
    run = changed(reinforced(said=f"my token is {secret}"), error=f"refused: {secret}", name=f"run {secret}")
    text = page(run_report(run), lambda text: text.replace(secret, "[secret]"), visible)
    assert secret not in text
    assert text.count("[secret]") >= 90


def test_tokens_that_spell_a_secret_are_left_out() -> None:
    run = reinforced(steps=1)
    tokens = [{**line, "pieces": ["sec", "ret", "!"]} for line in run.log("tokens")]
    text = page(run_report(changed_log(run, tokens)), lambda text: text.replace("secret", "[gone]"), visible)
    assert '"pieces"' not in text


def changed_log(run: Any, tokens: Any) -> Any:
    return replace(run, logs={**run.logs, "tokens": tokens})


def test_what_is_not_there_has_no_part() -> None:
    bare = changed(tuned(), before=None, after=None, data=None)
    text = made(changed_log(bare, []))
    assert 'id="mixture"' not in text
    assert 'id="gains"' not in text
    assert 'id="groups"' not in text


@pytest.mark.parametrize(("read", "written"), [(0, 0), (500, 0), (0, 90)])
def test_tokens_have_columns_in_the_table_of_time_where_spans_have_counted_some(
    read: int, written: int
) -> None:
    spans = [SpanTime("chat tiny", 12, 3.0, read, written), SpanTime("train", 1, 100.0, outermost=103.0)]
    text = made(replace(tuned(), spans=spans))
    table = text.split('<table class="time">')[1].split("</table>")[0]
    assert ("tokens read" in table) is (read + written > 0)
    head, *rows = (part.split("</tr>")[0] for part in table.split("<tr>")[1:])
    assert {len(re.findall("<t[hd] ", row)) for row in (head, *rows)} == {6 if read + written else 4}
    assert f"<dd>{duration(103.0)}</dd>" in text


def test_the_page_has_no_trace_of_its_template() -> None:
    for run in (tuned(), reinforced(), searched()):
        markup = re.sub(r"<(script|style)[^>]*>.*?</\1>", "", made(run), flags=re.DOTALL)
        assert not re.search(r"\{\{|\{%|\bUndefined\b|\bNone\b", markup)
