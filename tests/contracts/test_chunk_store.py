from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cesello.adapters.memory.sqlite_chunk_store import SqliteChunkStore
from cesello.domain.document import Chunk
from cesello.domain.errors import RetryableError, StoreError
from cesello.domain.ports.chunk_store import ChunkStore
from cesello.domain.remembered import EVERYTHING, FileMark, IndexMark, RememberedFile, Selection
from tests.fakes.chunk_store import FakeChunkStore
from tests.remembered import EMBEDDER, keep, key, remembered, vectors_of

APPLES = remembered("fruit/apples.py", "red apples\n", "green apples\n", language="python", kind="function")
PEARS = remembered("fruit/pears.go", "yellow pears\n", language="go", kind="class")
STONES = remembered("stones.txt", "grey stones and apples of stone\n")


@pytest.fixture(params=["fake", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ChunkStore]:
    if request.param == "fake":
        yield FakeChunkStore()
        return
    made = SqliteChunkStore(tmp_path / "memory")
    yield made
    made.close()


@pytest.fixture
def full(store: ChunkStore) -> ChunkStore:
    keep(store, APPLES, PEARS, STONES)
    return store


def found(store: ChunkStore, question: str, recall: int = 20, only: Selection = EVERYTHING) -> list[str]:
    """Keys by meaning, best first."""
    return [hit.id for hit in store.nearest(EMBEDDER.embed_query(question), recall, only)]


def said(store: ChunkStore, question: str, recall: int = 20, only: Selection = EVERYTHING) -> list[str]:
    """Keys by words, best first."""
    return [hit.id for hit in store.matching(question, recall, only)]


def refused_with(code: str, action: Callable[[], object]) -> None:
    with pytest.raises(StoreError) as refused:
        action()
    assert refused.value.code == code


def test_where_nothing_was_remembered_nothing_is_found(store: ChunkStore) -> None:
    state = store.state()
    assert (state.files, state.chunks, state.texts, state.fingerprint, state.roots) == (0, 0, 0, "", ())
    assert dict(store.files()) == {}
    assert found(store, "apples") == said(store, "apples") == []
    assert dict(store.chunks([key("red apples\n")], EVERYTHING)) == {}
    assert list(store.vectors()) == []
    assert list(store.all_chunks()) == []
    assert store.index_mark("chroma") is None
    assert store.problems() == ()


def test_what_is_put_is_there(full: ChunkStore) -> None:
    state = full.state()
    assert (state.files, state.chunks, state.texts) == (3, 4, 4)
    assert list(state.languages.items()) == [("python", 2), ("go", 1), ("text", 1)]
    assert state.size > 0
    assert dict(full.files()) == {file.mark.path: file.mark for file in (APPLES, PEARS, STONES)}
    assert [chunk for _, chunk in full.all_chunks()] == [*APPLES.chunks, *PEARS.chunks, *STONES.chunks]
    assert full.problems() == ()


def test_every_vector_comes_back_and_finds_its_text_first(full: ChunkStore) -> None:
    kept = dict(full.vectors())
    assert kept.keys() == vectors_of(APPLES, PEARS, STONES).keys()
    for known, vector in kept.items():
        assert vector == pytest.approx(vectors_of(APPLES, PEARS, STONES)[known], abs=1e-6)
        hit = full.nearest(vector, 1, EVERYTHING)[0]
        assert hit.id == known
        assert hit.score == pytest.approx(1.0, abs=1e-6)
    few = [key("red apples\n"), key("unknown")]
    assert [known for known, _ in full.vectors(few)] == [key("red apples\n")]


def test_a_file_takes_the_place_of_the_one_of_its_path(full: ChunkStore) -> None:
    keep(full, remembered("fruit/apples.py", "green apples\n", "brown apples\n", time=2))
    assert full.state().chunks == 4
    assert said(full, "red") == []
    assert said(full, "brown") == [key("brown apples\n")]
    assert key("red apples\n") not in found(full, "red apples")
    assert full.files()["fruit/apples.py"].modified == 2


def test_all_is_put_or_nothing(full: ChunkStore) -> None:
    before = (full.state(), list(full.all_chunks()), list(full.vectors()))
    new = remembered("new.py", "new words\n")
    for wrong, code in ([math.nan] * 64, "S002"), ([1.0] * 3, "S001"):
        bad = {**vectors_of(new), key("bad"): wrong}
        with full.writer():
            refused_with(code, lambda bad=bad: full.put([PEARS, new], bad))  # type: ignore[misc]
    assert (full.state(), list(full.all_chunks()), list(full.vectors())) == before


def test_a_question_of_another_dimension_or_of_nan_is_refused(full: ChunkStore) -> None:
    refused_with("S001", lambda: full.nearest((1.0, 2.0), 5, EVERYTHING))
    refused_with("S002", lambda: full.nearest([math.nan] * 64, 5, EVERYTHING))
    refused_with("S003", lambda: full.nearest([1.0] * 64, 0, EVERYTHING))
    refused_with("S003", lambda: full.matching("apples", -1, EVERYTHING))


@pytest.mark.parametrize(
    ("only", "paths"),
    [
        (EVERYTHING, {"fruit/apples.py", "fruit/pears.go", "stones.txt"}),
        (Selection(("fruit",)), {"fruit/apples.py", "fruit/pears.go"}),
        (Selection(("fruit/*.go", "stones.txt")), {"fruit/pears.go", "stones.txt"}),
        (Selection(languages=("python", "text")), {"fruit/apples.py", "stones.txt"}),
        (Selection(kinds=("class",)), {"fruit/pears.go"}),
        (Selection(("fruit",), ("go",), ("function",)), set()),
        (Selection(("nowhere",)), set()),
    ],
)
def test_a_selection_holds_for_both_searches_and_for_chunks(
    full: ChunkStore, only: Selection, paths: set[str]
) -> None:
    keys = {known for known, chunk in full.all_chunks() if chunk.path in paths}
    assert set(found(full, "apples pears", only=only)) == keys
    assert set(said(full, "apples pears grey", only=only)) == keys
    assert full.chunks([known for known, _ in full.all_chunks()], only).keys() == keys


def test_more_than_asked_for_is_not_found(full: ChunkStore) -> None:
    assert found(full, "green apples", 1) == said(full, "green apples", 1) == [key("green apples\n")]
    assert len(found(full, "apples", 10_000)) == 4
    assert len(said(full, "apples", 10_000)) == 3


def test_rare_words_and_short_texts_come_first(store: ChunkStore) -> None:
    texts = [
        "the cache of pages",
        "the list of users",
        "the list of pages and of all that is in them at all times",
    ]
    keep(store, remembered("a.py", *texts))
    hits = store.matching("the cache list", 20, EVERYTHING)
    assert [hit.id for hit in hits] == [key(text) for text in texts]
    assert all(hit.score > 0 for hit in hits)


@pytest.mark.parametrize(
    "question", ["load file", "loadFile", "LOAD_FILE", "where do we load the file?", "Läd file"]
)
def test_identifiers_are_found_however_they_are_written(store: ChunkStore, question: str) -> None:
    keep(store, remembered("a.py", "def loadFile(x): ...\n"), remembered("b.py", "nothing of the kind"))
    assert said(store, question) == [key("def loadFile(x): ...\n")]


@pytest.mark.parametrize(
    "question", ["", "   ", "!?,;", '"', "' OR 1=1 --", "NEAR(a b)", "-apples", "apples*", "\0", "🍎"]
)
def test_no_question_is_syntax(full: ChunkStore, question: str) -> None:
    assert set(said(full, question)) <= {known for known, _ in full.all_chunks()}


def test_a_question_of_a_megabyte_is_answered(full: ChunkStore) -> None:
    assert key("yellow pears\n") in said(full, "pears " + "word " * 200_000)


def test_copies_of_a_text_are_one_hit_and_all_are_named(store: ChunkStore) -> None:
    copies = [remembered(f"copy{n:02}.py", "the same cake\n") for n in range(30)]
    keep(store, *copies, remembered("other.py", "another cake, with cream and with cherries\n"))
    assert store.state().texts == 2
    assert said(store, "cake", 2) == [
        key("the same cake\n"),
        key("another cake, with cream and with cherries\n"),
    ]
    assert len(found(store, "cake", 20)) == 2
    (places,) = store.chunks([key("the same cake\n")], EVERYTHING).values()
    assert [chunk.path for chunk in places] == [f"copy{n:02}.py" for n in range(30)]


def test_chunks_come_in_the_order_of_the_keys(full: ChunkStore) -> None:
    keys = [STONES.keys[0], key("unknown"), APPLES.keys[1]]
    assert list(full.chunks(keys, EVERYTHING)) == [STONES.keys[0], APPLES.keys[1]]


def test_neighbours_are_the_chunks_of_the_file_in_order(full: ChunkStore) -> None:
    assert full.neighbours(APPLES.chunks[1]) == tuple(APPLES.chunks)


def test_a_chunk_keeps_all_it_has(store: ChunkStore) -> None:
    chunk = Chunk(
        "a.ipynb", 0, 7, 1, 2, "a\0\ud800\n🙂", "python", "function", "A.b", "def b():", "Says b.", "a"
    )
    whole = RememberedFile(
        FileMark("a.ipynb", 7, 1, "0"), [chunk, replace(chunk, start=7, readable=None)], ["k", "l"]
    )
    with store.writer():
        store.put([whole], {"k": [1.0], "l": [1.0]})
    assert [one for _, one in store.all_chunks()] == whole.chunks


def test_forgotten_files_are_found_no_more(full: ChunkStore) -> None:
    with full.writer():
        assert full.forget(["fruit/apples.py", "unknown.py"]) == 1
    assert said(full, "apples") == [STONES.keys[0]]
    assert set(found(full, "apples")) == {*PEARS.keys, *STONES.keys}
    assert dict(full.vectors()).keys() == {*PEARS.keys, *STONES.keys}
    assert full.state().texts == 2
    assert full.problems() == ()


def test_vectors_of_forgotten_texts_are_known_until_they_are_too_many(full: ChunkStore) -> None:
    with full.writer():
        full.forget(["fruit/apples.py"])
        full.tidy(spare=1.0)
        assert full.without_vector([*APPLES.keys, "new"]) == {"new"}
        full.tidy(spare=0.5)
        assert full.without_vector(APPLES.keys) == {APPLES.keys[0]}, "the oldest goes first"
        full.tidy(spare=0)
        assert full.without_vector([*APPLES.keys, *PEARS.keys]) == set(APPLES.keys)


def test_touching_changes_the_time_alone(full: ChunkStore) -> None:
    before = full.state().revision
    with full.writer():
        full.touch([FileMark("stones.txt", 32, 77)])
    assert full.files()["stones.txt"] == replace(STONES.mark, modified=77)
    assert full.state().revision == before


def test_where_no_text_changes_the_revision_stays(full: ChunkStore) -> None:
    before = full.state().revision
    with full.writer():
        full.put([], {})
        full.put([], vectors_of(remembered("x", "a spare text\n")))
        full.forget(["nowhere.py"])
        full.tidy()
    assert full.state().revision == before


def test_another_vector_for_a_text_that_is_there_is_a_change(full: ChunkStore) -> None:
    before = full.state().revision
    assert found(full, "red apples", 1) == [key("red apples\n")]
    with full.writer():
        full.put([], {key("red apples\n"): EMBEDDER.embed_query("grey stones")})
    assert full.changed_since(before) == [key("red apples\n")]
    assert found(full, "red apples", 1) != [key("red apples\n")]


def test_roots_and_makers_are_kept(store: ChunkStore) -> None:
    with store.writer():
        store.set_roots(["src", "a b/ü"])
        store.set_roots(["src", "docs"])
        store.set_makers("one embedder", "one chunker")
    state = store.state()
    assert (state.roots, state.fingerprint, state.chunker) == (("docs", "src"), "one embedder", "one chunker")


def test_every_change_is_told_since_a_revision(full: ChunkStore) -> None:
    first = full.state().revision
    keep(full, remembered("stones.txt", "white stones\n"))
    second = full.state().revision
    assert second > first
    with full.writer():
        full.forget(["fruit/pears.go"])
    assert set(full.changed_since(first) or ()) == {*STONES.keys, key("white stones\n"), *PEARS.keys}
    assert set(full.changed_since(second) or ()) == set(PEARS.keys)
    assert full.changed_since(full.state().revision) == []


def test_what_every_index_has_seen_is_told_no_more(full: ChunkStore) -> None:
    seen = full.state().revision
    with full.writer():
        full.mark_index("slow", IndexMark(seen, dirty=False))
    keep(full, remembered("stones.txt", "white stones\n"))
    with full.writer():
        full.mark_index("quick", IndexMark(full.state().revision, dirty=True, stamp="old"))
        full.mark_index("quick", IndexMark(full.state().revision, dirty=True, stamp="of quick"))
        full.tidy()
    assert full.changed_since(seen - 1) is None
    assert full.changed_since(seen)
    assert full.index_mark("slow") == IndexMark(seen, dirty=False)
    assert full.index_mark("quick") == IndexMark(full.state().revision, dirty=True, stamp="of quick")
    with full.writer():
        assert full.indexes() == ["quick", "slow"]
        full.drop_index("quick")
    assert full.index_mark("quick") is None


def test_an_index_that_nobody_asked_for_long_is_made_anew(store: ChunkStore) -> None:
    """It has vectors of what was forgotten, which must not be lost from sight."""
    keep(store, *(remembered(f"{n}.py", f"the text of {n}\n") for n in range(400)))
    seen = store.state().revision
    with store.writer():
        store.mark_index("elsewhere", IndexMark(seen, dirty=False, stamp="z"))
        store.forget(list(store.files()))
        store.tidy()
        assert store.index_mark("elsewhere") == IndexMark(seen, dirty=False, stamp="z")
    keep(store, *(remembered(f"{n}.py", f"the text of {n}\n") for n in range(400)))
    with store.writer():
        store.forget(list(store.files()))
        store.tidy()
    assert store.index_mark("elsewhere") == IndexMark(seen, dirty=True, stamp="z")
    assert store.changed_since(seen) is None, "which it will not ask for"


def test_a_renewal_takes_over_in_one_step(full: ChunkStore) -> None:
    with full.writer():
        full.set_makers("old", "chunker")
        full.mark_index("index", IndexMark(full.state().revision, dirty=False))
        before = full.state()
        with full.renewal("new") as renewal:
            for batch in renewal.missing():
                renewal.add({known: (float(len(chunk.text)), 1.0) for known, chunk in batch})
            assert full.state().fingerprint == "old"
            assert found(full, "red apples", 1) == [key("red apples\n")]
            renewal.take_over()
    after = full.state()
    assert (after.fingerprint, after.chunker, after.texts, after.rebuilding) == ("new", "chunker", 4, 0)
    assert after.revision > before.revision
    assert full.changed_since(before.revision) is None
    assert full.index_mark("index") == IndexMark(before.revision, dirty=True), "it has the old vectors"
    assert {len(vector) for _, vector in full.vectors()} == {2}
    assert full.nearest((5.0, 1.0), 1, EVERYTHING)[0].score > 0.9
    assert full.problems() == ()


def test_a_renewal_goes_on_where_it_was_left(full: ChunkStore) -> None:
    with full.writer(), full.renewal("new") as renewal:
        renewal.add({APPLES.keys[0]: (1.0, 0.0)})
    assert full.state().rebuilding == 1
    keep(full, remembered("late.py", "a late text\n"))
    with full.writer(), full.renewal("new") as renewal:
        left = {known for batch in renewal.missing() for known, _ in batch}
    assert left == {APPLES.keys[1], *PEARS.keys, *STONES.keys, key("a late text\n")}


def test_a_renewal_by_a_third_embedder_begins_anew(full: ChunkStore) -> None:
    with full.writer(), full.renewal("new") as renewal:
        renewal.add({APPLES.keys[0]: (1.0, 0.0)})
    with full.writer(), full.renewal("third") as renewal:
        assert len([known for batch in renewal.missing() for known, _ in batch]) == 4
    assert full.state().rebuilding == 0


def test_a_renewal_keeps_no_vector_of_what_is_forgotten(full: ChunkStore) -> None:
    with full.writer():
        with full.renewal("new") as renewal:
            renewal.add(dict.fromkeys((*APPLES.keys, *STONES.keys), (1.0, 0.0)))
        full.forget(["fruit/apples.py"])
        full.tidy()
    assert full.state().rebuilding == 1


def test_without_texts_a_renewal_takes_over_for_vectors_of_any_size(full: ChunkStore) -> None:
    with full.writer():
        full.forget(full.files())
        with full.renewal("new") as renewal:
            renewal.take_over()
        assert full.without_vector(APPLES.keys) == set(APPLES.keys), "the old ones are used no more"
        full.put([APPLES], dict.fromkeys(APPLES.keys, (1.0, 0.0)))
    assert (full.state().fingerprint, full.state().texts) == ("new", 2)
    assert len(full.nearest((1.0, 0.0), 5, EVERYTHING)) == 2


@pytest.mark.parametrize(
    "path", ["ü/🙂.py", "a\nb.py", 'it\'s "quoted".py', b"latin-\xe4\xff.py".decode(errors="surrogateescape")]
)
def test_strange_paths_come_back(store: ChunkStore, path: str) -> None:
    keep(
        store,
        replace(
            remembered("x", "some words\n"),
            mark=FileMark(path, 11, 1, "0"),
            chunks=[Chunk(path, 0, 11, 1, 1, "some words\n", "text", "text")],
        ),
    )
    assert list(store.files()) == [path]
    (chunk,) = [chunk for _, chunk in store.all_chunks()]
    assert chunk.path == path
    assert store.neighbours(chunk) == (chunk,)
    assert len(found(store, "words", only=Selection((path,)))) == 1
    with store.writer():
        store.set_roots([path])
        assert store.forget([path]) == 1
    assert store.state().roots == (path,)


def test_only_one_has_the_right_to_write(store: ChunkStore) -> None:
    with store.writer(), pytest.raises(RetryableError) as refused, store.writer():
        pass
    assert refused.value.code == "T083"
    with store.writer():
        pass
