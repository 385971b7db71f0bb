"""Beginning, promoting, going back, comparing, importing and exporting procedures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from cesello.adapters.procedure.safe_files import SafeFolders
from cesello.application.compare_versions import CompareVersions
from cesello.application.export_procedure import ExportProcedure
from cesello.application.import_procedure import ImportProcedure
from cesello.application.lint_procedures import LintProcedures
from cesello.application.new_procedure import NewProcedure
from cesello.application.promote_procedure import PromoteProcedure
from cesello.application.roll_back_procedure import RollBackProcedure
from cesello.domain.errors import DataError, UsageError
from cesello.domain.procedure import Status
from tests.fakes.procedure import FakeProcedureStore


def skill(
    text: str = "Do it.", name: str = "demo", more: Mapping[str, bytes] | None = None
) -> dict[str, bytes]:
    return {"SKILL.md": f"---\nname: {name}\ndescription: Does it.\n---\n\n{text}\n".encode(), **(more or {})}


@pytest.fixture
def store() -> FakeProcedureStore:
    return FakeProcedureStore({"demo": skill("A")})


def added(store: FakeProcedureStore, *texts: str) -> list[str]:
    """Versions with these bodies, the first of them in use."""
    first = store.standing("demo")[1].sha
    return [first, *(store.add("demo", skill(text), author="run").sha for text in texts)]


def in_use(store: FakeProcedureStore) -> str:
    [(procedure, _)] = store.active()
    assert store.folder("demo") == skill(procedure.body)
    return procedure.body


def test_what_is_begun_is_a_draft_or_in_use(store: FakeProcedureStore) -> None:
    new = NewProcedure(store, store.form)
    assert new("mine", skill(), draft=True).status is Status.DRAFT
    assert new("yours", skill()).status is Status.ACTIVE
    assert store.folder("mine") == skill(name="mine")
    before = store.folder("demo")
    with pytest.raises(UsageError, match="C111"):
        new("demo", skill("Other."))
    assert store.folder("demo") == before


def test_a_version_is_promoted_into_the_folder(store: FakeProcedureStore) -> None:
    first, second = added(store, "B")
    done = PromoteProcedure(store)("demo", second[:8], "better")
    assert (done.version.sha, done.version.reason, done.before) == (second, "better", first)
    assert in_use(store) == "B"
    assert PromoteProcedure(store)("demo").before == ""


def test_an_edit_is_promoted_where_no_version_is_named(store: FakeProcedureStore) -> None:
    added(store)
    store.folders["demo"] = skill("Edited.")
    PromoteProcedure(store)("demo")
    assert in_use(store) == "Edited."


def test_an_edit_is_recorded_before_the_folder_changes(store: FakeProcedureStore) -> None:
    _, second = added(store, "B")
    store.folders["demo"] = skill("Edited.")
    PromoteProcedure(store)("demo", second)
    assert in_use(store) == "B"
    assert "Edited." in {store.read("demo", one.sha).body for one in store.versions("demo")}


@pytest.mark.parametrize("change", ["promote", "rollback"])
def test_an_edit_that_cannot_be_recorded_stops_it_before_anything_changes(
    store: FakeProcedureStore, change: str
) -> None:
    first, second = added(store, "B")
    if change == "rollback":
        PromoteProcedure(store)("demo", second)
    store.folders["demo"] = {"SKILL.md": b"half"}
    versions = store.versions("demo")
    with pytest.raises(UsageError, match="C110"):
        PromoteProcedure(store)("demo", second) if change == "promote" else RollBackProcedure(store)("demo")
    assert (store.versions("demo"), store.folders["demo"]) == (versions, {"SKILL.md": b"half"})
    assert first


def test_going_back_undoes_one_promotion_after_the_other(store: FakeProcedureStore) -> None:
    _, second, third = added(store, "B", "C")
    promote, back = PromoteProcedure(store), RollBackProcedure(store)
    promote("demo", second)
    promote("demo", third)
    assert back("demo").before == third
    assert in_use(store) == "B"
    back("demo")
    assert in_use(store) == "A"
    with pytest.raises(UsageError, match="C114"):
        back("demo")
    promote("demo", third)
    back("demo")
    assert in_use(store) == "A"


def test_what_did_harm_is_not_gone_back_to(store: FakeProcedureStore) -> None:
    _, second, third = added(store, "B", "C")
    promote = PromoteProcedure(store)
    promote("demo", second)
    promote("demo", third)
    store.set_status("demo", second, Status.QUARANTINED, "it did harm")
    RollBackProcedure(store)("demo")
    assert in_use(store) == "A"


def test_one_that_was_quarantined_is_gone_back_from(store: FakeProcedureStore) -> None:
    _, second = added(store, "B")
    PromoteProcedure(store)("demo", second)
    store.set_status("demo", second, Status.QUARANTINED, "it did harm")
    assert RollBackProcedure(store)("demo").before == ""
    assert in_use(store) == "A"


def test_versions_are_compared_file_by_file(store: FakeProcedureStore) -> None:
    store.folders["demo"] = skill("A", more={"old.txt": b"old\n", "dot.png": b"\x89\xff"})
    first = store.standing("demo")[1]
    store.folders["demo"] = skill("B", more={"new.txt": b"new\n", "dot.png": b"\x89\xfe"})
    found = CompareVersions(store)("demo")
    assert (found.old, found.new.status) == (first, Status.DRAFT)
    assert [(one.path, one.change) for one in found.files] == [
        ("SKILL.md", "changed"),
        ("dot.png", "changed"),
        ("new.txt", "added"),
        ("old.txt", "removed"),
    ]
    changed, picture, new, _ = (one.diff for one in found.files)
    assert changed.splitlines()[-2:] == ["-A", "+B"]
    assert (picture, new.splitlines()[-1]) == ("", "+new")
    PromoteProcedure(store)("demo")
    assert CompareVersions(store)("demo").old == store.version("demo", first.sha)  # the parent
    assert CompareVersions(store)("demo", first.sha, first.sha).files == ()


def test_what_is_taken_from_elsewhere_is_a_draft(store: FakeProcedureStore, tmp_path: Path) -> None:
    (tmp_path / "x" / "scripts").mkdir(parents=True)
    (tmp_path / "x" / "SKILL.md").write_bytes(skill("Theirs.", "theirs")["SKILL.md"])
    (tmp_path / "x" / "scripts" / "run.sh").write_text("#!/bin/sh\n")
    take = ImportProcedure(store, SafeFolders(), store.form)
    done = take(str(tmp_path / "x"))
    assert (done.version.name, done.version.status, done.version.author) == ("theirs", Status.DRAFT, "import")
    assert done.placed
    assert sorted(store.folder("theirs")) == ["SKILL.md", "scripts/run.sh"]
    assert not take(str(tmp_path / "x"), "demo").placed
    assert store.folder("demo") == skill("A")
    with pytest.raises(UsageError, match="C111"):
        take(str(tmp_path / "x"), "Bad Name")


def test_a_procedure_is_given_away(store: FakeProcedureStore, tmp_path: Path) -> None:
    give = ExportProcedure(store, SafeFolders(), store.form)
    path = give("demo", str(tmp_path))
    assert SafeFolders().read(path) == skill("A")
    [_, second] = added(store, "B")
    assert SafeFolders().read(give("demo", f"{tmp_path}/other/", second)) == skill("B")
    with pytest.raises(UsageError, match="C112"):
        give("demo", str(tmp_path), second)


def test_procedures_are_checked_by_name_and_by_path(store: FakeProcedureStore, tmp_path: Path) -> None:
    store.folders["bad"] = skill(name="other")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "SKILL.md").write_bytes(skill(name="theirs")["SKILL.md"])
    lint = LintProcedures(store, SafeFolders(), store.form, "place")
    assert [(one.where, len(one.found.mistakes)) for one in lint()] == [("bad", 1), ("demo", 0)]
    [one] = lint([str(tmp_path / "mine" / "SKILL.md")])
    assert "the name is not that of the folder" in str(one.found.mistakes[0])
    assert "place/bad/SKILL.md:2:7" in str(lint(["bad"])[0].found.mistakes[0])
    (tmp_path / "mine" / "link").symlink_to("SKILL.md")
    assert lint([str(tmp_path / "mine")])[0].found.mistakes[0].code == "D046"
    with pytest.raises(DataError, match="D043"):
        lint(["nowhere"])
    assert store.recorded == []


def test_what_was_imported_is_not_tried_beside_a_version_in_use(store: FakeProcedureStore) -> None:
    first = added(store)[0]
    theirs = store.add("demo", skill("B"), author="import").sha
    promote = PromoteProcedure(store)
    with pytest.raises(UsageError, match="C119"):
        promote.trial("demo", theirs)
    with pytest.raises(UsageError, match="C119"):
        promote.trial("demo", first)
    store.folders["demo"] = skill("Edited.")
    tried = promote.trial("demo", reason="may be better")
    assert (tried.status, tried.reason) == (Status.TRIAL, "may be better")
    assert store.version("demo", first).status is Status.ACTIVE
    store.set_status("demo", first, Status.QUARANTINED)
    with pytest.raises(UsageError, match="C119"):
        promote.trial("demo", tried.sha)


def test_a_folder_without_a_skill_changes_no_status(store: FakeProcedureStore) -> None:
    first, second = added(store, "B")
    store.folders["demo"] = {"notes.txt": b"mine"}
    with pytest.raises(UsageError, match="C110"):
        PromoteProcedure(store)("demo", second)
    assert store.version("demo", first).status is Status.ACTIVE
    assert store.folders["demo"] == {"notes.txt": b"mine"}
    with pytest.raises(UsageError, match="C111"):
        NewProcedure(store, store.form)("demo", skill())


@pytest.mark.parametrize("draft", [True, False])
def test_what_was_deleted_does_not_come_back_with_a_new_one(store: FakeProcedureStore, draft: bool) -> None:
    first = store.standing("demo")[1].sha
    del store.folders["demo"]
    made = NewProcedure(store, store.form)("demo", skill("Anew."), draft=draft)
    assert made.status is (Status.DRAFT if draft else Status.ACTIVE)
    assert store.version("demo", first).status is Status.RETIRED
    del store.folders["demo"]
    again = NewProcedure(store, store.form)("demo", skill("Anew."), draft=True)
    assert (again.sha, again.status) == (made.sha, Status.DRAFT)


def test_an_import_over_a_deleted_one_brings_nothing_back(store: FakeProcedureStore, tmp_path: Path) -> None:
    store.standing("demo")
    del store.folders["demo"]
    (tmp_path / "SKILL.md").write_bytes(skill("Theirs.")["SKILL.md"])
    done = ImportProcedure(store, SafeFolders(), store.form)(str(tmp_path))
    assert (done.placed, done.version.status, store.active()) == (True, Status.DRAFT, [])
