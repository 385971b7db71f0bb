"""The truth of a memory, and the files it is of, kept in dictionaries."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace

from cesello.domain.document import Chunk, SourceFile
from cesello.domain.errors import DataError, RetryableError
from cesello.domain.remembered import (
    FileMark,
    IndexMark,
    MemoryState,
    RememberedFile,
    Selection,
    SkippedFile,
)
from cesello.domain.retrieval import Embedding, Hit, as_cosine, checked_recall, unit_vector
from cesello.domain.search_words import match_any, search_words


@dataclass
class FakeChunkStore:
    """Keeps everything in memory; compares with every vector, and counts every word.

    Attributes:
        busy: whether another process has the right to write.
        said: what ``problems`` says.
        renewed: what a renewal has made so far, and the embedder that made it.
        identity: of the state.
    """

    busy: bool = False
    said: tuple[str, ...] = ()
    remembered: dict[str, RememberedFile] = field(default_factory=dict)
    kept: dict[str, Embedding] = field(default_factory=dict)
    marks: dict[str, IndexMark] = field(default_factory=dict)
    roots: tuple[str, ...] = ()
    fingerprint: str = ""
    chunker: str = ""
    revision: int = 0
    log: list[tuple[int, str]] = field(default_factory=list)
    log_from: int = 0
    renewed: tuple[str, dict[str, Embedding]] = ("", {})
    identity: str = "fake"

    @contextmanager
    def writer(self) -> Iterator[None]:
        if self.busy:
            raise RetryableError("T083", "another process is writing this memory", fix="wait")
        self.busy = True
        try:
            yield
        finally:
            self.busy = False

    def reading(self) -> AbstractContextManager[None]:
        return nullcontext()

    def indexes(self) -> Sequence[str]:
        return sorted(self.marks)

    def drop_index(self, index: str) -> None:
        self.marks.pop(index, None)

    def rewrite_words(self) -> None:
        """Words are counted when they are asked for."""

    def state(self) -> MemoryState:
        chunks = [chunk for _, chunk in self.all_chunks()]
        counts: dict[str, int] = {}
        for chunk in chunks:
            counts[chunk.language] = counts.get(chunk.language, 0) + 1
        languages = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
        return MemoryState(
            self.fingerprint, self.chunker, self.roots, len(self.remembered), len(chunks), len(self._keys()),
            self.revision, languages, sum(len(chunk.text) for chunk in chunks), len(self.renewed[1]),
            self.identity,
        )  # fmt: skip

    def files(self) -> Mapping[str, FileMark]:
        return {path: self.remembered[path].mark for path in sorted(self.remembered)}

    def set_roots(self, roots: Sequence[str]) -> None:
        self.roots = tuple(sorted(roots))

    def set_makers(self, fingerprint: str, chunker: str) -> None:
        self.fingerprint, self.chunker = fingerprint, chunker

    def without_vector(self, keys: Iterable[str]) -> set[str]:
        return set(keys) - self.kept.keys()

    def put(self, files: Sequence[RememberedFile], vectors: Mapping[str, Embedding]) -> None:
        dimension = len(next(iter(self.kept.values()), ())) or None
        new: dict[str, Embedding] = {}
        for key, vector in vectors.items():
            new[key] = unit_vector(vector, dimension)
            dimension = len(vector)
        changed = self._removed([file.mark.path for file in files])
        self.remembered |= {file.mark.path: file for file in files}
        self.kept |= new
        self._changed(changed | {key for file in files for key in file.keys} | (new.keys() & self._keys()))

    def touch(self, marks: Iterable[FileMark]) -> None:
        for mark in marks:
            file = self.remembered[mark.path]
            now = replace(file.mark, size=mark.size, modified=mark.modified)
            self.remembered[mark.path] = replace(file, mark=now)

    def forget(self, paths: Iterable[str]) -> int:
        count = len(self.remembered)
        self._changed(self._removed(list(paths)))
        return count - len(self.remembered)

    def tidy(self, spare: float = 0.2) -> None:
        used = self._keys()
        idle = [key for key in self.kept if key not in used]
        for key in idle[: max(0, len(idle) - int(spare * len(used)))]:
            del self.kept[key]
        self.renewed = (
            self.renewed[0],
            {key: self.renewed[1][key] for key in self.renewed[1] if key in used},
        )
        if len(self.log) > 4 * len(used) + 1_000:
            self.outdate(lambda mark: mark.revision < self.revision)
        seen = min((mark.revision for mark in self.marks.values() if not mark.dirty), default=self.revision)
        self.log = [(revision, key) for revision, key in self.log if revision > seen]
        self.log_from = max(seen, self.log_from)

    def nearest(self, vector: Embedding, recall: int, only: Selection) -> tuple[Hit, ...]:
        checked_recall(recall)
        kept = dict(self.vectors(list(self.chunks(sorted(self._keys()), only))))
        if not kept:
            return ()
        query = unit_vector(vector, len(next(iter(kept.values()))))
        cosines = {key: sum(a * b for a, b in zip(one, query, strict=True)) for key, one in kept.items()}
        hits = [Hit(key, as_cosine(cosine)) for key, cosine in cosines.items()]
        return tuple(sorted(hits, key=lambda hit: -hit.score)[:recall])

    def matching(self, query: str, recall: int, only: Selection) -> tuple[Hit, ...]:
        checked_recall(recall)
        texts = [(key, _words(chunk)) for key, chunk in self.all_chunks() if _fits(chunk, only)]
        wanted = re.findall(r'"(\w+)"', match_any(query))
        average = sum(len(words) for _, words in texts) / max(len(texts), 1)
        scores: dict[str, float] = {}
        for key, words in texts:
            score = sum(_bm25(word, words, [other for _, other in texts], average) for word in wanted)
            if score > 0:
                scores[key] = max(scores.get(key, 0.0), score)
        best = sorted(scores.items(), key=lambda item: -item[1])
        return tuple(Hit(key, score) for key, score in best[:recall])

    def chunks(self, keys: Sequence[str], only: Selection) -> Mapping[str, tuple[Chunk, ...]]:
        found: dict[str, tuple[Chunk, ...]] = {}
        for key, chunk in self.all_chunks():
            if key in keys and _fits(chunk, only):
                found[key] = (*found.get(key, ()), chunk)
        return {key: found[key] for key in keys if key in found}

    def neighbours(self, chunk: Chunk) -> tuple[Chunk, ...]:
        return tuple(self.remembered[chunk.path].chunks)

    def vectors(self, keys: Sequence[str] | None = None) -> Iterator[tuple[str, Embedding]]:
        used = self._keys()
        yield from [
            (key, self.kept[key]) for key in self.kept if key in used and (keys is None or key in keys)
        ]

    def all_chunks(self) -> Iterator[tuple[str, Chunk]]:
        for path in sorted(self.remembered):
            file = self.remembered[path]
            yield from zip(file.keys, file.chunks, strict=True)

    def index_mark(self, index: str) -> IndexMark | None:
        return self.marks.get(index)

    def mark_index(self, index: str, mark: IndexMark) -> None:
        self.marks[index] = mark

    def changed_since(self, revision: int) -> Sequence[str] | None:
        if revision < self.log_from:
            return None
        return list(dict.fromkeys(key for at, key in self.log if at > revision))

    @contextmanager
    def renewal(self, fingerprint: str) -> Iterator[FakeRenewal]:
        if self.renewed[0] != fingerprint:
            self.renewed = (fingerprint, {})
        yield FakeRenewal(self)

    def problems(self) -> tuple[str, ...]:
        return self.said

    def _keys(self) -> set[str]:
        return {key for file in self.remembered.values() for key in file.keys}

    def _removed(self, paths: Sequence[str]) -> set[str]:
        gone = [self.remembered.pop(path) for path in paths if path in self.remembered]
        return {key for file in gone for key in file.keys}

    def outdate(self, which: Callable[[IndexMark], bool]) -> None:
        """Has indexes made anew."""
        self.marks |= {name: replace(one, dirty=True) for name, one in self.marks.items() if which(one)}

    def _changed(self, keys: set[str]) -> None:
        self.revision += bool(keys)
        self.log += [(self.revision, key) for key in sorted(keys)]


@dataclass
class FakeRenewal:
    """New vectors, a text a batch."""

    store: FakeChunkStore

    def missing(self) -> Iterator[Sequence[tuple[str, Chunk]]]:
        texts = dict(self.store.all_chunks())
        for key in sorted(texts):
            if key not in self.store.renewed[1]:
                yield [(key, texts[key])]

    def add(self, vectors: Mapping[str, Embedding]) -> None:
        self.store.renewed[1].update(vectors)

    def take_over(self) -> None:
        store = self.store
        store.fingerprint, store.kept = store.renewed
        store.renewed = ("", {})
        store.outdate(lambda mark: True)
        store.revision += 1
        store.log_from = store.revision


@dataclass
class FakeTree:
    """Files by path; their time is how often they were written.

    Attributes:
        skipped: what the walk leaves alone, path -> reason.
        unreadable: what turns out at reading not to be worth it, path -> reason.
        waves: called one after the other by ``changes``, which then says that something has changed.
    """

    texts: dict[str, bytes] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    waves: Sequence[Callable[[], None]] = ()
    read_paths: list[str] = field(default_factory=list)

    def write(self, path: str, text: str | bytes) -> None:
        self.texts[path] = text.encode() if isinstance(text, str) else text
        self.times[path] = self.times.get(path, 0) + 1

    def named(self, path: str) -> str:
        if path != "." and not any(one == path or one.startswith(f"{path}/") for one in self.texts):
            raise DataError("D040", "there is nothing to remember", where=path, fix="correct the path")
        return path

    def relative(self, path: str) -> str:
        return path

    def walk(self, root: str) -> Iterator[FileMark | SkippedFile]:
        for path in sorted([*self.texts, *self.skipped]):
            if root != "." and path != root and not path.startswith(f"{root}/"):
                continue
            if path in self.skipped:
                yield SkippedFile(path, self.skipped[path])
            else:
                yield FileMark(path, len(self.texts[path]), self.times.get(path, 0))

    def changes(self, roots: Sequence[str], ended: Callable[[], bool]) -> Iterator[None]:
        for wave in self.waves:
            wave()
            if ended():
                return
            yield

    def read(self, mark: FileMark) -> SourceFile | SkippedFile:
        self.read_paths.append(mark.path)
        if mark.path in self.unreadable:
            return SkippedFile(mark.path, self.unreadable[mark.path])
        return SourceFile(mark.path, self.texts[mark.path])


def _fits(chunk: Chunk, only: Selection) -> bool:
    return (
        only.fits_path(chunk.path)
        and (not only.languages or chunk.language in only.languages)
        and (not only.kinds or chunk.kind in only.kinds)
    )


def _words(chunk: Chunk) -> list[str]:
    return search_words(f"{chunk.name}\n{chunk.path}\n{chunk.description}\n{chunk.header}\n{chunk.text}")


def _bm25(word: str, words: Sequence[str], texts: Sequence[Sequence[str]], average: float) -> float:
    count, having = words.count(word), sum(word in other for other in texts)
    rare = max(math.log((len(texts) - having + 0.5) / (having + 0.5)), 1e-6)
    return rare * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * len(words) / average)) if count else 0.0
