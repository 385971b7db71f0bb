"""A memory whose writers are killed, or whose index is destroyed, loses nothing and says nothing wrong."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from cesello.adapters.memory.chroma_store import ChromaStore
from cesello.adapters.memory.folder_tree import FolderTree
from cesello.adapters.memory.sqlite_chunk_store import SqliteChunkStore
from cesello.application.ask import Answer, Ask, AskRequest
from cesello.application.keep_index import KeepIndex
from cesello.application.remember import RememberRequest
from cesello.application.verify_memory import VerifyMemory
from cesello.domain.remembered import EVERYTHING
from tests.fakes.memory import FakeChunker, FakeEmbedder
from tests.fakes.run import FakeStop, RecordingObserver
from tests.remembered import remember_with, write_files
from tests.repository import ROOT

QUESTIONS = ["word3 word14", "line of word15", "word92", "of 65 and 35", "nothing of the kind"]


def killed_memory(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.integration.killed_memory", str(folder), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def campaign(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    done = killed_memory(folder, kills, seed)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_ten_kills_lose_nothing(tmp_path: Path) -> None:
    result = campaign(tmp_path, kills=10, seed=1)
    assert result["wrong"] == []
    assert sum(result["kills"].values()) >= 10
    assert len(result["kills"]) >= 3, result
    assert result["looked"] > 1_000


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_hundred_kills_lose_nothing(tmp_path: Path) -> None:
    result = campaign(tmp_path, kills=100, seed=2)
    assert result["wrong"] == []
    assert sum(result["kills"].values()) >= 100
    assert all(result["kills"].get(kind, 0) > 5 for kind in ("put", "upsert", "mark")), result


def test_a_start_that_fails_is_not_taken_for_one_that_was_killed(tmp_path: Path) -> None:
    (tmp_path / "memory").write_text("a file in the folder's place")
    done = killed_memory(tmp_path, 1, 1)
    assert done.returncode == 1
    assert "a start ended with 70:\nFileExistsError" in done.stderr


class Memory:
    """A memory in a folder, with an index of Chroma, opened anew."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = SqliteChunkStore(folder / "memory")
        self.index = ChromaStore(folder / "memory" / "chroma")
        self.observer = RecordingObserver()
        self.keep_index = KeepIndex(self.store, lambda: self.index, "index", 0, self.observer)

    def remember(self) -> None:
        remember_with(FolderTree(self.folder / "project"), self.store, self.index, chunker=FakeChunker(120))(
            RememberRequest((".",))
        )

    def answers(self) -> list[Answer]:
        ask = Ask(FakeEmbedder(), None, self.store, self.keep_index)
        return [ask(AskRequest(question, keep=20, words=0.0)) for question in QUESTIONS]

    def problems(self) -> Sequence[str]:
        return VerifyMemory(self.store, self.keep_index, self.observer, FakeStop())().problems

    def close(self) -> None:
        self.store.close()
        self.index.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a project of 300 texts and its memory."""
    folder, draw = tmp_path_factory.mktemp("whole"), random.Random(1)
    lines = [f"word{draw.randrange(100)} and the word{n} of line {draw.randrange(100)}\n" for n in range(900)]
    write_files(folder / "project", {f"{n}.py": "".join(lines[9 * n : 9 * n + 9]) for n in range(100)})
    memory = Memory(folder)
    memory.remember()
    assert memory.store.state().texts >= 300
    assert not any(answer.exact for answer in memory.answers())
    assert memory.problems() == ()
    memory.close()
    return folder


def said(memory: Memory) -> list[list[tuple[str, float]]]:
    """The 20 nearest texts of each question, by the index if it is ready.

    Scores are rounded, as near as two ways of computing them are; of the last, who may be many, only these.
    """
    nearest: list[list[tuple[str, float]]] = []
    for question in QUESTIONS:
        vector = FakeEmbedder().embed_query(question)
        if memory.keep_index.is_ready():
            hits = memory.index.nearest(vector, 20)
        else:
            hits = memory.store.nearest(vector, 20, EVERYTHING)
        scores = [(hit.id, round(hit.score, 3)) for hit in hits]
        nearest.append(sorted((key if score > scores[-1][1] else "", score) for key, score in scores))
    return nearest


def index_files(folder: Path) -> list[Path]:
    """All files of the index, relative to the folder."""
    index = folder / "memory" / "chroma"
    return sorted(path.relative_to(folder) for path in index.rglob("*") if path.is_file())


@pytest.mark.parametrize("damage", ["deleted", "truncated", "zeroed"])
def test_without_any_file_of_its_index_a_memory_answers_as_before(
    whole: Path, tmp_path: Path, damage: str
) -> None:
    before = Memory(whole)
    expected = said(before)
    before.close()
    assert all(len(answer) == 20 for answer in expected)
    files = index_files(whole)
    assert len(files) >= 5
    for number, name in enumerate(files):
        folder = Path(shutil.copytree(whole, tmp_path / str(number)))
        broken, content = folder / name, (whole / name).read_bytes()
        match damage:
            case "deleted":
                broken.unlink()
            case "truncated":
                broken.write_bytes(content[: len(content) // 2])
            case _:
                broken.write_bytes(bytes(len(content)))
        memory = Memory(folder)
        assert said(memory) == expected, f"{name} {damage}: the nearest"
        assert [len(answer.passages) for answer in memory.answers()] == [20] * len(QUESTIONS)
        memory.close()
        memory = Memory(folder)
        memory.remember()
        answers = memory.answers()
        assert said(memory) == expected, f"{name} {damage}: the nearest after the next remember"
        assert not any(answer.exact for answer in answers), f"{name} {damage}: the index is there again"
        assert memory.problems() == ()
        memory.close()


def test_an_index_that_somebody_tampered_with_runs_nothing(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chroma is not even opened on it, and the next remember makes it anew."""
    folder = Path(shutil.copytree(whole, tmp_path / "tampered"))
    remote = {
        "name": "sentence_transformer",
        "type": "known",
        "config": {"model_name": "evil", "trust_remote_code": True},
    }
    with sqlite3.connect(folder / "memory" / "chroma" / "chroma.sqlite3") as connection:
        connection.execute(
            "UPDATE collections SET config_json_str = ?", (json.dumps({"embedding_function": remote}),)
        )
    connection.close()
    untouched = Memory(whole)
    expected = said(untouched)
    untouched.close()
    memory = Memory(folder)
    with monkeypatch.context() as patched:
        patched.setattr("chromadb.PersistentClient", lambda *arguments: pytest.fail("Chroma opened it"))
        answers = memory.answers()
        assert all(answer.exact for answer in answers)
        assert said(memory) == expected
    memory.remember()
    assert not any(answer.exact for answer in memory.answers())
    assert b"trust_remote_code" not in (folder / "memory" / "chroma" / "chroma.sqlite3").read_bytes()
    memory.close()


def test_three_writers_at_once_take_turns_or_are_told_to_wait(tmp_path: Path) -> None:
    files = {f"part{n % 3}/{n}.py": f"the text of number{n}\n" for n in range(150)}
    write_files(tmp_path / "project", files)
    command = [sys.executable, "-m", "tests.integration.killed_memory", str(tmp_path)]
    writers = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for writer in writers:
        *waited, last = writer.communicate(timeout=200)[0].split()
        assert last == "done"
        assert set(waited) <= {"T083"}
    memory = Memory(tmp_path)
    assert set(memory.store.files()) == files.keys()
    assert memory.problems() == ()
    memory.close()
