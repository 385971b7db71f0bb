from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from cesello.application.remember import Remember, Remembering, RememberRequest, made_by
from cesello.domain.errors import CeselloError, DataError, Interrupted, RetryableError, StoreError, UsageError
from cesello.domain.remembered import FileMark, SkippedFile, is_under
from cesello.domain.retrieval import Embedding
from tests.fakes.chunk_store import FakeChunkStore, FakeTree
from tests.fakes.memory import FakeChunker, FakeEmbedder, FakeVectorStore
from tests.fakes.run import FakeStop, RecordingObserver
from tests.remembered import all_texts, keep, remember_with, remembered

PARAGRAPHS = [f"paragraph {n}, which speaks of the thing number{n} at some length\n" for n in range(12)]
PLACES = {"a/x.py", "x.py", "../y.py", "../../z.py", "../../lib/z.py"}
ALL = RememberRequest((".",))


class Memory:
    """A memory of a small project, with what a test wants to look at."""

    def __init__(self) -> None:
        self.tree, self.store, self.index = FakeTree(), FakeChunkStore(), FakeVectorStore()
        self.embedder, self.observer = FakeEmbedder(), RecordingObserver()
        self.tree.write("src/a.py", "".join(PARAGRAPHS))
        self.tree.write("src/b.py", "something else\n")
        self.tree.write("docs/c.md", "words\n")

    def use_case(
        self, *, embedder: FakeEmbedder | None = None, maximum: int = 80, stop: FakeStop | None = None
    ) -> Remember:
        return remember_with(
            self.tree, self.store, self.index, embedder=embedder or self.embedder,
            chunker=FakeChunker(maximum), stop=stop, observer=self.observer,
        )  # fmt: skip

    def remember(self, *paths: str) -> Remembering:
        self.embedder.embedded.clear()
        self.tree.read_paths.clear()
        return self.use_case()(RememberRequest(paths))


@pytest.fixture
def memory() -> Memory:
    made = Memory()
    made.remember(".")
    return made


def figures(done: Remembering) -> tuple[int, int, int, int]:
    return done.changed, done.unchanged, done.forgotten, done.embedded


def test_everything_is_remembered_once() -> None:
    memory = Memory()
    done = memory.remember(".")
    assert figures(done) == (3, 0, 0, 14)
    assert (done.chunks, done.known, list(done.skipped)) == (14, 0, [])
    assert list(memory.store.files()) == ["docs/c.md", "src/a.py", "src/b.py"]
    state = memory.store.state()
    assert (state.roots, state.fingerprint) == ((".",), "words dimension=64")
    assert state.chunker.startswith("lines maximum=80")
    assert len(memory.index) == state.texts == 14


def test_what_has_not_changed_is_not_even_read(memory: Memory) -> None:
    revision = memory.store.state().revision
    assert figures(memory.remember(".")) == (0, 3, 0, 0)
    assert memory.tree.read_paths == []
    assert memory.store.state().revision == revision, "nothing to bring an index up to date with"


def test_without_a_name_all_that_was_remembered_is_brought_up_to_date(memory: Memory) -> None:
    memory.tree.write("new.py", "new words\n")
    assert figures(memory.remember()) == (1, 3, 0, 1)


def test_only_texts_that_changed_are_embedded_again(memory: Memory) -> None:
    changed = [*PARAGRAPHS]
    changed[5] = "a new paragraph, which speaks of what nobody has spoken of before\n"
    memory.tree.write("src/a.py", "".join(changed))
    done = memory.remember()
    assert figures(done) == (1, 2, 0, 1)
    assert done.known == 11
    assert memory.embedder.embedded == [changed[5]]
    assert memory.tree.read_paths == ["src/a.py"]


def test_lines_that_moved_are_not_embedded_again(memory: Memory) -> None:
    memory.tree.write(
        "src/a.py",
        "a first line that is as long as any of the others below it, or more\n" + "".join(PARAGRAPHS),
    )
    assert memory.remember().embedded == 1
    (first,) = [chunk for _, chunk in memory.store.all_chunks() if "number0 " in chunk.text]
    assert first.start_line == 2


def test_a_renamed_file_embeds_nothing(memory: Memory) -> None:
    memory.tree.write("src/z.py", memory.tree.texts.pop("src/a.py"))
    done = memory.remember()
    assert figures(done) == (1, 2, 1, 0)
    assert done.known == 12
    assert list(memory.store.files()) == ["docs/c.md", "src/b.py", "src/z.py"]


def test_a_file_written_again_with_the_same_content_is_unchanged(memory: Memory) -> None:
    memory.tree.write("src/b.py", "something else\n")
    assert figures(memory.remember()) == (0, 3, 0, 0)
    memory.remember()
    assert memory.tree.read_paths == [], "its new time is known now"


def test_files_that_are_gone_are_forgotten(memory: Memory) -> None:
    del memory.tree.texts["src/a.py"]
    assert figures(memory.remember()) == (0, 2, 1, 0)
    assert len(memory.index) == memory.store.state().texts == 2
    assert len(memory.store.kept) == 2, "no more than a few vectors of texts that are gone are kept"


def test_only_what_is_named_is_looked_at_and_forgotten(memory: Memory) -> None:
    memory.tree.write("docs/c.md", "other words\n")
    del memory.tree.texts["src/b.py"]
    assert figures(memory.remember("docs")) == (1, 0, 0, 1)
    assert "src/b.py" in memory.store.files()


def test_roots_add_up() -> None:
    memory = Memory()
    for path, roots in [
        ("docs", ("docs",)),
        ("src/a.py", ("docs", "src/a.py")),
        (".", (".", "docs", "src/a.py")),
        ("docs", (".", "docs", "src/a.py")),
    ]:
        memory.remember(path)
        assert memory.store.state().roots == roots
    assert memory.store.state().files == 3


def test_what_two_roots_have_in_common_is_taken_once(memory: Memory) -> None:
    memory.tree.write("docs/d.md", "more words\n")
    memory.tree.skipped = {"docs/z.bin": "binary"}
    memory.remember("docs")
    memory.tree.write("docs/e.md", "other words\n")
    done = memory.remember()
    assert figures(done) == (1, 4, 0, 1)
    assert list(done.skipped) == [SkippedFile("docs/z.bin", "binary")]
    assert memory.observer.done[-2:] == [5, 0]


@pytest.mark.parametrize(("root", "files"), [("..", ["../y.py", "x.py"]), (".", ["x.py"])])
def test_what_lies_above_the_memory_is_forgotten_too(root: str, files: list[str]) -> None:
    class Upward(FakeTree):
        def named(self, path: str) -> str:
            return path

        def walk(self, root: str) -> Iterator[FileMark | SkippedFile]:
            found = [one for one in super().walk(".") if root == ".." or not one.path.startswith("..")]
            return iter(found)

    memory = Memory()
    memory.tree = Upward()
    for path in ("x.py", "../y.py", "stays.py"):
        memory.tree.write(path, f"words of {path}\n")
    memory.remember(root)
    for path in files:
        del memory.tree.texts[path]
    assert figures(memory.remember()) == (0, 1, len(files), 0)
    memory.remember()
    assert memory.tree.read_paths == []


@pytest.mark.parametrize(
    ("root", "kept"),
    [
        ("..", {"../../z.py", "../../lib/z.py"}),
        (".", {"../y.py", "../../z.py", "../../lib/z.py"}),
        ("../../lib", {"a/x.py", "x.py", "../y.py", "../../z.py"}),
        ("a", {"x.py", "../y.py", "../../z.py", "../../lib/z.py"}),
    ],
)
def test_only_what_is_under_a_root_is_forgotten(root: str, kept: set[str]) -> None:
    """All files are gone; those that are not under what is named are not looked for."""
    memory = Memory()
    keep(memory.store, *(remembered(path, f"{path}\n") for path in sorted(PLACES)))
    memory.tree.texts = {f"{root}/new.py".removeprefix("./"): b"new\n"}
    memory.store.set_makers("words dimension=64", made_by(FakeChunker(80)))
    memory.remember(root)
    assert memory.store.files().keys() == kept | memory.tree.texts.keys()


@pytest.mark.parametrize("hidden", ["src", "src/a.py", "."])
def test_what_cannot_be_read_for_a_moment_stays(memory: Memory, hidden: str) -> None:
    texts = dict(memory.tree.texts)
    for path in [path for path in texts if is_under(path, hidden)]:
        del memory.tree.texts[path]
    memory.tree.skipped = {hidden: "unreadable"}
    done = memory.remember()
    assert (done.forgotten, done.reasons()) == (0, {"unreadable": 1})
    assert memory.store.state().files == 3
    memory.tree.skipped, memory.tree.texts = {}, texts
    assert figures(memory.remember()) == (0, 3, 0, 0)


def test_a_file_that_cannot_be_read_any_more_stays(memory: Memory) -> None:
    memory.tree.write("src/b.py", "closed\n")
    memory.tree.unreadable = {"src/b.py": "unreadable"}
    assert figures(memory.remember()) == (0, 2, 0, 0)
    assert "something else\n" in set(all_texts(memory.store))


def test_contents_are_compared_where_that_is_asked_for(memory: Memory) -> None:
    memory.tree.texts["src/b.py"] = b"something elsE\n"  # of the same size and time
    assert memory.remember().changed == 0
    revision = memory.store.state().revision
    done = memory.use_case()(RememberRequest(anew=True))
    assert figures(done) == (1, 2, 0, 1)
    assert "something elsE\n" in set(all_texts(memory.store))
    assert memory.store.state().revision == revision + 1
    assert memory.use_case()(RememberRequest(anew=True)).unchanged == 3


def test_a_name_that_begins_like_a_root_is_not_under_it() -> None:
    memory = Memory()
    memory.tree.write("src2/d.py", "of another folder\n")
    memory.remember("src", "src2")
    memory.tree.texts.pop("src2/d.py")
    memory.tree.write("src2/e.py", "of another folder, too\n")
    assert memory.remember("src").forgotten == 0


def test_what_is_left_alone_is_told_and_counted() -> None:
    memory = Memory()
    memory.tree.skipped = {"z.bin": "binary", "node_modules": "vendored"}
    memory.tree.unreadable = {"src/b.py": "binary"}
    done = memory.remember(".")
    assert list(done.skipped) == [
        SkippedFile("node_modules", "vendored"),
        SkippedFile("src/b.py", "binary"),
        SkippedFile("z.bin", "binary"),
    ]
    assert list(done.reasons().items()) == [("binary", 2), ("vendored", 1)]
    assert list(memory.store.files()) == ["docs/c.md", "src/a.py"]


def test_a_file_that_became_binary_is_forgotten(memory: Memory) -> None:
    memory.tree.write("src/b.py", b"\0\0\0")
    memory.tree.unreadable = {"src/b.py": "binary"}
    assert figures(memory.remember()) == (0, 2, 1, 0)
    assert "src/b.py" not in memory.store.files()


def test_a_file_that_changes_while_it_is_read_stays_as_it_was_until_the_next_time(memory: Memory) -> None:
    memory.tree.write("src/b.py", "half of someth")
    memory.tree.unreadable = {"src/b.py": "changed"}
    done = memory.remember()
    assert figures(done) == (0, 2, 0, 0)
    assert done.reasons() == {"changed": 1}
    assert "something else\n" in set(all_texts(memory.store))
    memory.tree.unreadable = {}
    assert figures(memory.remember()) == (1, 2, 0, 1)


def test_nothing_named_and_nothing_remembered_is_refused() -> None:
    memory = Memory()
    with pytest.raises(UsageError) as refused:
        memory.remember()
    assert refused.value.code == "C100"
    with pytest.raises(DataError):
        memory.remember("nowhere")
    assert memory.store.state().roots == ()


@pytest.mark.parametrize("at_check", range(1, 40, 3))
def test_a_stop_keeps_what_was_done_and_the_next_time_goes_on(at_check: int) -> None:
    memory = Memory()
    for n in range(400):  # more texts than are kept together
        memory.tree.write(
            f"many/{n:03}.py", f"the first of {n} and others\n" * 2 + f"the second of {n}\n" * 6
        )
    stop = FakeStop(at_check=25 * at_check)
    try:
        memory.use_case(stop=stop)(ALL)
    except Interrupted:
        assert memory.store.state().texts == len(memory.store.kept)
    before = len(memory.embedder.embedded)
    kept = len(memory.store.kept)
    done = memory.use_case()(ALL)
    assert memory.store.state().files == 403
    assert len(memory.index) == memory.store.state().texts == kept + done.embedded
    assert len(memory.embedder.embedded) - before == done.embedded
    whole = FakeChunkStore()
    remember_with(memory.tree, whole, FakeVectorStore(), chunker=FakeChunker(80))(ALL)
    assert list(memory.store.all_chunks()) == list(whole.all_chunks())
    assert dict(memory.store.vectors()).keys() == dict(whole.vectors()).keys()


def test_a_stop_that_comes_late_has_kept_hundreds_of_texts() -> None:
    memory = Memory()
    for n in range(600):
        memory.tree.write(f"many/{n:03}.py", f"the text of number {n}\n")
    with pytest.raises(Interrupted):
        memory.use_case(stop=FakeStop(at_check=604 + 590))(ALL)
    assert 500 <= memory.store.state().files < 603


def test_another_chunker_cuts_all_again_and_embeds_what_is_new(memory: Memory) -> None:
    memory.embedder.embedded.clear()
    done = memory.use_case(maximum=80)(ALL)
    assert done.embedded == 0
    done = memory.use_case(maximum=160)(RememberRequest(("docs",)))
    assert (done.changed, done.unchanged) == (3, 0), "all files, whichever are named"
    assert done.known == 2, "texts that are as they were"
    assert all(text in set(all_texts(memory.store)) for text in memory.embedder.embedded)
    assert memory.store.state().chunker.startswith("lines maximum=160")


def test_a_stop_while_all_is_cut_again_leaves_it_to_the_next_time(memory: Memory) -> None:
    with pytest.raises(Interrupted):
        memory.use_case(maximum=160, stop=FakeStop(at_check=5))(ALL)
    assert memory.store.state().chunker.startswith("lines maximum=80")
    assert memory.use_case(maximum=160)(ALL).changed == 3


def test_another_embedder_is_refused_with_the_command_to_run(memory: Memory) -> None:
    before = list(memory.store.all_chunks()), dict(memory.store.kept)
    with pytest.raises(StoreError) as refused:
        memory.use_case(embedder=FakeEmbedder(32))(ALL)
    assert refused.value.code == "S010"
    assert "cesello memory rebuild" in str(refused.value)
    assert (refused.value.got, refused.value.expected) == ("dimension=32", "dimension=64")
    assert (list(memory.store.all_chunks()), dict(memory.store.kept)) == before


def test_where_all_is_forgotten_another_embedder_begins_anew(memory: Memory) -> None:
    memory.store.forget([*memory.store.files()])  # and killed before it was tidied
    other = FakeEmbedder(32)
    assert figures(memory.use_case(embedder=other)(ALL)) == (3, 0, 0, 14)
    assert memory.store.state().fingerprint == other.fingerprint
    assert {len(vector) for _, vector in memory.store.vectors()} == {32}, "none of the other is used again"
    assert len(memory.index) == 14


def test_another_writer_is_told_of(memory: Memory) -> None:
    memory.store.busy = True
    with pytest.raises(RetryableError) as refused:
        memory.remember()
    assert refused.value.code == "T083"


class BrokenEmbedder(FakeEmbedder):
    """Fails at its second call."""

    def embed(self, texts: Sequence[str]) -> tuple[Embedding, ...]:
        if self.embedded:
            raise RetryableError("T097", "no answer", fix="wait")
        return super().embed(texts)


def test_a_failing_embedder_leaves_the_memory_whole() -> None:
    memory = Memory()
    for n in range(100):
        memory.tree.write(f"many/{n:03}.py", f"the text of number {n}\n")
    with pytest.raises(CeselloError):
        memory.use_case(embedder=BrokenEmbedder())(ALL)
    assert memory.store.state().texts == len(memory.store.kept) == 0
    assert memory.remember(".").embedded == 114


def test_the_bars_come_to_their_ends(memory: Memory) -> None:
    memory.tree.write("src/a.py", "".join(PARAGRAPHS[3:]))
    memory.tree.write("src/b.py", "else\n")
    memory.tree.unreadable = {"docs/c.md": "binary"}
    memory.tree.write("docs/c.md", "\0")
    memory.remember()
    for (name, total), done in zip(memory.observer.phases, memory.observer.done, strict=True):
        assert done == total or name == "looking for files"
