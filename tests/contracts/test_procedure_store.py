"""What every ProcedureStore owes, on the fake and on folders."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from cesello.adapters.procedure.folder_procedures import FolderProcedures
from cesello.adapters.procedure.safe_files import read_folder
from cesello.domain.errors import DataError, InvalidProcedure, UsageError
from cesello.domain.ports.procedure import ProcedureStore
from cesello.domain.procedure import Status
from cesello.entrypoints.settings.procedure_file import ProcedureFiles
from tests.fakes.procedure import FakeProcedureStore
from tests.fakes.run import FixedClock


class Project:
    """A store, and a person who edits the folders beside it."""

    def __init__(self, root: Path | None) -> None:
        self.root = root
        self.fake = FakeProcedureStore()
        self.store: ProcedureStore = self.fake
        if root is not None:
            self.store = FolderProcedures(root, ProcedureFiles(), FixedClock())

    def write(self, name: str, files: Mapping[str, bytes]) -> None:
        if self.root is None:
            self.fake.folders.setdefault(name, {}).update(files)
            return
        for path, content in files.items():
            (self.root / name / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name / path).write_bytes(content)

    def remove(self, name: str) -> None:
        if self.root is None:
            del self.fake.folders[name]
        else:
            shutil.rmtree(self.root / name)

    def stands(self, name: str) -> Mapping[str, bytes]:
        return self.fake.folders[name] if self.root is None else read_folder(self.root / name)


@pytest.fixture(params=["fake", "folder"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    return Project(None if request.param == "fake" else tmp_path / "procedures")


@pytest.fixture
def store(project: Project) -> ProcedureStore:
    return project.store


def skill(name: str, text: str = "Do it.", more: Mapping[str, bytes] | None = None) -> dict[str, bytes]:
    return {"SKILL.md": f"---\nname: {name}\ndescription: Does it.\n---\n\n{text}\n".encode(), **(more or {})}


def test_an_empty_project_has_no_procedures(store: ProcedureStore) -> None:
    assert (store.names(), store.active()) == ([], [])
    for look in (store.versions, store.folder, store.standing, store.changes):
        with pytest.raises(DataError, match="D043"):
            look("demo")


def test_the_first_folder_is_in_use_at_once(project: Project, store: ProcedureStore) -> None:
    project.write("demo", skill("demo"))
    [(procedure, version)] = store.active()
    assert (procedure.name, procedure.body) == ("demo", "Do it.")
    assert (version.status, version.author, version.parent) == (Status.ACTIVE, "user", "")
    assert version.created == FixedClock().now()
    assert store.standing("demo") == (procedure, version)


def test_an_edit_is_a_draft_while_another_version_is_in_use(project: Project, store: ProcedureStore) -> None:
    project.write("demo", skill("demo"))
    first = store.standing("demo")[1]
    project.write("demo", skill("demo", "Do it better."))
    procedure, second = store.standing("demo")
    assert (procedure.body, second.status, second.parent) == ("Do it better.", Status.DRAFT, first.sha)
    assert [(one.body, version) for one, version in store.active()] == [("Do it.", first)]
    assert store.versions("demo") == [second, first]
    assert store.standing("demo")[1] == second  # it is recorded once


def test_an_edit_of_what_was_taken_out_of_use_is_a_draft(project: Project, store: ProcedureStore) -> None:
    project.write("demo", skill("demo"))
    first = store.standing("demo")[1]
    store.set_status("demo", first.sha, Status.QUARANTINED, "it did harm")
    assert store.active() == []
    project.write("demo", skill("demo", "Mended."))
    assert store.standing("demo")[1].status is Status.DRAFT
    assert store.active() == []


@pytest.mark.parametrize(("author", "status"), [("user", Status.ACTIVE), ("import", Status.DRAFT)])
def test_the_first_edit_of_a_draft_is_in_use_where_the_person_began_it(
    project: Project, store: ProcedureStore, author: str, status: Status
) -> None:
    store.check_out("demo", store.add("demo", skill("demo"), author=author).sha)
    project.write("demo", skill("demo", "Edited."))
    assert store.standing("demo")[1].status is status


def test_one_version_is_tried_beside_the_one_in_use(store: ProcedureStore) -> None:
    first, second, third = (store.add("demo", skill("demo", text), author="user").sha for text in "abc")
    store.set_status("demo", first, Status.ACTIVE)
    store.set_status("demo", second, Status.TRIAL)
    store.set_status("demo", third, Status.TRIAL)
    found = {one.sha: one.status for one in store.versions("demo")}
    assert found == {first: Status.ACTIVE, second: Status.DRAFT, third: Status.TRIAL}


@pytest.mark.parametrize("name", ["auto", "off", "Bad Name"])
def test_what_means_something_else_is_no_name(store: ProcedureStore, name: str) -> None:
    with pytest.raises(UsageError, match="C111"):
        store.add(name, skill(name), author="user")
    with pytest.raises(UsageError, match="C111"):
        store.folder(name)


def test_an_edit_that_is_taken_back_is_the_version_that_it_was(
    project: Project, store: ProcedureStore
) -> None:
    project.write("demo", skill("demo"))
    first = store.standing("demo")[1]
    project.write("demo", skill("demo", "Other."))
    store.standing("demo")
    project.write("demo", skill("demo"))
    assert store.standing("demo")[1] == first


def test_what_is_not_well_formed_hides_nothing_else(project: Project, store: ProcedureStore) -> None:
    project.write("good", skill("good"))
    project.write("bad", skill("other"))
    with pytest.raises(InvalidProcedure, match="D042"):
        store.standing("bad")
    assert [procedure.name for procedure, _ in store.active()] == ["good"]
    with pytest.raises(DataError, match="D043"):
        store.versions("bad")


def test_an_edit_that_is_not_well_formed_leaves_the_version_in_use(
    project: Project, store: ProcedureStore
) -> None:
    project.write("demo", skill("demo"))
    version = store.standing("demo")[1]
    project.write("demo", {"SKILL.md": b"half-wr"})
    assert [one for _, one in store.active()] == [version]
    assert store.folder("demo") == {"SKILL.md": b"half-wr"}


def test_a_procedure_without_a_folder_is_out_of_use(project: Project, store: ProcedureStore) -> None:
    project.write("demo", skill("demo"))
    version = store.standing("demo")[1]
    project.remove("demo")
    assert (store.names(), store.active()) == ([], [])
    assert store.versions("demo") == [version]
    store.check_out("demo", version.sha)
    assert [one for _, one in store.active()] == [version]


def test_what_is_added_is_a_draft_and_leaves_the_folder(project: Project, store: ProcedureStore) -> None:
    project.write("demo", skill("demo"))
    first = store.standing("demo")[1]
    added = store.add("demo", skill("demo", "A model wrote this."), author="run-7")
    assert (added.status, added.author, added.parent) == (Status.DRAFT, "run-7", first.sha)
    assert project.stands("demo") == skill("demo")
    assert store.add("demo", skill("demo"), author="run-8") == first
    third = store.add("demo", skill("demo", "Third."), author="run-9", parent=added.sha[:8])
    assert third.parent == added.sha


def test_what_is_added_to_nothing_makes_no_folder(store: ProcedureStore) -> None:
    version = store.add("demo", skill("demo"), author="import")
    assert (store.names(), version.status) == ([], Status.DRAFT)


def test_nothing_malformed_is_added(store: ProcedureStore) -> None:
    with pytest.raises(InvalidProcedure, match="D042"):
        store.add("demo", skill("other"), author="user")
    with pytest.raises(DataError, match="D043"):
        store.add("demo", skill("demo"), author="user", parent="0" * 64)
    with pytest.raises(UsageError, match="C111"):
        store.add("../demo", skill("demo"), author="user")
    with pytest.raises(DataError, match="D043"):
        store.versions("demo")


def test_a_version_is_read_as_it_was(store: ProcedureStore) -> None:
    files = skill("demo", more={"scripts/run.sh": b"#!/bin/sh\n", "assets/dot.png": b"\x89PNG\0\xff"})
    version = store.add("demo", files, author="user")
    for sha in (version.sha, version.sha[:8], version.sha[:20]):
        assert store.version("demo", sha) == version
        assert store.files("demo", sha) == dict(sorted(files.items()))
        assert store.read("demo", sha).body == "Do it."
    for sha in ("", version.sha[:7], "f" * 64, "%" * 8):
        with pytest.raises(DataError, match="D043"):
            store.read("demo", sha)


def test_one_version_is_active_and_the_one_before_retires(store: ProcedureStore) -> None:
    shas = [store.add("demo", skill("demo", text), author="user").sha for text in "abc"]
    for sha in shas:
        assert store.set_status("demo", sha, Status.ACTIVE, "it is better").status is Status.ACTIVE
        assert [one.sha for one in store.versions("demo") if one.status is Status.ACTIVE] == [sha]
    _, second, first = store.versions("demo")
    assert (first.status, first.reason) == (Status.RETIRED, f"replaced by {shas[1][:8]}")
    store.set_status("demo", shas[0], Status.ACTIVE, replaced="it was worse")
    assert store.version("demo", shas[2]).reason == "it was worse"
    assert store.version("demo", shas[1]) == second


def test_the_changes_of_status_are_told_newest_first(store: ProcedureStore) -> None:
    first, second = (store.add("demo", skill("demo", text), author="user").sha for text in "ab")
    store.set_status("demo", first, Status.ACTIVE)
    store.set_status("demo", second, Status.ACTIVE, "better")
    told = [(one.sha, one.status) for one in store.changes("demo")]
    assert told[0] == (second, Status.ACTIVE)
    assert (first, Status.RETIRED) in told[1:2]
    assert told[-2:] == [(second, Status.DRAFT), (first, Status.DRAFT)]
    assert (store.changes("demo")[0].reason, store.changes("demo")[0].at) == ("better", FixedClock().now())


def test_a_version_is_put_into_the_folder_whole(project: Project, store: ProcedureStore) -> None:
    project.write("demo", skill("demo", more={"old.txt": b"old"}))
    first = store.standing("demo")[1]
    new = skill("demo", "New.", more={"scripts/new.py": b"print()"})
    second = store.add("demo", new, author="user")
    store.check_out("demo", second.sha[:8])
    assert project.stands("demo") == new
    store.check_out("demo", first.sha)
    assert project.stands("demo") == skill("demo", more={"old.txt": b"old"})


@pytest.mark.parametrize("edit", [skill("demo", "Edited."), {"notes.txt": b"mine"}, {"SKILL.md": b"half-wr"}])
def test_edits_in_no_version_are_never_overwritten(
    project: Project, store: ProcedureStore, edit: Mapping[str, bytes]
) -> None:
    project.write("demo", skill("demo"))
    store.standing("demo")
    other = store.add("demo", skill("demo", "Other."), author="run-7")
    project.write("demo", edit)
    before = dict(project.stands("demo"))
    with pytest.raises(UsageError, match="C110"):
        store.check_out("demo", other.sha)
    assert project.stands("demo") == before


def test_what_is_no_part_of_a_procedure_stays_where_it_is(tmp_path: Path) -> None:
    project = Project(tmp_path / "procedures")
    folder = tmp_path / "procedures" / "demo"
    project.write("demo", skill("demo", more={"notes/a.txt": b"a", "run.py": b"print()"}))
    project.store.standing("demo")
    (folder / "notes" / ".a.txt.swp").write_text("unsaved")
    (folder / "notes" / ".git").mkdir()
    (folder / "notes" / ".git" / "x~").write_text("x")
    (folder / "empty" / "inner").mkdir(parents=True)
    (folder / "run.py").chmod(0o755)
    new = skill("demo", "New.", more={"run.py": b"print(2)"})
    project.store.check_out("demo", project.store.add("demo", new, author="run").sha)
    assert project.stands("demo") == new
    assert (folder / "notes" / ".a.txt.swp").read_text() == "unsaved"
    assert (folder / "notes" / ".git" / "x~").read_text() == "x"
    assert (folder / "empty" / "inner").is_dir()
    assert (folder / "run.py").stat().st_mode & 0o100
    assert not (folder / "notes" / "a.txt").exists()


def test_what_cannot_be_moved_is_kept_beside(tmp_path: Path) -> None:
    project = Project(tmp_path / "procedures")
    project.write("demo", skill("demo", more={"notes/a.txt": b"a"}))
    project.store.standing("demo")
    (tmp_path / "procedures" / "demo" / "notes" / ".a.txt.swp").write_text("unsaved")
    new = skill("demo", "New.", more={"notes": b"a file now"})
    project.store.check_out("demo", project.store.add("demo", new, author="run").sha)
    assert project.stands("demo") == new
    [kept] = (tmp_path / "procedures" / ".versions").glob("demo.*")
    assert (kept / "notes" / ".a.txt.swp").read_text() == "unsaved"


def test_a_status_that_nobody_knows_is_a_damaged_file(tmp_path: Path) -> None:
    store = Project(tmp_path / "procedures").store
    store.add("demo", skill("demo"), author="user")
    with closing(sqlite3.connect(tmp_path / "procedures" / ".versions" / "versions.sqlite3")) as connection:
        connection.execute("UPDATE version SET status = 'best'")
        connection.commit()
    with pytest.raises(DataError, match="D044"):
        store.versions("demo")
