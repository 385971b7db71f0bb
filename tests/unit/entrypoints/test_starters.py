"""The procedures that come with cesello."""

from __future__ import annotations

import pytest

from cesello.domain.errors import UsageError
from cesello.entrypoints.settings.procedure_file import ProcedureFiles
from cesello.entrypoints.starters import starter, starters


@pytest.mark.parametrize("name", starters())
def test_each_is_well_formed_and_leaves_nothing_to_be_advised(name: str) -> None:
    found = ProcedureFiles().check(starter(name), name, name)
    assert (found.mistakes, found.advice) == ((), ())
    assert found.procedure is not None
    assert found.procedure.steps
    assert ProcedureFiles().read(ProcedureFiles().write(found.procedure), name, name) == found.procedure


def test_one_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(UsageError, match="C113") as caught:
        starter("../recipes")
    assert starters()[0] in str(caught.value)
