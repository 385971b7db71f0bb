"""The truth of a memory in one SQLite file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from ...domain.document import Chunk
from ...domain.ports.chunk_store import Renewal
from ...domain.remembered import FileMark, IndexMark, MemoryState, RememberedFile, Selection
from ...domain.retrieval import Embedding, Hit, checked_recall
from .chunk_checkup import problems_of
from .chunk_database import ChunkDatabase
from .chunk_rows import COLUMNS, chunk_from, read_path, row_of, words_of, written_path
from .exact_search import as_blob
from .sqlite_renewal import SqliteRenewal
from .sqlite_search import BATCH, SqliteSearch, batches, marks
from .writer_lease import writer_lease

_WORDS = "INSERT INTO words(rowid, name, path, text) VALUES (?, ?, ?, ?)"
_STAMP = "stamp of "
"""Before the name of an index, in ``meta``: the table of indexes is older."""

_GONE = "chunks gone"
"""How many were taken away since their words were, in ``meta``."""
_MOST_GONE = 200

_NOTHING = MemoryState("", "", (), 0, 0, 0, 0)


class SqliteChunkStore:
    """Implements ``ChunkStore``. Nothing is opened or written before the first use.

    Args:
        folder: made for its owner alone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._db = ChunkDatabase(folder)
        self._search = SqliteSearch(self._db)
        self._counted: tuple[tuple[int, int, int], MemoryState] | None = None

    @contextmanager
    def writer(self) -> Iterator[None]:
        """See the port."""
        with writer_lease(self._folder):
            self._db.open_to_write()
            self._counted = None
            self._search.forget()
            try:
                yield
            finally:
                self.close()  # nothing stays in the log, for who copies the file or may only read it

    def close(self) -> None:
        """Closes the file; the next use opens it again."""
        self._db.close()
        self._counted = None
        self._search.forget()

    def reading(self) -> AbstractContextManager[None]:
        """See the port."""
        return self._db.reading()

    def state(self) -> MemoryState:
        with self._db.reading():  # of one moment, whoever writes meanwhile
            if not self._db.found():
                return _NOTHING
            version = self._db.version()
            if self._counted is None or self._counted[0] != version:
                self._counted = (version, self._count())
            return self._counted[1]

    def _count(self) -> MemoryState:
        (files,) = self._db.one("SELECT count(*) FROM files")
        chunks, texts = self._db.one("SELECT count(*), count(DISTINCT key) FROM chunks")
        (renewed,) = self._db.one("SELECT count(*) FROM vectors WHERE generation > ?", self._generation())
        pages, size = self._db.one("PRAGMA page_count")[0], self._db.one("PRAGMA page_size")[0]
        languages = self._db.all("SELECT language, count(*) FROM chunks GROUP BY 1 ORDER BY 2 DESC, 1")
        return MemoryState(
            fingerprint=self._db.meta("fingerprint"),
            chunker=self._db.meta("chunker"),
            roots=tuple(read_path(path) for (path,) in self._db.all("SELECT path FROM roots ORDER BY path")),
            files=files,
            chunks=chunks,
            texts=texts,
            revision=self._revision(),
            languages=dict(languages),
            size=pages * size,
            rebuilding=renewed,
            identity=self._db.meta("identity"),
        )

    def files(self) -> Mapping[str, FileMark]:
        if not self._db.found():
            return {}
        rows = self._db.all("SELECT path, size, modified, digest FROM files ORDER BY path")
        return {path: FileMark(path, *rest) for path, *rest in ((read_path(p), *r) for p, *r in rows)}

    def set_roots(self, roots: Sequence[str]) -> None:
        with self._db.changing() as run:
            run("DELETE FROM roots")
            self._db.many("INSERT INTO roots VALUES (?)", [(written_path(root),) for root in roots])

    def set_makers(self, fingerprint: str, chunker: str) -> None:
        with self._db.changing():
            self._db.set_meta("fingerprint", fingerprint)
            self._db.set_meta("chunker", chunker)

    def without_vector(self, keys: Iterable[str]) -> set[str]:
        lacking = set(keys)
        query = "SELECT key FROM vectors WHERE generation = ? AND key IN ({})"
        for batch in batches(sorted(lacking), BATCH):
            lacking -= {
                key for (key,) in self._db.all(query.format(marks(batch)), self._generation(), *batch)
            }
        return lacking

    def put(self, files: Sequence[RememberedFile], vectors: Mapping[str, Embedding]) -> None:
        with self._db.changing() as run:
            blobs = self._blobs(vectors)
            changed = self._removed([file.mark.path for file in files])
            for file in files:
                changed |= self._add(run, file)
            generation = self._generation()
            rows = [(generation, key, blob) for key, blob in blobs.items()]
            self._db.many("INSERT OR REPLACE INTO vectors(generation, key, vector) VALUES (?, ?, ?)", rows)
            self._log(changed | self._in_use(vectors.keys() - changed))

    def touch(self, marks: Iterable[FileMark]) -> None:
        rows = [(mark.size, mark.modified, written_path(mark.path)) for mark in marks]
        with self._db.changing():
            self._db.many("UPDATE files SET size = ?, modified = ? WHERE path = ?", rows)

    def forget(self, paths: Iterable[str]) -> int:
        before = list(paths)
        with self._db.changing():
            (count,) = self._db.one("SELECT count(*) FROM files")
            self._log(self._removed(before))
            return int(count - self._db.one("SELECT count(*) FROM files")[0])

    def tidy(self, spare: float = 0.2) -> None:
        unused = "NOT EXISTS (SELECT 1 FROM chunks WHERE chunks.key = vectors.key)"
        with self._db.changing() as run:
            generation = self._generation()
            (used,) = self._db.one("SELECT count(DISTINCT key) FROM chunks")
            (idle,) = self._db.one(
                f"SELECT count(*) FROM vectors WHERE generation = ? AND {unused}", generation
            )
            surplus = max(0, idle - int(spare * used))
            oldest = f"SELECT id FROM vectors WHERE generation = ? AND {unused} ORDER BY id LIMIT ?"
            run(f"DELETE FROM vectors WHERE id IN ({oldest})", (generation, surplus))
            renewed = f"SELECT id FROM vectors WHERE generation > ? AND {unused}"
            run(f"DELETE FROM vectors WHERE id IN ({renewed})", (generation,))
            # No index will ask for what they all have seen; one that nobody has asked for long is made anew.
            if self._db.one("SELECT count(*) FROM changes")[0] > 4 * used + 1_000:
                run("UPDATE indexes SET dirty = 1 WHERE revision < ?", (self._revision(),))
            (seen,) = self._db.one(
                "SELECT coalesce(min(revision), ?) FROM indexes WHERE NOT dirty", self._revision()
            )
            run("DELETE FROM changes WHERE revision <= ?", (seen,))
            self._db.set_meta("changes_from", max(seen, self._db.number("changes_from")))
            # Only so no word of what is gone is left. It writes all words anew.
            gone = self._db.number(_GONE)
            (chunks,) = self._db.one("SELECT count(*) FROM chunks")
            if not spare or gone > min(_MOST_GONE, chunks // 20):
                run("INSERT INTO words(words) VALUES ('optimize')")
                self._db.set_meta(_GONE, 0)

    def nearest(self, vector: Embedding, recall: int, only: Selection) -> tuple[Hit, ...]:
        checked_recall(recall)
        with self._db.reading():
            return self._search.nearest(vector, recall, only) if self._db.found() else ()

    def matching(self, query: str, recall: int, only: Selection) -> tuple[Hit, ...]:
        checked_recall(recall)
        with self._db.reading():
            return self._search.matching(query, recall, only) if self._db.found() else ()

    def vectors(self, keys: Sequence[str] | None = None) -> Iterator[tuple[str, Embedding]]:
        if self._db.found():
            yield from self._search.vectors(keys)

    def chunks(self, keys: Sequence[str], only: Selection) -> Mapping[str, tuple[Chunk, ...]]:
        if not self._db.found():
            return {}
        found: dict[str, list[Chunk]] = {}
        for batch in batches(dict.fromkeys(keys), BATCH):
            rows = self._db.all(
                f"SELECT key, path, {COLUMNS} FROM chunks JOIN files ON files.id = file"
                f" WHERE key IN ({marks(batch)}) ORDER BY path, position",
                *batch,
            )
            for key, path, *row in rows:
                chunk = chunk_from(path, row)
                if _fits(chunk, only):
                    found.setdefault(key, []).append(chunk)
        return {key: tuple(found[key]) for key in keys if key in found}

    def neighbours(self, chunk: Chunk) -> tuple[Chunk, ...]:
        if not self._db.found():
            return ()
        rows = self._db.all(
            f"SELECT path, {COLUMNS} FROM chunks JOIN files ON files.id = file"
            " WHERE path = ? ORDER BY position",
            written_path(chunk.path),
        )
        return tuple(chunk_from(path, row) for path, *row in rows)

    def all_chunks(self) -> Iterator[tuple[str, Chunk]]:
        if not self._db.found():
            return
        for file, path in self._db.all("SELECT id, path FROM files ORDER BY path"):
            for key, *row in self._db.all(
                f"SELECT key, {COLUMNS} FROM chunks WHERE file = ? ORDER BY position", file
            ):
                yield key, chunk_from(path, row)

    def index_mark(self, index: str) -> IndexMark | None:
        if not self._db.found():
            return None
        rows = self._db.all("SELECT revision, dirty FROM indexes WHERE name = ?", index)
        return IndexMark(rows[0][0], bool(rows[0][1]), self._db.meta(f"{_STAMP}{index}")) if rows else None

    def mark_index(self, index: str, mark: IndexMark) -> None:
        with self._db.changing() as run:
            run("INSERT OR REPLACE INTO indexes VALUES (?, ?, ?)", (index, mark.revision, int(mark.dirty)))
            self._db.set_meta(f"{_STAMP}{index}", mark.stamp)

    def indexes(self) -> Sequence[str]:
        if not self._db.found():
            return ()
        return [name for (name,) in self._db.all("SELECT name FROM indexes ORDER BY name")]

    def drop_index(self, index: str) -> None:
        with self._db.changing() as run:
            run("DELETE FROM indexes WHERE name = ?", (index,))
            run("DELETE FROM meta WHERE name = ?", (f"{_STAMP}{index}",))

    def rewrite_words(self) -> None:
        with self._db.changing() as run:
            run("INSERT INTO words(words) VALUES ('rebuild')")  # a damaged list cannot be emptied
            run("DELETE FROM words")
            for file, path in self._db.all("SELECT id, path FROM files"):  # a file's chunks at a time
                for known, *row in self._db.all(f"SELECT id, {COLUMNS} FROM chunks WHERE file = ?", file):
                    run(_WORDS, (known, *words_of(chunk_from(path, row))))

    def changed_since(self, revision: int) -> Sequence[str] | None:
        if not self._db.found() or revision < self._db.number("changes_from"):
            return None
        rows = self._db.all("SELECT DISTINCT key FROM changes WHERE revision > ?", revision)
        return [key for (key,) in rows]

    @contextmanager
    def renewal(self, fingerprint: str) -> Iterator[Renewal]:
        """See the port."""
        with self._db.changing() as run:
            if self._db.meta("renewal") != fingerprint:
                run("DELETE FROM vectors WHERE generation > ?", (self._generation(),))
                self._db.set_meta("renewal", fingerprint)
        yield SqliteRenewal(self._db, self._generation() + 1, fingerprint)

    def problems(self) -> tuple[str, ...]:
        return problems_of(self._db) if self._db.found() else ()

    # What the methods above are made of.

    def _in_use(self, keys: Iterable[str]) -> set[str]:
        """Those of the keys that chunks have."""
        query = "SELECT DISTINCT key FROM chunks WHERE key IN ({})"
        found: set[str] = set()
        for batch in batches(sorted(keys), BATCH):
            found |= {key for (key,) in self._db.all(query.format(marks(batch)), *batch)}
        return found

    def _generation(self) -> int:
        return self._db.number("generation")

    def _revision(self) -> int:
        return self._db.number("revision")

    def _blobs(self, vectors: Mapping[str, Embedding]) -> dict[str, bytes]:
        dimension = self._db.number("dimension") or None
        blobs = {}
        for key, vector in vectors.items():
            blobs[key] = as_blob(vector, dimension)
            dimension = len(vector)
        if dimension:
            self._db.set_meta("dimension", dimension)
        return blobs

    def _removed(self, paths: Sequence[str]) -> set[str]:
        """Takes files away; their keys."""
        keys: list[str] = []
        for path in paths:
            for (file,) in self._db.all("SELECT id FROM files WHERE path = ?", written_path(path)):
                keys += [key for (key,) in self._db.all("SELECT key FROM chunks WHERE file = ?", file)]
                self._db.many(
                    "DELETE FROM words WHERE rowid IN (SELECT id FROM chunks WHERE file = ?)", [(file,)]
                )
                self._db.many("DELETE FROM chunks WHERE file = ?", [(file,)])
                self._db.many("DELETE FROM files WHERE id = ?", [(file,)])
        if keys:
            self._db.set_meta(_GONE, self._db.number(_GONE) + len(keys))
        return set(keys)

    def _add(self, run: Callable[..., Any], file: RememberedFile) -> set[str]:
        mark = file.mark
        known = run(
            "INSERT INTO files(path, size, modified, digest) VALUES (?, ?, ?, ?)",
            (written_path(mark.path), mark.size, mark.modified, mark.digest),
        ).lastrowid
        for position, (chunk, key) in enumerate(zip(file.chunks, file.keys, strict=True)):
            row = run(
                f"INSERT INTO chunks(file, position, key, {COLUMNS.replace('chunks.', '')})"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (known, position, key, *row_of(chunk)),
            ).lastrowid
            run(_WORDS, (row, *words_of(chunk)))
        return set(file.keys)

    def _log(self, keys: set[str]) -> None:
        if not keys:
            return
        revision = self._revision() + 1
        self._db.set_meta("revision", revision)
        self._db.many("INSERT INTO changes VALUES (?, ?)", [(revision, key) for key in sorted(keys)])


def _fits(chunk: Chunk, only: Selection) -> bool:
    return (
        only.fits_path(chunk.path)
        and (not only.languages or chunk.language in only.languages)
        and (not only.kinds or chunk.kind in only.kinds)
    )
