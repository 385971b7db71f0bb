from __future__ import annotations

import json
import os
import pickle  # noqa: TID251  what an attack is made of
import random
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from stat import S_IMODE
from typing import Any

import chromadb
import pytest
from chromadb import EmbeddingFunction
from chromadb.config import Settings
from chromadb.utils.embedding_functions import known_embedding_functions
from filelock import FileLock

from cesello.adapters.memory import chroma_folder
from cesello.adapters.memory.chroma_store import ChromaStore
from cesello.domain.errors import CeselloError, StoreError
from cesello.domain.retrieval import VectorEntry, unit_vector

EAST = (1.0, 0.0)
MANY, NUMBERS = 1_300, 8  # Chroma writes a graph from 1,000 on


def entries(count: int = MANY) -> list[VectorEntry]:
    draw = random.Random(5)
    return [VectorEntry(f"e{n}", [draw.gauss() for _ in range(NUMBERS)]) for n in range(count)]


ENTRIES = entries()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a graph in it, closed."""
    folder = tmp_path_factory.mktemp("whole") / "store"
    store = ChromaStore(folder)
    store.upsert(ENTRIES)
    store.close()
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy that nobody has open."""
    return shutil.copytree(whole, tmp_path / "store")


def own_vectors_found(store: ChromaStore) -> int:
    """Of 65 entries how many are the nearest to their own vector."""
    return sum(store.nearest(entry.vector, 1)[0].id == entry.id for entry in ENTRIES[::20])


def refused(action: Callable[[], object]) -> CeselloError:
    with pytest.raises(CeselloError) as caught:
        action()
    assert caught.value.fix
    return caught.value


def file_named(folder: Path, name: str) -> Path:
    (found,) = folder.rglob(name)
    return found


@contextmanager
def perhaps_refused() -> Iterator[None]:
    """What stands within this holds, or the folder is refused as broken."""
    try:
        yield
    except StoreError as error:
        if error.code != "S004":
            raise


FILES = [
    "chroma.sqlite3",
    "data_level0.bin",
    "header.bin",
    "index_metadata.pickle",
    "length.bin",
    "link_lists.bin",
    "cesello.json",
    "cesello.lock",
]
DAMAGES: dict[str, Callable[[Path], object]] = {
    "deleted": lambda path: path.unlink(),
    "emptied": lambda path: path.write_bytes(b""),
    "cut in half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "zeroed": lambda path: path.write_bytes(bytes(path.stat().st_size)),
}


def test_the_files_are_those_that_are_damaged_below(whole: Path) -> None:
    assert sorted(path.name for path in whole.rglob("*") if path.is_file()) == sorted(FILES)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_folder_works_wholly_or_is_refused_and_can_be_filled_again(
    folder: Path, name: str, damage: Callable[[Path], object]
) -> None:
    damage(file_named(folder, name))
    store = ChromaStore(folder)
    if name == "cesello.lock" or (name == "cesello.json" and damage is DAMAGES["deleted"]):
        assert (len(store), own_vectors_found(store)) == (MANY, 65)
    else:
        for action in (
            lambda: len(store),
            lambda: list(store.ids()),
            lambda: store.nearest(ENTRIES[0].vector),
            lambda: store.delete(["e0"]),
            lambda: store.upsert(ENTRIES[:1]),
        ):
            assert refused(action).code == "S004"
    store.clear()
    assert len(store) == 0
    store.upsert(ENTRIES)
    assert (len(store), own_vectors_found(store)) == (MANY, 65)
    store.close()


@pytest.mark.parametrize("damage", ["half of a page", "a page"])
def test_a_hole_in_the_database_is_seen(folder: Path, damage: str) -> None:
    database = folder / "chroma.sqlite3"
    content = bytearray(database.read_bytes())
    size = 2_048 if damage == "half of a page" else 4_096
    middle = len(content) // 2 // 4_096 * 4_096
    content[middle : middle + size] = bytes(size)
    database.write_bytes(content)
    store = ChromaStore(folder)
    with perhaps_refused():  # what Chroma has no use for may be lost
        assert (len(store), len(set(store.ids())), own_vectors_found(store)) == (MANY, MANY, 65)
    store.clear()
    store.upsert(ENTRIES[:5])
    assert len(store) == 5
    store.close()


def test_what_a_process_wrote_after_the_seal_is_not_believed(folder: Path) -> None:
    file_named(folder, "link_lists.bin").with_name("more.bin").write_bytes(b"x")
    assert "unknown file" in str(refused(lambda: len(ChromaStore(folder))))


def test_only_the_owner_reads_the_files(folder: Path) -> None:
    store = ChromaStore(folder)
    store.upsert(ENTRIES[:1])
    modes = {path.name: S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}
    graph = file_named(folder, "header.bin").parent.name
    assert modes == dict.fromkeys(FILES, 0o600) | {graph: 0o700}
    store.close()


def test_what_is_cleared_or_discarded_is_in_no_file_any_more(folder: Path) -> None:
    """Chroma alone leaves vectors in the pages of its database that are free."""
    parts = [struct.pack(f"<{NUMBERS}f", *unit_vector(entry.vector))[8:] for entry in ENTRIES[::20]]

    def left() -> int:
        files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
        return sum(any(part in file for file in files) for part in parts)

    assert left() == len(parts)
    store = ChromaStore(folder)
    store.clear()
    assert left() == 0
    store.upsert(ENTRIES)
    store.close()
    assert left() == len(parts)
    assert chroma_folder.ChromaFolder(folder).discard("a store")
    assert not folder.exists()
    assert chroma_folder.ChromaFolder(folder).discard("a store"), "there is nothing left of it"


def test_a_folder_that_is_filled_again_does_not_grow(folder: Path) -> None:
    store = ChromaStore(folder)
    for _ in range(3):
        store.clear()
        store.upsert(ENTRIES)
    assert len(list(folder.rglob("header.bin"))) == 1
    store.close()


def test_a_folder_that_is_deleted_while_it_is_open_is_refused_or_answers_and_can_be_filled_again(
    folder: Path,
) -> None:
    store = ChromaStore(folder)
    assert len(store) == MANY
    shutil.rmtree(folder)
    with perhaps_refused():
        assert (len(store), own_vectors_found(store)) == (MANY, 65)
    assert refused(lambda: store.upsert(ENTRIES[:1])).code == "S004"
    store.clear()
    assert len(store) == 0
    store.upsert(ENTRIES[:7])
    assert sorted(store.ids()) == [f"e{n}" for n in range(7)]
    store.close()


def test_a_folder_of_somebody_else_is_used_but_never_emptied(tmp_path: Path) -> None:
    client: Any = chromadb.PersistentClient(tmp_path, Settings(anonymized_telemetry=False))
    theirs = client.create_collection("theirs", embedding_function=None)
    theirs.upsert(ids=["x"], embeddings=[[1.0, 2.0]])
    client.close()
    store = ChromaStore(tmp_path)
    store.upsert(ENTRIES[:3])
    store.clear()
    assert len(store) == 0
    store.close()
    (tmp_path / "chroma.sqlite3").write_bytes(b"no database")
    before = sorted(tmp_path.rglob("*"))
    assert refused(lambda: ChromaStore(tmp_path).clear()).code == "S004"
    assert not chroma_folder.ChromaFolder(tmp_path).discard("a store")
    assert sorted(tmp_path.rglob("*")) == before


LOCKS = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_database_that_another_process_holds_is_busy_and_not_broken(folder: Path) -> None:
    command = [sys.executable, "-c", LOCKS, str(folder / "chroma.sqlite3")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        store = ChromaStore(folder)
        assert refused(lambda: len(store)).code == "T098"
        other.communicate()
    assert (len(store), own_vectors_found(store)) == (MANY, 65)
    store.close()


def test_a_folder_that_another_process_writes_to_is_busy(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chroma_folder, "_PATIENCE", 0.2)
    store = ChromaStore(folder)
    with FileLock(folder / "cesello.lock"):
        for action in (lambda: len(store), lambda: store.upsert(ENTRIES[:1]), store.clear):
            assert refused(action).code == "T098"
    assert len(store) == MANY
    store.close()


WRITES = """
import sys
from pathlib import Path
from cesello.adapters.memory.chroma_store import ChromaStore
from cesello.domain.retrieval import VectorEntry
store = ChromaStore(Path(sys.argv[1]))
print("writes", flush=True)
for turn in range(10_000):
    known = range(turn * 50 % 1_300, turn * 50 % 1_300 + 50)
    store.upsert([VectorEntry(f"k{n}", [float(n), float(turn), 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]) for n in known])
"""


def test_a_folder_whose_writer_was_killed_can_be_filled_again(folder: Path) -> None:
    draw = random.Random(11)
    for turn in range(2):
        with subprocess.Popen([sys.executable, "-c", WRITES, str(folder)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"writes\n"
            with pytest.raises(subprocess.TimeoutExpired):
                writer.wait(draw.uniform(0.1, 1.0))
            writer.send_signal(signal.SIGKILL)
        folder = shutil.copytree(folder, folder.with_name(f"copy {turn}"))
        store = ChromaStore(folder)
        with perhaps_refused():
            # The memory makes the index of a killed writer anew, whatever it holds.
            assert all(known[0] in "ek" for known in store.ids())
        store.clear()
        store.upsert(ENTRIES)
        store.close()


BUILT: list[object] = []


class Attack(EmbeddingFunction[Any]):
    """Stands for those of Chroma's that load a model, and run the code that it brings."""

    def __init__(self) -> None:
        pass

    def __call__(self, input: Any) -> Any:
        return []

    @staticmethod
    def name() -> str:
        return "attack"

    @staticmethod
    def build_from_config(config: dict[str, Any]) -> EmbeddingFunction[Any]:
        BUILT.append(config)
        return Attack()

    def get_config(self) -> dict[str, Any]:
        return {}


@pytest.fixture
def attack() -> Iterator[dict[str, Any]]:
    known_embedding_functions["attack"] = Attack
    BUILT.clear()
    yield {"name": "attack", "type": "known", "config": {"kwargs": {"trust_remote_code": True}}}
    del known_embedding_functions["attack"]


@pytest.mark.parametrize("column", ["config_json_str", "schema_str"])
def test_a_tampered_folder_runs_nothing_though_chroma_alone_would(
    folder: Path, attack: dict[str, Any], column: str
) -> None:
    with closing(sqlite3.connect(folder / "chroma.sqlite3")) as connection:
        (stored,) = connection.execute(f"SELECT {column} FROM collections").fetchone()
        settings = json.loads(stored)
        if column == "schema_str":
            index = settings["keys"]["#embedding"]["float_list"]["vector_index"]["config"]
            index["embedding_function"] = attack
        else:
            connection.execute("UPDATE collections SET schema_str = NULL")
            settings["embedding_function"] = attack
        connection.execute(f"UPDATE collections SET {column} = ?", (json.dumps(settings),))
        connection.commit()
    copied = shutil.copytree(folder, folder.with_name("copied"))

    store = ChromaStore(folder)
    for action in (
        lambda: len(store),
        lambda: list(store.ids()),
        lambda: store.nearest(ENTRIES[0].vector),
        lambda: store.delete(["e0"]),
        lambda: store.upsert(ENTRIES[:1]),
    ):
        assert refused(action).code == "S005"
    store.clear()
    store.upsert(ENTRIES[:2])
    assert len(store) == 2
    store.close()
    assert BUILT == []

    client: Any = chromadb.PersistentClient(copied, Settings(anonymized_telemetry=False))
    assert client.get_collection("code", embedding_function=None).configuration is not None
    assert len(BUILT) == 1  # so the attack is one
    client.close()


def test_settings_with_a_key_twice_are_not_believed(folder: Path, attack: dict[str, Any]) -> None:
    twice = f'{{"embedding_function": {json.dumps(attack)}, "embedding_function": null}}'
    with closing(sqlite3.connect(folder / "chroma.sqlite3")) as connection:
        connection.execute("UPDATE collections SET schema_str = NULL, config_json_str = ?", (twice,))
        connection.commit()
    assert refused(lambda: len(ChromaStore(folder))).code == "S004"
    assert BUILT == []


class Touching:
    """Pickled, it touches a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["cesello.json.new", "cesello.lock", "chroma.sqlite3", "header.bin", ""])
def test_a_link_in_the_folder_is_not_followed(folder: Path, tmp_path: Path, name: str) -> None:
    file = file_named(folder, name) if name.endswith(".bin") else folder / name
    victim = tmp_path / "victim"
    if file.exists():
        file.rename(victim)
    else:
        victim.write_text("precious\n")
    before = victim.stat()
    file.symlink_to(victim)
    store = ChromaStore(folder)
    for action in (lambda: store.upsert(ENTRIES[:1]), store.clear, lambda: len(store)):
        assert refused(action).code == "S017"
    assert (victim.stat().st_size, victim.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def test_a_pickle_among_the_files_runs_nothing_even_without_a_seal(folder: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    attack = pickle.dumps(Touching(trace))
    file_named(folder, "index_metadata.pickle").write_bytes(attack)
    (folder / "cesello.json").unlink()
    store = ChromaStore(folder)
    with pytest.raises(StoreError):
        store.nearest(ENTRIES[0].vector)
    with pytest.raises(StoreError):
        store.upsert(ENTRIES)
    store.close()
    assert not trace.exists()
    pickle.loads(attack)  # noqa: S301
    assert trace.exists()  # so the attack is one
