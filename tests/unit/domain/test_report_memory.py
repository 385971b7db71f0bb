from __future__ import annotations

from typing import Any

from cesello.domain.report_memory import Reading, read_groups, use
from tests.recorded_runs import completion, grounding, run

PEARS = ("src/basket.py", 0.9, "def pears():\n    return 12")
APPLES = ("src/orchard.py", 0.5, "def apples(tree):\n    return tree.count()")


def asked(question: str, *answers: str, **more: Any) -> list[dict[str, Any]]:
    """Lines of all answers to a question; the text of the passages stands in the first."""
    step = more.pop("step", 1)
    its = {"question": question, "asked": {"messages": [{"role": "user", "content": question}]}} | more
    return [
        completion(step, 0, number, said, **(its if not number else its | {"memory_text": None}))
        for number, said in enumerate(answers)
    ]


def readings(lines: list[dict[str, Any]]) -> list[Reading]:
    """Of all answers to one prompt."""
    [its] = read_groups(run("grpo", completions=lines))
    return list(its.readings)


def turn(content: str, role: str = "assistant", **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def found(*files: tuple[str, float, str]) -> dict[str, Any]:
    """What a search has answered."""
    return turn(grounding(*files)["memory_text"], "tool")


def test_overlap_is_of_the_passage_and_not_of_the_question() -> None:
    lines = asked("how many pears", "pears() will RETURN 12 pears", "many pears", **grounding(PEARS))
    assert [one.overlap for one in readings(lines)] == [("return", "12"), ()]


def test_of_several_turns_the_models_own_count_alone() -> None:
    said = [
        {"role": "assistant", "content": "I begin"},
        {"role": "user", "content": "Step 2: return 12"},
        {"role": "assistant", "content": "done"},
    ]
    [one] = readings(asked("go on", "user: return 12", said=said, **grounding(PEARS)))
    assert (one.said, one.overlap) == (("begin", "done"), ())


def test_what_a_search_found_counts_for_what_is_said_after_it() -> None:
    said = [
        {"role": "assistant", "content": "I look for 'basket'"},
        found(PEARS),
        {"role": "assistant", "content": "the basket has 12"},
    ]
    [one] = readings(asked("how many pears", "all of it", said=said))
    assert [passage.place for passage in one.searched] == ["src/basket.py:1-2"]
    assert one.passages == ()
    assert one.overlap == ("12",)  # the basket it had in its mind before


def test_what_a_search_was_asked_for_is_no_overlap() -> None:
    call = {"name": "search", "arguments": {"query": "pears", "among": ["basket"]}}
    said = [turn("", tool_calls=[call]), found(PEARS), turn("the pears of the basket, I return them")]
    [one] = readings(asked("how many", "x", said=said))
    assert one.overlap == ("return",)


def test_what_a_second_search_finds_counts_from_then_on() -> None:
    said = [turn("look"), found(PEARS), turn("I look for apples"), found(APPLES), turn("nothing")]
    [one] = readings(asked("how many", "x", said=said))
    assert (one.overlap, one.overlapping) == ((), frozenset())
    [again] = readings(asked("how many", "x", said=[*said, turn("return tree, in PEARS")]))
    first, second = again.searched
    assert again.overlap == ("return", "tree", "pears")
    assert again.overlapping == {first.id, second.id}


def test_passages_of_the_prompt_do_not_make_a_query_overlap_with_what_it_found() -> None:
    said = [turn("I look for apples"), found(APPLES), turn("nothing")]
    [one] = readings(asked("how many", "x", said=said, **grounding(PEARS)))
    assert one.overlap == ()


def test_no_part_of_a_secret_is_an_overlap() -> None:
    key = "AKIA" + "ABCDEFGHIJKLMNOP"
    [one] = readings(asked("which key", f"the pears: {key}", **grounding(("a.py", 0.9, f"pears {key}"))))
    assert one.overlap == ("pears",)


def test_a_passage_is_cut_after_its_secrets_are_out() -> None:
    key = "hf_" + "abcdefghijABCDEFGHIJ1234567890abcd"
    line = asked("which", "none", **grounding(("a.py", 0.9, "y = 12\n" * 569 + f"tok='{key}'")))
    made = use(read_groups(run("grpo", completions=line)))
    assert made is not None
    assert "hf_" not in made.passages[0].text


def test_chance_is_told_of_the_same_answers_as_overlap() -> None:
    """Three prompts had the same passages, and one had those and others: nothing else is near any of them."""
    lines = [
        *asked("how many pears", "return 12", "return it", **grounding(PEARS)),
        *asked("of apples", "none", step=2, **grounding(APPLES)),
        *asked("both", "return", step=3, **grounding(PEARS, APPLES)),
    ]
    made = use(read_groups(run("grpo", completions=lines)))
    assert made is not None
    assert (made.answers, made.overlapping) == (4, 3)
    assert (made.compared, made.with_own, made.by_chance) == (3, 2, 2)


def test_use_is_counted_against_another_prompts_passages() -> None:
    lines = [
        *asked("how many pears", "return 12", "none", **grounding(PEARS)),
        *asked("how many apples", "tree.count", "12 by the tree", step=2, **grounding(APPLES)),
        *asked("a poem", "return 12", step=3, memory=None, memory_text=None),
    ]
    made = use(read_groups(run("grpo", completions=lines)))
    assert made is not None
    assert (made.answers, made.overlapping, made.searched) == (4, 3, 0)
    assert (made.compared, made.with_own, made.by_chance) == (4, 3, 2)  # "return" and "12"
    assert [(one.place, one.prompts, one.answers, one.overlapping) for one in made.passages] == [
        ("src/basket.py:1-2", 1, 2, 1), ("src/orchard.py:1-2", 1, 2, 2),
    ]  # fmt: skip
    assert (made.passages[0].lowest, made.passages[0].highest) == (0.9, 0.9)


def test_without_another_prompt_chance_is_not_told() -> None:
    made = use(read_groups(run("grpo", completions=asked("how many", "return", **grounding(PEARS)))))
    assert made is not None
    assert (made.compared, made.by_chance) == (0, 0)


def test_a_run_whose_passages_have_no_text_tells_no_use() -> None:
    lines = asked("how many", "12", memory=grounding(PEARS)["memory"])
    assert use(read_groups(run("grpo", completions=lines))) is None
