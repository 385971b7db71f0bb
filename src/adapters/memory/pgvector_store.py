"""PostgreSQL with pgvector as an index: any server, one table a collection."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql
from psycopg.types.json import Jsonb

from ...domain.retrieval import Embedding, Hit, VectorEntry, as_cosine, checked_recall, unit_vector
from .pgvector_server import Connection, PgvectorServer, no_address, vector_type
from .unit_rows import unit_rows

_GRAPH_FROM = 5_000
"""Entries from which there is a graph; below, comparing all is as fast, and exact."""

_MOST_NUMBERS = 2_000
"""How many a vector may have for pgvector's graph to take it; beyond, all are compared."""

_PART = 10_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,44}")


class PgvectorStore:
    """Implements ``VectorStore``. Nothing is asked before the first use.

    A large batch is stored faster than many small ones: the graph is then built anew, which takes a fifth of
    the time that it takes to grow.

    Args:
        dsn: a URL or libpq's ``key=value`` text; what it leaves out libpq finds (PGPASSWORD, ~/.pgpass, ...).
        collection: names the table, ``cesello_`` before it; letters, digits and ``._-``, at most 45.
        dsn_env: the environment variable that holds the DSN, where it is not given.
        schema: where the table is, made when it is not there; None leaves it to the server's search path.
        timeout: seconds for one statement; what is stored takes the time it takes.

    Raises:
        UsageError: C098 no usable address or name; C103, at the first use, no such variable.
    """

    def __init__(
        self,
        dsn: str | None = None,
        collection: str = "code",
        *,
        dsn_env: str | None = None,
        schema: str | None = None,
        timeout: float = 60.0,
    ) -> None:
        if not _NAME.fullmatch(collection):
            raise no_address("a collection's name", got=collection, expected="letters, digits and ._-")
        self._server = PgvectorServer(dsn, dsn_env, collection, timeout)
        self._schema = schema
        at = (schema,) if schema else ()
        self._table = sql.Identifier(*at, f"cesello_{collection}")
        self._graph_name = f"cesello_{collection}_graph"
        self._graph = sql.Identifier(*at, self._graph_name)
        self._forget()

    def _forget(self) -> None:
        self._dimension: int | None = None
        self._has_graph = False

    def upsert(self, entries: Sequence[VectorEntry]) -> None:
        if not entries:
            return
        with self._open() as connection:
            dimension = self._dimension or len(entries[0].vector)
            rows = {entry.id: row for row, entry in enumerate(entries)}
            vectors = unit_rows(entries, dimension)  # of all, so that one that is replaced can be refused too
            with connection.transaction():
                connection.execute("SET LOCAL statement_timeout = 0")
                if self._dimension is None:
                    self._make_table(connection, dimension)
                elif self._has_graph and 2 * len(rows) > self._count(connection):
                    self._run(connection, "DROP INDEX {graph}")
                self._copy(connection, entries, vectors, list(rows.values()))
            self._forget()
            self._look(connection)
            self._make_graph(connection)

    def delete(self, ids: Sequence[str]) -> None:
        with self._open() as connection:
            if self._dimension is not None and ids:
                self._run(connection, "DELETE FROM {table} WHERE id = ANY(%s)", [list(ids)])

    def nearest(
        self, vector: Embedding, recall: int = 20, where: Mapping[str, str] | None = None
    ) -> tuple[Hit, ...]:
        checked_recall(recall)
        with self._open() as connection:
            query = np.array(unit_vector(vector, self._dimension), dtype=np.float32)
            if self._dimension is None:
                return ()
            rows = self._nearest(connection, query, recall, dict(where or {}))
            if len(rows) < recall:
                # Perhaps there are no more; perhaps the graph was left too soon, as with a rare filter.
                with connection.transaction():
                    connection.execute("SET LOCAL enable_indexscan = off")
                    rows = self._nearest(connection, query, recall, dict(where or {}))
        return tuple(Hit(known, as_cosine(float(score)), metadata) for known, score, metadata in rows)

    def __len__(self) -> int:
        with self._open() as connection:
            return 0 if self._dimension is None else self._count(connection)

    def ids(self) -> Iterator[str]:
        after = ""
        while True:
            with self._open() as connection:
                if self._dimension is None:
                    return
                part = self._run(
                    connection, "SELECT id FROM {table} WHERE id > %s ORDER BY id LIMIT %s", [after, _PART]
                )
            yield from (known for (known,) in part)
            if len(part) < _PART:
                return
            after = part[-1][0]

    def set_stamp(self, stamp: str) -> None:
        with self._open() as connection:
            if self._dimension is not None:
                text = sql.SQL("COMMENT ON TABLE {} IS {}").format(self._table, sql.Literal(stamp))
                connection.execute(text)

    def stamp(self) -> str:
        with self._open() as connection:
            query = "SELECT coalesce(obj_description(to_regclass(%s), 'pg_class'), '')"
            row = connection.execute(query, [self._table.as_string(connection)]).fetchone()
            return str(row[0]) if row else ""

    def clear(self) -> None:
        with self._open() as connection:
            self._run(connection, "DROP TABLE IF EXISTS {table}")
            self._forget()

    def close(self) -> None:
        self._forget()
        self._server.close()

    @contextmanager
    def _open(self) -> Iterator[Connection]:
        with self._server.connected(self._forget) as connection:
            if self._dimension is None:
                self._look(connection)
            yield connection

    def _look(self, connection: Connection) -> None:
        """Learns the dimension of a table that is there, and whether it has a graph."""
        found = connection.execute(
            "SELECT atttypmod, EXISTS (SELECT FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
            "  WHERE indrelid = attrelid AND relname = %s AND indisvalid)"
            " FROM pg_attribute"
            " WHERE attrelid = to_regclass(%s) AND attname = 'embedding' AND NOT attisdropped",
            [self._graph_name, self._table.as_string(connection)],
        ).fetchone()
        if found is not None:
            self._dimension, self._has_graph = found

    def _run(
        self, connection: Connection, text: LiteralString, values: Sequence[object] | Mapping[str, Any] = ()
    ) -> list[Any]:
        query = sql.SQL(text).format(
            table=self._table, graph=self._graph, name=sql.Identifier(self._graph_name)
        )
        cursor = connection.execute(query, values)
        return cursor.fetchall() if cursor.description else []

    def _count(self, connection: Connection) -> int:
        return int(self._run(connection, "SELECT count(*) FROM {table}")[0][0])

    def _make_table(self, connection: Connection, dimension: int) -> None:
        if self._schema:
            schema = sql.Identifier(self._schema)
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(schema))
        columns = sql.SQL("(id text PRIMARY KEY, embedding vector({}) NOT NULL, metadata jsonb NOT NULL)")
        connection.execute(sql.SQL("CREATE TABLE {} ").format(self._table) + columns.format(dimension))
        self._run(connection, "CREATE INDEX ON {table} USING gin (metadata jsonb_path_ops)")

    def _copy(
        self,
        connection: Connection,
        entries: Sequence[VectorEntry],
        vectors: NDArray[np.float32],
        rows: Sequence[int],
    ) -> None:
        self._run(connection, "CREATE TEMPORARY TABLE incoming (LIKE {table}) ON COMMIT DROP")
        with connection.cursor() as cursor, cursor.copy("COPY incoming FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["text", vector_type(connection), "jsonb"])
            for row in rows:
                copy.write_row((entries[row].id, vectors[row], Jsonb(dict(entries[row].metadata))))
        self._run(
            connection,
            "INSERT INTO {table} AS kept SELECT * FROM incoming ORDER BY id ON CONFLICT (id) DO UPDATE"
            " SET embedding = excluded.embedding, metadata = excluded.metadata"
            " WHERE (kept.embedding, kept.metadata) IS DISTINCT FROM (excluded.embedding, excluded.metadata)",
        )

    def _make_graph(self, connection: Connection) -> None:
        """The graph for a table that has grown big and has none."""
        dimension = self._dimension or 0
        count = 0 if self._has_graph or dimension > _MOST_NUMBERS else self._count(connection)
        if count < _GRAPH_FROM:
            return
        room = min(1024, 64 + count * (4 * dimension + 500) // 2**20)
        try:
            self._build(connection, room)
        except psycopg.errors.DiskFull:  # as in a container, which has 64 MB for what processes share
            self._build(connection, room, workers=0)
        self._run(connection, "ANALYZE {table}")
        self._has_graph = True

    def _build(self, connection: Connection, megabytes: int, workers: int | None = None) -> None:
        with connection.transaction():
            connection.execute("SET LOCAL statement_timeout = 0")
            connection.execute("SELECT set_config('maintenance_work_mem', %s, true)", [f"{megabytes}MB"])
            if workers is not None:
                setting = "SELECT set_config('max_parallel_maintenance_workers', %s, true)"
                connection.execute(setting, [str(workers)])
            self._run(
                connection,
                "CREATE INDEX {name} ON {table} USING hnsw (embedding vector_ip_ops)"
                " WITH (m = 16, ef_construction = 128)",
            )

    def _nearest(
        self, connection: Connection, query: NDArray[np.float32], recall: int, where: dict[str, str]
    ) -> list[tuple[str, float, dict[str, str]]]:
        # Of vectors of length 1 the inner product is the cosine, and the zero vector has one too.
        return self._run(
            connection,
            "SELECT id, -(embedding <#> %(query)b), metadata FROM {table} WHERE metadata @> %(where)s"
            " ORDER BY embedding <#> %(query)b LIMIT %(recall)s"
            if where
            else "SELECT id, -(embedding <#> %(query)b), metadata FROM {table}"
            " ORDER BY embedding <#> %(query)b LIMIT %(recall)s",
            {"query": query, "where": Jsonb(where), "recall": recall},
        )
