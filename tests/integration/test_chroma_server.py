from __future__ import annotations

import json
import math
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from cesello.adapters.memory.chroma_server_store import ChromaServerStore
from cesello.domain.errors import CeselloError
from cesello.domain.retrieval import VectorEntry
from tests.store_servers import chroma, free_port

EAST, NORTH = (1.0, 0.0), (0.0, 1.0)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with chroma(tmp_path_factory.mktemp("chroma")) as running:
        yield running


@pytest.fixture
def at() -> Iterator[Callable[..., ChromaServerStore]]:
    """Makes stores, and closes them."""
    with ExitStack() as stack:

        def made(*arguments: Any, **named: Any) -> ChromaServerStore:
            return stack.enter_context(closing(ChromaServerStore(*arguments, **named)))

        yield made


At = Callable[..., ChromaServerStore]


def refused(action: Callable[[], object]) -> CeselloError:
    with pytest.raises(CeselloError) as caught:
        action()
    assert caught.value.fix
    return caught.value


def test_what_is_stored_is_there_for_another_client(at: At, url: str) -> None:
    name = uuid4().hex
    store = at(url, name)
    turns = [n * math.tau / 2_500 for n in range(2_500)]
    store.upsert([VectorEntry(f"e{n}", (math.cos(turn), math.sin(turn))) for n, turn in enumerate(turns)])
    store.close()
    other = at(url, name)
    assert len(other) == len(set(other.ids())) == 2_500
    assert [hit.id for hit in other.nearest(NORTH, 1)] == ["e625"]
    assert refused(lambda: other.upsert([VectorEntry("long", (1.0, 2.0, 3.0))])).code == "S001"
    store.clear()
    assert refused(lambda: len(other)).code == "S004"  # it was deleted while open
    assert len(other) == 0
    other.upsert([VectorEntry("long", (1.0, 2.0, 3.0))])
    assert [*store.ids()] == ["long"]


def test_reading_makes_no_collection(at: At, url: str) -> None:
    store = at(url, uuid4().hex)
    assert (len(store), store.nearest(EAST), [*store.ids()]) == (0, (), [])
    answer = store._server.ask("GET", f"{store._collections}/{store._name}", absent_is_none=True)
    assert answer is None


def test_a_collection_that_compares_otherwise_is_refused(at: At, url: str) -> None:
    store = at(url, uuid4().hex)
    store._server.ask("POST", store._collections, {"name": store._name})
    assert refused(lambda: len(store)).code == "S006"


def test_a_function_that_a_server_names_is_data_to_us(at: At, url: str) -> None:
    """chromadb would import the library, load the model and let it run its code."""
    name = uuid4().hex
    attack = {
        "name": "sentence_transformer",
        "type": "known",
        "config": {
            "model_name": "cesello/attack",
            "device": "cpu",
            "normalize_embeddings": False,
            "kwargs": {"trust_remote_code": True},
        },
    }
    configuration = {"hnsw": {"space": "cosine"}, "embedding_function": attack}
    store = at(url, name)
    found = store._server.ask("POST", store._collections, {"name": name, "configuration": configuration})
    assert "cesello/attack" in json.dumps(found)
    program = (
        "import sys\n"
        "from cesello.adapters.memory.chroma_server_store import ChromaServerStore\n"
        "from cesello.domain.retrieval import VectorEntry\n"
        f"store = ChromaServerStore({url!r}, {name!r})\n"
        "store.upsert([VectorEntry('a', (1.0, 0.0))])\n"
        "assert [hit.id for hit in store.nearest((1.0, 0.0))] == ['a']\n"
        "assert not {'chromadb', 'sentence_transformers', 'torch'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_server_that_is_not_there_is_named_with_what_to_do(at: At, tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    store = at(nowhere)
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
        assert nowhere in str(error)
        assert "chroma run" in str(error)
    store.close()


def test_a_server_that_stops_and_comes_back_is_found_again(at: At, tmp_path: Path) -> None:
    with chroma(tmp_path) as first:
        store = at(first)
        store.upsert([VectorEntry("a", EAST)])
    assert refused(lambda: len(store)).code == "S007"
    with chroma(tmp_path) as second:
        again = at(second)
        assert [hit.id for hit in again.nearest(EAST)] == ["a"]


Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def server(answer: Answer) -> Iterator[str]:
    """One that is not Chroma, on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        do_DELETE = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


def saying(status: int, body: bytes, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


UNAVAILABLE = b'{"error": "x", "message": "later"}'


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (saying(404, b"<html>not found"), "S008"),
        (saying(404, b'{"detail": "Not Found"}'), "S008"),
        (saying(200, b"<html>welcome"), "S008"),
        (saying(200, b'{"name": "code"}'), "S008"),
        (saying(200, b"[]"), "S008"),
        (saying(301, b"", Location="http://127.0.0.1:1/"), "S008"),
        (saying(401, b'{"error": "AuthError", "message": "no"}'), "S008"),
        (saying(403, b"no"), "S008"),
        (saying(429, UNAVAILABLE), "T098"),
        (saying(503, b"later"), "T098"),
        (saying(500, b'{"error": "InternalError", "message": "broken graph"}'), "S004"),
    ],
)
def test_answers_of_other_kinds_are_told_apart(at: At, answer: Answer, code: str) -> None:
    with server(answer) as url:
        error = refused(lambda: len(at(url)))
        assert error.code == code
        assert url in str(error)


def test_a_server_that_never_answers_is_given_up(at: At) -> None:
    done = threading.Event()

    def wait(handler: BaseHTTPRequestHandler) -> None:
        done.wait(30)

    with server(wait) as url:
        assert refused(lambda: len(at(url, timeout=0.3))).code == "S007"
        done.set()


def test_the_token_is_sent_and_never_shown(at: At, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str | None] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        seen.extend(handler.headers.get(name) for name in ("Authorization", "X-Chroma-Token"))
        saying(401, b'{"error": "AuthError", "message": "no"}')(handler)

    with server(answer) as url:
        store = at(url, token_env="CESELLO_TEST_TOKEN")
        unset = refused(lambda: len(store))
        assert (unset.code, seen) == ("C103", [])
        assert "CESELLO_TEST_TOKEN" in str(unset)
        monkeypatch.setenv("CESELLO_TEST_TOKEN", "sesame")
        error = refused(lambda: len(store))
    assert seen == ["Bearer sesame", "sesame"]
    assert error.code == "S008"
    assert "sesame" not in str(error) + repr(error.__cause__) + repr(vars(store))


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://a", "http://", "http://me:sesame@host"])
def test_an_address_that_cannot_be_used_is_refused_at_once(url: str) -> None:
    error = refused(lambda: ChromaServerStore(url))
    assert error.code == "C098"
    assert "sesame" not in str(error)


def test_a_token_is_not_sent_for_everybody_to_read() -> None:
    assert refused(lambda: ChromaServerStore("http://example.com", token_env="TOKEN")).code == "C098"
    ChromaServerStore("https://example.com", token_env="TOKEN")


@pytest.mark.parametrize("name", ["", "ab", "a/b", "../code", "code!", "ünï"])
def test_a_name_that_chroma_would_not_take_is_refused_at_once(name: str) -> None:
    assert refused(lambda: ChromaServerStore("http://localhost:8000", name)).code == "C098"
