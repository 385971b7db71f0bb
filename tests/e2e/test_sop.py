"""`cesello sop`: procedures are begun, edited, checked, promoted, taken and given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from skills_ref import validate

from cesello.entrypoints.starters import starters
from tests.e2e.command import cesello, cesello_here

PLACE = Path(".cesello/procedures")


def said(*arguments: str, cwd: Path, status: int = 0) -> str:
    """What a command prints, errors where it fails."""
    done = cesello_here("sop", *arguments, cwd=cwd)
    assert done.returncode == status, done.stderr or done.stdout
    return done.stdout if status == 0 else done.stderr


def told(*arguments: str, cwd: Path) -> Any:
    return json.loads(said(*arguments, "--json", cwd=cwd))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / ".cesello").mkdir()
    return tmp_path


def edit(project: Path, name: str, old: str, new: str) -> None:
    file = project / PLACE / name / "SKILL.md"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_a_procedure_is_written_and_comes_into_use_when_it_was_edited(project: Path) -> None:
    assert "No procedures yet" in said("list", cwd=project)
    assert "wrote .cesello/procedures/my-way" in said("new", "my-way", cwd=project)
    assert said("lint", cwd=project) == "1 procedure: no mistakes\n"
    assert [one["status"] for one in told("list", cwd=project)] == ["draft"]
    edit(project, "my-way", "Say here how", "This is how")
    [row] = told("list", cwd=project)
    assert (row["status"], row["active"]) == ("active", row["sha"])
    assert "1. look: Run {command}" in said("show", "my-way", cwd=project)
    assert told("show", "my-way", cwd=project)["procedure"]["success"] == "verify"


def test_those_that_come_with_it_have_no_mistakes_and_are_agent_skills(project: Path) -> None:
    assert [one["name"] for one in told("new", "--all", cwd=project)] == list(starters())
    assert len(starters()) == 8
    said("lint", "--strict", cwd=project)
    for name in starters():
        assert validate(project / PLACE / name) == []
        said("export", name, "--to", "given", cwd=project)
        assert validate(project / "given" / name) == []
    assert "there already" in said("new", "--all", cwd=project)
    assert "C111" in said("new", "--from", starters()[0], cwd=project, status=2)
    assert told("new", "other", "--from", starters()[0], cwd=project)[0]["status"] == "active"


def test_a_folder_that_is_there_is_left_and_all_others_are_written(project: Path) -> None:
    name = starters()[3]
    (project / PLACE / name).mkdir(parents=True)
    done = cesello_here("sop", "new", "--all", cwd=project)
    assert done.returncode == 0
    assert done.stdout.count("wrote ") == 7
    assert f"left .cesello/procedures/{name} as it is, without a SKILL.md" in done.stderr
    assert not list((project / PLACE / name).iterdir())


def test_what_is_not_well_formed_is_listed_with_what_is_in_use(project: Path) -> None:
    said("new", "--from", starters()[0], cwd=project)
    said("new", "other", "--from", starters()[1], cwd=project)
    said("list", cwd=project)
    edit(project, "other", "name: other", "name: half-")
    (project / PLACE / "My Way").mkdir()
    (project / PLACE / "My Way" / "SKILL.md").write_text("Do it.")
    (project / PLACE / "link").symlink_to("other")
    for command in ("list", "stats"):
        done = cesello_here("sop", command, cwd=project)
        assert done.returncode == 3
        assert starters()[0] in done.stdout
        assert [one[:11] for one in sorted(done.stderr.splitlines())] == [
            "error[C010]",
            "error[C111]",
            "error[D046]",
        ]
    rows = json.loads(cesello_here("sop", "list", "--json", cwd=project).stdout)
    broken = dict.fromkeys(("other", "My Way", "link"), "not well-formed")
    assert {row["name"]: row["status"] for row in rows} == {starters()[0]: "active", **broken}
    assert [row["name"] for row in rows if row["active"]] == [starters()[0], "other"]


def test_versions_come_and_go(project: Path) -> None:
    said("new", "my-way", cwd=project)
    edit(project, "my-way", "Say here how", "First: how")
    first = told("list", cwd=project)[0]["sha"]
    edit(project, "my-way", "First: how", "Second: how")
    assert told("list", cwd=project)[0]["status"] == "draft"
    assert "-First: how it is done" in said("diff", "my-way", cwd=project)
    found = told("diff", "my-way", cwd=project)
    assert (found["old"]["sha"], found["files"][0]["path"]) == (first, "SKILL.md")
    assert f"instead of {first[:8]}" in said("promote", "my-way", cwd=project)
    assert told("rollback", "my-way", cwd=project)["sha"] == first
    assert "First: how" in (project / PLACE / "my-way" / "SKILL.md").read_text()
    second = found["new"]["sha"]
    shown = said("show", "my-way", "--version", second[:8], cwd=project)
    assert f"{second[:8]} (retired)" in shown
    assert "rolled back" in shown
    assert told("promote", "my-way", second[:8], "--reason", "better", cwd=project)["reason"] == "better"


def test_edits_are_never_overwritten(project: Path) -> None:
    said("new", "my-way", cwd=project)
    edit(project, "my-way", "Say here how", "First: how")
    said("list", cwd=project)
    edit(project, "my-way", "First: how", "Second: how")
    said("promote", "my-way", cwd=project)
    edit(project, "my-way", "name: my-way", "name: half-")
    before = (project / PLACE / "my-way" / "SKILL.md").read_text()
    assert "error[C110]" in said("rollback", "my-way", cwd=project, status=2)
    assert (project / PLACE / "my-way" / "SKILL.md").read_text() == before
    edit(project, "my-way", "name: half-", "name: my-way")
    edit(project, "my-way", "Second: how", "Third: how")
    said("rollback", "my-way", cwd=project)
    versions = told("show", "my-way", cwd=project)["versions"]
    third = next(one["sha"] for one in versions if one["status"] == "draft" and one["author"] == "user")
    said("promote", "my-way", third[:8], cwd=project)
    assert "Third: how" in (project / PLACE / "my-way" / "SKILL.md").read_text()


def test_a_skill_of_another_program_is_taken_and_given(project: Path) -> None:
    theirs = project / "theirs"
    (theirs / "scripts").mkdir(parents=True)
    (theirs / "SKILL.md").write_text("---\nname: Their Way\ndescription: Does it.\nmodel: large\n---\n# Do\n")
    (theirs / "scripts" / "run.py").write_text("")
    out = said("import", "theirs", cwd=project)
    assert "the key model of its head is none of the specification" in out
    assert "imported their-way" in out
    [row] = told("list", cwd=project)
    assert (row["name"], row["status"], row["active"]) == ("their-way", "draft", None)
    shown = theirs / "SKILL.md"
    shown.write_text(f"---\nname: big\ndescription: Does it.\n---\n{'x' * 70_000}")
    assert "SKILL.md is too large at theirs/SKILL.md" in said("import", "theirs", cwd=project, status=3)
    shown.write_text("---\nname: Big\ndescription: Does it.\n---\na\u202eb")
    assert "at theirs (as mended)/SKILL.md:6:2" in said("import", "theirs", cwd=project, status=3)
    said("promote", "their-way", cwd=project)
    path = told("export", "their-way", "--to", "given", cwd=project)["path"]
    assert validate(project / path) == []
    assert (project / path / "scripts" / "run.py").is_file()
    (project / path / "SKILL.md").write_text("mine")
    assert "error[C112]" in said("export", "their-way", "--to", "given", cwd=project, status=2)


@pytest.mark.parametrize(
    ("arguments", "status", "problem"),
    [
        (["show", "none"], 3, "error[D043] there is no such procedure at none"),
        (["show", "my-way", "--version", "12345678"], 3, "error[D043] there is no such version at my-way"),
        (["lint", "nowhere"], 3, "error[D043]"),
        (["promote", "none"], 3, "error[D043]"),
        (["rollback", "my-way"], 2, "error[C114] no version was in use before this one"),
        (["import", "nowhere"], 3, "error[D043]"),
        (["import", "."], 3, "error[D042] there is no SKILL.md"),
        (["new"], 2, "error[C000]"),
        (["new", "x", "--all"], 2, "error[C000]"),
        (["new", "My Way"], 2, "error[C111] a procedure cannot be called that at My Way"),
        (["new", "../x"], 2, "error[C111]"),
        (["new", "my-way"], 2, "error[C111] there is a procedure of that name already"),
        (["new", "--from", "nothing"], 2, "error[C113]"),
        (["nonsense"], 2, "error[C000]"),
    ],
)
def test_a_mistake_is_told_and_nothing_is_written(
    project: Path, arguments: list[str], status: int, problem: str
) -> None:
    said("new", "my-way", cwd=project)
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    assert problem in said(*arguments, cwd=project, status=status)
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before


def test_all_mistakes_are_told_by_the_command_itself(project: Path) -> None:
    for name in ("one", "two"):
        said("new", name, cwd=project)
    sop = project / PLACE / "one" / "sop.yaml"
    sop.write_text(sop.read_text().replace("max: 2", "mx: 2").replace("steps.look.ok", "steps.lok.ok"))
    edit(project, "two", "description:", "describtion:")
    done = cesello("sop", "lint", cwd=project)
    assert done.returncode == 3
    lines = done.stderr.splitlines()
    assert lines[0].startswith('error[C001] unknown key "mx" at .cesello/procedures/one/sop.yaml:')
    assert lines[0].endswith('did you mean "max"?')
    assert 'unknown key "describtion" at .cesello/procedures/two/SKILL.md:3' in lines[-1]
    assert "Traceback" not in done.stderr
    [one, two] = json.loads(cesello("sop", "lint", "--json", cwd=project).stdout)
    assert (one["ok"], two["mistakes"][0]["code"]) == (False, "C001")
