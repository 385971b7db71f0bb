from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from cesello.adapters.sandbox import remote_sandbox
from cesello.adapters.sandbox.remote_sandbox import RemoteSandbox
from cesello.domain.code_tests import CodeTests, Grade, Grading, Limits
from cesello.domain.errors import SandboxError, UsageError
from cesello.domain.grading_json import grading_as_json
from cesello.domain.reward import Verdict
from cesello.entrypoints.grading_server import GradingServer
from tests.fakes.sandbox import FakeSandbox

TOKEN = "open sesame"
RIGHT = Grading("right", CodeTests(code="assert f()"))
PASSED = Grade(Verdict.PASSED, 1, 1)


@pytest.fixture
def server() -> Iterator[GradingServer]:
    with GradingServer(FakeSandbox({"right": PASSED}), "127.0.0.1", 0, TOKEN) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def address(server: GradingServer) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}"


def asked(
    server: GradingServer, method: str, path: str, body: str = "", headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", int(server.server_address[1]), timeout=10)
    try:
        connection.request(method, path, body, {"Authorization": f"Bearer {TOKEN}"} | (headers or {}))
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_grades_travel(server: GradingServer) -> None:
    remote = RemoteSandbox(address(server), TOKEN)
    grades = remote.grade([RIGHT, Grading("else", RIGHT.tests)] * 50)
    assert [grade.verdict for grade in grades] == [Verdict.PASSED, Verdict.WRONG] * 50
    assert remote.tier.name == "remote fake"


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("GET", "/v1/tier", "", {"Authorization": "Bearer open"}, 401),
        ("GET", "/v1/tier", "", {"Authorization": ""}, 401),
        ("POST", "/v1/grade", '{"gradings": []}', {"Authorization": "open sesame"}, 401),
        ("POST", "/v1/grade", '{"gradings": []}', {"Origin": "http://evil.example"}, 403),
        ("GET", "/", "", {}, 404),
        ("POST", "/v1/tier", "{}", {}, 404),
        ("POST", "/v1/grade", "no json", {}, 400),
        ("POST", "/v1/grade", "[]", {}, 400),
        ("POST", "/v1/grade", '{"gradings": [7]}', {}, 400),
        ("POST", "/v1/grade", "[" * 100_000, {}, 400),
        ("POST", "/v1/grade", "", {"Content-Length": "99999999999"}, 413),
        ("POST", "/v1/grade", "", {"Content-Length": "-1"}, 413),
    ],
)
def test_what_is_no_grading_is_refused(
    server: GradingServer, method: str, path: str, body: str, headers: dict[str, str], status: int
) -> None:
    answered, content = asked(server, method, path, body, headers)
    assert answered == status
    assert content["error"]
    assert not server.sandbox.graded  # type: ignore[attr-defined]


@pytest.mark.parametrize("limits", [Limits(wall=1e9), Limits(cpu=10**6), Limits(memory=2**60)])
def test_limits_beyond_measure_are_refused(server: GradingServer, limits: Limits) -> None:
    body = json.dumps({"gradings": [grading_as_json(Grading("right", RIGHT.tests, limits))]})
    assert asked(server, "POST", "/v1/grade", body)[0] == 400


def test_many_at_once_are_refused(server: GradingServer) -> None:
    body = json.dumps({"gradings": [grading_as_json(RIGHT)] * 257})
    assert asked(server, "POST", "/v1/grade", body)[0] == 400


def test_without_a_token_it_serves_its_own_machine_alone() -> None:
    with pytest.raises(UsageError, match="C092"):
        GradingServer(FakeSandbox(), "0.0.0.0", 0, None)


def test_a_machine_that_is_not_there_gives_no_score(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_sandbox, "_PAUSE", 0.0)
    remote = RemoteSandbox("http://127.0.0.1:9")
    assert {grade.verdict for grade in remote.grade([RIGHT, RIGHT])} == {Verdict.INFRA_ERROR}
    with pytest.raises(SandboxError, match="X001"):
        assert remote.tier


def test_a_wrong_token_gives_no_score(server: GradingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_sandbox, "_PAUSE", 0.0)
    (grade,) = RemoteSandbox(address(server), "wrong").grade([RIGHT])
    assert grade.verdict is Verdict.INFRA_ERROR
    assert "401" in grade.detail


@pytest.mark.parametrize(
    ("url", "token", "code"),
    [
        ("ftp://host", None, "C090"),
        ("host:8765", None, "C090"),
        ("http://sandbox.example", TOKEN, "C091"),
    ],
)
def test_an_address_that_cannot_serve_is_refused(url: str, token: str | None, code: str) -> None:
    with pytest.raises(UsageError, match=code) as caught:
        RemoteSandbox(url, token)
    assert TOKEN not in str(caught.value)
