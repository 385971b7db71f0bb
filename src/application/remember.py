"""Read files, cut them into chunks, embed what is new, and keep it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import accumulate

from ..domain.chunk_text import embedding_text
from ..domain.document import SourceFile
from ..domain.errors import StoreError, UsageError
from ..domain.ports.chunk_store import ChunkStore, SourceTree
from ..domain.ports.memory import Chunker, Embedder
from ..domain.ports.run import Observer, Stop
from ..domain.remembered import FileMark, MemoryState, RememberedFile, SkippedFile, is_under, key_of
from ..domain.retrieval import Embedding
from .keep_index import KeepIndex

_KEPT_TOGETHER = 512
"""Texts after which files are kept, and outlast a kill."""

_EMBEDDED_TOGETHER = 64
"""Texts of about one length, of those above; between two of these a person can stop."""

_FILES_TOGETHER = 1_000

_PASSING = {"changed", "unreadable"}
"""Reasons that may be gone in a moment: what is remembered of such a file stays as it was."""


@dataclass(frozen=True, slots=True)
class RememberRequest:
    """What to remember.

    Attributes:
        paths: files and folders, or where there are none, what was remembered before.
        anew: whether files of which size and time are as they were are read too, and compared.
    """

    paths: tuple[str, ...] = ()
    anew: bool = False


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
    skipped: dict[str, SkippedFile] = field(default_factory=dict)


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
            roots = list(dict.fromkeys([*state.roots, *named]))
            check_embedder(self._embedder, state)
            if state.fingerprint not in ("", self._embedder.fingerprint):
                with self._chunks.renewal(self._embedder.fingerprint) as renewal:
                    renewal.take_over()  # without texts: what is left of the other's vectors goes
            self._chunks.set_roots(roots)
            self._chunks.set_makers(self._embedder.fingerprint, state.chunker)
            # Files that another chunker has cut are cut again, whichever are named.
            if named and made_by(self._chunker) == state.chunker:
                roots = list(filter(_below(named), roots))
            return self._brought_up_to_date(roots, state, request.anew)

    def _brought_up_to_date(self, roots: Sequence[str], state: MemoryState, anew: bool) -> Remembering:
        tally, maker = _Tally(), made_by(self._chunker)
        cut_alike = maker == state.chunker
        is_ours = _below(roots)
        before = {path: mark for path, mark in self._chunks.files().items() if is_ours(path)}
        found = self._walk(roots, tally)
        is_hidden = _below([one.path for one in tally.skipped.values() if one.reason in _PASSING])
        gone = [path for path in before if path not in found and not is_hidden(path)]
        again = anew or not cut_alike
        new = [mark for mark in found.values() if again or _differ(before.get(mark.path), mark)]
        tally.unchanged = len(found) - len(new)
        left_alone = self._kept(new, before if cut_alike else {}, tally)
        forgotten = self._chunks.forget([*gone, *left_alone])
        self._chunks.set_makers(self._embedder.fingerprint, maker)
        self._chunks.tidy()
        self._keep_index()
        return Remembering(
            changed=tally.changed, unchanged=tally.unchanged, forgotten=forgotten, chunks=tally.chunks,
            embedded=tally.embedded, known=tally.known, overlong=self._embedder.overlong,
            skipped=sorted(tally.skipped.values(), key=lambda one: one.path),
        )  # fmt: skip

    def _walk(self, roots: Sequence[str], tally: _Tally) -> dict[str, FileMark]:
        """The files under all roots, by path. What any walk finds was not left alone."""
        self._observer.phase("looking for files")
        found: dict[str, FileMark] = {}
        named = set(roots)
        for root in roots:
            for one in self._tree.walk(root):
                self._stop.check()
                if isinstance(one, FileMark):
                    if one.path not in found:
                        self._observer.advance()
                    found[one.path] = one
                elif one.path == root or one.path not in named:  # else its own walk says what becomes of it
                    tally.skipped[one.path] = one
        for path in found:
            tally.skipped.pop(path, None)
        return found

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
                tally.skipped[mark.path] = source
                if source.reason not in _PASSING:
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
    """Vectors of two embedders cannot be compared; a memory without texts has none.

    Raises:
        StoreError: S010.
    """
    if state.texts and state.fingerprint and state.fingerprint != embedder.fingerprint:
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


def _below(folders: Sequence[str]) -> Callable[[str], bool]:
    """Whether a path is under any of them, told as fast of thousands of them as of one."""
    above = [folder for folder in folders if is_under(".", folder)]
    named = set(folders).difference(above)

    def is_below(path: str) -> bool:
        parents = accumulate(path.split("/"), "{}/{}".format)
        return not named.isdisjoint(parents) or any(is_under(path, folder) for folder in above)

    return is_below


def _differ(before: FileMark | None, now: FileMark) -> bool:
    return before is None or (before.size, before.modified) != (now.size, now.modified)


def _nothing_named() -> UsageError:
    return UsageError(
        "C100",
        "nothing is named, and nothing was remembered before",
        expected="a file or a folder",
        fix="run `cesello remember .` in your project",
    )
