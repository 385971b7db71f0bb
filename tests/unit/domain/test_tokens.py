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
def test_a_cut_row_is_the_part_with_the_most_labels_and_says_so(made: TokenRow, limit: int) -> None:
    cut = truncate(made, limit)
    assert cut.truncated == (len(made) > limit)
    starts = range(max(len(made) - limit, 0) + 1)
    parts = [(made.ids[at : at + limit], sum(made.trained[at : at + limit][1:])) for at in starts]
    assert (cut.ids, cut.trained_tokens) == max(parts, key=lambda part: part[1])


def test_of_equal_parts_the_first_is_kept() -> None:
    assert truncate(row([1, 2, 3, 4], "-x-x"), 3).ids.tolist() == [1, 2, 3]
    assert truncate(row([1, 2, 3, 4, 5], "--xx-"), 3).ids.tolist() == [2, 3, 4]
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


def test_a_fingerprint_is_of_references_where_there_are_any() -> None:
    one, two = row([1, 2, 3], "--x"), row([4, 5], "-x")
    plain = fingerprint([one, two])
    assert fingerprint([one, two], ["", ""]) == plain
    prints = {fingerprint([one, two], its) for its in (["a", ""], ["b", ""], ["", "a"], ["a", "a"])}
    assert len(prints | {plain}) == 5
