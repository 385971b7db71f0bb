"""The report of real runs: with a memory and procedures, by their spans, and of a search that was stopped."""

from __future__ import annotations

import json
import os
import re
import signal
from collections import Counter
from itertools import count
from pathlib import Path
from shutil import copytree
from statistics import fmean
from typing import TYPE_CHECKING, Any

import pytest

from cesello.application.report_run import ReportRun
from cesello.domain.run_report import Report
from cesello.domain.secret_text import redacted
from cesello.entrypoints.apo_wiring import recorded_answers
from cesello.entrypoints.trace_wiring import recorded_span_times
from cesello.entrypoints.wiring import folder_recorded_runs, folder_run_store
from tests.chat_server import Messages, chat_service
from tests.e2e.command import cesello_here
from tests.embedding_server import embedding_service
from tests.opened_pages import OPENED, Open

if TYPE_CHECKING:
    from collections.abc import Callable

    Reported = Callable[[str], Report]

MEMORY = """
  retrieve: on
  retrieve_holdout: 0.4
  procedures: full
  procedure_holdout: 0.3
  keep: 1
  context_tokens: 80
  relevant: 0.3
  embedder: {engine: openai, url: URL, model: words}
  reranker: {engine: none}
"""
SFT = f"""
name: sft
algorithm: sft
model: {{name: ./tiny, dtype: float32}}
data:
  max_tokens: 700
  sources:
    - {{name: chat, kind: file, path: rows.jsonl, holdout: 2}}
training: {{max_steps: 1, batch_size: 2}}
evaluation: {{rows: 1, max_new_tokens: 2}}
loggers: []
memory:{MEMORY}"""
GRPO = f"""{SFT.replace("name: sft", "name: grpo").replace("algorithm: sft", "algorithm: grpo")}
rewards:
  - {{kind: length, shortest: 1, longest: 5, unit: characters}}
grpo: {{completions: 2, max_completion_tokens: 8, masks_overlong: false}}
"""
ASKED = (
    "how many pears are in the basket",
    "how many apples hang in the tree",
    "please run the checks",
    "wxyz",
)


@pytest.fixture(scope="module")
def trained(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two runs, sft and grpo, and a page of each as the command writes it."""
    project = tmp_path_factory.mktemp("project")
    copytree(tiny, project / "tiny")
    procedure = project / ".cesello" / "procedures" / "run-checks"
    procedure.mkdir(parents=True)
    (procedure / "SKILL.md").write_text(
        "---\nname: run-checks\ndescription: Runs the checks.\n---\nSlowly.\n"
    )
    (procedure / "sop.yaml").write_text(
        "schema_version: 1\ntriggers:\n  examples: [please run the checks 91, please run the checks 92]\n"
    )
    rows = [
        [{"role": "user", "content": f"{ASKED[n % 4]} {n}"}, {"role": "assistant", "content": "it is"}]
        for n in range(60)
    ]
    (project / "rows.jsonl").write_text("".join(json.dumps({"messages": row}) + "\n" for row in rows))
    (project / "src").mkdir()
    (project / "src" / "basket.py").write_text('def pears():\n    """How many pears are in the basket."""\n')
    (project / "src" / "tree.py").write_text('def apples():\n    """How many apples hang in the tree."""\n')
    with embedding_service() as service:
        settings = f"memory: {{embedder: {{engine: openai, url: {service.url}, model: words}}}}\n"
        (project / "cesello.yaml").write_text(settings)
        done = cesello_here("remember", "src", cwd=project)
        assert done.returncode == 0, done.stderr
        for name, recipe, more in (
            ("sft", SFT, ()),
            ("grpo", GRPO, ("training.max_steps=6", "training.batch_size=8")),
        ):
            text = recipe.replace("URL", service.url)
            (project / f"{name}.yaml").write_text(text)
            sets = [part for one in more for part in ("--set", one)]
            done = cesello_here("train", f"{name}.yaml", "--run", name, *sets, cwd=project)
            assert done.returncode == 0, done.stderr
            done = cesello_here("report", name, "--html", f"{name}.html", cwd=project)
            assert done.returncode == 0, done.stderr
    return project


@pytest.fixture(scope="module")
def reported(trained: Path) -> Reported:
    """Takes the id of a run: sft, or grpo."""
    return reports(trained)


def reports(project: Path) -> Reported:
    store, reader = folder_run_store(str(project / "runs")), folder_recorded_runs()
    return ReportRun(store, reader, recorded_answers(), recorded_span_times(), redacted)


FITS = """() =>
  [...document.querySelectorAll("#given .scroll")].every((one) => one.scrollWidth <= one.clientWidth)
  && document.documentElement.scrollWidth <= innerWidth"""


@pytest.mark.parametrize(("run", "where"), [("sft", "#masked"), ("grpo", "#explorer .question")])
def test_everybody_can_read_on_a_phone_what_prompts_were_given(
    trained: Path, opened: Open, run: str, where: str
) -> None:
    one = opened(trained / f"{run}.html", "light", 360)
    if run == "grpo":
        one.page.select_option("#explorer select", "passages of the memory")
    assert one.barriers(f"#given, {where}") == []
    one.page.emulate_media(color_scheme="dark")
    assert one.barriers(f"#given, {where}") == []
    assert one.page.evaluate(FITS)
    assert one.said == []


def test_rows_of_a_fine_tuning_show_their_passages_as_read_and_not_learnt(
    trained: Path, reported: Reported, opened: Open
) -> None:
    made = reported("sft")
    assert made.given is not None
    counts = {one.kind: dict(one.counts) for one in made.given.rows}
    assert sum(counts["memory"].values()) == sum(counts["procedure"].values()) == 60
    assert list(counts["memory"]) == ["given", "held out", "nothing found"]
    its = f"run-checks {version(trained)[:8]}"
    assert list(counts["procedure"]) == [f"{its}, full", f"{its}, held out", "none matched"]
    one = opened(trained / "sft.html")
    one.page.evaluate(OPENED)
    assert f"{its}, held out\t{counts['procedure'][f'{its}, held out']}" in one.text("#given")
    assert f"passages in the prompt\t{counts['memory']['given']}" in one.text("#given")
    row = next(one for one in made.rows if one.read)
    begin, end = row.read or (0, 0)
    passage = "".join(words for words, _ in row.pieces[begin:end])
    assert passage.startswith("<context ")
    assert passage.rstrip("\n").endswith(">")
    assert not any(trained for _, trained in row.pieces[begin:end])
    assert passage.replace("\n", "") in one.page.evaluate(
        "[...document.querySelectorAll('#masked .passage')].map((one) => one.textContent).join('')"
    ).replace("⏎\n", "")
    assert one.count("#masked span.passage.trained") == 0
    assert one.said == []


def test_prompts_of_a_reinforcement_tell_what_they_were_given_and_what_came_of_it(
    trained: Path, reported: Reported, opened: Open
) -> None:
    made = reported("grpo")
    given = made.given
    assert given is not None
    arms = {(one.kind, one.mode): one for one in given.arms}
    assert sum(one.prompts for one in given.arms if one.kind == "memory") == 48
    assert {mode for kind, mode in arms if kind == "memory"} == {"in the prompt", "off", "nothing found"}
    assert {one.given for one in given.lifts} == {"memory", "run-checks"}
    assert sum(count for _, count in arms["procedure", "full"].outcomes) == arms["procedure", "full"].prompts
    assert given.use is not None
    assert given.use.answers == given.use.compared == 2 * arms["memory", "in the prompt"].prompts
    assert {one.place for one in given.use.passages} == {"src/basket.py:1-2", "src/tree.py:1-2"}
    one = opened(trained / "grpo.html", "dark", 360)
    one.page.evaluate(OPENED)
    told = one.text("#given")
    assert "held out: without them" in told
    assert "that were held out (95 %" in told
    assert "With the passages of another prompt in their place" in told
    assert '"""How many pears are in the basket."""' in told
    one.page.select_option("#explorer select", "passages of the memory")
    one.page.click("#explorer .question summary")
    assert '"""How many' in one.text("#explorer .question .quoted")
    assert one.said == []


def logged(project: Path) -> list[dict[str, Any]]:
    done = cesello_here("sop", "log", "--json", "--last", "1000", cwd=project)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def version(project: Path) -> str:
    """Of the only procedure."""
    [found] = {str(one["sha"]) for one in logged(project)}
    return found


def test_what_came_of_a_procedure_is_what_its_log_has(trained: Path, opened: Open) -> None:
    one = opened(trained / "grpo.html")
    rows = one.page.locator("#given table").last.locator("tbody tr").all_inner_texts()
    of_log = logged(trained)
    expected = []
    for mode, said in (("full", "full"), ("off", "held out: without it")):
        its = [each for each in of_log if each["mode"] == mode]
        outcomes = Counter(each["outcome"] for each in its).most_common()
        expected.append((
            f"run-checks, {said}", f"version {version(trained)[:8]}", str(len(its)),
            f"{fmean(each['reward'] for each in its):.3f}",
            [f"{name} × {count}" for name, count in outcomes],
        ))  # fmt: skip
    told = [[part for part in re.split(r"\s*[\t\n]\s*", row) if part] for row in rows]
    assert [(*one[:4], re.findall(r"\w+ × \d+", one[-1])) for one in told[:2]] == expected
    assert len({outcome for *_, outcomes in expected for outcome in outcomes}) > 1
    assert told[2][0] == "none matched"
    one.page.select_option("#explorer select", "a procedure")
    assert f"procedure run-checks, version {version(trained)[:8]} (full)" in one.text("#explorer .question")
    assert "please run the checks" in one.text("#explorer .question pre")
    assert one.said == []


def test_time_is_told_by_spans(reported: Reported) -> None:
    spent = reported("grpo").time
    assert spent is not None
    assert spent.spans > 20
    phases = {one.name: one for one in spent.phases}
    assert phases["drawing answers"].count == 6
    assert phases["drawing answers"].written > 0
    assert {"preparing the data", "loading the model", "evaluating", "saving", "judging"} <= phases.keys()
    assert sum(one.share for one in spent.phases) == pytest.approx(1.0)


APO = """
name: apo
algorithm: apo
model: {name: ./tiny, dtype: float32}
data:
  system_prompt: Be brief.
  sources:
    - {name: chat, kind: file, path: rows.jsonl, holdout: 20}
rewards:
  - {kind: format, pattern: "[A-Z]+"}
apo:
  components: [system]
  proposers: [rules]
  budget: {rollouts: 160}
  generator: {kind: openai, url: CHAT, model: small}
  max_new_tokens: 8
"""


@pytest.mark.parametrize("status", [75, 130])
def test_a_search_that_was_stopped_shows_what_it_has_tried(
    tiny: Path, opened: Open, tmp_path: Path, status: int
) -> None:
    """By its engine, which is busy, or by Ctrl-C."""
    copytree(tiny, tmp_path / "tiny")
    rows = [
        [{"role": "user", "content": f"wxyz {n}"}, {"role": "assistant", "content": "it"}] for n in range(80)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"messages": row}) + "\n" for row in rows))

    asked = count(1)

    def answers(messages: Messages) -> str:
        if next(asked) == 60 and status == 130:  # of the threads of the service exactly one has the 60th
            os.kill(os.getpid(), signal.SIGINT)
        return "YES" if len(messages[0]["content"]) > len("Be brief.") else "no"

    with chat_service(answers) as service:
        (tmp_path / "apo.yaml").write_text(APO.replace("CHAT", service.url))
        service.busy_after = 60 if status == 75 else None
        assert cesello_here("train", "apo.yaml", "--run", "apo", cwd=tmp_path).returncode == status
    made = reports(tmp_path)("apo")
    assert made.status == {75: "failed", 130: "interrupted"}[status]
    assert made.search is not None
    assert made.search.unfinished
    first, *others = made.search.candidates
    assert (first.role, first.mean) == ("seed", -1.0)
    assert {one.mean for one in others if one.trials} == {1.0}
    spent = sum(one["rollouts"] for one in made.search.spent)
    assert 0 < spent <= 60
    assert dict(made.facts)["rollouts"] == f"{spent} of 160"
    assert "the best mean is 1.000 on" in made.verdict[1]
    one = opened(made)
    assert one.text("#search p").startswith("unfinished")
    assert one.count("#candidates circle") == sum(one.mean is not None for one in made.search.candidates)
    assert one.said == []
