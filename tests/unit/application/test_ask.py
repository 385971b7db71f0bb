from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from cesello.application.ask import LONGEST_QUESTION, Answer, Ask, AskRequest
from cesello.application.keep_index import KeepIndex
from cesello.domain.chunk_text import embedding_text
from cesello.domain.document import Chunk
from cesello.domain.errors import StoreError, UsageError
from cesello.domain.remembered import RememberedFile, Selection, key_of
from cesello.domain.retrieval import Embedding, Hit
from tests.fakes.chunk_store import FakeChunkStore
from tests.fakes.memory import FakeEmbedder, FakeReranker, FakeSurroundings, FakeVectorStore
from tests.fakes.run import RecordingObserver
from tests.remembered import keep, remembered

TEXTS = [f"def number{n}(): returns the number {n}\n" for n in range(30)]


@pytest.fixture
def store() -> FakeChunkStore:
    made = FakeChunkStore()
    made.set_makers(FakeEmbedder().fingerprint, "lines")
    keep(
        made,
        remembered("src/numbers.py", *TEXTS, language="python", kind="function"),
        remembered("docs/cake.md", "how to bake a cake\n", "with cream and cherries\n", "and a candle\n"),
        remembered("docs/copy.md", "how to bake a cake\n"),
    )
    return made


def asked(
    store: FakeChunkStore,
    question: str,
    *,
    rerank: bool = True,
    embedder: FakeEmbedder | None = None,
    keep_index: KeepIndex | None = None,
    **options: object,
) -> Answer:
    keep_index = keep_index or KeepIndex(store, FakeVectorStore, "index", 1_000, RecordingObserver())
    ask = Ask(
        embedder or FakeEmbedder(), FakeReranker() if rerank else None, store, keep_index, FakeSurroundings()
    )
    return ask(replace(AskRequest(question), **options))  # type: ignore[arg-type]


def texts(answer: Answer) -> list[str]:
    return [passage.chunk.text for passage in answer.passages]


def test_three_passages_come_best_first_with_the_rerankers_scores(store: FakeChunkStore) -> None:
    answer = asked(store, "bake a cake with cherries")
    assert texts(answer)[:2] == ["how to bake a cake\n", "with cream and cherries\n"]
    scores = [passage.score for passage in answer.passages]
    assert scores == sorted(scores, reverse=True)
    assert 0 < scores[2] < scores[0] <= 1
    assert (answer.asked, answer.exact) == (33, True)


def test_copies_are_one_passage_with_their_places(store: FakeChunkStore) -> None:
    answer = asked(store, "bake a cake", keep=1)
    assert answer.passages[0].chunk.path == "docs/cake.md"
    assert [[copy.path for copy in copies] for copies in answer.copies] == [["docs/copy.md"]]


def test_without_a_reranker_the_search_decides(store: FakeChunkStore) -> None:
    for options in ({"rerank": False}, {}):
        answer = asked(store, "candle", **options)  # type: ignore[arg-type]
        assert texts(answer)[0] == "and a candle\n"


def test_words_and_meaning_are_weighed(store: FakeChunkStore) -> None:
    for weight in (0.0, 0.5, 1.0):
        assert texts(asked(store, "number7", rerank=False, words=weight, keep=1)) == [TEXTS[7]]
    assert texts(asked(store, "candle", rerank=False, words=1.0, keep=1)) == ["and a candle\n"]


class NearestAlone(FakeChunkStore):
    """As among so many texts that the nearest are others than those with the words."""

    def nearest(self, vector: Embedding, recall: int, only: Selection) -> tuple[Hit, ...]:
        return super().nearest(vector, recall, only)[:1]


def test_what_only_words_have_found_is_compared_too() -> None:
    found = []
    for store in (FakeChunkStore(), NearestAlone()):
        store.set_makers(FakeEmbedder().fingerprint, "lines")
        keep(store, remembered("a.md", "bake a cake\n"), remembered("b.md", "cherries in cream\n"))
        answer = asked(store, "bake the cake and add cherries", rerank=False)
        found.append({one.chunk.path: one.score for one in answer.passages})
    assert len(found[0]) == 2
    assert found[1] == pytest.approx(found[0])


def test_searches_can_be_fused_by_rank(store: FakeChunkStore) -> None:
    def scores(ranks: bool) -> dict[str, float]:
        found = asked(store, "how to bake a cherry", rerank=False, words=0.25, keep=40, ranks=ranks)
        return {passage.chunk.text: passage.score for passage in found.passages}

    by_score, by_rank = scores(ranks=False), scores(ranks=True)
    assert by_score.keys() == by_rank.keys()
    assert by_score != by_rank
    assert max(by_rank.values()) == by_rank["how to bake a cake\n"]


def test_meaning_is_counted_from_the_floor_of_the_embedder(store: FakeChunkStore) -> None:
    def scores(floor: float, ranks: bool = False) -> list[float]:
        found = asked(
            store, "how to bake a cherry", rerank=False, words=0.0, keep=40, floor=floor, ranks=ranks
        )
        return [passage.score for passage in found.passages]

    assert scores(0.5)[:2] < scores(0.0)[:2], "what is less near is worth less beside the nearest"
    assert scores(0.5, ranks=True) == scores(0.0, ranks=True)


def defined(path: str, *, kind: str, name: str, texts: tuple[str, ...], header: str = "") -> RememberedFile:
    """A file with one definition, in as many parts as there are texts."""
    file = remembered(path, *texts, language="python", kind=kind)
    chunks = [
        replace(chunk, name=name, header=header if number else "") for number, chunk in enumerate(file.chunks)
    ]
    return RememberedFile(file.mark, chunks, [key_of(embedding_text(chunk)) for chunk in chunks])


def first_of(question: str, *files: RememberedFile) -> str:
    store = FakeChunkStore()
    store.set_makers(FakeEmbedder().fingerprint, "lines")
    keep(store, *files)
    return asked(store, question, rerank=False).passages[0].chunk.path


def test_a_name_that_says_what_is_asked_comes_before_more_of_the_words() -> None:
    named = defined("a.py", kind="function", name="loadSettings", texts=("load settings, eggs, milk\n",))
    other = defined("b.py", kind="function", name="breakfast", texts=("load settings of the server\n",))
    plain = [replace(file, chunks=[replace(file.chunks[0], name="")]) for file in (named, other)]
    question = "how does the server load settings?"
    assert first_of(question, *plain) == "b.py"
    assert first_of(question, named, other) == "a.py"


def test_where_something_is_done_a_function_comes_before_a_class_with_more_of_the_words() -> None:
    does = defined("a.py", kind="function", name="f", texts=("remove old colours, eggs\n",))
    has = defined("b.py", kind="class", name="C", texts=("remove old colours\n",))
    assert first_of("the colours that are old and that others remove", does, has) == "b.py"
    assert first_of("remove the old colours", does, has) == "a.py"


class CountingStore(FakeChunkStore):
    """Knows how often a whole file was read."""

    read = 0

    def neighbours(self, chunk: Chunk) -> tuple[Chunk, ...]:
        self.read += 1
        return super().neighbours(chunk)


def test_a_file_is_read_once_however_many_parts_of_a_definition_are_found() -> None:
    store = CountingStore()
    store.set_makers(FakeEmbedder().fingerprint, "lines")
    parts = tuple(f"bake cake number {number}\n" for number in range(9))
    keep(store, defined("a.py", kind="function", name="bake", texts=parts, header="def bake():"))
    assert texts(asked(store, "how is a cake made?", rerank=False)) == [parts[0]]
    assert store.read == 1


def test_a_question_about_something_else_has_no_answer(store: FakeChunkStore) -> None:
    for rerank in (True, False):
        foreign = asked(store, "weather in Paris tomorrow", relevant=0.8, rerank=rerank)
        assert (foreign.passages, foreign.foreign, foreign.asked) == ((), True, 33)
        assert asked(store, "how to bake a cake", relevant=0.8, rerank=rerank).passages
        assert asked(store, "weather in Paris tomorrow", rerank=rerank).passages
    kept = asked(store, "weather in Paris tomorrow", relevant=0.8, only=Selection(("docs",)))
    assert kept.passages, "who says where to look wants what is there"


def test_what_is_below_the_threshold_is_not_given(store: FakeChunkStore) -> None:
    scores = [passage.score for passage in asked(store, "bake a cake with cherries", keep=50).passages]
    second = asked(store, "bake a cake with cherries", threshold=scores[1])
    assert [passage.score for passage in second.passages] == scores[:2]
    nothing = asked(store, "bake a cake with cherries", threshold=0.99)
    assert (nothing.passages, nothing.asked) == ([], 33)


@pytest.mark.parametrize(
    ("only", "paths"),
    [
        (Selection(("docs",)), {"docs/cake.md"}),
        (Selection(("*.py",)), {"src/numbers.py"}),
        (Selection(languages=("python",)), {"src/numbers.py"}),
        (Selection(kinds=("class",)), set()),
    ],
)
def test_filters_hold(store: FakeChunkStore, only: Selection, paths: set[str]) -> None:
    answer = asked(store, "bake a number of cakes", only=only, keep=50)
    assert {passage.chunk.path for passage in answer.passages} == paths
    assert answer.unfit == (not paths)
    assert answer.exact


def test_a_filter_leaves_out_copies_too(store: FakeChunkStore) -> None:
    answer = asked(store, "bake a cake", only=Selection(("docs/copy.md",)))
    assert [passage.chunk.path for passage in answer.passages] == ["docs/copy.md"]
    assert answer.copies == [()]


@pytest.mark.parametrize(
    ("around", "lines", "text"),
    [
        (0, (2, 2), "with cream and cherries\n"),
        (1, (1, 3), "how to bake a cake\nwith cream and cherries\nand a candle\n"),
        (9, (1, 3), "how to bake a cake\nwith cream and cherries\nand a candle\n"),
    ],
)
def test_neighbours_can_be_added(
    store: FakeChunkStore, around: int, lines: tuple[int, int], text: str
) -> None:
    (passage,) = asked(store, "cherries", around=around, keep=1).passages
    chunk = passage.chunk
    assert (chunk.start_line, chunk.end_line, chunk.text) == (*lines, text)
    assert chunk.end - chunk.start == len(text)


CACHE = (
    "import shutil\n",
    'class Cache:\n    """Keeps pages."""\n',
    "    def clear(self):\n        delete every page\n",
    "    def grow(self):\n        more room for cakes\n",
)


def test_the_class_of_a_method_and_imports_can_be_added(store: FakeChunkStore) -> None:
    keep(store, remembered("src/cache.py", *CACHE, language="python", kind="function"))
    for wanted, beside in {
        (): [],
        ("class",): [(CACHE[1], 2, 3)],
        ("class", "imports"): [(CACHE[1], 2, 3), (CACHE[0], 1, 1)],
    }.items():
        (passage,) = asked(store, "delete every page", beside=wanted, keep=1).passages
        assert (passage.chunk.text, passage.chunk.start_line) == (CACHE[2], 4)
        assert [(one.text, one.start_line, one.end_line) for one in passage.beside] == beside


def test_what_the_chunks_around_show_is_not_added_again(store: FakeChunkStore) -> None:
    keep(store, remembered("src/cache.py", *CACHE, language="python", kind="function"))
    (passage,) = asked(
        store, "delete every page", beside=("class", "imports"), around=1, keep=1
    ).passages  # fmt: skip
    assert passage.chunk.text == "".join(CACHE[1:])
    assert [one.text for one in passage.beside] == [CACHE[0]]


def test_an_unknown_surrounding_is_refused(store: FakeChunkStore) -> None:
    with pytest.raises(UsageError) as refused:
        asked(store, "cake", beside=("class", "callers"))
    assert (refused.value.code, refused.value.got) == ("C105", "callers")
    assert "class,imports" in (refused.value.fix or "")


def test_nothing_is_loaded_for_an_empty_memory() -> None:
    class NoEmbedder(FakeEmbedder):
        @property
        def fingerprint(self) -> str:
            raise AssertionError

    answer = asked(FakeChunkStore(), "cakes", embedder=NoEmbedder())
    assert answer == Answer((), (), 0, exact=True)


@pytest.mark.parametrize("question", ["", "  \n\t "])
def test_an_empty_question_is_refused(store: FakeChunkStore, question: str) -> None:
    with pytest.raises(UsageError) as refused:
        asked(store, question)
    assert refused.value.code == "C101"
    assert refused.value.fix


@pytest.mark.parametrize(
    "question", ["?!", "...", "🍰", "\0", "' OR 1=1", "\ud800", "a" * 1_000_000, "cake " * 200_000]
)
def test_strange_questions_are_answered(store: FakeChunkStore, question: str) -> None:
    assert len(asked(store, question).passages) == 3


def test_no_more_of_a_question_is_read_than_an_embedder_reads(store: FakeChunkStore) -> None:
    heard: list[str] = []

    class Listening(FakeEmbedder):
        def embed_query(self, query: str) -> Embedding:
            heard.append(query)
            return super().embed_query(query)

    asked(store, "cake " * 200_000, embedder=Listening())
    assert len(heard[0]) <= LONGEST_QUESTION


@pytest.mark.parametrize(
    ("option", "value"),
    [("keep", 0), ("keep", -3), ("recall", 0), ("recall", -1), ("around", -1), ("threshold", float("nan"))],
)
def test_numbers_out_of_range_are_refused(store: FakeChunkStore, option: str, value: int) -> None:
    with pytest.raises(UsageError) as refused:
        asked(store, "cake", **{option: value})  # type: ignore[arg-type]
    assert refused.value.code == "C102"
    assert option in str(refused.value)


def test_more_than_there_is_is_no_error(store: FakeChunkStore) -> None:
    assert len(asked(store, "cake", keep=10_000, recall=10_000).passages) == 33
    assert len(asked(store, "cake", keep=10_000).passages) == 33, "what is to be given back is searched for"


def test_another_embedder_is_refused_with_the_command_to_run(store: FakeChunkStore) -> None:
    with pytest.raises(StoreError) as refused:
        asked(store, "cake", embedder=FakeEmbedder(32))
    assert refused.value.code == "S010"
    assert "cesello memory rebuild" in str(refused.value)


class Late(FakeEmbedder):
    """While it embeds a question, somebody changes the memory."""

    def __init__(self, change: Callable[[], object]) -> None:
        super().__init__()
        self._change = change

    def embed_query(self, query: str) -> Embedding:
        self._change()
        return super().embed_query(query)


def test_a_memory_that_is_rebuilt_while_the_question_is_embedded_is_not_compared(
    store: FakeChunkStore,
) -> None:
    with pytest.raises(StoreError) as refused:
        asked(store, "cake", embedder=Late(lambda: store.set_makers("another", "lines")))
    assert refused.value.code == "S010"


def test_a_memory_that_is_forgotten_while_the_question_is_embedded_has_no_answer(
    store: FakeChunkStore,
) -> None:
    assert asked(store, "cake", embedder=Late(lambda: store.forget([*store.files()]))).asked == 0


class LyingStore(FakeVectorStore):
    """Has as many entries as it should."""

    answers: tuple[Hit, ...] | Exception = ()

    def nearest(
        self, vector: Embedding, recall: int = 20, where: Mapping[str, str] | None = None
    ) -> tuple[Hit, ...]:
        if isinstance(self.answers, Exception):
            raise self.answers
        return self.answers


def test_a_whole_index_is_asked(store: FakeChunkStore) -> None:
    exact = asked(store, "cherries on a cake", keep=20)
    keep_index = KeepIndex(store, FakeVectorStore, "index", 0, RecordingObserver())
    assert asked(store, "cherries on a cake", keep_index=keep_index).exact, "it is not yet there"
    keep_index()
    by_index = asked(store, "cherries on a cake", keep_index=keep_index, keep=20)
    assert not by_index.exact
    assert [one.chunk for one in by_index.passages] == [one.chunk for one in exact.passages]
    scores = [[one.score for one in answer.passages] for answer in (by_index, exact)]
    assert scores[0] == pytest.approx(scores[1])


@pytest.mark.parametrize("answers", [(), (Hit("one", 1.0),), StoreError("S004", "broken", fix="delete it")])
def test_an_index_that_fails_or_finds_too_little_is_not_believed(
    store: FakeChunkStore, answers: tuple[Hit, ...] | Exception
) -> None:
    index = LyingStore()
    index.answers = answers
    keep_index = KeepIndex(store, lambda: index, "index", 0, RecordingObserver())
    keep_index()
    answer = asked(store, "cherries", keep_index=keep_index)
    assert answer.exact
    assert answer == asked(store, "cherries")
