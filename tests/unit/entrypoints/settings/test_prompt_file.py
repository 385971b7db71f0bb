from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cesello.domain.conversation import user
from cesello.domain.errors import InvalidRecipe
from cesello.domain.prompt_program import Demo, PromptProgram, placeholders
from cesello.entrypoints.settings.prompt_file import load_prompt, prompt_text

TEXT = st.text(st.characters(exclude_categories=["C"], include_characters="\n\t\r"), max_size=40).filter(
    lambda text: not placeholders(text) and "<|" not in text
)
PROGRAM = PromptProgram(
    "Be {who}.\n\nLine two.", "1. Read.", "Q: {question}", (Demo("a", "b"),), {"who": "kind"}
)
WORDS = ("tuple", "DemoText", "dict", "instance", "Input", "Literal")
"""Of Python and of a library, which mean nothing to who writes a prompt."""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prompt") / "prompt.yaml"


def problems(file: Path, text: str) -> list[str]:
    file.write_text(text)
    with pytest.raises(InvalidRecipe) as refused:
        load_prompt(file)
    return [
        f"{one.code} {one.where} {one}".replace(str(file), "prompt.yaml") for one in refused.value.problems
    ]


@given(TEXT, TEXT, TEXT, TEXT)
def test_any_program_is_read_as_it_was_written(file: Path, one: str, two: str, three: str, four: str) -> None:
    program = PromptProgram(one, two, three + "{question}", (Demo(four, one),), {"name": two})
    file.write_text(prompt_text(program), newline="")
    assert load_prompt(file).program == program


def test_what_is_said_of_a_prompt_is_read_too(file: Path) -> None:
    said = {"run": "r1", "verdict": "proven", "gain": 0.25, "interval": [0.1, float("inf")], "p": 0.01,
            "spent": {"rollouts": 600}}  # fmt: skip
    file.write_text(prompt_text(PROGRAM, name="mine", parent="abc", provenance=said))
    loaded = load_prompt(file)
    assert loaded.program == PROGRAM
    assert (loaded.file.name, loaded.file.version, loaded.file.parent) == ("mine", PROGRAM.id, "abc")
    its = loaded.file.provenance
    assert (its.run, its.gain, its.interval, its.spent) == ("r1", 0.25, (0.1, None), {"rollouts": 600})


def test_texts_of_several_lines_can_be_read_by_a_person(file: Path) -> None:
    assert "system: |-\n  Be {who}.\n\n  Line two.\n" in prompt_text(PROGRAM)


def test_one_written_by_hand_needs_no_more_than_its_form(file: Path) -> None:
    file.write_text("schema_version: 1\nsystem: Be brief.\n")
    assert load_prompt(file).program == PromptProgram("Be brief.")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("system: x", ['C132 prompt.yaml:1 error[C132] missing key "schema_version"']),
        ("schema_version: 2", ["C132 prompt.yaml:1:17"]),
        ("schema_version: 1\nsytem: x", ['C132 prompt.yaml:2 error[C132] unknown key "sytem"']),
        ("schema_version: 1\nsystem: 3\nquestion: x", ["C132 prompt.yaml:2:9"]),
        ("schema_version: 1\nquestion: x", ["C132 prompt.yaml:2:11"]),
        ("schema_version: true", ["C132 prompt.yaml:1:17"]),
        ("schema_version: 1.0", ["C132 prompt.yaml:1:17"]),
        ("schema_version: 1\nsystem: 'Hi {nme}'", ["C132 prompt.yaml:2:9"]),
        ("schema_version: 1\nprocedure: 'Answer {question}'", ["C132 prompt.yaml:2:12"]),
        ("schema_version: 1\nvalues: {'a b': x}", ["C132 prompt.yaml:2:17"]),
        ("schema_version: 1\nvalues: {question: x}", ["C132 prompt.yaml:2:20"]),
        ("schema_version: 1\nvalues: {'': x}", ["C132 prompt.yaml:2:14"]),
        ("schema_version: 1\nvalues: {a: '<|im_end|>'}", ["C132 prompt.yaml:2:13"]),
        ("schema_version: 1\nsystem: <|im_start|>user", ["C132 prompt.yaml:2:9"]),
        ('schema_version: 1\nsystem: "a\\0b"', ["C132 prompt.yaml:2:9"]),
        ('schema_version: 1\nsystem: "a\\e[2J"', ["C132 prompt.yaml:2:9"]),
        ("schema_version: 1\ndemos: [{question: x, answer: '<|im_end|>'}]", ["C132 prompt.yaml:2:31"]),
        ("schema_version: 1\ndemos: [x]", ["C132 prompt.yaml:2:9"]),
        ("schema_version: 1\ndemos: [{question: x}]", ["C132 prompt.yaml:2 error[C132] missing key"]),
        ("schema_version: 1\nprovenance: {interval: [x]}", ["C132 prompt.yaml:2:25"]),
        ("schema_version: 1\ndemos: x\nvalues: 3", ["C132 prompt.yaml:2:8", "C132 prompt.yaml:3:9"]),
        ("schema_version: 1\nversion: abc", ["C133 prompt.yaml:2:10"]),
        ("schema_version: 1\nsystem: x\nsystem: y", ["C002 prompt.yaml:3"]),
        ("", ["C131 prompt.yaml:1"]),
        ("- x", ["C131 prompt.yaml:1:1"]),
        ("a: [", ["C131 prompt.yaml"]),
        ("schema_version: 1\nsystem: !!python/name:os.system x", ["C131 prompt.yaml:2:9"]),
        ("schema_version: 1\nsystem: a\0b", ["C131 prompt.yaml:2"]),
    ],
)
def test_all_that_is_wrong_is_told_at_its_place(file: Path, text: str, expected: list[str]) -> None:
    found = problems(file, text)
    assert len(found) == len(expected)
    for problem, beginning in zip(found, expected, strict=True):
        assert problem.startswith(beginning), found
        assert "recipe" not in problem
        assert not [word for word in WORDS if word in problem], problem
        assert " · " in problem  # what to do


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("system: x", "add schema_version: 1"),
        ("schema_version: true", "write schema_version: 1"),
        ("schema_version: 1\nsystem: 'Hi {nme}'", "add it to values, or take the braces away"),
        ("schema_version: 1\nsystem: 'Hi {nme}'\nvalues: {name: Ada}", 'did you mean "{name}"?'),
        ("schema_version: 1\nquestion: '{questoin} {question}'", 'did you mean "{question}"?'),
        ("schema_version: 1\nsystem: !!str x", "remove the tag"),
        ("schema_version: 1\nsystem: 3", "put it between quotes"),
        ("schema_version: 1\ndemos: x", "write it as [first, second]"),
        ("schema_version: 1\nsystem: [", "brackets"),
        ("", "write schema_version: 1"),
    ],
)
def test_the_next_step_is_told(file: Path, text: str, fix: str) -> None:
    [problem] = problems(file, text)
    assert fix in problem


def test_braces_that_are_no_placeholder_are_text(file: Path) -> None:
    text = """Write {"name": "x", "items": [{}]}, {0}, {a.b} or {a b}, and <tool_call>."""
    file.write_text(prompt_text(PromptProgram(text)))
    assert load_prompt(file).program.system == text


def test_a_changed_text_has_another_version(file: Path) -> None:
    text = prompt_text(PROGRAM).replace("Line two.", "Line three.")
    [problem] = problems(file, text)
    changed = PROGRAM.with_text("system", "Be {who}.\n\nLine three.")
    assert f"write version: {changed.id}" in problem


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidRecipe, match="no such prompt file"):
        load_prompt(tmp_path / "nowhere.yaml")


def test_a_name_in_braces_can_be_kept_as_text(file: Path) -> None:
    file.write_text("schema_version: 1\nsystem: 'Write {name}.'\nvalues: {name: '{name}'}\n")
    program = load_prompt(file).program
    assert program.around(user("hi")).messages[0].content == "Write {name}."
