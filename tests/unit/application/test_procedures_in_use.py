"""Which version a request meets, and which may be promoted by outcomes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cesello.application.choose_procedure import ChooseProcedure
from cesello.application.learn_from_outcomes import LearnFromOutcomes
from cesello.application.match_procedure import Matched, MatchProcedure
from cesello.application.promote_procedure import PromoteProcedure
from cesello.domain.errors import DataError, InvalidProcedure
from cesello.domain.procedure import Outcome, Procedure, ProcedureRun, Status
from cesello.domain.procedure_looks import Verdict
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


def ran(number: int, sha: str, outcome: Outcome, started: str = "", origin: str = "generate") -> ProcedureRun:
    held = number % 4 == 0 and outcome is Outcome.SUCCESS
    return ProcedureRun(
        str(number), "run-checks", sha, str(number), "full", outcome, started, "", held, origin=origin
    )


def test_outcomes_promote_only_what_is_on_trial(store: FakeProcedureStore) -> None:
    active = store.active()[0][1].sha
    text = b"---\nname: run-checks\ndescription: Does it.\n---\n\nOther.\n"
    draft = store.add("run-checks", {"SKILL.md": text}, author="user").sha
    learn = LearnFromOutcomes(store, FakeProcedureLog())

    def learn_all(first: int) -> list[Verdict]:
        outcomes = ((active, Outcome.FAILURE), (draft, Outcome.SUCCESS))
        runs = (replace(ran(n, *outcomes[n % 2]), held_out=False) for n in range(first, first + 40))
        return [found for run in runs if (found := learn(run)) is not None]

    assert not learn_all(0)
    store.set_status("run-checks", draft, Status.TRIAL)
    [found] = learn_all(100)[:1]
    assert (found.version.sha, found.status) == (draft, Status.ACTIVE)


def quarantined(store: FakeProcedureStore, log: FakeProcedureLog) -> str:
    """A version that did harm."""
    sha = store.active()[0][1].sha
    learn = LearnFromOutcomes(store, log)
    for number in range(120):
        good = number % 4 == 0
        found = learn(ran(number, sha, Outcome.SUCCESS if good else Outcome.FAILURE, "2026-01-01"))
        if found is not None:
            assert found.status is Status.QUARANTINED
            return sha
    raise AssertionError("it was kept")


def test_what_a_person_brings_back_stays_until_it_does_harm_again(store: FakeProcedureStore) -> None:
    log = FakeProcedureLog()
    sha = quarantined(store, log)
    PromoteProcedure(store)("run-checks", sha)
    learn = LearnFromOutcomes(store, log)
    for number, outcome in enumerate((Outcome.UNKNOWN, Outcome.FAILURE, Outcome.SUCCESS), 200):
        assert learn(ran(number, sha, outcome, "2026-02-01")) is None
    assert store.version("run-checks", sha).status is Status.ACTIVE
    again = [
        ran(number, sha, Outcome.FAILURE if number % 4 else Outcome.SUCCESS, "2026-02-02")
        for number in range(300, 420)
    ]
    assert [found.status for run in again if (found := learn(run)) is not None][:1] == [Status.QUARANTINED]


@pytest.mark.parametrize(
    "new", [{"outcome": Outcome.UNKNOWN}, {"outcome": Outcome.ABANDONED}, {"origin": "user"}]
)
def test_what_says_nothing_of_a_version_changes_nothing(
    store: FakeProcedureStore, new: dict[str, Any]
) -> None:
    log, sha = FakeProcedureLog(), store.active()[0][1].sha
    log.add(*(ran(number, sha, Outcome.SUCCESS) for number in range(0, 80, 4)))
    log.add(*(ran(number, sha, Outcome.FAILURE) for number in range(100, 130)))
    learn = LearnFromOutcomes(store, log)
    assert learn(replace(ran(200, sha, Outcome.FAILURE), **new)) is None
    assert store.version("run-checks", sha).status is Status.ACTIVE
    assert learn(ran(204, sha, Outcome.SUCCESS)) is not None


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
