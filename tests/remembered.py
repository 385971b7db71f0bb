"""Files as a memory keeps them, made from text: a chunk a paragraph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from cesello.application.keep_index import KeepIndex
from cesello.application.remember import Remember
from cesello.domain.chunk_text import embedding_text
from cesello.domain.document import Chunk
from cesello.domain.ports.chunk_store import ChunkStore, SourceTree
from cesello.domain.ports.memory import Chunker, Embedder, VectorStore
from cesello.domain.remembered import FileMark, RememberedFile, key_of
from cesello.domain.retrieval import Embedding
from tests.fakes.memory import FakeChunker, FakeEmbedder
from tests.fakes.run import FakeStop, RecordingObserver

EMBEDDER = FakeEmbedder()


def key(text: str) -> str:
    """By what a paragraph is known, where nothing else is said of it."""
    return key_of(text)


def remembered(
    path: str, *texts: str, language: str = "text", kind: str = "text", time: int = 1
) -> RememberedFile:
    """A file whose chunks are these texts."""
    chunks, start, line = [], 0, 1
    for text in texts:
        end, last = start + len(text.encode()), line + text.count("\n", 0, -1)
        chunks.append(Chunk(path, start, end, line, last, text, language, kind))
        start, line = end, line + text.count("\n")
    content = "".join(texts).encode()
    mark = FileMark(path, len(content), time, sha256(content).hexdigest())
    return RememberedFile(mark, chunks, [key_of(embedding_text(chunk)) for chunk in chunks])


def vectors_of(*files: RememberedFile) -> Mapping[str, Embedding]:
    """What ``EMBEDDER`` makes of all their chunks, by key."""
    texts = {
        known: embedding_text(chunk)
        for file in files
        for known, chunk in zip(file.keys, file.chunks, strict=True)
    }
    return dict(zip(texts, EMBEDDER.embed(list(texts.values())), strict=True))


def keep(store: ChunkStore, *files: RememberedFile) -> None:
    """Puts files and all their vectors into a store."""
    with store.writer():
        store.put(files, vectors_of(*files))


def remember_with(
    tree: SourceTree,
    chunks: ChunkStore,
    index: VectorStore,
    *,
    embedder: Embedder | None = None,
    chunker: Chunker | None = None,
    exact_below: int = 0,
    stop: FakeStop | None = None,
    observer: RecordingObserver | None = None,
) -> Remember:
    """The use case on these, with fakes for the rest; every memory has an index."""
    observer = observer or RecordingObserver()
    keep_index = KeepIndex(chunks, lambda: index, "index", exact_below, observer)
    return Remember(
        tree,
        chunker or FakeChunker(),
        embedder or FakeEmbedder(),
        chunks,
        keep_index,
        observer,
        stop or FakeStop(),
    )


def write_files(folder: Path, texts: Mapping[str, str]) -> None:
    """Makes files and the folders they are in."""
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def all_texts(store: ChunkStore) -> Iterable[str]:
    """The text of every chunk."""
    return [chunk.text for _, chunk in store.all_chunks()]


def chunk(**changes: object) -> Chunk:
    """A method, but for what is said otherwise."""
    fields: dict[str, object] = {
        "path": "src/app.py",
        "start": 10,
        "end": 25,
        "start_line": 3,
        "end_line": 4,
        "text": "def b(self): ...\n",
        "language": "python",
        "kind": "function",
        "name": "A.b",
    }
    return Chunk(**(fields | changes))  # type: ignore[arg-type]
