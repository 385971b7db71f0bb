"""The page of a run in a browser: it draws, it loads nothing, everybody can use it, and data stays data."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cesello.domain.recorded_run import Line, RecordedRun, whole
from cesello.domain.trace import SpanTime
from tests.opened_pages import OPENED, Open, Opened, Scheme
from tests.page_injections import PAGE_INJECTIONS
from tests.recorded_runs import (
    ablated,
    changed,
    completion,
    grounding,
    reinforced,
    sample,
    searched,
    source,
    tuned,
)


def everything() -> RecordedRun:
    """With every part that a page can have."""
    given = {"name": "debug", "mode": "full", "sha": "0123456789", "request": ""}
    lines = [{**line, "procedure": given, **passages(line)} for line in reinforced().log("completions")]
    logs = {**reinforced().logs, **tuned().logs, "completions": lines}
    counts = {"grounded": {"given": 3, "held out": 1}, "instructed": {"debug 01234567, full": 4}}
    spans = [SpanTime("chat tiny", 12, 3.0, 500, 90), SpanTime("train", 1, 100.0, dropped=2)]
    made = replace(tuned(), logs=logs, search=searched().search, spans=spans, ablation=ablated())
    made = replace(made, damaged=("a file cannot be read",))
    return changed(made, data={"sources": [source("chat", **counts)]})


def passages(line: Line) -> Line:
    """Half of the prompts have read, of two more the model has searched, the others were held out."""
    step = whole(line, "step")
    its = grounding(("src/a.py", 0.5, f"an answer is {step}0"), (f"src/{step % 3}.py", 0.25, "nothing"))
    if step % 2:
        return its
    if step > 4:
        return {"memory": None, "memory_left_out": "held out"}
    turns = [{"role": "tool", "content": its["memory_text"]}, {"role": "assistant", "content": "an answer"}]
    return {"said": turns, "turns": 2, "tools": {"search": 1}}


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
    assert "search" in one.text("#given")
    assert "+0.700" in one.text("#ablation")
    assert one.text("#time tbody tr").split() == [
        "drawing",
        "answers",
        "3.0",
        "s",
        "2.9",
        "%",
        "12",
        "500",
        "90",
    ]
    assert one.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("scheme", "width"), [("light", 360), ("dark", 1280)])
def test_everybody_can_use_it(opened: Open, scheme: Scheme, width: int) -> None:
    assert opened(everything(), scheme, width).barriers() == []


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
    found = grounding((text, 0.5, f"{text} overlapping"))
    del found["memory_left_out"]
    logs["completions"] = [
        completion(
            1, 0, number, text, question=text, procedure=given, parts={text: 0.5}, reasons=[text],
            verdict=text, tools={text: 2, "search": 1}, turns=2, memory_left_out=text,
            **{**found, "memory": [{"path": text, "lines": [1, 2], "score": 0.5}]},
            said=[{"role": "tool", "content": found["memory_text"]}, {"role": "assistant", "content": text}],
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
    arms = [one | {"model": text, "arm": text} for one in ablated()["arms"]]
    ablation = {"source": text, "reward": text, "arms": arms}
    made = changed(
        run, id=text, name=text, algorithm=f"mine:{text}", error=text, machine=text, started=text,
        ended_by=text, before=graded, after=graded, versions={text: text}, weights={text: text},
        identity={text: text}, resumes=[{"step": 1, "at": text, "differences": [text]}],
        model={"name": text, "device": text, "dtype": text, "quantizer": text, "parameters": 3},
        data={"digest": text, "sources": [source(
            text, origin=text, fingerprint=text, dropped={text: 90}, grounded={text: 1}, instructed={text: 1},
        )]},
    )  # fmt: skip
    pair = [sample(text, text) | {"parts": {text: 1.0}, "expected": text, "source": text}]
    row = dict(run.rows[0]) | {
        "source": text, "place": text, "pieces": [text, text, found["memory_text"]], "trained": [0, 1, 0],
        **found, "memory_left_out": text, "procedure": given,
    }  # fmt: skip
    return replace(
        made, path=text, status="failed", logs=logs, search=search, rows=[row], damaged=(text,),
        spans=[SpanTime(text, 3, 1000.0)], ablation=ablation,
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


def test_a_search_that_has_not_ended_says_so_beside_its_candidates(opened: Open) -> None:
    found = {
        **searched().search,
        "unfinished": True,
        "test": None,
        "spent": [{"phase": "search", "rollouts": 9}],
    }
    one = opened(replace(searched(), status="interrupted", search=found))
    assert "has neither a test nor a verdict" in one.text("main .note")
    assert one.text("#search p").startswith("unfinished 3 prompts so far.")
    assert one.count("#candidates circle") == 2
    assert one.said == []


def test_a_long_word_stays_readable_on_a_phone(opened: Open) -> None:
    """A digest beside its name would be a column of single letters."""
    one = opened(tuned(), width=360)
    box = one.page.locator("#provenance dd").nth(2).bounding_box()
    assert box is not None
    assert box["width"] > 200
    assert box["height"] < 120
