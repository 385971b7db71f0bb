from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.tokens import TokenRow, fingerprint, token_row, truncate

rows = st.lists(st.tuples(st.integers(0, 2**31 - 1), st.booleans()), min_size=1, max_size=30).map(
    lambda pairs: token_row([token for token, _ in pairs], [label for _, label in pairs])
)


def row(ids: list[int], trained: str) -> TokenRow:
    return token_row(ids, [mark == "x" for mark in trained])


@given(rows)
def test_the_first_token_is_never_a_label(made: TokenRow) -> None:
    assert made.trained[0] == 0
    assert made.trained_tokens == made.trained.count(1)
    assert len(made) == len(made.trained)


@given(rows, st.integers(1, 40))
def test_a_cut_row_is_one_end_of_the_whole_and_says_so(made: TokenRow, limit: int) -> None:
    cut = truncate(made, limit)
    assert len(cut) == min(limit, len(made))
    assert cut.truncated == (len(made) > limit)
    assert cut.ids in (made.ids[: len(cut)], made.ids[len(made) - len(cut) :])


@given(rows, st.integers(2, 40))
def test_cutting_keeps_labels_where_either_end_has_them(made: TokenRow, limit: int) -> None:
    ends = made.trained[:limit], made.trained[max(0, len(made) - limit) :][1:]
    assert bool(truncate(made, limit).trained_tokens) == any(map(any, ends))


def test_the_beginning_is_kept_unless_only_the_end_is_trained() -> None:
    assert truncate(row([1, 2, 3, 4], "-x-x"), 3).ids.tolist() == [1, 2, 3]
    assert truncate(row([1, 2, 3, 4], "---x"), 2).ids.tolist() == [3, 4]


def test_the_first_token_of_an_end_is_no_label_any_more() -> None:
    assert truncate(row([1, 2, 3, 4], "--xx"), 2).trained == b"\0\1"


def test_a_fingerprint_is_of_tokens_masks_borders_and_order() -> None:
    one, two = row([1, 2, 3], "--x"), row([4, 5], "-x")
    prints = {
        fingerprint(rows_)
        for rows_ in (
            [one, two],
            [two, one],
            [one],
            [row([1, 2, 3], "-xx"), two],
            [row([1, 2, 9], "--x"), two],
            [row([1, 2, 3, 4, 5], "--x-x")],
            [],
        )
    }
    assert len(prints) == 7
    assert fingerprint([one, two]) == fingerprint([row([1, 2, 3], "--x"), row([4, 5], "-x")])
