"""The connection to a PostgreSQL with pgvector, and what it says in words."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg.adapt import Dumper
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Format

from ...domain.errors import CeselloError, RetryableError, StoreError, UsageError

Connection = psycopg.Connection[Any]

_SESSION: tuple[LiteralString, ...] = (
    "SET plan_cache_mode = force_custom_plan",  # a plan made without the recall would never use the graph
    "SET hnsw.ef_search = 200",
    "SET hnsw.iterative_scan = strict_order",
)
_OLDEST = (0, 8)
"""Before, a search with a filter, or for more than ef_search, found less than there was."""

_PATIENCE = {"connect_timeout": 10, "keepalives_idle": 30, "tcp_user_timeout": 30_000}

# Classes and codes of SQLSTATE.
_BUSY = ("40", "53", "55", "57014")
"""A conflict, no room or too many connections, a lock; a statement that took more than its time."""

_GONE = ("08", "57P")
_REFUSED = ("28", "3D", "3F", "42501", "42704", "0A", "58P01", "25006")


class PgvectorServer:
    """One server. Nothing is asked before the first use; a connection that breaks is made anew.

    Args:
        dsn: a URL or libpq's ``key=value`` text; what it leaves out libpq finds (PGPASSWORD, ~/.pgpass, ...).
        dsn_env: the environment variable that holds it instead.
        collection: for messages.
        timeout: seconds for a statement; for a lock the same, and at most 5.

    Raises:
        UsageError: C098 no usable address.
    """

    def __init__(self, dsn: str | None, dsn_env: str | None, collection: str, timeout: float) -> None:
        if (dsn is None) == (dsn_env is None):
            raise no_address("either a DSN or the variable that holds it")
        self._dsn = None if dsn is None else _checked(dsn)
        self._dsn_env = dsn_env
        self._collection = collection
        self._timeout = timeout
        self._connection: Connection | None = None

    @contextmanager
    def connected(self, when_it_fails: Callable[[], None]) -> Iterator[Connection]:
        """The connection, within which its errors become ours.

        Raises:
            UsageError: C103 the variable is not set.
            StoreError: S004, S007, S008.
            RetryableError: T098.
        """
        dsn = self._dsn or _found(self._dsn_env or "")
        try:
            if self._connection is None or self._connection.closed:
                self._connection = self._opened(dsn)
            yield self._connection
        except psycopg.Error as cause:
            lost = self._connection is None or self._connection.closed
            when_it_fails()
            raise _explained(cause, dsn, self._collection, bool(lost)) from cause

    def close(self) -> None:
        """The next use would connect again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _opened(self, dsn: str) -> Connection:
        options: dict[str, Any] = {"application_name": "cesello", **_PATIENCE, **conninfo_to_dict(dsn)}
        connection: Connection = psycopg.connect(
            make_conninfo("", **options), autocommit=True, prepare_threshold=None
        )
        try:
            self._prepare(connection, f"collection {self._collection!r} of {_shown(dsn)}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: Connection, where: str) -> None:
        about_pgvector = "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
        if connection.execute(about_pgvector).fetchone() is None:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        found = connection.execute(about_pgvector).fetchone()
        version = found[0] if found else "none"
        if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < _OLDEST:
            raise StoreError(
                "S008",
                "the pgvector of a store's server is too old",
                where=where,
                got=version,
                expected="0.8 or newer",
                fix="install a newer one there and run ALTER EXTENSION vector UPDATE",
            )
        oid = connection.execute("SELECT 'vector'::regtype::oid").fetchone()
        connection.adapters.register_dumper(np.ndarray, _dumper(oid[0] if oid else 0))
        for setting in _SESSION:
            connection.execute(setting)
        for setting, seconds in (
            ("statement_timeout", self._timeout),
            ("lock_timeout", min(self._timeout, 5.0)),
        ):
            connection.execute("SELECT set_config(%s, %s, false)", [setting, f"{int(seconds * 1000)}ms"])


def no_address(what: str, *, got: object = None, expected: object = None) -> UsageError:
    """The error for an address or a name that cannot be used."""
    return UsageError(
        "C098",
        f"a store on PostgreSQL needs {what}",
        got=got,
        expected=expected,
        fix='write "postgresql://user@host:5432/database", the password in PGPASSWORD or ~/.pgpass',
    )


def vector_type(connection: Connection) -> int:
    """The number that the server gave to the type ``vector``."""
    return int(connection.adapters.get_dumper(np.ndarray, "b").oid)  # type: ignore[arg-type]


def _dumper(oid_of_vector: int) -> type[Dumper]:
    """How float32 arrays are sent: in pgvector's binary form, two 16-bit numbers and then 32-bit ones."""

    class VectorDumper(Dumper):
        format = Format.BINARY
        oid = oid_of_vector

        def dump(self, obj: NDArray[np.float32]) -> bytes:
            return np.array([len(obj), 0], dtype=">u2").tobytes() + obj.astype(">f4").tobytes()

    return VectorDumper


def _explained(cause: psycopg.Error, dsn: str, collection: str, lost: bool) -> CeselloError:
    state = cause.sqlstate or ""
    said = (str(cause).strip().splitlines() or [type(cause).__name__])[0][:300]
    secret = str(conninfo_to_dict(dsn).get("password") or "")
    got = said.replace(secret, "***") if secret else said
    where = f'collection "{collection}" of {_shown(dsn)}'
    if state.startswith(_BUSY):
        return RetryableError("T098", "a store is busy", where=where, got=got, fix="try again later")
    if '"vector"' in said and state.startswith(_REFUSED):
        fix = "install pgvector there and, as its administrator, run CREATE EXTENSION vector"
        return StoreError("S008", "a store's server has no pgvector", where=where, got=got, fix=fix)
    # Of a connection that was never made psycopg knows the reason only in words.
    if state.startswith(_REFUSED) or (lost and "FATAL:" in said):
        fix = "check user, password, database and rights"
        return StoreError("S008", "a store's server refuses", where=where, got=got, fix=fix)
    if lost or state.startswith(_GONE):
        fix = "start the server, or correct its address"
        return StoreError("S007", "a store's server gives no answer", where=where, got=got, fix=fix)
    return StoreError("S004", "a store cannot be used", where=where, got=got, fix="clear it and index again")


def _checked(dsn: str) -> str:
    try:
        conninfo_to_dict(dsn)
    except psycopg.Error:
        raise no_address("a DSN that can be read") from None  # the cause shows it, with the password
    return dsn


def _found(variable: str) -> str:
    dsn = os.environ.get(variable, "").strip()
    if not dsn:
        raise UsageError(
            "C103",
            "the address of a store is not there",
            expected=f"the environment variable {variable}",
            fix=f"export {variable}=postgresql://...",
        )
    return _checked(dsn)


def _shown(dsn: str) -> str:
    """Where a DSN leads, without its secrets."""
    parts = conninfo_to_dict(dsn)
    host = ":".join(str(parts[key]) for key in ("host", "port") if parts.get(key)) or "the default host"
    return f"PostgreSQL at {host}, database {parts.get('dbname') or 'by default'}"
