from __future__ import annotations

import pytest

from cesello.application.list_procedures import ListProcedures
from cesello.domain.errors import CeselloError, InvalidProcedure, RetryableError
from cesello.domain.procedure import Procedure, Version
from tests.fakes.procedure import FakeProcedureStore

BROKEN = {"SKILL.md": b"half-wr"}


@pytest.fixture
def store() -> FakeProcedureStore:
    made = FakeProcedureStore()
    for name in ("one", "two"):
        made.place(Procedure(name, "Does it. Use for it.", "Do it.\n"))
    made.folders["two"] = dict(BROKEN)
    made.folders["three"] = dict(BROKEN)
    return made


def test_a_folder_that_is_not_well_formed_hides_no_other(store: FakeProcedureStore) -> None:
    listed = ListProcedures(store)()
    assert list(listed.standing) == ["one"]
    assert list(listed.active) == ["one", "two"]
    assert list(listed.broken) == ["three", "two"]
    with pytest.raises(InvalidProcedure) as told:
        listed.complain()
    assert len(told.value.problems) == 2


def test_one_alone_says_nothing_of_the_others(store: FakeProcedureStore) -> None:
    listed = ListProcedures(store)("one")
    assert (list(listed.standing), listed.broken) == (["one"], {})
    listed.complain()


def test_what_is_wrong_with_the_store_itself_is_raised(store: FakeProcedureStore) -> None:
    class Busy(FakeProcedureStore):
        def standing(self, name: str) -> tuple[Procedure, Version]:
            raise RetryableError("T098", "another process keeps it busy", where=name)

    with pytest.raises(CeselloError, match="T098"):
        ListProcedures(Busy(folders=store.folders))()
