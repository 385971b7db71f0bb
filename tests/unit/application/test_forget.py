from __future__ import annotations

import pytest

from cesello.application.forget import Forget, Forgotten
from cesello.application.keep_index import KeepIndex
from cesello.domain.errors import DataError, RetryableError
from tests.fakes.chunk_store import FakeChunkStore
from tests.fakes.memory import FakeVectorStore
from tests.fakes.run import RecordingObserver
from tests.remembered import keep, remembered

FILES = ["docs/guide.md", "src/app.py", "src/app_test.py", "src/deep/app.go", "srcs.py"]


@pytest.fixture
def store() -> FakeChunkStore:
    made = FakeChunkStore()
    made.set_roots(["src", "docs", "srcs.py"])
    keep(made, *(remembered(path, f"the text of {path}\n", "a text of all\n") for path in FILES))
    return made


def forget(store: FakeChunkStore, *paths: str, everything: bool = False) -> Forgotten:
    index = FakeVectorStore()
    keep_index = KeepIndex(store, lambda: index, "index", 0, RecordingObserver())
    keep_index()
    gone = Forget(store, keep_index)(paths, everything=everything)
    assert sorted(index.ids()) == sorted(known for known, _ in store.vectors()) or not store.files()
    return gone


@pytest.mark.parametrize(
    ("paths", "gone"),
    [
        (("src/app.py",), {"src/app.py"}),
        (("src",), {"src/app.py", "src/app_test.py", "src/deep/app.go"}),
        (("src/",), {"src/app.py", "src/app_test.py", "src/deep/app.go"}),
        (("*_test.py", "docs"), {"src/app_test.py", "docs/guide.md"}),
        (("src", "src/app.py"), {"src/app.py", "src/app_test.py", "src/deep/app.go"}),
        ((".",), set(FILES)),
    ],
)
def test_files_folders_and_patterns_are_forgotten(
    store: FakeChunkStore, paths: tuple[str, ...], gone: set[str]
) -> None:
    assert forget(store, *paths).files == len(gone)
    assert set(store.files()) == set(FILES) - gone
    assert store.kept.keys() == {known for known, _ in store.all_chunks()}, "no vector of it is left"


def test_what_is_forgotten_is_no_root_any_more(store: FakeChunkStore) -> None:
    forget(store, "src")
    assert store.state().roots == ("docs", "srcs.py")
    forget(store, "docs/guide.md")
    assert store.state().roots == ("docs", "srcs.py"), "what comes into it will be remembered"


def test_everything_can_be_forgotten(store: FakeChunkStore) -> None:
    assert forget(store, everything=True) == Forgotten(5)
    state = store.state()
    assert (state.files, state.texts, state.roots, store.kept) == (0, 0, (), {})


@pytest.mark.parametrize(
    ("paths", "under"),
    [
        (("src",), ()),
        (("src/app.py",), ("src",)),
        (("./src/app.py", "docs/guide.md", "srcs.py"), ("docs", "src")),
        (("*.py",), ("src",)),
    ],
)
def test_what_the_next_time_brings_back_is_told(
    store: FakeChunkStore, paths: tuple[str, ...], under: tuple[str, ...]
) -> None:
    assert forget(store, *paths).under == under


def test_what_lies_beside_the_folder_is_not_in_it(store: FakeChunkStore) -> None:
    store.set_roots(["..", "."])
    keep(store, remembered("../b.py", "beside\n"))
    assert forget(store, ".") == Forgotten(5, ("..",))
    assert (list(store.files()), store.state().roots) == (["../b.py"], ("..",))
    assert forget(store, "..") == Forgotten(1)


def test_what_has_no_files_any_more_can_be_forgotten(store: FakeChunkStore) -> None:
    store.set_roots(["src", "gone"])
    assert forget(store, "gone") == Forgotten(0)
    assert store.state().roots == ("src",)
    empty = FakeChunkStore()
    empty.set_roots(["gone"])
    assert forget(empty, "gone") == Forgotten(0)
    assert empty.state().roots == ()


@pytest.mark.parametrize("path", ["nowhere", "src/ap", "app.py", "[", "SRC"])
def test_a_name_of_nothing_is_refused_and_nothing_is_forgotten(store: FakeChunkStore, path: str) -> None:
    with pytest.raises(DataError) as refused:
        forget(store, "docs", path)
    assert (refused.value.code, refused.value.where) == ("D041", path)
    assert set(store.files()) == set(FILES)
    assert store.state().roots == ("docs", "src", "srcs.py")


def test_another_writer_is_told_of(store: FakeChunkStore) -> None:
    store.busy = True
    with pytest.raises(RetryableError):
        forget(store, "src")
