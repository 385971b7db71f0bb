"""The files of a procedure: what is written is read, and what is wrong is told at its place."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skills_ref import read_properties, validate

from cesello.adapters.procedure.safe_files import write_folder
from cesello.domain.errors import InvalidProcedure
from cesello.domain.procedure import Procedure
from cesello.entrypoints.settings.procedure_file import ProcedureFiles
from cesello.entrypoints.starters import skeleton
from tests.procedures import procedures

FORM = ProcedureFiles()
HEAD = "---\nname: demo\ndescription: Does it.\n---\n\nDo it.\n"
STEPS = "schema_version: 1\nsteps:\n  - {id: a, do: First., expect: {kind: contains, value: x}}\n"
GOOD = '{"query": "do it", "should_trigger": true}\n{"query": "no", "should_trigger": false}\n'


def files(skill: str = HEAD, sop: str | None = None, evals: str | None = None) -> dict[str, bytes]:
    texts = {"SKILL.md": skill, "sop.yaml": sop, "evals.jsonl": evals}
    return {name: text.encode() for name, text in texts.items() if text is not None}


def said(given: Mapping[str, bytes]) -> list[str]:
    """Every mistake, as it is told."""
    return [str(one) for one in FORM.check(given, "demo", "demo").mistakes]


def advice(given: Mapping[str, bytes]) -> str:
    found = FORM.check(given, "demo", "demo")
    assert not found.mistakes
    return "\n".join(map(str, found.advice))


@given(procedures())
@settings(max_examples=150, deadline=None)
def test_what_is_written_is_read(procedure: Procedure) -> None:
    assert FORM.read(FORM.write(procedure), "here", procedure.name) == procedure


@given(procedures())
@settings(max_examples=80, deadline=None)
def test_what_is_written_is_an_agent_skill(procedure: Procedure) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / procedure.name
        write_folder(folder, FORM.portable(FORM.write(procedure)))
        assert validate(folder) == []
        assert read_properties(folder).description == procedure.description


@given(
    procedures(),
    st.binary(max_size=6),
    st.floats(0, 1),
    st.sampled_from(["SKILL.md", "sop.yaml", "evals.jsonl"]),
)
@settings(max_examples=150, deadline=None)
def test_no_change_of_good_files_raises_anything(
    procedure: Procedure, change: bytes, place: float, part: str
) -> None:
    written = dict(FORM.write(procedure))
    content = written.get(part, b"")
    at = int(place * len(content))
    written[part] = content[:at] + change + content[at + len(change) :]
    found = FORM.check(written, "here", procedure.name)
    assert (found.procedure is None) == bool(found.mistakes)
    assert all(one.fix for one in found.mistakes)


def test_the_skeleton_has_no_mistakes() -> None:
    found = FORM.check(skeleton("my-way"), "my-way", "my-way")
    assert (found.mistakes, found.advice) == ((), ())
    assert found.procedure is not None
    assert [step.id for step in found.procedure.steps] == ["look", "change", "verify"]


def test_skill_md_alone_is_enough() -> None:
    assert FORM.read(files(), "demo").body == "Do it."


@pytest.mark.parametrize(
    ("skill", "problem"),
    [
        ("Do it.", "error[D042] SKILL.md does not begin with its name and description at demo/SKILL.md:1"),
        ("---\nname: demo\n", "error[D042] SKILL.md does not begin with its name and description"),
        ("---\n---\nDo it.", "error[C030] SKILL.md is no map of keys: it is empty at demo/SKILL.md:2"),
        ("---\n- a\n---\n", "error[C030] SKILL.md is no map of keys: it holds a list of 1"),
        ("---\nname: demo\n---\nx", 'error[C006] missing key "description" at demo/SKILL.md:2'),
        (
            HEAD.replace("description", "descripton"),
            'error[C001] unknown key "descripton" at demo/SKILL.md:3',
        ),
        (
            HEAD.replace("demo", "other"),
            "error[D042] the name is not that of the folder at demo/SKILL.md:2:7",
        ),
        (HEAD.replace("demo", "De mo"), "error[C010] name has the wrong form at demo/SKILL.md:2:7"),
        (
            HEAD.replace("Does it.", "x" * 1025),
            "error[C010] description has the wrong form at demo/SKILL.md:3:14",
        ),
        (HEAD.replace("Does it.", "a: b"), "error[C026] not valid YAML"),
        (HEAD.replace("Does it.", "[a]"), "error[C003] description has the wrong type at demo/SKILL.md:3:14"),
        (HEAD.replace("Does it.", "!!python/name:os.system x"), "error[C029] the tag"),
        (HEAD.replace("Does it.", "x\nname: demo"), 'error[C002] the key "name" is given twice'),
        (
            HEAD.replace("Does it.", "For <b>you</b>"),
            "error[D045] the description holds a tag at demo/SKILL.md:3",
        ),
        (HEAD.replace("Do it.", "a\u202eb"), "U+202E at demo/SKILL.md:6:2"),
        (HEAD.replace("Does it.", '"a\\u202eb"'), "U+202E at demo/SKILL.md:3:14"),
        (
            HEAD.replace("Do it.", "ghp_" + "a" * 36),
            "error[D046] the text holds a token of GitHub at demo/SKILL.md:6:1",
        ),
        (
            HEAD.replace("\n\nDo it.", ""),
            "error[D045] the procedure says nothing of what to do at demo/SKILL.md",
        ),
        (HEAD + "x" * 70_000, "error[D042] SKILL.md is too large at demo/SKILL.md"),
    ],
)
def test_what_is_wrong_with_skill_md_is_told(skill: str, problem: str) -> None:
    assert problem in said(files(skill))[0]


SECOND = "  - {id: b, do: Second."


@pytest.mark.parametrize(
    ("sop", "problem"),
    [
        ("", "error[C030] sop.yaml is no map of keys: it is empty at demo/sop.yaml:1"),
        ("steps: []", 'error[C006] missing key "schema_version" at demo/sop.yaml:1'),
        ("schema_version: 1\nsteps: []\n", "error[C004] steps is empty at demo/sop.yaml:2:8"),
        (
            "schema_version: 2\nfuture: x",
            "error[D042] sop.yaml is of a later version of cesello at demo/sop.yaml:1",
        ),
        (
            "schema_version: 1\nstep: []",
            'error[C001] unknown key "step" at demo/sop.yaml:2 · did you mean "steps"?',
        ),
        (
            STEPS.replace("do:", "dos:"),
            'error[C001] unknown key "dos" at demo/sop.yaml:3 · did you mean "do"?',
        ),
        (
            STEPS.replace("id: a", "id: A b"),
            "error[C010] steps.A b.id has the wrong form at demo/sop.yaml:3:10",
        ),
        (
            STEPS.replace("contains", "regexp"),
            'kind cannot be "regexp" at demo/sop.yaml:3:40 · did you mean "regex"?',
        ),
        (STEPS.replace("value: x", "value: [x]"), "steps.a.expect.value has the wrong type"),
        (
            STEPS.replace("contains, value: x", 'regex, value: "("'),
            "error[C010] steps.a.expect.value is no regular",
        ),
        (
            STEPS.replace("contains, value: x", f"regex, value: {'x' * 1001}"),
            "error[D045] the pattern of step a is too",
        ),
        (
            STEPS.replace("contains, value: x", 'exit_code, value: "0"'),
            "error[D045] exit_code of step a has a value",
        ),
        (STEPS.replace("contains, value: x", "reward, value: 2"), "error[D045] reward of step a has a value"),
        (
            STEPS + SECOND.replace("id: b", "id: a") + "}",
            "error[D045] two steps have the id a at demo/sop.yaml:4:10",
        ),
        (STEPS + SECOND + ", when: steps.c.ok}", "steps.c.ok at character 1, and there is no such step"),
        (STEPS + SECOND + ", when: steps.b.ok}", "steps.b.ok at character 1, which does not come before it"),
        (
            STEPS + SECOND + ", when: steps.a.okay}",
            "which no step gives at demo/sop.yaml:4:32 · did you mean ok?",
        ),
        (
            STEPS + SECOND + ", when: inputs.x}",
            "inputs.x at character 1, which is neither an input nor of a step",
        ),
        (
            STEPS + SECOND + ", when: steps.a.ok =}",
            "error[D045] the condition of b cannot be read: '=' has no",
        ),
        (
            STEPS + SECOND + ", when: steps.a.ok and not steps.a.ok}",
            "error[D045] the step b is never reached",
        ),
        (STEPS + SECOND + ', when: "false"}', "error[D045] the step b is never reached"),
        (
            STEPS.replace("}}", "}, on_fail: {goto: z, max: 1}}"),
            "error[D045] the step a goes to z, which is no step",
        ),
        (
            STEPS.replace("}}", "}, on_fail: {goto: a}}"),
            "error[D045] nothing ends the cycle a -> a at demo/sop.yaml:3",
        ),
        (
            STEPS.replace("}}", "}, on_fail: {goto: b}}") + SECOND + "}",
            "error[D045] the goto to b has no bound",
        ),
        (
            STEPS.replace("}}", "}, on_fail: {goto: a, max: 99}}"),
            "error[C004] steps.a.on_fail.max is out of range",
        ),
        (
            STEPS.replace("}}", "}, on_fail: {retry: 11}}"),
            "error[C004] steps.a.on_fail.retry is out of range",
        ),
        (STEPS.replace("}}", "}, on_fail: {max: 2}}"), "error[D045] max is how often goto is taken"),
        (STEPS + SECOND + ", on_fail: {retry: 1}}", "error[D045] the step b says what follows when it fails"),
        (
            STEPS + "success: {step: aa}",
            "error[D045] success is that of step aa, which is none at demo/sop.yaml:4:17",
        ),
        (STEPS + "inputs: [{name: in}]", "error[D045] no input can be called in"),
        (STEPS + "inputs: [{name: x}, {name: x}]", "error[D045] two inputs are called x"),
        (
            STEPS + "inputs: [{name: x, required: true, default: y}]",
            "error[D045] the input x is required and has",
        ),
        (STEPS + "triggers: {examples: [do it], negatives: [Do  it]}", "both for it and against it"),
        (STEPS + "triggers: {min_score: high}", "triggers.min_score has the wrong type"),
        (STEPS.replace("First.", '"a\\u200bb"'), "U+200B at demo/sop.yaml:3:17"),
        ("a: &a [x, x]\nb: &b [*a, *a]\n", "error[C0"),
    ],
)
def test_what_is_wrong_with_sop_yaml_is_told(sop: str, problem: str) -> None:
    assert any(problem in one for one in said(files(sop=sop))), said(files(sop=sop))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "error[D042] the line is not JSON at demo/evals.jsonl:3"),
        ("[1]", "error[C030] the line is no map of keys at demo/evals.jsonl:3"),
        (
            '{"query": "x", "should_triger": true}',
            'unknown key "should_triger" at demo/evals.jsonl:3 · did you mean',
        ),
        (
            '{"query": "x", "should_trigger": "yes"}',
            "error[C003] should_trigger has the wrong type at demo/evals.jsonl:3",
        ),
        (
            '{"query": " ", "should_trigger": true}',
            "error[C003] query has the wrong type at demo/evals.jsonl:3",
        ),
        (
            '{"query": "do it", "should_trigger": false}',
            'the request "do it" should trigger it, and should not',
        ),
        ('{"query": "\\u202e", "should_trigger": false}', "U+202E at demo/evals.jsonl:3"),
    ],
)
def test_what_is_wrong_with_evals_is_told(line: str, problem: str) -> None:
    assert problem in said(files(evals=f"{GOOD}{line}\n"))[0]


def test_all_mistakes_of_all_files_are_told_at_once() -> None:
    sop = STEPS + SECOND + ", when: steps.z.ok, on_fail: {goto: q}}\n"
    found = said(files(HEAD.replace("demo", "Demo"), sop, "{\n"))
    assert len(found) == 5
    with pytest.raises(InvalidProcedure) as caught:
        FORM.read(files(HEAD.replace("demo", "Demo"), sop, "{\n"), "demo", "demo")
    assert str(caught.value) == "\n".join(found)


def test_what_is_not_utf_8_is_told() -> None:
    assert said({"SKILL.md": HEAD.encode() + b"\n\xff"}) == [
        "error[C023] SKILL.md is not UTF-8 at demo/SKILL.md:8 · got the byte 0xff · save it as UTF-8"
    ]
    assert "error[D042] there is no SKILL.md at demo" in said({"README.md": b""})[0]


@pytest.mark.parametrize(
    ("given", "note"),
    [
        (files(), "no request to test it by should_trigger: true or false"),
        (files(evals=GOOD.splitlines()[0]), "no request to test it by should_trigger: false"),
        (files(), "nothing says what requests it is for but its description"),
        (files(HEAD + "line\n" * 600), "the body is long"),
        (files(HEAD + "<!-- psst -->"), "the body holds <!--"),
        (files(sop=STEPS.replace("First.", '"See {it}."')), "{it} is no input"),
        (files(sop=STEPS + SECOND + "}"), "nothing checks the step that says whether all of it worked"),
        (
            files(sop=STEPS.replace("}}", "}, on_fail: {retry: 10, goto: a, max: 10}}")),
            "got 121 -> expected at most 50",
        ),
    ],
)
def test_what_could_be_better_is_told(given: dict[str, bytes], note: str) -> None:
    assert note in advice(given)


def test_a_step_uses_no_tool_that_the_procedure_does_not_allow() -> None:
    head = HEAD.replace("Does it.", "Does it.\nallowed-tools: Bash(git:*) Read")
    for tool, fits in (("Read", True), ("Bash", True), ("Bash(ls:*)", False), ("Write", False)):
        sop = STEPS.replace("First.", f"First., tools: ['{tool}']")
        assert (not said(files(head, sop))) is fits, tool


@pytest.mark.parametrize(
    "written", ["Read Bash(git add:*)", "Read, Bash(git add:*)", "[Read, 'Bash(git add:*)']"]
)
def test_tools_are_read_however_they_are_written(written: str) -> None:
    head = HEAD.replace("Does it.", f"Does it.\nallowed-tools: {written}")
    assert FORM.read(files(head), "demo").allowed_tools == ("Read", "Bash(git add:*)")


def test_versions_stay_text() -> None:
    head = HEAD.replace("Does it.", "Does it.\nlicense: 1.10\nmetadata:\n  version: 1.10\n  on: yes")
    extra = {"license": "1.10", "metadata": {"version": "1.10", "on": "yes"}}
    assert FORM.read(files(head), "demo").extra == extra


# What other programs wrote


STRANGE = """---\r
name: My Skill!\r
description: >-\r
  Does it --- well.\r
version: 1.10\r
model: sonnet\r
metadata:\r
  emoji: "x"\r
  nested: {a: [1, 2]}\r
allowed-tools:\r
  - Read\r
  - Bash(git:*)\r
license:\r
---\r
# Body\r
"""


def test_what_another_program_wrote_is_taken() -> None:
    done = FORM.adopted({"skill.md": STRANGE.encode(), "scripts/a.py": b"1"}, "somewhere/x", "")
    assert done.name == "my-skill"
    assert len(done.notes) == 4
    procedure = FORM.read(done.files, "x", "my-skill")
    assert procedure.description == "Does it --- well."
    assert procedure.allowed_tools == ("Read", "Bash(git:*)")
    metadata = {"emoji": "x", "nested": '{"a": ["1", "2"]}', "version": "1.10", "model": "sonnet"}
    assert procedure.extra == {"metadata": metadata}
    assert (procedure.body, done.files["scripts/a.py"]) == ("# Body", b"1")


def test_what_is_as_it_should_be_is_taken_as_it_is() -> None:
    done = FORM.adopted(files(), "somewhere", "")
    assert (done.name, done.files, done.notes) == ("demo", files(), ())
    assert FORM.adopted(files(), "somewhere", "other").name == "other"


@pytest.mark.parametrize(
    ("skill", "description", "note"),
    [
        (
            HEAD.replace("Does it.", "Use when: asked to"),
            "Use when: asked to",
            "a text with a colon stands in quotes",
        ),
        (HEAD.replace("Does it.", "Asks: a 'b' \"c\""), "Asks: a 'b' \"c\"", "now: description"),
        (HEAD.replace("Does it.", "Use when: the 🎉 asks"), "Use when: the 🎉 asks", "now: description"),
        (HEAD.replace("Does it.", repr(" " * 1_100)), "Do it.", "it has no description"),
        (HEAD.replace("Does it.", repr(" " * 1_100 + "It")), "It", "had 1102 characters, and is cut after 2"),
        (
            HEAD.replace("Does it.", "word " * 300),
            "word " * 203 + "word...",
            "its description had 1499 characters",
        ),
        (
            HEAD.replace("Does it.", "For <b>Vec<T></b>, a < b"),
            "For ‹b›Vec‹T›‹/b›, a < b",
            "what looks like a tag",
        ),
        ("# Do it\n\nRun this\nfirst.\n\nThen that.", "Run this first.", "SKILL.md had no head"),
        ("# Do it", "Do it", "its first words are one now"),
        ("---\n---\nDo it.", "Do it.", "it is called demo now"),
        ("---\nname: demo\n---\nDo it.", "Do it.", "it has no description"),
        ("---\ndescription:\n  use: <b>\n---\nDo it.", '{"use": "‹b›"}', "it is called demo now"),
    ],
)
def test_what_the_specification_refuses_is_mended_and_told(skill: str, description: str, note: str) -> None:
    for where in ("theirs/demo", "theirs/demo/SKILL.md"):
        done = FORM.adopted(files(skill), where, "")
        assert note in "; ".join(done.notes)
        procedure = FORM.read(done.files, "x", "demo")
        assert procedure.description == description
    again = FORM.adopted(done.files, "theirs/demo", "")
    assert (again.files, again.notes) == (done.files, ())


@pytest.mark.parametrize(
    "skill",
    [
        "",
        " \n",
        "---\nname: x\n",
        "---\na: [\n---\n",
        "---\n- a\n---\n",
        "---\na: 1\na: 2\n---\n",
        "---\na: b: [\n  c\n---\n",
    ],
)
def test_what_has_no_head_that_could_be_mended_is_not_taken(skill: str) -> None:
    with pytest.raises(InvalidProcedure):
        FORM.adopted(files(skill), "x", "")


def test_of_a_head_that_quotes_do_not_mend_the_first_problem_is_told() -> None:
    head = "---\nname: x\ndescription: Use when: \tasked\nother: {a\n---\n"
    with pytest.raises(InvalidProcedure) as raised:
        FORM.adopted(files(head), "theirs", "")
    with pytest.raises(InvalidProcedure) as plain:
        FORM.read(files(head), "theirs")
    assert str(raised.value) == str(plain.value)


def test_another_body_changes_nothing_else() -> None:
    head = HEAD.removesuffix("\nDo it.\n")
    old = {**files(f"{head}Old.\n---\nMore.\n"), "notes.txt": b"kept"}
    new = FORM.with_body(old, "\nNew.\n---\n\n")
    assert new == {**old, "SKILL.md": f"{head}\nNew.\n---\n".encode()}
    assert FORM.read(new, "x").body == "New.\n---"
    assert FORM.with_body(new, "New.\n---") == new
    windows = files(f"\ufeff{head}Old.\n".replace("\n", "\r\n"))
    assert FORM.read(FORM.with_body(windows, "New."), "x").body == "New."


def test_another_name_changes_nothing_else() -> None:
    text = HEAD.replace("Does it.", ">\n  Does it.\n  name: no") + "name: in the body\n"
    assert FORM.named(files(text), "other") == files(text.replace("name: demo", "name: other"))
