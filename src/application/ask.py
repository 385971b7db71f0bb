"""Find the code that answers a question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import isnan
from operator import mul

from ..domain.chunk_text import definition_of, embedding_text, reranking_text
from ..domain.document import Chunk
from ..domain.errors import RetryableError, StoreError, UsageError
from ..domain.fusion import (
    folded,
    is_foreign,
    judged,
    looks_like_code,
    rank_fusion,
    score_fusion,
    words_weight,
)
from ..domain.ports.chunk_store import ChunkStore
from ..domain.ports.memory import Embedder, Reranker, Surroundings
from ..domain.remembered import EVERYTHING, Selection, key_of
from ..domain.retrieval import Embedding, Hit, Passage, as_cosine, unit_vector
from ..domain.search_order import in_order
from ..domain.surroundings import SURROUNDINGS, file_of
from ..domain.traced import traced
from .keep_index import KeepIndex
from .remember import check_embedder

LONGEST_QUESTION = 10_000
"""Characters that are read of a question; no embedder reads so many."""

_POOL = 50
"""Texts that each of the two searches finds; those that both find come out first."""

Found = tuple[float, tuple[Chunk, ...]]
"""A score, and the chunks that have the text."""


@dataclass(frozen=True, slots=True)
class AskRequest:
    """A question, and how it is to be answered.

    Attributes:
        recall: how many texts are judged closely.
        keep: how many are given back.
        threshold: what the score of a passage must reach.
        only: which chunks are asked.
        rerank: whether the reranker judges; else the score is that of the fused search.
        words: weight of the words beside the meaning, in [0, 1]; None: by the kind of question.
        ranks: whether the two searches are fused by rank (RRF), and not by score.
        around: chunks before and after a passage, of the same file, that are added to it.
        beside: of ``SURROUNDINGS``, what is added to a passage with lines of its own.
        relevant: the cosine that answers reach, by the embedder: a question for which nothing does has none,
            unless it is kept to some chunks with ``only``. None: something is always found.
        exact: whether it is compared with every vector, so that the same memory always gives the same.
        floor: the cosine of texts that have nothing to do with each other, by the embedder.
    """

    question: str
    recall: int = 20
    keep: int = 3
    threshold: float = 0.0
    only: Selection = EVERYTHING
    rerank: bool = True
    words: float | None = None
    ranks: bool = False
    around: int = 0
    beside: tuple[str, ...] = ()
    relevant: float | None = None
    exact: bool = False
    floor: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found.

    Attributes:
        passages: best first; none is an answer too.
        copies: of each passage, other places with the same text.
        asked: how many texts the memory has.
        exact: whether the question was compared with every vector; else by the index.
        foreign: whether what was found was left out, because nothing has to do with the question.
        unfit: whether there is nothing of what the question was kept to.
    """

    passages: Sequence[Passage]
    copies: Sequence[Sequence[Chunk]]
    asked: int
    exact: bool
    foreign: bool = False
    unfit: bool = False


class Ask:
    """Searches by meaning and by words, and lets a reranker judge what both have found."""

    def __init__(
        self,
        embedder: Embedder,
        reranker: Reranker | None,
        chunks: ChunkStore,
        keep_index: KeepIndex,
        surroundings: Surroundings | None = None,
    ) -> None:
        self._embedder = embedder
        self._reranker = reranker
        self._chunks = chunks
        self._keep_index = keep_index
        self._surroundings = surroundings

    @traced("search", begun=True)
    def __call__(self, request: AskRequest) -> Answer:
        """The passages that answer best.

        Raises:
            UsageError: C101 an empty question, C102 a number out of its range, C105 an unknown surrounding.
            StoreError: S010, and those of the stores.
            CeselloError: those of embedder and reranker.
        """
        question = _checked(request)
        state = self._chunks.state()
        if not state.texts:
            return Answer((), (), 0, exact=True)
        check_embedder(self._embedder, state)
        vector = self._embedder.embed_query(question)
        with self._chunks.reading():
            state = self._chunks.state()  # by now somebody may have rebuilt it with another embedder
            if not state.texts:
                return Answer((), (), 0, exact=True)
            check_embedder(self._embedder, state)
            pool = min(max(_POOL, request.recall, request.keep), state.texts)
            near, exact = self._near(vector, request, pool)
            said = self._chunks.matching(question, pool, request.only)
            compared = near if looks_like_code(question) else (*near, *self._compared(vector, near, said))
            found = self._found(question, compared, said, request)
        ranked, probability = self._judged(question, found, request)
        if request.relevant is not None and not request.only:
            nearest = max((hit.score for hit in near), default=0.0)
            if is_foreign(question, nearest, bool(said), probability, request.relevant):
                return Answer((), (), state.texts, exact, foreign=True)
        kept = [(score, chunks) for score, chunks in ranked if score >= request.threshold][: request.keep]
        passages = [self._passage(chunks[0], score, request) for score, chunks in kept]
        copies, unfit = [chunks[1:] for _, chunks in kept], bool(request.only) and not near
        return Answer(passages, copies, state.texts, exact, unfit=unfit)

    def _near(self, vector: Embedding, request: AskRequest, pool: int) -> tuple[Sequence[Hit], bool]:
        """The nearest texts, and whether the question was compared with every vector."""
        if not (request.only or request.exact) and self._keep_index.is_ready():
            with suppress(StoreError, RetryableError):  # the truth answers where its index does not
                hits = self._keep_index.index.nearest(vector, pool)
                if len(hits) == pool:
                    return hits, False
        return self._chunks.nearest(vector, pool, request.only), True

    def _compared(self, vector: Embedding, near: Sequence[Hit], said: Sequence[Hit]) -> Iterator[Hit]:
        """What only words have found, with its cosine."""
        unit = unit_vector(vector)
        for key, other in self._chunks.vectors(sorted({hit.id for hit in said} - {hit.id for hit in near})):
            yield Hit(key, as_cosine(sum(map(mul, unit, unit_vector(other)))))

    def _found(
        self, question: str, near: Sequence[Hit], said: Sequence[Hit], request: AskRequest
    ) -> list[Found]:
        """Texts by both searches, fused, best first: each with its chunks."""
        chunks = dict(self._chunks.chunks([hit.id for hit in (*near, *said)], request.only))
        cosines, words = ({hit.id: hit.score for hit in hits if hit.id in chunks} for hits in (near, said))
        if not looks_like_code(question):
            heads = self._heads(chunks, request)
            chunks |= dict(heads.values())
            first = {key: head for key, (head, _) in heads.items()}
            cosines, words = folded(cosines, first), folded(words, first)
        weight = words_weight(question) if request.words is None else request.words
        if request.ranks:
            scores = rank_fusion(cosines, words, weight)
        else:
            scores = score_fusion(cosines, words, weight, request.floor)
        ordered = in_order(question, scores, {key: chunks[key][0] for key in scores})
        return [(score, chunks[key]) for key, score in ordered.items()][: max(request.recall, request.keep)]

    def _heads(
        self, chunks: Mapping[str, tuple[Chunk, ...]], request: AskRequest
    ) -> dict[str, tuple[str, tuple[Chunk, ...]]]:
        """Of texts that are later parts of a definition, the text of the first part, and its chunks."""
        heads: dict[str, tuple[str, tuple[Chunk, ...]]] = {}
        files: dict[str, tuple[Chunk, ...]] = {}
        for key, its in chunks.items():
            if its[0].header:
                if its[0].path not in files:  # a large definition has many parts
                    files[its[0].path] = self._chunks.neighbours(its[0])
                first = definition_of(its[0], files[its[0].path])[0]
                head = key_of(embedding_text(first))
                heads[key] = head, self._chunks.chunks([head], request.only).get(head, (first,))
        return heads

    def _judged(
        self, question: str, found: list[Found], request: AskRequest
    ) -> tuple[list[Found], float | None]:
        """What was found, best first, and the reranker's highest probability if it has read it."""
        if self._reranker is None or not request.rerank:
            return found, None
        said = self._reranker.score(question, [reranking_text(chunks[0]) for _, chunks in found])
        both = [(judged(score, one), chunks) for one, (score, chunks) in zip(said, found, strict=True)]
        return sorted(both, key=lambda one: -one[0]), max(said, default=0.0)

    def _passage(self, chunk: Chunk, score: float, request: AskRequest) -> Passage:
        if not (request.around or request.beside):
            return Passage(chunk, score)
        its = self._chunks.neighbours(chunk)
        at = next((at for at, one in enumerate(its) if one == chunk), None)
        if at is None:  # the file has changed since it was found
            return Passage(chunk, score)
        whole = _widened(its, at, request.around) if request.around else chunk
        beside: tuple[Chunk, ...] = ()
        if request.beside and self._surroundings:
            found = self._surroundings.around(file_of(its), chunk, request.beside)
            beside = tuple(one for one in found if one.end <= whole.start or one.start >= whole.end)
        return Passage(whole, score, beside)


def _widened(file: Sequence[Chunk], at: int, around: int) -> Chunk:
    """A chunk with those around it in its file, as one."""
    part = file[max(0, at - around) : at + around + 1]
    return replace(
        file[at],
        start=part[0].start, end=part[-1].end,
        start_line=part[0].start_line, end_line=part[-1].end_line,
        text="".join(one.text for one in part),
    )  # fmt: skip


def _checked(request: AskRequest) -> str:
    """The question as it is read: what a terminal gave that is no text becomes a question mark."""
    question = request.question[:LONGEST_QUESTION].encode("utf-8", "replace").decode().strip()
    if not question:
        raise UsageError("C101", "the question is empty", fix='cesello ask "where is the cache?"')
    least_of = (("recall", request.recall, 1), ("keep", request.keep, 1), ("around", request.around, 0))
    for name, value, least in least_of:
        if value < least:
            raise UsageError(
                "C102",
                f"{name} is too small",
                got=str(value),
                expected=f"at least {least}",
                fix=f"leave {name} out, or raise it",
            )
    strange = next((one for one in request.beside if one not in SURROUNDINGS), None)
    if strange is not None:
        raise UsageError(
            "C105",
            "nothing of that name can be added to a passage",
            got=strange,
            expected=" or ".join(SURROUNDINGS),
            fix=f"cesello ask --with {','.join(SURROUNDINGS)} ...",
        )
    if isnan(request.threshold):
        raise UsageError("C102", "threshold is no number", got="nan", fix="leave threshold out, or set one")
    return question
