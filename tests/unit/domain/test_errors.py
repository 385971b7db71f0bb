"""The form of an error is part of what a person relies on, so it is compared letter by letter."""

from __future__ import annotations

import re
import signal

import pytest

from cesello.domain import errors
from cesello.domain.errors import (
    CeselloError,
    DataError,
    Interrupted,
    InvalidRecipe,
    ModelError,
    Place,
    RetryableError,
    SandboxError,
    StorageError,
    StoreError,
    UsageError,
)


def test_an_error_says_what_where_got_expected_and_how_to_fix_it() -> None:
    error = DataError(
        "D003",
        "a row is not an object",
        where=Place("a.jsonl", 17, 2),
        got="list",
        expected="object",
        fix="mend it",
    )
    assert str(error) == (
        "error[D003] a row is not an object at a.jsonl:17:2 · got list -> expected object · mend it"
    )


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ModelError("M001", "no model"), "error[M001] no model"),
        (ModelError("M001", "no model", where="here"), "error[M001] no model at here"),
        (ModelError("M001", "no model", got=0), "error[M001] no model · got 0"),
        (ModelError("M001", "no model", expected="one"), "error[M001] no model · expected one"),
        (ModelError("M001", "no model", fix="get one"), "error[M001] no model · get one"),
        (Interrupted(2, "stopped", fix="go on"), "error[T130] stopped · go on"),
        (Interrupted(15, "stopped"), "error[T143] stopped"),
    ],
)
def test_what_is_not_known_is_left_out(error: CeselloError, sentence: str) -> None:
    assert str(error) == sentence


@pytest.mark.parametrize(
    ("place", "text"),
    [(Place("a"), "a"), (Place("a", 3), "a:3"), (Place("a", 3, 9), "a:3:9")],
)
def test_a_place_is_written_as_editors_read_it(place: Place, text: str) -> None:
    assert str(place) == text


def test_all_mistakes_of_a_recipe_are_told_together() -> None:
    recipe = InvalidRecipe([UsageError("C001", "one"), UsageError("C002", "two")])
    assert str(recipe) == "error[C001] one\nerror[C002] two"
    assert (recipe.code, recipe.exit_status, len(recipe.problems)) == ("C001", 2, 2)


STATUSES = {
    UsageError: 2,
    InvalidRecipe: 2,
    DataError: 3,
    ModelError: 4,
    StoreError: 5,
    SandboxError: 6,
    StorageError: 74,
    RetryableError: 75,
}


@pytest.mark.parametrize(("error", "status"), STATUSES.items())
def test_each_error_has_the_exit_status_that_its_docstring_draws(
    error: type[CeselloError], status: int
) -> None:
    assert error.exit_status == status
    assert re.search(rf"{error.__name__} +exit {status}\b", errors.__doc__ or "")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_ends_as_the_shell_expects(number: signal.Signals, status: int) -> None:
    error = Interrupted(number, "stopped")
    assert (error.status, error.code, error.signal_number) == (status, f"T{status}", number)


def test_every_error_is_in_the_tree() -> None:
    found = set(CeselloError.__subclasses__()) | set(UsageError.__subclasses__())
    assert found == {*STATUSES, Interrupted}
