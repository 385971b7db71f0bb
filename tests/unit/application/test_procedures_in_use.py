"""Which version a request meets, and which may be promoted by outcomes."""

from __future__ import annotations

import pytest

from cesello.application.choose_procedure import ChooseProcedure
from cesello.application.learn_from_outcomes import LearnFromOutcomes
from cesello.application.match_procedure import Matched, MatchProcedure
from cesello.domain.errors import DataError, InvalidProcedure
from cesello.domain.procedure import Outcome, Procedure, ProcedureRun, Status
from cesello.domain.procedure_match import Match
from cesello.domain.procedure_prompt import Mode, procedure_text
from tests.fakes.procedure import FakeProcedureStore
from tests.fakes.procedure_log import FakeProcedureLog

CHECKS = Procedure("run-checks", "Runs all checks. Use for checks.", "Run make check.\n")


@pytest.fixture
def store() -> FakeProcedureStore:
    made = FakeProcedureStore()
    made.place(CHECKS)
    return made


class FindsChecks(MatchProcedure):
    """Finds the one procedure of a store, whatever is asked; another one has a higher score and is barred."""

    def __init__(self, store: FakeProcedureStore) -> None:
        self._found = store

    def __call__(self, request: str, tools: frozenset[str] | None = None) -> Matched:
        [(procedure, version)] = self._found.active()
        return Matched(
            (Match("other", 0.9, 5.0, "", ""), Match("run-checks", 0.5, 0.25, "", "")), procedure, version, ""
        )


def met(store: FakeProcedureStore) -> set[str]:
    choose = ChooseProcedure(store, FindsChecks(store))
    chosen = [choose("auto", f"request {number}").version for number in range(50)]
    return {one.sha for one in chosen if one is not None}


@pytest.mark.parametrize("author", ["user", "import", "run-7"])
def test_no_request_meets_a_draft_that_nobody_put_on_trial(store: FakeProcedureStore, author: str) -> None:
    active = store.active()[0][1].sha
    text = b"---\nname: run-checks\ndescription: Does it.\n---\n\nOther.\n"
    draft = store.add("run-checks", {"SKILL.md": text}, author=author).sha
    assert met(store) == {active}
    store.set_status("run-checks", draft, Status.TRIAL)
    assert met(store) == {active, draft}


def test_outcomes_promote_only_what_is_on_trial(store: FakeProcedureStore) -> None:
    active = store.active()[0][1].sha
    text = b"---\nname: run-checks\ndescription: Does it.\n---\n\nOther.\n"
    draft = store.add("run-checks", {"SKILL.md": text}, author="user").sha
    log = FakeProcedureLog()
    for number in range(40):
        sha, outcome = ((active, Outcome.FAILURE), (draft, Outcome.SUCCESS))[number % 2]
        log.add(
            ProcedureRun(
                str(number), "run-checks", sha, str(number), "full", outcome, "", "", origin="generate"
            )
        )
    learn = LearnFromOutcomes(store, log)
    assert learn.settle("run-checks") is None
    store.set_status("run-checks", draft, Status.TRIAL)
    found = learn.settle("run-checks")
    assert found is not None
    assert (found.version.sha, found.status) == (draft, Status.ACTIVE)


def test_why_names_the_score_of_the_one_that_was_chosen(store: FakeProcedureStore) -> None:
    choice = ChooseProcedure(store, FindsChecks(store))("auto", "check it")
    assert choice.why == "score 0.50 of 0.25"


def test_what_has_no_folder_or_nothing_in_it_is_not_used_by_its_name(store: FakeProcedureStore) -> None:
    choose = ChooseProcedure(store, FindsChecks(store))
    assert choose("run-checks", "").procedure is not None
    store.folders["run-checks"] = {}
    with pytest.raises(InvalidProcedure, match="D042"):
        choose("run-checks", "")
    del store.folders["run-checks"]
    with pytest.raises(DataError, match="D043"):
        choose("run-checks", "")


def test_a_long_procedure_comes_whole_into_a_prompt() -> None:
    body = "Do it well. " * 5_000 + "The end."
    assert "The end." in procedure_text(Procedure("long", "Does it.", body), Mode.FULL)
