"""Wherever a promotion is killed, one version is in use, the folder is whole, and nobody's work is lost."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from cesello.adapters.procedure.folder_procedures import FolderProcedures
from cesello.application.promote_procedure import PromoteProcedure
from cesello.domain.procedure import Status, sha_of
from cesello.entrypoints.settings.procedure_file import ProcedureFiles
from tests.fakes.run import FixedClock
from tests.repository import ROOT


def skill(text: str) -> bytes:
    return f"---\nname: demo\ndescription: Does it.\n---\n\n{text}\n".encode()


def project(folder: Path) -> FolderProcedures:
    """One version in use, an edit that was not recorded, a file of an editor, and a version of a run."""
    store = FolderProcedures(folder, ProcedureFiles(), FixedClock())
    (folder / "demo" / "notes").mkdir(parents=True)
    (folder / "demo" / "SKILL.md").write_bytes(skill("First."))
    (folder / "demo" / "notes" / "a.txt").write_text("a")
    store.active()
    store.add("demo", {"SKILL.md": skill("Of a run."), "more/b.txt": b"b"}, author="run")
    (folder / "demo" / "SKILL.md").write_bytes(skill("Edited."))
    (folder / "demo" / ".SKILL.md.swp").write_text("unsaved")
    return store


def test_a_promotion_can_be_killed_anywhere(tmp_path: Path) -> None:
    project(tmp_path / "made")
    command = [sys.executable, "-m", "tests.integration.killed_promotion", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    *killed, last = json.loads(done.stdout)
    assert (last, set(killed)) == (0, {-signal.SIGKILL}), done.stderr
    assert len(killed) > 50

    actives, stands = set(), set()
    for number in range(1, len(killed) + 2):
        folder = tmp_path / str(number)
        store = FolderProcedures(folder, ProcedureFiles(), FixedClock())
        [(procedure, _)] = store.active()
        _, standing = store.standing("demo")  # it is whole, and one of the versions
        assert [one.status for one in store.versions("demo")].count(Status.ACTIVE) == 1
        bodies = {store.read("demo", one.sha).body for one in store.versions("demo")}
        assert bodies == {"First.", "Of a run.", "Edited."}
        actives.add(procedure.body)
        stands.add(store.read("demo", standing.sha).body)

        chosen = next(one for one in store.versions("demo") if one.author == "run")
        PromoteProcedure(store)("demo", chosen.sha)
        assert store.active()[0][1].sha == chosen.sha == sha_of(store.folder("demo"))
        assert (folder / "demo" / ".SKILL.md.swp").read_text() == "unsaved"
        assert sorted(path.name for path in (folder / ".versions").iterdir()) == [
            ".gitignore",
            "versions.sqlite3",
        ]
    assert actives == {"First.", "Of a run."}  # kills before and after the change were among them
    assert stands == {"Edited.", "Of a run."}
