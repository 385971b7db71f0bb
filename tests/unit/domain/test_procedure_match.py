from __future__ import annotations

from dataclasses import replace

import pytest

from cesello.adapters.procedure.numpy_ridge import NumpyRidge
from cesello.application.learn_matching import LearnMatching
from cesello.domain.procedure import Eval, Procedure, Step, Triggers
from cesello.domain.procedure_match import (
    Known,
    Match,
    barred,
    best,
    digest,
    files_in,
    known_requests,
    targets,
)
from tests.fakes.memory import FakeEmbedder
from tests.fakes.procedure_log import FakeMatchingFile
from tests.fakes.run import RecordingObserver

DEBUG = Procedure(
    "debug", "Finds the cause of a failure", "",
    triggers=Triggers(("fix this error", "the test fails"), ("what is an error?",), ("crash",), ("*.py",)),
    evals=(Eval("a crash again", True), Eval("write docs", False)),
)  # fmt: skip
DOCS = Procedure("docs", "Writes documents", "", triggers=Triggers(("write docs", "document this")))


def test_all_that_is_known_is_taken_once_and_the_first_is_believed() -> None:
    known = {one.text: one for one in known_requests([DEBUG, DOCS], [Known("Fix this error", None)])}
    assert known["Fix this error"].procedure is None
    assert "fix this error" not in known
    assert known["the test fails"].procedure == "debug"
    assert known["what is an error?"].against == "debug"
    assert known["debug crash"].procedure == "debug"
    assert known["write docs"].procedure == "docs"  # an example of one, and no eval of the other
    assert known["a crash again"].judged


def test_every_request_has_one_target() -> None:
    known = known_requests([DEBUG, DOCS])
    rows = targets(known, ["debug", "docs"])
    assert {sum(row) for row in rows} == {1.0}
    assert rows[[one.text for one in known].index("document this")] == [0, 1, 0]


def test_another_example_is_another_digest() -> None:
    assert digest([DEBUG, DOCS]) == digest([DEBUG, DOCS])
    assert digest([DEBUG]) != digest([DEBUG, DOCS])


@pytest.mark.parametrize(
    ("request_text", "files"),
    [
        ("fix src/app/main.py please", ["src/app/main.py"]),
        ("the README.md and a.test.ts", ["README.md", "a.test.ts"]),
        ("call df.groupby(x) e.g. 3.14 or user@host.org", []),
    ],
)
def test_files_are_seen(request_text: str, files: list[str]) -> None:
    assert files_in(request_text) == files


@pytest.mark.parametrize(
    "word",
    ["e.g. that", "os.path.join", "example.com", "v1.x", "Node.js", "2.x", "i.e. this", "ASP.NET", "vs. it"],
)
def test_a_dot_makes_no_file_and_bars_nothing(word: str) -> None:
    assert files_in(f"why does {word} fail") == []
    assert not barred(DEBUG, f"why does {word} fail")


def test_the_extensions_of_globs_are_those_of_files() -> None:
    dockets = replace(DEBUG, triggers=replace(DEBUG.triggers, files=("*.docket",)))
    assert files_in("fix a.docket", ("*.docket",)) == ["a.docket"]
    assert files_in("fix a.docket") == []
    assert not barred(dockets, "fix a.docket")
    assert barred(dockets, "fix b.py")


def test_files_and_tools_bar_a_procedure() -> None:
    assert not barred(DEBUG, "fix main.py")
    assert not barred(DEBUG, "fix it")
    assert "*.py" in barred(DEBUG, "fix main.go")
    shell = Procedure("x", "d", "", steps=(Step("a", "b", tools=("shell",)),))
    assert not barred(shell, "fix it")
    assert "shell" in barred(shell, "fix it", frozenset(("edit",)))


def test_the_best_that_applies_is_taken() -> None:
    found = [Match("a", 0.4, 0.5), Match("b", 0.3, 0.2), Match("c", 0.9, 0.1, barred="files")]
    chosen = best(found)
    assert chosen is not None
    assert chosen.name == "b"
    assert best(found[:1]) is None


def test_what_is_learnt_is_kept_until_something_changes() -> None:
    file = FakeMatchingFile()
    observer = RecordingObserver()
    learn = LearnMatching(FakeEmbedder(), NumpyRidge(), file, observer)
    assert not learn.ready([DEBUG, DOCS]).note
    count = len(known_requests([DEBUG, DOCS]))
    assert observer.phases == [("learning what procedures are for, once", count)]
    assert observer.done == [count]
    learn.ready([DEBUG, DOCS])
    assert len(observer.phases) == 1  # it takes long when something is learnt, and then alone
    assert file.written == 1
    assert "procedures have changed" in learn.ready([DOCS]).note
    assert file.written == 2
    other = LearnMatching(FakeEmbedder(32), NumpyRidge(), file)
    assert "changed" in other.ready([DOCS]).note
