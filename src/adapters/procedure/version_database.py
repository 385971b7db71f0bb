"""All versions of all procedures in one SQLite file.

Files are kept once by their hash, so a version costs what is new in it. At most one version of a name is
active: an index of the file itself sees to it, whichever process writes and wherever it is killed.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ...domain.errors import CeselloError, DataError
from ...domain.procedure import Change, Status, Version, sha_of
from .safe_files import keep_out, make_private, refused
from .sqlite_errors import meaning

_FORM = 1
_TABLES = f"""
CREATE TABLE version (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, sha TEXT NOT NULL, parent TEXT NOT NULL, author TEXT NOT NULL,
    created TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL, UNIQUE (name, sha)
) STRICT;
CREATE UNIQUE INDEX one_active ON version (name) WHERE status = 'active';
CREATE TABLE content (sha TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE file (
    version INTEGER NOT NULL REFERENCES version (id), path TEXT NOT NULL,
    content TEXT NOT NULL REFERENCES content (sha), PRIMARY KEY (version, path)
) STRICT, WITHOUT ROWID;
CREATE TABLE change (
    id INTEGER PRIMARY KEY, version INTEGER NOT NULL REFERENCES version (id), status TEXT NOT NULL,
    reason TEXT NOT NULL, at TEXT NOT NULL
) STRICT;
PRAGMA user_version = {_FORM};
"""
_VERSION = "SELECT name, sha, parent, author, created, status, reason FROM version"
_PATIENCE = 10.0
"""Seconds to wait for another process, which writes for some milliseconds."""


class VersionDatabase:
    """The file, opened for every use and made at the first change."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._inside: sqlite3.Connection | None = None

    @contextmanager
    def changing(self) -> Iterator[None]:
        """All that is done within is done whole or not at all, while no other process changes anything."""
        if self._inside is not None:
            yield
            return
        with closing(self._begun()) as connection:
            self._inside = connection
            try:
                yield
                with self._explained():
                    connection.execute("COMMIT")
            finally:
                self._inside = None
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def _begun(self) -> sqlite3.Connection:
        with self._explained():
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            keep_out(self._file.parent)
            make_private(self._file)
            connection = self._connect()
            try:
                connection.execute("BEGIN IMMEDIATE")
                self._make(connection)
            except BaseException:
                connection.close()
                raise
            return connection

    def versions(self, name: str | None = None) -> Sequence[Version]:
        """Of a name, or all, newest first."""
        where = "" if name is None else " WHERE name = ?"
        rows = self._rows(f"{_VERSION}{where} ORDER BY id DESC", *([] if name is None else [name]))
        with self._explained():
            return [_version(row) for row in rows]

    def has(self, name: str, sha: str) -> bool:
        """Whether there is that version."""
        return bool(self._rows("SELECT 1 FROM version WHERE name = ? AND sha = ?", name, sha))

    def changes(self, name: str) -> Sequence[Change]:
        """Newest first."""
        query = (
            "SELECT sha, change.status, change.reason, at FROM change"
            " JOIN version ON version.id = change.version WHERE name = ? ORDER BY change.id DESC"
        )
        rows = self._rows(query, name)
        with self._explained():
            return [Change(sha, Status(status), reason, at) for sha, status, reason, at in rows]

    def files(self, version: Version) -> Mapping[str, bytes]:
        """Its files, sorted.

        Raises:
            DataError: D044 where they are not what was recorded.
        """
        query = (
            "SELECT path, bytes FROM file JOIN version ON version.id = file.version"
            " JOIN content ON content.sha = file.content WHERE name = ? AND version.sha = ? ORDER BY path"
        )
        found = {str(path): bytes(content) for path, content in self._rows(query, version.name, version.sha)}
        if sha_of(found) != version.sha:
            raise damaged(self._file, f"version {version.sha[:8]} of {version.name} is not what was recorded")
        return found

    def add(self, version: Version, files: Mapping[str, bytes]) -> None:
        """A new one; inside ``changing``."""
        values = (version.name, version.sha, version.parent, version.author, version.created, version.status)
        with self._explained():
            run = self._writer().execute
            query = "INSERT INTO version (name, sha, parent, author, created, status, reason)"
            number = run(f"{query} VALUES (?, ?, ?, ?, ?, ?, ?)", (*values, version.reason)).lastrowid
            for path, content in files.items():
                digest = sha256(content).hexdigest()
                run("INSERT OR IGNORE INTO content VALUES (?, ?)", (digest, content))
                run("INSERT INTO file VALUES (?, ?, ?)", (number, path, digest))
        self._note(version, version.created)

    def set_status(self, version: Version, at: str) -> None:
        """Status and reason of one that is there; inside ``changing``."""
        with self._explained():
            self._writer().execute(
                "UPDATE version SET status = ?, reason = ? WHERE name = ? AND sha = ?",
                (version.status, version.reason, version.name, version.sha),
            )
        self._note(version, at)

    def _note(self, version: Version, at: str) -> None:
        query = "INSERT INTO change (version, status, reason, at) SELECT id, ?, ?, ? FROM version"
        with self._explained():
            self._writer().execute(
                f"{query} WHERE name = ? AND sha = ?",
                (version.status, version.reason, at, version.name, version.sha),
            )

    def _writer(self) -> sqlite3.Connection:
        assert self._inside is not None, "only inside changing"
        return self._inside

    def _rows(self, query: str, *values: str) -> list[Any]:
        with self._explained():
            if self._inside is not None:
                return self._inside.execute(query, values).fetchall()
            if not self._file.exists():
                return []
            with closing(self._connect()) as connection:
                if not self._form(connection):
                    return []
                return connection.execute(query, values).fetchall()

    def _connect(self) -> sqlite3.Connection:
        # Where a process was killed, the next one takes back what it had begun, which is writing.
        mode = "rw" if os.access(self._file.parent, os.W_OK) else "ro"
        name = f"file:{quote(str(self._file.absolute()))}?mode={mode}"
        connection = sqlite3.connect(name, uri=True, timeout=_PATIENCE, isolation_level=None)
        connection.execute("PRAGMA synchronous=EXTRA")  # an acknowledged change outlasts a power cut
        connection.execute("PRAGMA trusted_schema=OFF")  # a stranger's file calls no functions
        connection.execute("PRAGMA foreign_keys=ON")
        return connection

    def _form(self, connection: sqlite3.Connection) -> int:
        """0 where nothing was made yet."""
        form = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if form not in (0, _FORM):
            raise damaged(self._file, f"form {form}; this version of cesello reads form {_FORM}")
        return form

    def _make(self, connection: sqlite3.Connection) -> None:
        if self._form(connection) == 0:
            for statement in _TABLES.split(";"):
                connection.execute(statement)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except CeselloError:
            raise
        except OSError as cause:
            raise refused(self._file, cause) from cause
        except (sqlite3.Error, ValueError) as cause:
            raise meaning(self._file, cause, "the versions of procedures are", damaged) from cause


def _version(row: Sequence[str]) -> Version:
    name, sha, parent, author, created, status, reason = row
    return Version(name, sha, parent, author, created, Status(status), reason)


def damaged(file: Path, got: str) -> DataError:
    """D044."""
    fix = "put a copy of the file back; or move it away, and the folders are recorded anew"
    return DataError(
        "D044", "the versions of procedures are damaged", where=str(file), got=got[:200], fix=fix
    )
