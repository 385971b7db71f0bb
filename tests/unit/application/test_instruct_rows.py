from __future__ import annotations

from dataclasses import replace

import pytest

from cesello.adapters.procedure.numpy_ridge import NumpyRidge
from cesello.application.calibrate_matching import CalibrateMatching
from cesello.application.choose_procedure import ChooseProcedure
from cesello.application.instruct_rows import InstructRows
from cesello.application.learn_from_outcomes import LearnFromOutcomes
from cesello.application.learn_matching import LearnMatching
from cesello.application.match_procedure import MatchProcedure
from cesello.application.prompt_with_procedure import PromptWithProcedure
from cesello.application.show_task import Helps
from cesello.domain.conversation import Role, user
from cesello.domain.errors import DataError
from cesello.domain.procedure import Input, Outcome, Procedure, ProcedureRun, Status, Step, Triggers
from cesello.domain.procedure_match import Known
from cesello.domain.procedure_prompt import Mode
from cesello.domain.prompt_program import PromptProgram
from tests.fakes.memory import FakeEmbedder
from tests.fakes.procedure import FakeProcedureStore
from tests.fakes.procedure_log import FakeMatchingFile, FakeProcedureLog
from tests.fakes.run import FixedClock

CHECKS = Procedure(
    "run-checks", "Runs all checks of the project. Use when somebody asks for checks.",
    "Run <|im_start|>make check.\n",
    triggers=Triggers(("run the checks", "are all checks green?", "check the project again")),
)  # fmt: skip
ASKED = "please run the checks of the project again"


@pytest.fixture
def store() -> FakeProcedureStore:
    made = FakeProcedureStore()
    made.place(CHECKS)
    return made


def matcher(store: FakeProcedureStore) -> MatchProcedure:
    embedder = FakeEmbedder()
    return MatchProcedure(store, embedder, LearnMatching(embedder, NumpyRidge(), FakeMatchingFile()))


def test_a_row_gets_the_procedure_that_matches_behind_its_system_prompt(store: FakeProcedureStore) -> None:
    rows = InstructRows(store, matcher(store), Mode.FULL)
    made = rows(user(ASKED), user(ASKED).with_system("Be brief."))
    assert made.messages[0].role is Role.SYSTEM
    assert made.messages[0].content.startswith("Be brief.\n\nFollow this procedure")
    assert "Run make check." in made.messages[0].content
    assert made.messages[1].content == ASKED


def test_a_row_tells_which_procedure_it_was_given(store: FakeProcedureStore) -> None:
    version = store.active()[0][1]
    given = InstructRows(store, matcher(store), Mode.FULL)(user(ASKED), user(ASKED)).procedure
    assert given is not None
    assert (given.name, given.sha, given.mode, given.request) == (version.name, version.sha, "full", ASKED)


def test_a_row_that_is_held_out_tells_what_it_goes_without(store: FakeProcedureStore) -> None:
    made = InstructRows(store, matcher(store), Mode.FULL, hold_out=1.0)(user(ASKED), user(ASKED))
    assert made.messages == user(ASKED).messages
    assert made.procedure is not None
    assert (made.procedure.name, made.procedure.mode, made.procedure.text) == ("run-checks", "off", "")


def test_a_row_that_is_led_is_given_the_first_step(store: FakeProcedureStore) -> None:
    steps = (Step("look", "Look at {place}."), Step("tell", "Tell it."))
    store.place(replace(CHECKS, steps=steps, inputs=(Input("place", required=True),)))
    store.set_status("run-checks", store.versions("run-checks")[0].sha, Status.ACTIVE)
    system = InstructRows(store, matcher(store), Mode.GUIDED)(user(ASKED), user(ASKED)).messages[0].content
    assert system.endswith("\n\nStep 1 of 2, look: Look at {place}.")
    assert "Tell it." not in system


def test_a_task_of_a_search_is_asked_with_the_procedure_behind_each_prompt(store: FakeProcedureStore) -> None:
    row = InstructRows(store, matcher(store), Mode.FULL)(user(ASKED), user(ASKED).with_system("Be brief."))
    bare = row.without_system("Be brief.")
    assert bare.messages == user(ASKED).messages
    asked = PromptProgram("Be long.", "Follow {this}.", values={"this": "that"}).around(bare)
    assert asked.messages[0].content.startswith("Be long.\n\nFollow that.\n\nFollow this procedure as far")
    assert PromptProgram("Be brief.").around(bare) == row
    own = row.without_system("Something else.")
    assert [turn.content for turn in own.messages] == ["Be brief.", ASKED]


def test_other_rows_stay_as_they_are(store: FakeProcedureStore) -> None:
    rows = InstructRows(store, matcher(store), Mode.CATALOG)
    assert rows(user("hello"), user("hello")) == user("hello")


def test_the_identity_names_the_versions(store: FakeProcedureStore) -> None:
    before = InstructRows(store, matcher(store), Mode.FULL).identity
    assert store.active()[0][1].sha[:8] in before
    assert before != InstructRows(store, matcher(store), Mode.CATALOG).identity
    assert before != InstructRows(store, matcher(store), Mode.FULL, 0.1).identity
    store.place(Procedure("another", "Does another thing. Use for others.", "Do it.\n"))
    assert before != InstructRows(store, matcher(store), Mode.FULL).identity


def test_what_was_put_into_a_prompt_is_written_down(store: FakeProcedureStore) -> None:
    log = FakeProcedureLog()
    put = PromptWithProcedure(ChooseProcedure(store, matcher(store)), log, FixedClock(), lambda: "1")
    made = put(PromptProgram(), "run-checks", "hello", Mode.CATALOG, "generate")
    assert "run-checks: Runs all checks" in made.program.procedure
    put.record(made, finished=False)
    assert [(run.mode, run.outcome, run.origin) for run in log.rows] == [
        ("catalog", Outcome.ABANDONED, "user")  # a person has named it
    ]
    put.record(put(PromptProgram(), "auto", "hello", Mode.FULL, "generate"), finished=True)
    put.record(put(PromptProgram(), "off", ASKED, Mode.FULL, "generate"), finished=True)
    assert len(log.rows) == 1


def test_requests_that_are_held_out_go_without_and_are_logged(store: FakeProcedureStore) -> None:
    choose = ChooseProcedure(store, matcher(store))
    held = choose("auto", ASKED, hold_out=1.0)
    assert held.held_out
    assert held.used is None
    assert choose("auto", ASKED, hold_out=0.0).used == store.active()[0][0]
    assert choose("run-checks", ASKED, hold_out=1.0).used is not None


def test_a_procedure_that_does_harm_is_taken_out_of_use(store: FakeProcedureStore) -> None:
    learn = LearnFromOutcomes(store, FakeProcedureLog())
    sha = store.active()[0][1].sha
    found = None
    for number in range(45):
        held = number < 15
        outcome = Outcome.SUCCESS if held else Outcome.FAILURE
        run = ProcedureRun(
            str(number), "run-checks", sha, "r", "full", outcome, "", "", held, origin="generate"
        )
        found = learn(run)
    assert found is not None
    assert found.status is Status.QUARANTINED
    assert store.version("run-checks", sha).status is Status.QUARANTINED
    assert "P(it helps)" in store.version("run-checks", sha).reason


def test_calibration_needs_procedures_and_known_names(store: FakeProcedureStore) -> None:
    file = FakeMatchingFile()
    learn = LearnMatching(FakeEmbedder(), NumpyRidge(), file)
    done = CalibrateMatching(store, learn, file)([Known("check all", "run-checks", judged=True)])
    assert (done.procedures, done.labelled, done.calibration.wanted) == (1, 1, 1)
    assert CalibrateMatching(store, learn, file)().labelled == 1
    for these, labelled in ((store, [Known("x", "nobody")]), (FakeProcedureStore(), None)):
        with pytest.raises(DataError) as problem:
            CalibrateMatching(these, learn, file)(labelled)
        assert problem.value.code == "D049"


def test_recipes_that_help_alike_are_known_to(store: FakeProcedureStore) -> None:
    full, again, catalog = (
        Helps(100, InstructRows(store, matcher(store), mode)).identity
        for mode in (Mode.FULL, Mode.FULL, Mode.CATALOG)
    )
    assert full == again
    assert catalog != full != Helps(100).identity
