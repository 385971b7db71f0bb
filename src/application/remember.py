"""Read files, cut them into chunks, embed what is new, and keep it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from ..domain.chunk_text import embedding_text
from ..domain.document import SourceFile
from ..domain.errors import StoreError, UsageError
from ..domain.ports.chunk_store import ChunkStore, SourceTree
from ..domain.ports.memory import Chunker, Embedder
from ..domain.ports.run import Observer, Stop
from ..domain.remembered import FileMark, MemoryState, RememberedFile, SkippedFile, key_of
from ..domain.retrieval import Embedding
from .keep_index import KeepIndex

_KEPT_TOGETHER = 512
"""Texts after which files are kept, and outlast a kill."""

_EMBEDDED_TOGETHER = 64
"""Texts of about one length, of those above; between two of these a person can stop."""

_FILES_TOGETHER = 1_000


@dataclass(frozen=True, slots=True)
class RememberRequest:
    """What to remember: files and folders, or where there are none, what was remembered before."""

    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Remembering:
    """What became of it.

    Attributes:
        changed: files that are new or other than they were; ``unchanged`` and ``forgotten`` the others.
        embedded: texts that were embedded; ``known`` those of changed files that had a vector.
        overlong: texts of which the embedder does not read everything at once.
        skipped: what was left alone, sorted by path.
    """

    changed: int = 0
    unchanged: int = 0
    forgotten: int = 0
    chunks: int = 0
    embedded: int = 0
    known: int = 0
    overlong: int = 0
    skipped: Sequence[SkippedFile] = field(default=())

    def reasons(self) -> Mapping[str, int]:
        """How many were left alone for each reason, most first."""
        return dict(Counter(one.reason for one in self.skipped).most_common())


@dataclass(slots=True)
class _Tally:
    changed: int = 0
    unchanged: int = 0
    chunks: int = 0
    embedded: int = 0
    known: int = 0
    skipped: list[SkippedFile] = field(default_factory=list)


class _Kilobytes:
    """A phase whose units are thousands of bytes, told so many bytes at a time."""

    def __init__(self, observer: Observer, name: str, size: int) -> None:
        self._observer = observer
        self._done = 0
        observer.phase(name, size // 1_000)

    def advance(self, size: int) -> None:
        before, self._done = self._done // 1_000, self._done + size
        self._observer.advance(self._done // 1_000 - before)


class Remember:
    """Brings a memory up to date with the files."""

    def __init__(
        self,
        tree: SourceTree,
        chunker: Chunker,
        embedder: Embedder,
        chunks: ChunkStore,
        keep_index: KeepIndex,
        observer: Observer,
        stop: Stop,
    ) -> None:
        self._tree = tree
        self._chunker = chunker
        self._embedder = embedder
        self._chunks = chunks
        self._keep_index = keep_index
        self._observer = observer
        self._stop = stop

    def __call__(self, request: RememberRequest) -> Remembering:
        """Reads what is new, embeds what no file had before, and forgets files that are gone.

        What was done when it is stopped or killed stays done; the next time goes on from there.

        Raises:
            UsageError: C100 when nothing is named and nothing was remembered before.
            DataError: D040. StoreError: S010, those of the stores. RetryableError: T083.
            CeselloError: those of the embedder.
        """
        named = [self._tree.named(path) for path in request.paths]
        if not named and not self._chunks.state().roots:  # before a writer makes a memory here
            raise _nothing_named()
        with self._chunks.writer():
            state = self._chunks.state()
            roots = _roots([*state.roots, *named])
            check_embedder(self._embedder, state)
            self._chunks.set_roots(roots)
            self._chunks.set_makers(self._embedder.fingerprint, state.chunker)
            # Files that another chunker has cut are cut again, whichever are named.
            cut_alike = made_by(self._chunker) == state.chunker
            return self._brought_up_to_date(_roots(named) if named and cut_alike else roots, state)

    def _brought_up_to_date(self, roots: Sequence[str], state: MemoryState) -> Remembering:
        tally, maker = _Tally(), made_by(self._chunker)
        cut_alike = maker == state.chunker
        before = {path: mark for path, mark in self._chunks.files().items() if _is_under_any(path, roots)}
        found = {mark.path: mark for mark in self._walk(roots, tally)}
        new = [mark for mark in found.values() if not cut_alike or _differ(before.get(mark.path), mark)]
        tally.unchanged = len(found) - len(new)
        left_alone = self._kept(new, before if cut_alike else {}, tally)
        forgotten = self._chunks.forget([p for p in before if p not in found or p in left_alone])
        self._chunks.set_makers(self._embedder.fingerprint, maker)
        self._chunks.tidy()
        self._keep_index()
        return Remembering(
            changed=tally.changed, unchanged=tally.unchanged, forgotten=forgotten, chunks=tally.chunks,
            embedded=tally.embedded, known=tally.known, overlong=self._embedder.overlong,
            skipped=sorted(tally.skipped, key=lambda one: one.path),
        )  # fmt: skip

    def _walk(self, roots: Sequence[str], tally: _Tally) -> Iterator[FileMark]:
        self._observer.phase("looking for files")
        for root in roots:
            for one in self._tree.walk(root):
                self._stop.check()
                if isinstance(one, SkippedFile):
                    tally.skipped.append(one)
                else:
                    self._observer.advance()
                    yield one

    def _kept(self, new: Sequence[FileMark], before: Mapping[str, FileMark], tally: _Tally) -> set[str]:
        """Reads and keeps files; the paths of those that turned out to be not worth it."""
        bar = _Kilobytes(self._observer, "remembering (kB)", sum(mark.size for mark in new))
        left_alone: set[str] = set()
        touched: list[FileMark] = []
        waiting: list[RememberedFile] = []
        texts: dict[str, str] = {}
        for mark in new:
            self._stop.check()
            source = self._tree.read(mark)
            if isinstance(source, SkippedFile):
                tally.skipped.append(source)
                if source.reason != "changed":  # else it stays as it was, and is read the next time
                    left_alone.add(mark.path)
                bar.advance(mark.size)
                continue
            digest = sha256(source.content).hexdigest()
            if before.get(mark.path, mark).digest == digest:
                touched.append(mark)
                tally.unchanged += 1
                bar.advance(mark.size)
                continue
            file = self._cut(source, replace(mark, digest=digest))
            waiting.append(file)
            texts |= zip(file.keys, map(embedding_text, file.chunks), strict=True)
            if len(texts) >= _KEPT_TOGETHER or len(waiting) >= _FILES_TOGETHER:
                self._keep(waiting, texts, tally, bar)
                waiting, texts = [], {}
        self._keep(waiting, texts, tally, bar)
        self._chunks.touch(touched)
        return left_alone

    def _cut(self, source: SourceFile, mark: FileMark) -> RememberedFile:
        chunks = self._chunker.chunk(source)
        return RememberedFile(mark, chunks, [key_of(embedding_text(chunk)) for chunk in chunks])

    def _keep(
        self, files: Sequence[RememberedFile], texts: Mapping[str, str], tally: _Tally, bar: _Kilobytes
    ) -> None:
        size = sum(file.mark.size for file in files)
        vectors = self._embedded({key: texts[key] for key in self._chunks.without_vector(texts)}, size, bar)
        self._chunks.put(files, vectors)
        tally.changed += len(files)
        tally.chunks += sum(len(file.chunks) for file in files)
        tally.embedded += len(vectors)
        tally.known += len(texts) - len(vectors)

    def _embedded(self, texts: Mapping[str, str], size: int, bar: _Kilobytes) -> dict[str, Embedding]:
        """Vectors by key; ``size`` bytes of files are done with them."""
        vectors: dict[str, Embedding] = {}
        keys, done = sorted(texts, key=lambda key: (len(texts[key]), key)), 0
        for start in range(0, len(keys), _EMBEDDED_TOGETHER):
            self._stop.check()
            part = keys[start : start + _EMBEDDED_TOGETHER]
            vectors |= zip(part, self._embedder.embed([texts[key] for key in part]), strict=True)
            share = size * len(vectors) // len(keys) - done
            bar.advance(share)
            done += share
        bar.advance(size - done)
        return vectors


def made_by(chunker: Chunker) -> str:
    """All that chunks and their texts depend on."""
    return f"{chunker.fingerprint} text=1"


def check_embedder(embedder: Embedder, state: MemoryState) -> None:
    """Vectors of two embedders cannot be compared.

    Raises:
        StoreError: S010.
    """
    if state.fingerprint and state.fingerprint != embedder.fingerprint:
        raise StoreError(
            "S010",
            "the memory was made by another embedder",
            got=_beyond(embedder.fingerprint, state.fingerprint),
            expected=_beyond(state.fingerprint, embedder.fingerprint),
            fix="run `cesello memory rebuild` to embed all of it again, or set memory.embedder back",
        )


def _beyond(one: str, other: str) -> str:
    """The words of a fingerprint that the other has not."""
    there = set(other.split())
    return " ".join(word for word in one.split() if word not in there) or "nothing more"


def _roots(paths: Sequence[str]) -> list[str]:
    """Without those that are under others."""
    return [
        path
        for path in dict.fromkeys(paths)
        if not any(path != other and _is_under(path, other) for other in paths)
    ]


def _is_under_any(path: str, roots: Sequence[str]) -> bool:
    return any(_is_under(path, root) for root in roots)


def _is_under(path: str, root: str) -> bool:
    if root == ".":
        return path != ".." and not path.startswith(("../", "/"))
    return path == root or path.startswith(f"{root}/")


def _differ(before: FileMark | None, now: FileMark) -> bool:
    return before is None or (before.size, before.modified) != (now.size, now.modified)


def _nothing_named() -> UsageError:
    return UsageError(
        "C100",
        "nothing is named, and nothing was remembered before",
        expected="a file or a folder",
        fix="run `cesello remember .` in your project",
    )
