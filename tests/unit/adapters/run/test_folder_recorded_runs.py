from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cesello.adapters.run.folder_recorded_runs import FolderRecordedRuns
from cesello.adapters.run.folder_run_store import FolderRunStore
from cesello.domain.distilled_rows import Wanted, rewarded
from cesello.domain.recorded_run import RecordedRun
from cesello.domain.report_groups import COMPLETIONS
from cesello.domain.run_report import run_report
from cesello.entrypoints.wiring import whole_recorded_runs
from tests.recorded_runs import completion, reinforced, searched, tuned, write


def read(folder: Path) -> RecordedRun:
    return FolderRecordedRuns().read(FolderRunStore(folder.parent).find(str(folder)))


@pytest.mark.parametrize("one", [tuned(), reinforced(), searched()])
def test_what_a_run_has_written_is_read(one: RecordedRun, tmp_path: Path) -> None:
    found = read(write(one, tmp_path / "one"))
    assert found.damaged == ()
    assert {name: list(lines) for name, lines in found.logs.items() if lines} == {
        name: json.loads(json.dumps(lines)) for name, lines in one.logs.items()
    }
    assert found.search == json.loads(json.dumps(one.search))
    assert list(found.rows) == list(one.rows)
    assert {when: list(lines) for when, lines in found.samples.items() if lines} == dict(one.samples)


def test_scores_of_graded_rows_are_read(tmp_path: Path) -> None:
    line = {"when": "before", "source": "chat", "prompt": "ab", "score": 0.5, "parts": {}}
    one = replace(tuned(), logs={"scores": [line]})
    assert read(write(one, tmp_path / "one")).log("scores") == [line]


def test_what_is_held_out_is_read_without_the_logs(tmp_path: Path) -> None:
    folder = write(tuned(), tmp_path / "one")
    (folder / "held-out.json").write_text('["ab"]')
    (folder / "metrics.jsonl").write_text("damaged\n")
    found = FolderRecordedRuns().held_out(FolderRunStore(tmp_path).find("one"))
    assert (found.held_out, found.logs, found.damaged) == (frozenset({"ab"}), {}, ())
    assert {when: list(lines) for when, lines in found.samples.items()} == dict(tuned().samples)


def test_a_line_that_is_being_written_is_not_damaged(tmp_path: Path) -> None:
    folder = write(tuned(), tmp_path / "one")
    with (folder / "metrics.jsonl").open("a") as log:
        log.write('{"step": 41, "lo')
    found = read(folder)
    assert len(found.log("metrics")) == 40
    assert found.damaged == ()


def test_damaged_lines_are_left_out_and_counted(tmp_path: Path) -> None:
    folder = write(tuned(), tmp_path / "one")
    with (folder / "metrics.jsonl").open("ab") as log:
        log.write(b"nothing\n[1]\n\xff\xfe\n" + b"[" * 10_000 + b'\n{"step": 41}\n')
    found = read(folder)
    assert len(found.log("metrics")) == 41
    assert found.damaged == ("4 lines of metrics.jsonl cannot be read",)


def test_damaged_documents_are_said(tmp_path: Path) -> None:
    folder = write(tuned(), tmp_path / "one")
    (folder / "rows.json").write_text("{}")
    (folder / "search.json").write_text("not JSON")
    (folder / "alarms.jsonl").mkdir()
    found = read(folder)
    assert (found.rows, found.search, found.log("alarms")) == ([], {}, ())
    assert found.damaged == ("rows.json cannot be read", "search.json cannot be read")


@pytest.mark.parametrize("text", ["[]", '["a", 3, "b"]', "{}", "[", None])
def test_what_a_run_holds_out_is_known_or_not(text: str | None, tmp_path: Path) -> None:
    folder = write(reinforced(), tmp_path / "one")
    if text is not None:
        (folder / "held-out.json").write_text(text)
    known = {"[]": frozenset[str](), '["a", 3, "b"]': frozenset("ab")}
    found = read(folder)
    assert found.held_out == known.get(str(text))
    assert found.damaged == (("held-out.json cannot be read",) if text in ("{}", "[") else ())


def test_of_a_long_log_only_texts_that_are_shown_are_held(tmp_path: Path) -> None:
    """What is counted, and what a page shows, is the same as if all of it were."""
    steps, answers = 12, COMPLETIONS // 10
    lines = [
        completion(
            step, 0, number, f"{step}.{number}", tools={"search": step % 3, "add": 1},
            procedure={"name": "debug", "mode": "off" if step % 4 else "full", "sha": "ab", "request": ""},
            memory=[{"path": "a.py", "lines": [1, 2], "score": 0.9}] if step % 2 else None,
            memory_left_out=None if step % 2 else "held out",
        )
        for step in range(1, steps + 1)
        for number in range(answers)
    ]  # fmt: skip
    folder = write(replace(reinforced(), logs={"completions": lines}), tmp_path / "one")
    with (folder / "completions.jsonl").open("a") as log:
        log.write("no line\n")
    summary = FolderRunStore(folder.parent).find(str(folder))
    whole, slim = FolderRecordedRuns().read(summary), FolderRecordedRuns(whole_log=0).read(summary)
    with_text = {line["step"] for line in slim.log("completions") if "completion" in line}
    assert len(slim.log("completions")) == len(whole.log("completions")) == steps * answers
    assert {1, steps} < with_text < set(range(1, steps + 1))
    assert slim.damaged == whole.damaged == ("1 lines of completions.jsonl cannot be read",)
    assert run_report(slim) == run_report(whole)


def test_who_makes_rows_of_answers_has_all_of_them(tmp_path: Path) -> None:
    asked = {"messages": [{"role": "user", "content": "q"}]}
    lines = [
        completion(step, 0, number, "an answer", finished=True, reward=1.0, asked=None if number else asked)
        for step in range(12)
        for number in range(COMPLETIONS // 10)
    ]
    folder = write(replace(reinforced(), logs={"completions": lines}), tmp_path / "one")
    found = whole_recorded_runs().read(FolderRunStore(folder.parent).find(str(folder)))
    assert found.log("completions") == lines
    assert not [one for one in rewarded("one", found, Wanted(0.5)) if isinstance(one, str)]
