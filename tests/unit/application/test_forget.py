from __future__ import annotations

import pytest

from cesello.application.forget import Forget
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


def forget(store: FakeChunkStore, *paths: str, everything: bool = False) -> int:
    index = FakeVectorStore()
    keep_index = KeepIndex(store, lambda: index, "index", 0, RecordingObserver())
    keep_index()
    count = Forget(store, keep_index)(paths, everything=everything)
    assert sorted(index.ids()) == sorted(known for known, _ in store.vectors()) or not store.files()
    return count


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
    assert forget(store, *paths) == len(gone)
    assert set(store.files()) == set(FILES) - gone
    assert store.kept.keys() == {known for known, _ in store.all_chunks()}, "no vector of it is left"


def test_what_is_forgotten_is_no_root_any_more(store: FakeChunkStore) -> None:
    forget(store, "src")
    assert store.state().roots == ("docs", "srcs.py")
    forget(store, "docs/guide.md")
    assert store.state().roots == ("docs", "srcs.py"), "what comes into it will be remembered"


def test_everything_can_be_forgotten(store: FakeChunkStore) -> None:
    assert forget(store, everything=True) == 5
    state = store.state()
    assert (state.files, state.texts, state.roots, store.kept) == (0, 0, (), {})


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
