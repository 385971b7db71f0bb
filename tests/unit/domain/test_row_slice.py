"""Slices of rows: written as in Python, and cut as Python cuts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.row_slice import Bound, RowSlice

rows = st.none() | st.integers(-60, 60)
percents = st.none() | st.integers(-100, 100)


def written(start: int | None, stop: int | None, unit: str = "") -> str:
    ends = ("" if end is None else f"{end}{unit}" for end in (start, stop))
    return f"[{':'.join(ends)}]"


def parsed(text: str) -> RowSlice | None:
    """None where it keeps nothing whatever it is cut from, which is refused."""
    try:
        return RowSlice.parse(text)
    except ValueError:
        return None


@given(rows, rows, st.integers(0, 80))
def test_rows_are_cut_as_python_cuts_them(start: int | None, stop: int | None, count: int) -> None:
    made = parsed(written(start, stop))
    wanted = list(range(count)[start:stop])
    assert wanted == ([] if made is None else list(made.range(count)))


@given(percents, percents, st.integers(0, 2000))
def test_per_cent_are_of_the_rows_there_are(start: int | None, stop: int | None, count: int) -> None:
    made = parsed(written(start, stop, "%"))
    kept = range(count) if made is None else made.range(count)
    assert kept.step == 1
    if made is not None and start is not None:
        assert kept.start == round(count * (start % 100 if start < 0 else start) / 100)
    if made is not None and stop is not None and kept:
        assert kept.stop == round(count * (stop % 100 if stop < 0 else stop) / 100)


@given(
    st.lists(
        st.tuples(st.integers(1, 99), st.booleans(), st.booleans()),
        max_size=5,
        unique_by=lambda cut: cut[0],
    ),
    st.integers(0, 500),
)
def test_neighbours_share_no_row_and_lose_none(cuts: list[tuple[int, bool, bool]], count: int) -> None:
    """However either slice writes the bound they share: 90% or -10%."""
    stops = [at - 100 if backward else at for at, backward, _ in sorted(cuts)]
    starts = [at - 100 if backward else at for at, _, backward in sorted(cuts)]
    ends = zip([None, *starts], [*stops, None], strict=True)
    parts = [RowSlice.parse(written(start, stop, "%")).range(count) for start, stop in ends]
    assert [index for part in parts for index in part] == list(range(count))


@given(rows, rows, st.integers(0, 80))
def test_without_the_count_the_bounds_say_the_same(start: int | None, stop: int | None, count: int) -> None:
    made = parsed(written(start, stop))
    if made is None:
        return
    if made.needs_count:
        with pytest.raises(ValueError, match="depends on the number of rows"):
            _ = made.bounds
    else:
        first, last = made.bounds
        assert list(range(count)[first:last]) == list(made.range(count))


@pytest.mark.parametrize(
    ("text", "needs_count", "of_1050"),
    [
        ("[:5%]", True, range(52)),
        ("[100:]", False, range(100, 1050)),
        ("[10%:20%]", True, range(105, 210)),
        ("[-100:]", True, range(950, 1050)),
        ("[-10%:]", True, range(945, 1050)),
        ("[:-1]", True, range(1049)),
        ("[10%:-10]", True, range(105, 1040)),
        ("[:]", False, range(1050)),
        (" [ 10 : 20 ] ", False, range(10, 20)),
        ("[2000:]", False, range(1050, 1050)),
    ],
)
def test_what_a_recipe_writes(text: str, needs_count: bool, of_1050: range) -> None:
    made = RowSlice.parse(text)
    assert (made.needs_count, made.range(1050)) == (needs_count, of_1050)
    assert str(made) == text.replace(" ", "")
    assert RowSlice.parse(str(made)) == made


def test_a_part_of_few_rows_is_not_all_of_them() -> None:
    assert list(RowSlice.parse("[-1%:]").range(10)) == []
    assert list(RowSlice.parse("[:-1%]").range(10)) == list(range(10))
    assert list(RowSlice.parse("[-10%:]").range(5)) == list(RowSlice.parse("[90%:]").range(5)) == [4]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "of the form"),
        ("5%", "of the form"),
        (":5%", "of the form"),
        ("[5%]", "of the form"),
        ("[::2]", "of the form"),
        ("[a:b]", "of the form"),
        ("[1.5%:]", "of the form"),
        ("[١:٢]", "of the form"),
        (f"[{'9' * 5000}:]", "of the form"),
        ("train[:5%]", "of the form"),
        ("[:101%]", "100% of the rows"),
        ("[-101%:]", "100% of the rows"),
        ("[:0]", "keeps no row"),
        ("[:0%]", "keeps no row"),
        ("[5:5]", "keeps no row"),
        ("[20%:10%]", "keeps no row"),
        ("[-5:-10]", "keeps no row"),
        ("[90%:-10%]", "keeps no row"),
        ("[:-100%]", "keeps no row"),
    ],
)
def test_nonsense_is_explained(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        RowSlice.parse(text)


def test_it_can_be_made_without_text() -> None:
    assert RowSlice(Bound(10, percent=True), Bound(-5)) == RowSlice.parse("[10%:-5]")
