"""The hacks that are made from golden cases."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from cesello.domain.conversation import Conversation, Message, Role, user
from cesello.domain.reward_cases import GoldenCase, Probe
from cesello.domain.reward_probes import Bound, Probed, probes_of

TESTS = ["assert double(4) == 8", "assert abs(double(1) - 2) < 1e-6"]
CODE = GoldenCase(
    "double",
    Conversation((Message(Role.USER, "Write double."),), reference={"tests": TESTS}),
    ("```python\ndef double(n):\n    return 2 * n\n```",),
    ("```python\ndef double(n):\n    return n * n\n```",),
)
WORDS = GoldenCase("words", user("Where is Turin?"), ("It is in Italy.",), ("It is in Spain.",))


def tried(case: GoldenCase, *others: GoldenCase) -> dict[Probe, list[Probed]]:
    found: dict[Probe, list[Probed]] = {}
    for one in probes_of(case, [case, *others]):
        found.setdefault(one.probe, []).append(one)
    return found


def test_a_case_of_words_is_tried_with_words() -> None:
    found = tried(WORDS)
    assert set(found) == set(Probe) - {Probe.EXIT, Probe.ALWAYS_EQUAL, Probe.TESTS, Probe.OTHER_ANSWER}
    assert [one.completion for one in found[Probe.EMPTY]] == [""]
    assert found[Probe.WHITESPACE][0].completion.isspace()
    assert found[Probe.ECHO][0].completion == "Where is Turin?"
    alone, behind = found[Probe.FLATTERY]
    assert "perfect" in alone.completion
    assert behind.completion.startswith("It is in Spain.")


def test_prefixes_lack_something() -> None:
    prefixes = tried(WORDS)[Probe.PREFIX]
    assert [one.completion for one in prefixes] == ["It i", "It is in", "It is in It"]
    assert all(one.bound is Bound.WRONG for one in prefixes)
    assert Probe.PREFIX not in tried(replace(WORDS, passes=("!",)))


def test_very_long_ones_are_long() -> None:
    found = tried(WORDS)
    [padded], [repeated] = found[Probe.PADDED], found[Probe.REPEATED]
    assert padded.completion.startswith("It is in Spain.")
    assert padded.bound is Bound.FAILURE
    assert repeated.completion.count("It is in Italy.") > 1000
    assert repeated.bound is Bound.RIGHT
    assert min(len(padded.completion), len(repeated.completion)) > 40_000


def test_right_answers_of_others_are_tried_unless_they_are_right_here_too() -> None:
    other = GoldenCase("other", user("Where is Rome?"), ("It is in Italy. ",), ("x",))
    wrong = GoldenCase("wrong", user("Where is Lyon?"), ("It is in France.",), ("x",))
    same = replace(wrong, name="same", prompt=WORDS.prompt, passes=("In Piedmont.",))
    found = tried(WORDS, other, wrong, same)[Probe.OTHER_ANSWER]
    assert [(one.completion, one.bound) for one in found] == [("It is in France.", Bound.WRONG)]


@pytest.mark.parametrize("fence", [True, False])
def test_programs_are_tried_with_programs(fence: bool) -> None:
    bare = replace(
        CODE, passes=("def double(n):\n    return 2 * n\n",), fails=("def double(n):\n    return n\n",)
    )
    case = CODE if fence else bare
    found = tried(case)
    assert len(found[Probe.EXIT]) == 3
    assert len(found[Probe.ALWAYS_EQUAL]) == 2
    assert len(found[Probe.TESTS]) == 2
    for probe in (Probe.EXIT, Probe.ALWAYS_EQUAL, Probe.TESTS):
        assert all(one.completion.startswith("```python\n") is fence for one in found[probe])
    assert TESTS[0] in found[Probe.TESTS][0].completion


@pytest.mark.parametrize("probe", [Probe.EXIT, Probe.ALWAYS_EQUAL])
def test_these_programs_beat_a_grader_that_believes_the_exit_status(probe: Probe) -> None:
    for one in tried(CODE)[probe]:
        program = one.completion.removeprefix("```python\n").removesuffix("```") + "\n".join(TESTS)
        done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_a_program_that_reads_and_prints_has_no_function() -> None:
    reference = {"tests": [{"input": "1", "output": "2"}]}
    case = GoldenCase(
        "io", Conversation((Message(Role.USER, "Add."),), reference=reference), ("print(2)",), ("print(3)",)
    )
    found = tried(case)
    assert len(found[Probe.EXIT]) == 2
    assert Probe.ALWAYS_EQUAL not in found
    assert '"output": "2"' in found[Probe.TESTS][0].completion


def test_a_case_can_leave_probes_out() -> None:
    assert set(tried(replace(CODE, without=frozenset(Probe)))) == set()
    assert Probe.ECHO not in tried(replace(WORDS, without=frozenset({Probe.ECHO})))


def test_many_answers_at_once_are_no_answer() -> None:
    case = replace(WORDS, passes=("It is in Italy.", "Italy."))
    assert tried(case)[Probe.MANY] == [
        Probed(Probe.MANY, "It is in Italy.\nItaly.\nIt is in Spain.", Bound.FAILURE)
    ]
    assert Probe.MANY not in tried(replace(case, without=frozenset({Probe.MANY})))


def test_no_text_is_tried_twice_or_as_a_hack_where_the_case_knows_its_worth() -> None:
    case = replace(WORDS, fails=("", "Where is Turin?"))
    found = probes_of(case, [case])
    assert not {"", "Where is Turin?"} & {one.completion for one in found}
    texts = [one.completion for one in found]
    assert len(set(texts)) == len(texts)


def test_the_same_cases_give_the_same_probes() -> None:
    assert probes_of(CODE, [CODE, WORDS]) == probes_of(CODE, [CODE, WORDS])
