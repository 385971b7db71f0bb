"""A folder of Chroma: looked at before Chroma sees it, sealed after each change, for its owner alone.

Chroma believes what it finds. Of a graph file cut in half it finds half and counts all; of one with zeros in
it, it ends the whole process with a segmentation fault; and it builds the embedding function that the stored
settings name, with the arguments that stand there. So the files of the graphs are sealed, that is, their
sizes and checksums are written down, and nothing that does not fit its seal is given to Chroma.

The seal guards against accidents: who can change the files can change it too. Against strangers stands the
look at the settings. A folder that held a database before cesello came has no seal, and is never emptied.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock, Timeout

from ...domain.errors import RetryableError, StoreError
from .own_files import refuse_links

DATABASE = "chroma.sqlite3"
START_AGAIN = "name another folder, or delete this one and index again"
_SEAL = "cesello.json"
_LOCK = "cesello.lock"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PATIENCE = 10.0
"""Seconds that one process waits for another's batch."""

Sealed = dict[str, tuple[int, int]]
"""Of each file of a graph its size and its CRC-32."""


class ChromaFolder:
    """One folder.

    Args:
        folder: made, for its owner alone, when it is first locked.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self._lock = FileLock(folder / _LOCK, mode=0o600)
        self._seen: dict[str, tuple[int, int, int]] = {}
        self._was_sealed = False

    @contextmanager
    def locked(self, where: str) -> Iterator[None]:
        """No other process changes the folder, or looks whether it fits its seal.

        Raises:
            RetryableError: T098 another one takes its time. StoreError: S017.
        """
        refuse_links([self.path, *self.path.glob("*"), *self.path.glob("*/*")])
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with self._lock.acquire(timeout=_PATIENCE):
                yield
        except Timeout as cause:
            raise RetryableError(
                "T098", "a store is busy", where=where, got="another process writes", fix="try again later"
            ) from cause

    def checked_dimension(self, collection: str) -> int | None:
        """The dimension of a stored collection, if it has one, once Chroma may open the folder.

        Raises:
            StoreError: S004 a file does not fit its seal, S005 a function would be loaded and run.
            OSError, ValueError, sqlite3.Error: what cannot be read at all.
        """
        database = self.path / DATABASE
        if not database.exists():
            if self._sealed():
                raise self._broken(DATABASE, "missing")
            self._write({})
            return None
        dimension = _dimension(database, collection)
        if self._is_sealed:
            self._compare(self._sealed(), self._now())
        return dimension

    def seal(self) -> None:
        """Writes down how the graphs are now, and takes all files from the eyes of others."""
        files = self._graph_files()
        for graph in {path.parent for path in files}:
            graph.chmod(0o700)
        for path in (self.path / DATABASE, *files):
            path.chmod(0o600)
        now = self._now()
        if self._is_sealed:
            self._was_sealed = True
            if now != self._sealed():
                self._write(now)

    def sweep(self) -> None:
        """Deletes the graphs and the vectors of collections that are no more; Chroma leaves them."""
        with closing(_opened(self.path / DATABASE)) as connection:
            known = {row[0] for row in connection.execute("SELECT id FROM segments")}
            with suppress(sqlite3.OperationalError):  # somebody reads: the next time
                connection.execute("VACUUM")
        for graph in {path.parent for path in self._graph_files()}:
            if graph.name not in known:
                shutil.rmtree(graph)

    def empty(self) -> bool:
        """Deletes all that Chroma wrote, whatever state it is in; False for a folder that is not ours.

        One that was sealed when it was opened is ours though somebody has deleted it since: Chroma may have
        made a new database there, and no seal.
        """
        is_ours = self._is_sealed or self._was_sealed
        if not is_ours and (self._graph_files() or (self.path / DATABASE).exists()):
            return False
        for graph in {path.parent for path in self._graph_files()}:
            shutil.rmtree(graph)
        for path in self.path.glob(f"{DATABASE}*"):
            path.unlink()
        self._seen.clear()
        self._write({})
        return True

    def discard(self, where: str) -> bool:
        """Deletes the folder, where it is ours; whether nothing of it is left.

        Raises:
            CeselloError: those of ``locked``. OSError: what cannot be deleted.
        """
        if not self.path.exists():
            return True
        with self.locked(where):
            if not self.empty():
                return False
            (self.path / _SEAL).unlink()
            (self.path / _LOCK).unlink()
        with suppress(OSError):  # something of somebody else
            self.path.rmdir()
        return True

    @property
    def _is_sealed(self) -> bool:
        return (self.path / _SEAL).exists()

    def _sealed(self) -> Sealed:
        try:
            sealed = json.loads((self.path / _SEAL).read_bytes())
            return {str(name): (int(size), int(checksum)) for name, (size, checksum) in sealed.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, AttributeError) as cause:
            raise self._broken(_SEAL, "unreadable") from cause

    def _compare(self, sealed: Sealed, now: Sealed) -> None:
        for name in sorted(sealed.keys() | now.keys()):
            if name not in now:
                raise self._broken(name, "missing")
            if sealed.get(name) != now[name]:
                raise self._broken(name, "changed" if name in sealed else "unknown")

    def _graph_files(self) -> list[Path]:
        """The files of all graphs: each has a folder, named by a UUID."""
        found = sorted(self.path.glob("*-*-*-*-*/*"))
        return [path for path in found if _UUID.fullmatch(path.parent.name) and path.is_file()]

    def _now(self) -> Sealed:
        """The seal that fits now. A file whose time and size are known is not read again."""
        seen: dict[str, tuple[int, int, int]] = {}
        for path in self._graph_files():
            name, status = path.relative_to(self.path).as_posix(), path.stat()
            before = self._seen.get(name)
            if before is None or before[:2] != (status.st_mtime_ns, status.st_size):
                before = (status.st_mtime_ns, status.st_size, _checksum(path))
            seen[name] = before
        self._seen = seen
        return {name: (size, checksum) for name, (_, size, checksum) in seen.items()}

    def _write(self, sealed: Sealed) -> None:
        beside = self.path / f"{_SEAL}.new"
        beside.unlink(missing_ok=True)
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(sealed, file)
        beside.replace(self.path / _SEAL)

    def _broken(self, name: str, state: str) -> StoreError:
        return StoreError(
            "S004",
            "a store is not as it was left",
            where=str(self.path / name),
            got=f"{state} file",
            fix=START_AGAIN,
        )


def _checksum(path: Path) -> int:
    checksum = 0
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            checksum = zlib.crc32(part, checksum)
    return checksum


def _opened(database: Path) -> sqlite3.Connection:
    """SQLite's view. Not read-only: a process that was killed may have left a journal to be undone."""
    connection = sqlite3.connect(f"file:{quote(str(database))}?mode=rw", uri=True)
    connection.row_factory = sqlite3.Row
    return connection


def _dimension(database: Path, collection: str) -> int | None:
    with closing(_opened(database)) as connection:
        ((state, *_), *_) = connection.execute("PRAGMA quick_check(1)").fetchall()
        if state != "ok":
            raise ValueError(state)
        rows = connection.execute("SELECT * FROM collections WHERE name = ?", (collection,)).fetchall()
    for row in rows:
        for column in ("config_json_str", "schema_str"):
            stored = row[column] if column in row.keys() else None  # noqa: SIM118
            named = _runs(json.loads(stored, object_pairs_hook=_once_each)) if stored else None
            if named:
                raise StoreError(
                    "S005",
                    "a store names a function that Chroma would load and run",
                    where=f'collection "{collection}" of {database.parent}',
                    got=named,
                    expected="no embedding function, because cesello embeds itself",
                    fix=START_AGAIN,
                )
    return rows[0]["dimension"] if rows else None


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Of a key that stands there twice nobody knows which one Chroma takes."""
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key of the settings stands there twice")
    return values


def _runs(settings: object) -> str | None:
    """The first thing in stored settings that would be loaded and run."""
    unread = [settings]
    while unread:
        value = unread.pop()
        if isinstance(value, str) and "trust_remote_code" in value:
            return "trust_remote_code"
        if isinstance(value, list):
            unread += value
        elif isinstance(value, dict):
            unread += [*value.keys(), *value.values()]
            function = value.get("embedding_function")
            name = function.get("name") if isinstance(function, dict) else function
            if name not in (None, "default", "none"):
                return f"the embedding function {name}"
    return None
