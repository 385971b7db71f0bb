"""What a search has found becomes a version of the procedure, or it is said why not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from cesello.application.draft_procedure import DraftProcedure
from cesello.application.promote_procedure import PromoteProcedure
from cesello.domain.errors import DataError, InvalidProcedure, UsageError
from cesello.domain.procedure import Status
from cesello.domain.prompt_program import PromptProgram
from cesello.domain.run import RunStatus, RunSummary
from tests.fakes.procedure import FakeProcedureStore

FOUND = PromptProgram(procedure="Do it better.\n")
WON = {"verdict": "promising", "winner": FOUND.id, "gain": 0.08, "test_tasks": 72, "p": 0.1}


def skill(body: str) -> dict[str, bytes]:
    text = f"---\nname: demo\ndescription: Does it.\n---\n\n{body}\n"
    return {"SKILL.md": text.encode(), "notes.txt": b"kept\n"}


@pytest.fixture
def store() -> FakeProcedureStore:
    return FakeProcedureStore({"demo": skill("Do it.")})


@pytest.fixture
def search(store: FakeProcedureStore) -> dict[str, Any]:
    """What a search of the version in use has found."""
    return {**WON, "procedure": store.standing("demo")[1].pin}


def run(search: Mapping[str, Any], status: RunStatus = RunStatus.COMPLETED) -> RunSummary:
    return RunSummary("one", "checks", status, "", None, 1, 1, "runs/one", {"search": search})


def draft(store: FakeProcedureStore, found: PromptProgram = FOUND) -> DraftProcedure:
    return DraftProcedure(store, store.form, lambda _: found)


def test_it_is_a_draft_of_the_run_with_all_other_files(
    store: FakeProcedureStore, search: dict[str, Any]
) -> None:
    begun = store.standing("demo")[1]
    made = draft(store)("demo", run(search))
    assert (made.author, made.parent, made.status) == ("one", begun.sha, Status.DRAFT)
    assert made.reason == "promising: gain +0.080 on 72 held-out tasks, p 0.1"
    assert store.files("demo", made.sha) == skill("Do it better.")
    assert store.folder("demo") == skill("Do it.")
    assert store.active()[0][1] == begun
    assert PromoteProcedure(store).trial("demo", made.sha).status is Status.TRIAL
    assert draft(store)("demo", run(search)).status is Status.TRIAL  # asking again changes nothing


def test_it_is_made_from_the_version_that_was_searched(
    store: FakeProcedureStore, search: dict[str, Any]
) -> None:
    store.folders["demo"] = skill("Do it otherwise.") | {"notes.txt": b"new\n"}
    PromoteProcedure(store)("demo")
    made = draft(store)("demo", run(search))
    assert made.parent == search["procedure"]["sha"]
    assert store.files("demo", made.sha)["notes.txt"] == b"kept\n"


def test_what_the_person_has_written_already_stays_theirs(
    store: FakeProcedureStore, search: dict[str, Any]
) -> None:
    store.folders["demo"] = skill("Do it better.")
    PromoteProcedure(store)("demo", reason="by hand")
    made = draft(store)("demo", run(search))
    assert (made.author, made.status, made.reason) == ("user", Status.ACTIVE, "by hand")


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"procedure": None}, RunStatus.COMPLETED, "a run without apo.procedure_of"),
        ({"procedure": {"name": "other", "sha": "0" * 64}}, RunStatus.COMPLETED, "a search for other"),
        ({}, RunStatus.INTERRUPTED, "has not ended"),
        ({"verdict": "keep yours"}, RunStatus.COMPLETED, "nothing better"),
        ({"winner": "another"}, RunStatus.COMPLETED, "put prompt.yaml back"),
    ],
)
def test_where_nothing_was_found_nothing_is_recorded(
    store: FakeProcedureStore, search: dict[str, Any], change: dict[str, Any], status: RunStatus, said: str
) -> None:
    before = list(store.recorded)
    with pytest.raises(UsageError, match="C124") as refused:
        draft(store)("demo", run(search | change, status))
    assert said in str(refused.value)
    assert store.recorded == before


def test_a_version_that_is_not_here_is_told(store: FakeProcedureStore, search: dict[str, Any]) -> None:
    gone = search | {"procedure": {"name": "demo", "sha": "0" * 64}}
    with pytest.raises(DataError, match="D043"):
        draft(store)("demo", run(gone))


def test_a_text_that_no_procedure_may_have_is_refused(
    store: FakeProcedureStore, search: dict[str, Any]
) -> None:
    bad = PromptProgram(procedure="Do it\u202e.")
    with pytest.raises(InvalidProcedure):
        draft(store, bad)("demo", run(search | {"winner": bad.id}))


def test_a_manifest_without_figures_says_the_verdict_alone(
    store: FakeProcedureStore, search: dict[str, Any]
) -> None:
    assert draft(store)("demo", run(search | {"gain": None})).reason == "promising"
