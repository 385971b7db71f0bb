"""What a split by symbols keeps on one side, and what it drops."""

from __future__ import annotations

import ast

from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.code_questions import CodeQuestion
from cesello.domain.code_rows import code_row, docstring_row, question_row
from cesello.domain.conversation import Conversation, Message, Role
from cesello.domain.made_row import MadeRow
from cesello.domain.python_reading import python_facts
from cesello.domain.remembered_file import IndexedFile
from cesello.domain.row_split import Told, split_by_symbol
from cesello.domain.split_leaks import answered_by_others, joined_groups

COPIED = '''\
def total_cost(calls, prices):
    """Adds up what all the calls have cost, by the prices that are given."""
    return sum(prices[one.model] * one.tokens for one in calls)
'''


def row(kind: str, asked: str, answer: str, *groups: str) -> MadeRow:
    turns = (Message(Role.USER, asked), Message(Role.ASSISTANT, answer))
    return MadeRow(kind, Conversation(turns), {"path": asked}, frozenset(groups))


def rows_of(path: str, text: str) -> list[MadeRow]:
    facts = python_facts(text, ast.parse(text))
    file = IndexedFile(path, path, "", ())
    [one] = facts.functions
    made = [code_row(one, facts, file, 0, "g"), docstring_row(one, file, 0, "g")]
    return [each for each in made if isinstance(each, MadeRow)]


def test_the_same_function_has_the_same_digests() -> None:
    [code, words] = rows_of("a.py", COPIED)
    assert len(code.alike) == 2
    assert code.alike == words.alike
    said = COPIED.replace("one.model]", "one.model ]").replace("calls)\n", "calls)  # all\n")
    assert rows_of("b.py", said)[0].alike == code.alike
    other_words = COPIED.replace("Adds up", "Sums up")
    assert len(rows_of("b.py", other_words)[0].alike & code.alike) == 1


def test_two_identical_functions_are_on_one_side() -> None:
    """Where the lot has left the code of one and the docstring of the other."""
    [first, _], [_, second] = rows_of("a.py", COPIED), rows_of("b.py", COPIED)
    others = [row("code", f"Write {at}.", f"def f{at}(): ...", f"{at}.py:f{at}") for at in range(6)]
    told = [Told((one,), one) for one in (first, second, *others)]
    same = joined_groups(one.exam.groups | one.exam.alike for one in told)
    apart = 0
    for seed in range(30):
        one, two, *_ = split_by_symbol(told, 0.5, seed, same)
        assert bool(one.held) == bool(two.held)
        assert not one.reason
        assert not two.reason
        one, two, *_ = split_by_symbol(told, 0.5, seed)
        apart += "a row trained on has its answer" in (one.reason, two.reason)
    assert apart  # without it they would be parted


@given(st.lists(st.sets(st.sampled_from("abcdefgh"), min_size=1, max_size=3), max_size=8))
def test_groups_are_joined_where_sets_meet(sets: list[set[str]]) -> None:
    found = joined_groups(sets)
    assert set(found) == set().union(*sets)
    for one in sets:
        assert len({found[name] for name in one}) == 1
    for name, root in found.items():
        reached, before = {name}, set[str]()
        while reached != before:
            before = reached
            reached = reached.union(*(one for one in sets if one & reached))
        assert root == min(reached)


def test_no_more_than_the_share_is_held_out_but_something() -> None:
    told = [Told((one,), one) for one in (row("code", f"{at}", "a", f"{at}") for at in range(10))]
    for seed in range(20):
        large = joined_groups([{*"0123456"}])
        assert sum(bool(one.held) for one in split_by_symbol(told, 0.3, seed, large)) == 3
        two = joined_groups([{*"01234"}, {*"56789"}])
        assert sum(bool(one.held) for one in split_by_symbol(told, 0.1, seed, two)) == 5
        assert not any(one.held for one in split_by_symbol(told, 0.0, seed, two))


def test_answers_that_stand_in_other_rows() -> None:
    code = "found = look_everywhere(\n    needle, in_all=haystacks)"
    shown = "def g():\n        found = look_everywhere(\n            needle, in_all=haystacks)"
    trained = [
        row("docstring", f"Document.\n\n```python\n{shown}\n```", "No."),
        row("code", 'Write.\n\n"""Looks for what was lost in all the haystacks."""', "```python\nx = 1\n```"),
    ]  # fmt: skip
    held = [
        row("fill", "?", f"```python\n{code}\n```"),
        row("docstring", "?", "Looks for what was lost in all the haystacks."),
        row("fill", "?", "```python\nx = 1\n```"),  # short: it stands anywhere
        row(
            "fill", "?", "```python\nfound = look_everywhere(\n    needle, in_all=haystacks, twice=True)\n```"
        ),
        row("question", "?", "Looks for what was lost in all the haystacks."),
    ]
    assert answered_by_others(held, trained) == {0, 1}


def test_lines_of_a_span_are_found_in_a_longer_piece_of_code() -> None:
    """The fence around its lines is not compared: in the longer piece it stands elsewhere."""
    facts = python_facts(COPIED, ast.parse(COPIED))
    [one] = facts.functions
    file, span = IndexedFile("a.py", "a.py", "", ()), one.spans[-1]
    asked = CodeQuestion(
        span.kind, one.name, {"name": one.name}, (span.text,), span.first, span.last, is_span=True
    )
    held = question_row(asked, ("What does it return?",), 0, file, "g")
    assert held.conversation.messages[-1].content.startswith("```python\n")
    assert answered_by_others([held], [rows_of("b.py", COPIED)[0]]) == {0}
    assert answered_by_others([held], [row("code", "?", "x = 1")]) == set()
