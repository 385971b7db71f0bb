"""The SQLite file of a memory: who may read and write it, and what happens when it is damaged."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from stat import S_IMODE

import pytest

from cesello.adapters.memory.chunk_tables import FILE
from cesello.adapters.memory.sqlite_chunk_store import SqliteChunkStore
from cesello.domain.errors import CeselloError, RetryableError, StoreError
from cesello.domain.remembered import EVERYTHING, Selection
from tests.remembered import EMBEDDER, keep, remembered, vectors_of
from tests.repository import ROOT

FILES = [
    remembered(f"src/{n}.py", *(f"apples {n} and {k}, " + "red " * k for k in range(5))) for n in range(20)
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a memory that is closed."""
    store = SqliteChunkStore(tmp_path / "memory")
    keep(store, *FILES)
    store.close()
    return tmp_path / "memory"


@contextmanager
def writing(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that writes, and is killed in the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.writing_memory", folder],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout
    try:
        assert process.stdout.readline() == "writing\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def read_all(store: SqliteChunkStore) -> None:
    """All that readers and writers do."""
    store.state()
    store.files()
    store.nearest(EMBEDDER.embed_query("apples 3"), 20, EVERYTHING)
    store.matching("apples red", 20, Selection(("src",)))
    chunks = list(store.all_chunks())
    list(store.vectors())
    store.chunks([key for key, _ in chunks], EVERYTHING)
    with store.writer():
        store.problems()
        store.put(FILES[:3], {})
        store.forget(["src/4.py"])
        store.changed_since(0)
        with store.renewal("other") as renewal:
            list(renewal.missing())
        store.tidy(0)


def test_it_is_its_owners_alone(folder: Path) -> None:
    store = SqliteChunkStore(folder)
    with store.writer():
        store.put(FILES[:1], {})
        modes = {
            path.name: S_IMODE(path.stat().st_mode) for path in folder.iterdir() if path.name != ".gitignore"
        }
    store.close()
    assert modes == dict.fromkeys([FILE, f"{FILE}-wal", f"{FILE}-shm", "writer.lock"], 0o600)
    assert S_IMODE(folder.stat().st_mode) == 0o700


def test_after_writing_all_is_in_one_file(tmp_path: Path) -> None:
    store = SqliteChunkStore(tmp_path)
    keep(store, *FILES)
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / FILE).write_bytes((tmp_path / FILE).read_bytes())
    assert {path.name for path in tmp_path.iterdir()} == {FILE, "writer.lock", ".gitignore", "copy"}
    assert SqliteChunkStore(copy).state().files == 20
    assert store.state().files == 20, "it opens again"


@pytest.mark.parametrize("name", [FILE, "writer.lock"])
def test_a_link_among_the_files_is_not_followed(folder: Path, tmp_path: Path, name: str) -> None:
    """Not to another memory either: the folder may have come with a repository."""
    victim = (folder / name).rename(tmp_path / "victim")
    before = victim.read_bytes()
    (folder / name).symlink_to(victim)
    with pytest.raises(StoreError) as refused:
        keep(SqliteChunkStore(folder), FILES[0])
    assert (refused.value.code, refused.value.where) == ("S017", str(folder / name))
    assert victim.read_bytes() == before


def test_reading_makes_nothing(tmp_path: Path) -> None:
    store = SqliteChunkStore(tmp_path / "memory")
    store.state()
    store.matching("apples", 3, EVERYTHING)
    assert list(tmp_path.iterdir()) == []


def test_a_second_process_is_told_that_another_writes(folder: Path) -> None:
    store = SqliteChunkStore(folder)
    with writing(folder) as other:
        with pytest.raises(RetryableError) as refused, store.writer():
            pass
        assert refused.value.code == "T083"
        other.kill()
        other.wait()
        with store.writer():
            store.forget(["src/1.py"])
    store.close()


def test_readers_see_whole_files_while_another_process_writes(folder: Path) -> None:
    store = SqliteChunkStore(folder)
    with writing(folder) as other:
        assert other.stdout
        seen = []
        for _ in range(20):
            acknowledged = int(other.stdout.readline())
            question = EMBEDDER.embed_query(f"the text of number{acknowledged}")
            assert store.nearest(question, 5, EVERYTHING)[0].score == pytest.approx(1, abs=1e-6)
            assert store.matching(f"number{acknowledged}", 5, EVERYTHING)
            for _ in range(200):  # whatever is written between two of its tables
                state = store.state()
                assert state.files >= 20 + acknowledged
                assert state.chunks == 5 * 20 + state.files - 20
                seen.append(state.files)
        assert seen == sorted(seen)
        assert seen[-1] > seen[0]
    store.close()


def test_what_was_acknowledged_outlasts_the_writer(folder: Path) -> None:
    with writing(folder) as other:
        assert other.stdout
        acknowledged = [int(other.stdout.readline()) for _ in range(10)][-1]
    store = SqliteChunkStore(folder)
    assert {f"{number}.py" for number in range(1, acknowledged + 1)} <= store.files().keys()
    with store.writer():
        assert store.problems() == ()
    store.close()


def test_a_folder_of_somebody_else_can_be_read_and_not_written(folder: Path) -> None:
    """By who cannot write it: root gives up its powers for that."""
    for path in [folder, *folder.iterdir()]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    for parent in folder.parents[:4] if os.getuid() == 0 else ():
        parent.chmod(S_IMODE(parent.stat().st_mode) | 0o011)
    stranger = ["60123"] if os.getuid() == 0 else []
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.reading_memory", folder, *stranger],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("100 texts, 20 near, 20 said\nPermissionError\n", "")


@pytest.mark.parametrize("others", [False, True])
def test_files_that_are_no_memory_of_this_form_are_refused_and_left(folder: Path, others: bool) -> None:
    with sqlite3.connect(folder / FILE) as connection:
        connection.execute(
            "DROP TABLE vectors" if others else "UPDATE meta SET value = '99' WHERE name = 'form'"
        )
    connection.close()
    before = (folder / FILE).read_bytes()
    store = SqliteChunkStore(folder)
    with pytest.raises(StoreError) as refused:
        store.state()
    assert refused.value.code == "S011"
    with pytest.raises(StoreError) as refused, store.writer():
        pass
    assert refused.value.code == "S011"
    assert refused.value.got == ("other tables" if others else "form 99")
    assert (folder / FILE).read_bytes() == before


def test_a_file_that_is_no_database_is_refused_and_left(folder: Path) -> None:
    (folder / FILE).write_text("A diary. Nobody is to read it.\n" * 100)
    store = SqliteChunkStore(folder)
    with pytest.raises(StoreError) as refused:
        store.state()
    assert refused.value.code == "S012"
    with pytest.raises(StoreError) as refused, store.writer():
        pass
    assert refused.value.code == "S012"
    assert (folder / FILE).read_text().startswith("A diary")


@pytest.mark.parametrize("kind", ["truncated", "zeroed", "random", "bits"])
def test_a_damaged_file_is_refused_or_read_and_nothing_worse(folder: Path, tmp_path: Path, kind: str) -> None:
    whole, draw, refused = (folder / FILE).read_bytes(), random.Random(kind), set[str]()
    for number in range(25):
        damaged, at, length = (
            bytearray(whole),
            draw.randrange(len(whole)),
            draw.choice([16, 500, 4096, 20_000]),
        )
        match kind:
            case "truncated":
                del damaged[at:]
            case "zeroed":
                damaged[at : at + length] = bytes(len(damaged[at : at + length]))
            case "random":
                damaged[at : at + length] = draw.randbytes(len(damaged[at : at + length]))
            case _:
                damaged[at] ^= 1 << draw.randrange(8)
        copy = tmp_path / str(number)
        copy.mkdir()
        (copy / FILE).write_bytes(damaged)
        store = SqliteChunkStore(copy)
        try:
            read_all(store)
        except CeselloError as refusal:
            refused.add(refusal.code)
        finally:
            store.close()
    assert refused
    assert refused <= {"S011", "S012"}


def test_the_right_to_write_is_waited_for_a_second(folder: Path) -> None:
    with writing(folder):
        began = time.perf_counter()
        with pytest.raises(RetryableError), SqliteChunkStore(folder).writer():
            pass
        assert time.perf_counter() - began >= 1


def test_what_is_read_together_is_of_one_moment(folder: Path) -> None:
    reader, writer = SqliteChunkStore(folder), SqliteChunkStore(folder)
    with reader.reading():
        before = reader.state()
        keep(writer, remembered("src/new.py", "a text that is new\n"))
        assert reader.state() == before
        assert not reader.matching("new", 20, EVERYTHING)
    assert reader.state().files == before.files + 1
    assert reader.matching("new", 20, EVERYTHING)


def test_threads_ask_while_another_writes(folder: Path) -> None:
    store, problems, ended = SqliteChunkStore(folder), list[BaseException](), threading.Event()

    def ask() -> None:
        while not ended.is_set():
            try:
                read_all(store)
            except BaseException as problem:
                # Where all wait for one processor, a second is not always enough for the right to write.
                if getattr(problem, "code", "") != "T083":
                    problems.append(problem)

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()
    try:
        for number in range(20):
            with suppress(RetryableError):
                keep(
                    store, remembered(f"src/{number % 5}.py", *(f"apples {number} and {k}" for k in range(5)))
                )
    finally:
        ended.set()
        for asker in askers:
            asker.join()
    assert problems == []


SECRET = b"swordfish"


def holding(folder: Path) -> set[str]:
    """Files that have the secret, or all of it but its first letter, which an index of words leaves out."""
    return {path.name for path in folder.iterdir() if SECRET[1:] in path.read_bytes()}


@pytest.mark.parametrize("edited", [False, True])
def test_nothing_of_what_was_forgotten_is_left_on_the_disk(folder: Path, edited: bool) -> None:
    store, reader = SqliteChunkStore(folder), SqliteChunkStore(folder)
    secret = remembered("src/key.py", *(f"the {SECRET.decode()} of apples {n}\n" for n in range(50)))
    keep(store, secret)
    assert reader.matching(SECRET.decode(), 5, EVERYTHING), "so that the log stays when the writer has gone"
    assert FILE in holding(folder)
    with store.writer():
        if edited:
            store.put([remembered("src/key.py", "apples\n")], {})
        else:
            store.forget(["src/key.py"])
        store.tidy(0)
    assert holding(folder) == set()
    assert (folder / f"{FILE}-wal").exists()
    assert reader.matching("apples 3", 20, EVERYTHING)
    reader.close()


def test_words_that_were_edited_out_go_once_there_are_many(folder: Path) -> None:
    store = SqliteChunkStore(folder)
    keep(store, *(remembered(f"{n}.py", f"the text of {n}\n") for n in range(40)))
    left = []
    for n in range(4):  # two of 140 chunks each time
        keep(store, remembered(f"{n}.py", f"{SECRET.decode()}\n", time=2))
        with store.writer():
            store.put([remembered(f"{n}.py", "apples\n", time=3)], vectors_of(remembered("x", "apples\n")))
            store.tidy()
        left.append(bool(holding(folder)))
    assert left == [True, True, True, False]
    keep(store, remembered("5.py", f"{SECRET.decode()}\n", time=2))
    keep(store, remembered("5.py", "apples\n", time=3))
    assert holding(folder)
    with store.writer():
        store.rewrite_words()
    assert not holding(folder), "nor is any left when all are written anew"


def test_a_damaged_list_of_words_is_written_anew(folder: Path) -> None:
    store = SqliteChunkStore(folder)
    keep(store, *(remembered(f"{n}.py", f"the text of {n}\n") for n in range(20)))
    with closing(sqlite3.connect(folder / FILE)) as file:
        file.execute("DELETE FROM words_data WHERE id > 10")
        file.commit()
    with store.writer():
        assert store.problems()
        store.rewrite_words()
        assert not store.problems()
    assert len(store.matching("text", 30, EVERYTHING)) == 20


def test_a_memory_that_was_taken_away_or_replaced_answers_no_more(folder: Path) -> None:
    reader = SqliteChunkStore(folder)
    question = EMBEDDER.embed_query("apples 3")
    before = reader.state()
    assert reader.nearest(question, 5, EVERYTHING)
    shutil.rmtree(folder)
    assert (reader.state().files, dict(reader.files())) == (0, {})
    assert not reader.nearest(question, 5, EVERYTHING)
    assert not reader.matching("apples", 5, EVERYTHING)
    other = SqliteChunkStore(folder)
    keep(other, remembered("new.py", "the only text of apples 3\n"))
    assert reader.state().revision == before.revision, "it cannot be told by that"
    assert "" != before.identity != reader.state().identity != ""
    assert list(reader.files()) == ["new.py"]
    assert len(reader.nearest(question, 5, EVERYTHING)) == len(reader.matching("apples", 5, EVERYTHING)) == 1
    with other.writer():
        shutil.rmtree(folder)
        assert other.state().files == 1, "who writes goes on to the end"
    assert other.state().files == 0


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("DELETE FROM words", "100 chunks are in no list of words"),
        ("UPDATE words SET text = 'pears' WHERE rowid < 4", "3 chunks are listed by other words than theirs"),
        ("INSERT INTO words VALUES ('a', 'b', 'pears')", "1 lists of words are of no chunk"),
    ],
)
def test_words_that_are_wrong_are_told_and_can_be_made_again(folder: Path, damage: str, said: str) -> None:
    store = SqliteChunkStore(folder)
    before = store.matching("apples 3", 20, EVERYTHING)
    with store.writer():
        with store._db.changing() as run:
            run(damage)
        assert store.problems() == (said,)
        store.rewrite_words()
        assert store.problems() == ()
    assert store.matching("apples 3", 20, EVERYTHING) == before


def test_a_file_whose_first_writer_was_killed_is_an_empty_memory(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / FILE).execute("PRAGMA journal_mode=WAL").close()
    store = SqliteChunkStore(tmp_path)
    assert store.state().files == 0
    keep(store, remembered("a.py", "a text\n"))
    assert store.state().files == 1
