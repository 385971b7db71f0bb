from __future__ import annotations

import json
import math
import random
import shutil
import sqlite3
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from stat import S_IMODE
from uuid import uuid4

import chromadb
import pytest
from chromadb.config import Settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cesello.adapters.memory.chroma_server_store import ChromaServerStore
from cesello.adapters.memory.chroma_store import ChromaStore
from cesello.adapters.memory.numpy_store import NumpyStore
from cesello.adapters.memory.pgvector_store import PgvectorStore
from cesello.domain.chunk_text import embedding_text
from cesello.domain.document import SourceFile
from cesello.domain.errors import StoreError
from cesello.domain.ports.memory import VectorStore
from cesello.domain.retrieval import Hit, VectorEntry
from tests.fakes.memory import FakeChunker, FakeEmbedder, FakeVectorStore
from tests.store_servers import chroma, postgres

STORES = ["fake", "numpy", "chroma in memory", "chroma in a folder", "chroma server", "pgvector"]
IN_MEMORY: dict[str, Callable[[], VectorStore]] = {
    "fake": FakeVectorStore,
    "numpy": NumpyStore,
    "chroma": lambda: ChromaStore(None),
}

EAST, NORTH, WEST = (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0)


@pytest.fixture(scope="module")
def postgres_dsn() -> Iterator[str]:
    with postgres() as dsn:
        yield dsn


@pytest.fixture(scope="module")
def chroma_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with chroma(tmp_path_factory.mktemp("chroma")) as url:
        yield url


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VectorStore]:
    match request.param:
        case "fake":
            made: VectorStore = FakeVectorStore()
        case "numpy":
            made = NumpyStore()
        case "chroma in memory":
            made = ChromaStore(None)
        case "chroma in a folder":
            made = ChromaStore(tmp_path / "store")
        case "chroma server":
            made = ChromaServerStore(request.getfixturevalue("chroma_url"), uuid4().hex)
        case _:
            made = PgvectorStore(request.getfixturevalue("postgres_dsn"), uuid4().hex)
    yield made
    made.close()


def entry(known: str, /, *vector: float, **metadata: str) -> VectorEntry:
    return VectorEntry(known, vector, metadata)


def ids(hits: tuple[Hit, ...]) -> list[str]:
    return [hit.id for hit in hits]


def refused_with(code: str, action: Callable[[], object]) -> str:
    with pytest.raises(StoreError) as refused:
        action()
    assert refused.value.code == code
    assert refused.value.fix
    return str(refused.value)


def test_what_is_stored_is_found_best_first_with_cosine_and_metadata(store: VectorStore) -> None:
    store.upsert([entry("west", *WEST), entry("north-east", 3.0, 3.0, path="a.py"), entry("east", 0.5, 0.0)])
    hits = store.nearest(EAST)
    assert ids(hits) == ["east", "north-east", "west"]
    assert [hit.score for hit in hits] == pytest.approx([1.0, math.sqrt(0.5), -1.0], abs=1e-6)
    assert [dict(hit.metadata) for hit in hits] == [{}, {"path": "a.py"}, {}]
    assert len(store) == 3


def test_a_new_store_is_empty(store: VectorStore) -> None:
    assert len(store) == 0
    assert store.nearest(EAST) == ()
    store.upsert([])
    store.delete([])
    store.delete(["nothing"])
    store.clear()
    assert len(store) == 0


@pytest.mark.parametrize(("recall", "found"), [(1, 1), (3, 3), (20, 5), (10_000, 5)])
def test_recall_is_the_most_that_is_found(store: VectorStore, recall: int, found: int) -> None:
    store.upsert([entry(str(n), 1.0, float(n)) for n in range(5)])
    assert ids(store.nearest(EAST, recall)) == [str(n) for n in range(found)]


def test_twenty_are_found_unless_told_otherwise(store: VectorStore) -> None:
    store.upsert([entry(str(n), 1.0, float(n)) for n in range(30)])
    assert ids(store.nearest(EAST)) == [str(n) for n in range(20)]


def test_an_entry_takes_the_place_of_the_one_with_its_id(store: VectorStore) -> None:
    store.upsert([entry("a", *EAST, path="old.py", name="old"), entry("b", *NORTH)])
    store.upsert([entry("a", *WEST, path="new.py"), entry("c", *EAST, path="c.py")])
    hits = {hit.id: hit for hit in store.nearest(WEST)}
    assert hits["a"].score == pytest.approx(1.0)
    assert hits["a"].metadata == {"path": "new.py"}
    assert len(store) == 3
    assert ids(store.nearest(EAST, where={"name": "old"})) == []
    store.upsert([entry("a", *WEST)])
    assert ids(store.nearest(WEST, where={"path": "new.py"})) == []


def test_the_last_of_several_with_one_id_wins(store: VectorStore) -> None:
    store.upsert([entry("a", *EAST, n="1"), entry("a", *WEST, n="2")])
    assert len(store) == 1
    assert store.nearest(WEST)[0].metadata == {"n": "2"}
    assert store.nearest(WEST)[0].score == pytest.approx(1.0)


def test_deleted_entries_are_not_found_and_may_come_back(store: VectorStore) -> None:
    store.upsert([entry(str(n), 1.0, float(n)) for n in range(6)])
    store.delete(["0", "5", "2", "2", "unknown"])
    assert ids(store.nearest(EAST)) == ["1", "3", "4"]
    assert len(store) == 3
    store.upsert([entry("2", 1.0, 2.0), entry("7", 1.0, 7.0)])
    assert ids(store.nearest(EAST)) == ["1", "2", "3", "4", "7"]


def test_where_wants_all_of_its_metadata(store: VectorStore) -> None:
    store.upsert(
        [
            entry("a", *EAST, path="a.py", kind="function"),
            entry("b", 1.0, 0.5, path="a.py", kind="class"),
            entry("c", *NORTH, path="b.py", kind="class"),
            entry("d", *EAST),
        ]
    )
    assert ids(store.nearest(EAST, where={"path": "a.py"})) == ["a", "b"]
    assert ids(store.nearest(EAST, where={"path": "a.py", "kind": "class"})) == ["b"]
    assert ids(store.nearest(EAST, 1, where={"kind": "class"})) == ["b"]
    assert ids(store.nearest(EAST, where={"kind": "module"})) == []
    assert ids(store.nearest(EAST, where={"unknown": "x"})) == []
    assert sorted(ids(store.nearest(EAST, where={}))) == ["a", "b", "c", "d"]


def test_clear_forgets_entries_and_dimension(store: VectorStore) -> None:
    store.upsert([entry("a", *EAST)])
    store.clear()
    assert len(store) == 0
    assert store.nearest((1.0, 0.0, 0.0)) == ()
    store.upsert([entry("b", 1.0, 0.0, 0.0)])
    assert ids(store.nearest((1.0, 0.0, 0.0))) == ["b"]


def test_ids_are_those_of_the_entries_each_once(store: VectorStore) -> None:
    assert list(store.ids()) == []
    store.upsert([entry(str(n), 1.0, float(n)) for n in range(7)])
    store.upsert([entry("3", *WEST), entry("new", *NORTH)])
    store.delete(["0", "6"])
    assert sorted(store.ids()) == ["1", "2", "3", "4", "5", "new"]
    store.clear()
    assert list(store.ids()) == []


def test_a_stamp_is_the_last_one_until_the_store_is_cleared(store: VectorStore) -> None:
    assert store.stamp() == ""
    store.upsert([entry("a", *EAST)])
    assert store.stamp() == ""
    for stamp in ("one", "two 'quoted' 🙂"):
        store.set_stamp(stamp)
        assert store.stamp() == stamp
    store.upsert([entry("b", *NORTH), entry("a", *WEST)])
    store.delete(["a"])
    assert store.stamp() == "two 'quoted' 🙂"
    assert ids(store.nearest(EAST)) == ["b"]
    store.clear()
    assert store.stamp() == ""
    store.upsert([entry("a", *EAST)])
    assert store.stamp() == ""


@pytest.mark.parametrize("kind", ["chroma in a folder", "chroma server", "pgvector"])
def test_a_stamp_outlasts_its_process(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    def opened() -> VectorStore:
        match kind:
            case "chroma in a folder":
                return ChromaStore(tmp_path / "store")
            case "chroma server":
                return ChromaServerStore(request.getfixturevalue("chroma_url"), "stamped")
            case _:
                return PgvectorStore(request.getfixturevalue("postgres_dsn"), "stamped")

    first, second = opened(), opened()
    first.upsert([entry("a", *EAST)])
    first.set_stamp("first")
    first.close()
    assert second.stamp() == "first"
    first.set_stamp("again")
    first.close()
    second.close()
    assert second.stamp() == "again"
    assert ids(second.nearest(EAST)) == ["a"]
    second.close()


def test_a_store_can_be_closed_twice_and_before_its_first_use(store: VectorStore) -> None:
    store.close()
    store.upsert([entry("a", *EAST)])
    store.close()
    store.close()


@pytest.mark.parametrize("strange", ["ünïcödé 🙂", "a/b c\n'\";--", "x" * 500])
def test_strange_ids_and_metadata_come_back(store: VectorStore, strange: str) -> None:
    store.upsert([entry(strange, *EAST, path=strange)])
    (hit,) = store.nearest(EAST, where={"path": strange})
    assert (hit.id, hit.metadata) == (strange, {"path": strange})


def test_the_zero_vector_is_near_to_nothing(store: VectorStore) -> None:
    store.upsert([entry("zero", 0.0, 0.0), entry("east", *EAST), entry("west", *WEST)])
    assert ids(store.nearest(EAST)) == ["east", "zero", "west"]
    assert store.nearest(EAST)[1].score == pytest.approx(0.0, abs=1e-6)
    assert [hit.score for hit in store.nearest((0.0, 0.0))] == pytest.approx([0.0] * 3, abs=1e-6)


def test_vectors_of_any_length_are_compared_by_direction(store: VectorStore) -> None:
    store.upsert([entry("long", 1e30, 1e30), entry("short", 1e-30, 0.0)])
    assert [hit.score for hit in store.nearest((1e25, 0.0))] == pytest.approx([1.0, math.sqrt(0.5)], abs=1e-6)


@pytest.mark.parametrize("part", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused_and_nothing_is_stored(store: VectorStore, part: float) -> None:
    refused_with("S002", lambda: store.upsert([entry("good", *EAST), entry("bad", 1.0, part)]))
    assert len(store) == 0
    store.upsert([entry("good", *EAST)])
    refused_with("S002", lambda: store.nearest((part, 1.0)))


def test_another_dimension_is_refused_and_nothing_is_stored(store: VectorStore) -> None:
    refused_with("S001", lambda: store.upsert([entry("a", *EAST), entry("b", 1.0)]))
    assert len(store) == 0
    store.upsert([entry("a", *EAST)])
    said = refused_with("S001", lambda: store.upsert([entry("b", *NORTH), entry("c", 1.0, 2.0, 3.0)]))
    assert "got 3 numbers -> expected 2 numbers" in said
    refused_with("S001", lambda: store.nearest((1.0,)))
    refused_with("S001", lambda: store.nearest(()))
    assert ids(store.nearest(EAST)) == ["a"]
    store.delete(["a"])
    refused_with("S001", lambda: store.upsert([entry("c", 1.0, 2.0, 3.0)]))


@pytest.mark.parametrize("recall", [0, -1])
def test_a_recall_below_one_is_refused(store: VectorStore, recall: int) -> None:
    refused_with("S003", lambda: store.nearest(EAST, recall))


def test_vectors_may_be_buffers(store: VectorStore) -> None:
    store.upsert([VectorEntry("east", array("f", [2.0, 0.0])), VectorEntry("north", array("f", NORTH))])
    store.upsert([VectorEntry("west", memoryview(array("f", [-1.0, 0.0]).tobytes()).cast("f"))])
    assert ids(store.nearest(array("f", EAST))) == ["east", "north", "west"]
    refused_with("S001", lambda: store.upsert([VectorEntry("long", array("f", [1.0, 0.0, 0.0]))]))
    refused_with("S002", lambda: store.upsert([VectorEntry("nan", array("f", [math.nan, 0.0]))]))
    assert len(store) == 3


vectors = st.lists(
    st.lists(st.floats(-1, 1, width=32), min_size=4, max_size=4).filter(lambda v: math.hypot(*v) > 0.1),
    min_size=1,
    max_size=40,
)


@pytest.mark.parametrize("make", IN_MEMORY.values(), ids=IN_MEMORY)
@settings(max_examples=20)
@given(vectors)
def test_every_vector_finds_itself(make: Callable[[], VectorStore], vectors: list[list[float]]) -> None:
    store = make()
    store.upsert([VectorEntry(str(n), vector) for n, vector in enumerate(vectors)])
    for number, vector in enumerate(vectors):
        best = store.nearest(vector, len(vectors))
        assert str(number) in [hit.id for hit in best if hit.score > best[0].score - 1e-5]


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(vectors, st.lists(st.floats(-1, 1, width=32), min_size=4, max_size=4), st.integers(1, 10))
def test_the_stores_agree_but_for_ties(vectors: list[list[float]], query: list[float], recall: int) -> None:
    entries = [VectorEntry(str(n), vector, {"n": str(n % 2)}) for n, vector in enumerate(vectors)]
    exact, *others = (filled(make(), entries) for make in IN_MEMORY.values())
    scores = {hit.id: hit.score for hit in exact.nearest(query, len(entries))}
    best = sorted(scores.values(), reverse=True)[:recall]
    for store in others:
        hits = store.nearest(query, recall)
        assert [hit.score for hit in hits] == pytest.approx(best, abs=1e-5)
        assert [scores[hit.id] for hit in hits] == pytest.approx(best, abs=1e-5)
        assert len(set(ids(hits))) == len(hits)


@pytest.mark.parametrize("make", IN_MEMORY.values(), ids=IN_MEMORY)
@settings(max_examples=20)
@given(st.lists(st.sampled_from(["read", "file", "sort", "list", "open", "socket", "\n"]), max_size=60))
def test_a_chunk_is_found_with_its_own_text(make: Callable[[], VectorStore], written: list[str]) -> None:
    chunks = FakeChunker(40).chunk(SourceFile("a.txt", " ".join(written).encode()))
    embedder = FakeEmbedder()
    vectors = embedder.embed([embedding_text(chunk) for chunk in chunks])
    entries = [
        VectorEntry(f"{chunk.path}:{chunk.start}", vector, {"path": chunk.path})
        for chunk, vector in zip(chunks, vectors, strict=True)
    ]
    store = filled(make(), entries)
    for entry in entries:
        best = store.nearest(entry.vector, len(entries), {"path": "a.txt"})
        assert entry.id in [hit.id for hit in best if hit.score > 1 - 1e-5]


def filled(store: VectorStore, entries: list[VectorEntry]) -> VectorStore:
    store.upsert(entries)
    return store


@pytest.mark.parametrize("recall", [1, 3, 20])
def test_exact_search_can_be_kept_to_some_ids(recall: int) -> None:
    store = NumpyStore()
    store.upsert([entry(str(n), 1.0, n / 10, kind="odd" if n % 2 else "even") for n in range(40)])
    some = ["30", "7", "unknown", "12", "7", "39"]
    assert ids(store.nearest(EAST, recall, among=some)) == ["7", "12", "30", "39"][:recall]
    assert ids(store.nearest(EAST, recall, {"kind": "odd"}, among=iter(some))) == ["7", "39"][:recall]
    assert ids(store.nearest(EAST, recall, among=map(str, range(1, 40)))) == list(
        map(str, range(1, recall + 1))
    )
    assert store.nearest(EAST, recall, among=[]) == ()
    store.delete(["7"])
    assert ids(store.nearest(EAST, recall, among=some)) == ["12", "30", "39"][:recall]


def test_chroma_takes_more_entries_than_its_batch() -> None:
    store = ChromaStore(None)
    store.upsert([entry(str(n), 1.0, n / 6_000) for n in range(6_000)])
    assert len(store) == 6_000
    assert sorted(store.ids()) == sorted(str(n) for n in range(6_000))
    assert len(store.nearest(EAST, 50)) == 50
    store.delete([str(n) for n in range(5_990)])
    assert len(store) == 10


def test_chroma_finds_nearly_all_that_exact_search_finds() -> None:
    draw = random.Random(3)
    entries = [VectorEntry(str(n), [draw.gauss() for _ in range(48)]) for n in range(2_000)]
    exact, approximate = filled(NumpyStore(), entries), filled(ChromaStore(None), entries)
    found = 0
    for _ in range(20):
        query = [draw.gauss() for _ in range(48)]
        found += len({*ids(exact.nearest(query))} & {*ids(approximate.nearest(query))})
    assert found >= 0.97 * 20 * 20


def test_chroma_touches_nothing_before_it_is_used(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "store"
    store = ChromaStore(folder)
    assert not folder.parent.exists()
    store.upsert([entry("a", *EAST)])
    assert (folder / "chroma.sqlite3").exists()
    assert S_IMODE(folder.stat().st_mode) == 0o700


def test_chroma_in_memory_is_forgotten_when_it_is_closed() -> None:
    store = ChromaStore(None)
    store.upsert([entry("a", *EAST)])
    store.close()
    assert len(store) == 0
    store.close()


def test_a_panic_of_chroma_is_an_error_like_others(monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        """Rust's has this name and this parent."""

    def panic(*arguments: object, **named: object) -> None:
        raise PanicException("range end index 8 out of range")

    store = ChromaStore(None)
    store.upsert([entry("a", *EAST)])
    monkeypatch.setattr(chromadb.Collection, "count", panic)
    assert "range end index" in refused_with("S004", lambda: len(store))


def test_chroma_in_memory_is_one_store_each() -> None:
    one, other = ChromaStore(None), ChromaStore(None)
    one.upsert([entry("a", *EAST)])
    assert len(other) == 0


def test_chroma_keeps_entries_and_dimension_in_its_folder(tmp_path: Path) -> None:
    ChromaStore(tmp_path).upsert([entry("a", *EAST, path="a.py")])
    ChromaStore(tmp_path, "notes").upsert([entry("b", 1.0, 2.0, 3.0)])
    copied = shutil.copytree(tmp_path, tmp_path / "copied")  # a folder that no open client knows
    again = ChromaStore(copied)
    (hit,) = again.nearest(EAST)
    assert (hit.id, hit.metadata) == ("a", {"path": "a.py"})
    refused_with("S001", lambda: again.upsert([entry("b", 1.0, 2.0, 3.0)]))


def test_chroma_remembers_the_dimension_of_an_emptied_folder(tmp_path: Path) -> None:
    store = ChromaStore(tmp_path)
    store.upsert([entry("a", *EAST)])
    store.delete(["a"])
    again = ChromaStore(shutil.copytree(tmp_path, tmp_path / "copied"))
    refused_with("S001", lambda: again.upsert([entry("b", 1.0, 2.0, 3.0)]))


def test_chroma_reads_no_settings_of_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("CHROMA_API_IMPL=cesello_attack.Api\n")
    monkeypatch.chdir(tmp_path)
    store = ChromaStore(tmp_path / "store")
    store.upsert([entry("a", *EAST)])
    assert len(store) == 1


REMOTE = {"name": "sentence_transformer", "type": "known", "config": {"model_name": "x"}}
ATTACKS: dict[str, tuple[str, object]] = {
    "a function in the configuration": ("config_json_str", {"embedding_function": REMOTE}),
    "a function in the schema": (
        "schema_str",
        {
            "keys": {
                "#embedding": {"float_list": {"vector_index": {"config": {"embedding_function": REMOTE}}}}
            }
        },
    ),
    "a function without a form": ("config_json_str", {"embedding_function": "sentence_transformer"}),
    "trusted remote code as a key": ("config_json_str", {"hnsw": [{"kwargs": {"trust_remote_code": True}}]}),
    "trusted remote code in the default function": (
        "config_json_str",
        {"embedding_function": {"name": "default", "type": "known", "config": {"trust_remote_code": True}}},
    ),
}


def tampered(tmp_path: Path, column: str, value: str) -> Path:
    """A folder of Chroma that somebody else had in their hands."""
    made = tmp_path / "made"
    ChromaStore(made).upsert([entry("a", *EAST)])
    folder = shutil.copytree(made, tmp_path / "tampered")
    connection = sqlite3.connect(folder / "chroma.sqlite3")
    connection.execute(f"UPDATE collections SET {column} = ?", (value,))
    connection.commit()
    connection.close()
    return folder


@pytest.mark.parametrize(("column", "settings"), ATTACKS.values(), ids=ATTACKS)
def test_chroma_is_not_let_near_a_folder_that_would_run_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, column: str, settings: object
) -> None:
    folder = tampered(tmp_path, column, json.dumps(settings))
    opened: list[object] = []
    monkeypatch.setattr(chromadb, "PersistentClient", lambda *arguments: opened.append(arguments))
    said = refused_with("S005", lambda: ChromaStore(folder).nearest(EAST))
    assert 'collection "code"' in said
    assert opened == []


@pytest.mark.parametrize(
    "function", [None, {"type": "legacy"}, {"name": "default", "type": "known", "config": {}}]
)
def test_chroma_opens_a_folder_whose_functions_are_harmless(tmp_path: Path, function: object) -> None:
    folder = tampered(tmp_path, "config_json_str", json.dumps({"embedding_function": function}))
    assert ids(ChromaStore(folder).nearest(EAST)) == ["a"]


@pytest.mark.parametrize("settings", ["not JSON", "[" * 100_000])
def test_chroma_is_not_let_near_settings_that_cannot_be_read(tmp_path: Path, settings: str) -> None:
    folder = tampered(tmp_path, "config_json_str", settings)
    refused_with("S004", lambda: len(ChromaStore(folder)))


@pytest.mark.parametrize("content", [b"this is no database", b"SQLite format 3\0" + bytes(4080)])
def test_a_folder_that_is_not_of_chroma_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "chroma.sqlite3").write_bytes(content)
    said = refused_with("S004", lambda: len(ChromaStore(tmp_path)))
    assert str(tmp_path) in said


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    refused_with("S004", lambda: len(ChromaStore(file)))


def test_a_collection_that_compares_otherwise_is_refused(tmp_path: Path) -> None:
    client = chromadb.PersistentClient(tmp_path, Settings(anonymized_telemetry=False))
    client.create_collection("code", embedding_function=None)
    copied = shutil.copytree(tmp_path, tmp_path / "copied")
    assert "got l2 -> expected cosine" in refused_with("S006", lambda: len(ChromaStore(copied)))
