from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any
from uuid import uuid4

import numpy as np
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from cesello.adapters.memory import pgvector_store
from cesello.adapters.memory.numpy_store import NumpyStore
from cesello.adapters.memory.pgvector_store import PgvectorStore
from cesello.domain.errors import CeselloError
from cesello.domain.retrieval import VectorEntry
from tests.store_servers import free_port, postgres

EAST, NORTH = (1.0, 0.0), (0.0, 1.0)


@pytest.fixture(scope="module")
def dsn() -> Iterator[str]:
    with postgres() as running:
        yield running


@pytest.fixture(scope="module")
def administrator(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


At = Callable[..., PgvectorStore]


@pytest.fixture
def at() -> Iterator[At]:
    """Makes stores, and closes them."""
    with ExitStack() as stack:

        def made(dsn: str | None, collection: str | None = None, **named: Any) -> PgvectorStore:
            return stack.enter_context(closing(PgvectorStore(dsn, collection or uuid4().hex, **named)))

        yield made


def refused(action: Callable[[], object]) -> CeselloError:
    with pytest.raises(CeselloError) as caught:
        action()
    assert caught.value.fix
    return caught.value


def clustered(count: int, numbers: int) -> list[list[float]]:
    """Vectors like those of texts: some subjects, and much that differs."""
    draw = np.random.default_rng(9)
    subjects = draw.normal(size=(50, numbers))
    found = subjects[draw.integers(0, 50, count)] + 0.9 * draw.normal(size=(count, numbers))
    return [list(map(float, vector)) for vector in found]


def test_a_graph_finds_nearly_all_that_exact_search_finds(
    at: At, dsn: str, administrator: psycopg.Connection[Any]
) -> None:
    vectors = clustered(6_100, 64)
    kinds = ["rare" if n % 500 == 0 else "usual" for n in range(6_100)]
    entries = [VectorEntry(f"{n:05}", vectors[n], {"kind": kinds[n]}) for n in range(6_000)]
    exact, store = NumpyStore(), at(dsn, "graph")
    exact.upsert(entries)
    store.upsert(entries)
    plan = administrator.execute(
        "EXPLAIN SELECT id FROM cesello_graph ORDER BY embedding <#> (SELECT embedding FROM cesello_graph"
        " LIMIT 1) LIMIT 20"
    ).fetchall()
    assert "cesello_graph_graph" in str(plan)

    found = 0
    for vector in vectors[6_000:]:
        known = {hit.id for hit in exact.nearest(vector)}
        found += len(known & {hit.id for hit in store.nearest(vector)})
    assert found >= 0.98 * 100 * 20

    rare = store.nearest(vectors[0], 20, {"kind": "rare"})
    assert [hit.id for hit in rare] == [hit.id for hit in exact.nearest(vectors[0], 20, {"kind": "rare"})]
    assert len(rare) == 12
    assert len(store.nearest(vectors[0], 3_000)) == 3_000
    assert len(store.nearest(vectors[0], 10_000)) == 6_000

    store.upsert([VectorEntry("new", vectors[6_050])])  # the graph grows
    assert store.nearest(vectors[6_050])[0].id == "new"
    store.delete(["new"])
    assert store.nearest(vectors[6_050])[0].id != "new"
    again = at(dsn, "graph")
    again.upsert(entries)  # the graph is made anew
    assert (len(again), len(set(again.ids()))) == (6_000, 6_000)
    assert again.nearest(vectors[17])[0].id == "00017"
    assert again._has_graph


def test_ids_come_in_parts(at: At, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pgvector_store, "_PART", 10)
    store = at(dsn)
    for count in (10, 25):
        store.upsert([VectorEntry(f"{n} ünï'\"", (1.0, n)) for n in range(count)])
        assert sorted(store.ids()) == sorted(f"{n} ünï'\"" for n in range(count))


def test_what_is_stored_is_there_for_another_client(at: At, dsn: str) -> None:
    at(dsn, "shared").upsert([VectorEntry("a", EAST, {"path": "a.py"})])
    other = at(dsn, "shared")
    (hit,) = other.nearest(EAST, where={"path": "a.py"})
    assert (hit.id, dict(hit.metadata)) == ("a", {"path": "a.py"})
    assert refused(lambda: other.upsert([VectorEntry("b", (1.0, 2.0, 3.0))])).code == "S001"
    assert len(at(dsn, "shared", schema="other_place")) == 0


def test_a_schema_is_made_and_kept_to(at: At, dsn: str, administrator: psycopg.Connection[Any]) -> None:
    store = at(dsn, "placed", schema="in it's place")
    store.upsert([VectorEntry("a", EAST)])
    placed = administrator.execute(
        "SELECT table_schema FROM information_schema.tables WHERE table_name=%s", ["cesello_placed"]
    ).fetchall()
    assert placed == [("in it's place",)]
    store.clear()
    assert len(store) == 0


def test_vectors_too_long_for_a_graph_are_compared_one_by_one(
    at: At, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pgvector_store, "_GRAPH_FROM", 10)
    store = at(dsn)
    vectors = clustered(20, 2_500)
    store.upsert([VectorEntry(str(n), vector) for n, vector in enumerate(vectors)])
    assert [store.nearest(vector, 1)[0].id for vector in vectors] == [str(n) for n in range(20)]


def test_reading_makes_no_table(at: At, dsn: str, administrator: psycopg.Connection[Any]) -> None:
    store = at(dsn, "unread")
    assert (len(store), store.nearest(EAST), [*store.ids()]) == (0, (), [])
    store.delete(["a"])
    assert administrator.execute("SELECT to_regclass('cesello_unread')").fetchone() == (None,)


def test_a_table_that_is_dropped_while_it_is_open_is_refused_and_can_be_filled_again(
    at: At, dsn: str, administrator: psycopg.Connection[Any]
) -> None:
    store = at(dsn, "dropped")
    store.upsert([VectorEntry("a", EAST)])
    administrator.execute("DROP TABLE cesello_dropped")
    assert refused(lambda: len(store)).code == "S004"
    assert len(store) == 0
    store.upsert([VectorEntry("a", (1.0, 2.0, 3.0))])
    assert [*store.ids()] == ["a"]


def test_a_table_of_another_form_is_refused(at: At, dsn: str, administrator: psycopg.Connection[Any]) -> None:
    administrator.execute("CREATE TABLE cesello_strange (embedding vector(2))")
    store = at(dsn, "strange")
    assert refused(lambda: store.nearest(EAST)).code == "S004"
    assert refused(lambda: store.upsert([VectorEntry("a", EAST)])).code == "S004"


def test_a_locked_table_is_busy(at: At, dsn: str) -> None:
    store = at(dsn, "locked", timeout=0.5)
    store.upsert([VectorEntry("a", EAST)])
    with psycopg.connect(dsn) as other:
        other.execute("LOCK TABLE cesello_locked")
        for action in (lambda: len(store), lambda: store.upsert([VectorEntry("b", EAST)]), store.clear):
            assert refused(action).code == "T098"
    assert [*store.ids()] == ["a"]


def test_a_connection_that_was_cut_is_made_anew(
    at: At, dsn: str, administrator: psycopg.Connection[Any]
) -> None:
    store = at(dsn, "cut")
    store.upsert([VectorEntry("a", EAST)])
    administrator.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cesello'"
    )
    assert refused(lambda: len(store)).code == "S007"
    assert [hit.id for hit in store.nearest(EAST)] == ["a"]


@pytest.mark.parametrize("name", ["", "a/b", "x" * 46, "code;", "ünï", ".code"])
def test_a_name_that_cannot_be_used_is_refused_at_once(name: str) -> None:
    assert refused(lambda: PgvectorStore("postgresql://localhost", name)).code == "C098"


def test_a_server_that_is_not_there_is_named_without_its_password(at: At) -> None:
    port = free_port()
    store = at(f"postgresql://me:sesame@127.0.0.1:{port}/db")
    for action in (
        lambda: len(store),
        lambda: [*store.ids()],
        lambda: store.nearest(EAST),
        lambda: store.delete(["a"]),
        lambda: store.upsert([VectorEntry("a", EAST)]),
        store.clear,
    ):
        error = refused(action)
        assert error.code == "S007"
        assert f"127.0.0.1:{port}" in str(error)
        assert "sesame" not in str(error) + repr(error.__cause__)


@pytest.mark.parametrize(
    "wrong", ["postgresql://me:sesame@host:port:5432/db?x", "host=a password=sesame nonsense", "sesame"]
)
def test_a_dsn_that_cannot_be_read_is_refused_without_being_shown(wrong: str) -> None:
    error = refused(lambda: PgvectorStore(wrong))
    assert error.code == "C098"
    assert "sesame" not in str(error) + repr(error.__cause__)
    assert error.__suppress_context__


def test_the_dsn_may_stand_in_a_variable(at: At, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = at(None, dsn_env="CESELLO_TEST_DSN")
    unset = refused(lambda: len(store))
    assert unset.code == "C103"
    assert "CESELLO_TEST_DSN" in str(unset)
    monkeypatch.setenv("CESELLO_TEST_DSN", dsn)
    assert len(store) == 0
    assert refused(lambda: PgvectorStore()).code == "C098"
    assert refused(lambda: PgvectorStore(dsn, dsn_env="CESELLO_TEST_DSN")).code == "C098"


@pytest.fixture
def guest(dsn: str, administrator: psycopg.Connection[Any]) -> Iterator[str]:
    """The DSN of somebody without rights, in a database without pgvector."""
    name = f"guest_{uuid4().hex}"
    named = {"name": sql.Identifier(name)}
    administrator.execute(sql.SQL("CREATE DATABASE {name}").format(**named))
    administrator.execute(sql.SQL("CREATE ROLE {name} LOGIN PASSWORD 'sesame'").format(**named))
    yield make_conninfo(dsn, user=name, password="sesame", dbname=name)
    administrator.execute(sql.SQL("DROP DATABASE {name} WITH (FORCE)").format(**named))
    administrator.execute(sql.SQL("DROP ROLE {name}").format(**named))


def test_a_database_without_pgvector_is_named_with_what_to_do(at: At, guest: str) -> None:
    error = refused(lambda: len(at(guest)))
    assert error.code == "S008"
    assert "CREATE EXTENSION vector" in str(error)
    assert "sesame" not in str(error)


def test_somebody_without_rights_is_refused(at: At, dsn: str, guest: str) -> None:
    database = conninfo_to_dict(guest)["dbname"]
    with psycopg.connect(make_conninfo(dsn, dbname=database), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION vector")
        store = at(guest)
        assert len(store) == 0
        error = refused(lambda: store.upsert([VectorEntry("a", EAST)]))
        assert error.code == "S008"
        assert "rights" in str(error)


def test_an_old_pgvector_is_refused(at: At, dsn: str, guest: str) -> None:
    database = conninfo_to_dict(guest)["dbname"]
    with psycopg.connect(make_conninfo(dsn, dbname=database), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION vector")
        connection.execute("UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'")
    error = refused(lambda: len(at(guest)))
    assert error.code == "S008"
    assert "got 0.7.4 -> expected 0.8 or newer" in str(error)


@pytest.mark.parametrize("change", [{"dbname": "nowhere"}, {"user": "nobody"}])
def test_what_a_server_does_not_know_it_refuses(at: At, dsn: str, change: dict[str, str]) -> None:
    error = refused(lambda: len(at(make_conninfo(dsn, **change))))
    assert error.code == "S008"
    assert next(iter(change.values())) in str(error)
