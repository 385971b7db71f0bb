"""Asked over HTTP, against a small server of our own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from cesello.adapters.model.openai_generator import OpenAiGenerator
from cesello.domain.conversation import Conversation, Message, Role, user
from cesello.domain.errors import CeselloError, ModelError, RetryableError, UsageError
from cesello.domain.generation import Completion, Sampling

KEY = "sk-a-secret-of-the-test"


@dataclass
class Served:
    """A server that says the last turn again.

    Attributes:
        status: what it answers with.
        body: what it answers instead.
        slow: seconds before it answers.
        seen: path, authorization and body of every request.
    """

    url: str = ""
    status: int = 200
    body: bytes | None = None
    slow: float = 0.0
    seen: list[tuple[str, str | None, dict[str, Any]]] = field(default_factory=list)


@pytest.fixture
def served() -> Iterator[Served]:
    state = Served()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.seen.append((self.path, self.headers["Authorization"], request))
            time.sleep(state.slow)
            said = {"message": {"content": request["messages"][-1]["content"]}, "finish_reason": "stop"}
            answer = {"choices": [said], "usage": {"completion_tokens": 3}}
            body = json.dumps(answer).encode() if state.body is None else state.body
            self.send_response(state.status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            with suppress(OSError):
                # Of those that did not wait.
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


def ask(served: Served, api_key_env: str | None = None, timeout: float = 5.0) -> list[Completion]:
    generator = OpenAiGenerator(served.url, "tiny", api_key_env=api_key_env, timeout=timeout)
    return generator.generate([user("hello")], Sampling(8, seed=3))


def test_a_completion_comes_for_every_prompt_in_order(served: Served) -> None:
    prompts = [user(f"question {n}") for n in range(10)]
    answers = OpenAiGenerator(served.url, "tiny").generate(prompts, Sampling())
    assert answers == [Completion(f"question {n}", 3, True) for n in range(10)]


@pytest.mark.parametrize("usage", [None, {}, {"completion_tokens": None}, {"completion_tokens": -5}])
def test_an_answer_whose_tokens_nobody_counts_is_taken_for_the_longest(served: Served, usage: object) -> None:
    said = {"message": {"content": "hello"}, "finish_reason": "stop"}
    served.body = json.dumps({"choices": [said], "usage": usage}).encode()
    answers = OpenAiGenerator(served.url, "tiny").generate([user("hi")], Sampling(8))
    assert answers == [Completion("hello", 8, True)]


def test_what_is_asked(served: Served) -> None:
    prompt = Conversation((Message(Role.SYSTEM, "Be short."), Message(Role.USER, "hi \ud800")))
    OpenAiGenerator(f"{served.url}/", "tiny").generate([prompt], Sampling(8, 0.5, 0.9, 3))
    [(path, key, body)] = served.seen
    assert (path, key) == ("/v1/chat/completions", None)
    assert body == {
        "model": "tiny",
        "messages": [{"role": "system", "content": "Be short."}, {"role": "user", "content": "hi \ud800"}],
        "max_tokens": 8,
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 3,
    }


def test_the_key_is_sent_and_never_told(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", KEY)
    ask(served, api_key_env="TEST_KEY")
    assert served.seen[0][1] == f"Bearer {KEY}"
    for status, body in ((401, b"no"), (500, b"no"), (200, KEY.encode())):
        served.status, served.body = status, body
        with pytest.raises(CeselloError) as caught:
            ask(served, api_key_env="TEST_KEY")
        assert KEY not in str(caught.value)
        assert caught.value.__cause__ is None


def test_a_key_that_is_not_there_is_asked_for_by_name(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEST_KEY", raising=False)
    with pytest.raises(UsageError, match=r"C089.*TEST_KEY"):
        ask(served, api_key_env="TEST_KEY")
    assert served.seen == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ModelError),
        (401, ModelError),
        (404, ModelError),
        (302, ModelError),
        (408, RetryableError),
        (429, RetryableError),
        (500, RetryableError),
        (503, RetryableError),
    ],
)
def test_a_refusal_is_told_apart_from_a_server_that_is_busy(
    served: Served, status: int, kind: type[CeselloError]
) -> None:
    served.status = status
    with pytest.raises(kind, match=f"status {status}"):
        ask(served)
    assert len(served.seen) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no json",
        b"[]",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [{}]}',
        b'{"choices": [{"message": {"content": null}}]}',
        b"[" * 100_000,
        b'"' + b"a" * (4 * 2**20) + b'"',
        b"\xff",
    ],
)
def test_what_is_no_completion_is_refused(served: Served, body: bytes) -> None:
    served.body = body
    with pytest.raises(ModelError, match="M090"):
        ask(served)


def test_a_server_that_is_slow_or_away_may_be_tried_again(served: Served) -> None:
    served.slow = 0.5
    with pytest.raises(RetryableError, match="T090"):
        ask(served, timeout=0.1)
    with pytest.raises(RetryableError, match="T090"):
        OpenAiGenerator("http://127.0.0.1:9/v1", "tiny").generate([user("hello")], Sampling())


@pytest.mark.parametrize("url", ["ftp://host/v1", "localhost:8000", "http://", "file:///etc/passwd"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="C088"):
        OpenAiGenerator(url, "tiny")


def test_a_key_does_not_go_over_the_network_in_the_clear() -> None:
    with pytest.raises(UsageError, match="C088"):
        OpenAiGenerator("http://example.org/v1", "tiny", api_key_env="TEST_KEY")
    OpenAiGenerator("http://example.org/v1", "tiny")
    OpenAiGenerator("http://localhost:8000/v1", "tiny", api_key_env="TEST_KEY")
