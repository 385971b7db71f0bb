"""Grades programs for other machines: the other end of ``RemoteSandbox``.

    GET  /v1/tier    ->  {name, stops, missing}
    POST /v1/grade   {gradings: [...]}  ->  {grades: [...]}

JSON both ways; ``Authorization: Bearer TOKEN`` where a token was set. Nothing is kept.
"""

from __future__ import annotations

import hmac
import json
import socket
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ..domain.errors import UsageError
from ..domain.grading_json import grading_from_json
from ..domain.ports.sandbox import Sandbox
from ..domain.server_address import HERE

_LONGEST_BODY = 64 * 2**20
_MOST_GRADINGS = 256
_MOST_SECONDS = 60.0
_MOST_MEMORY = 2**31
_SLOWEST_BODY = 30.0


class GradingServer(ThreadingHTTPServer):
    """Serves until ``shutdown``.

    Args:
        token: what a client must show. Without one the server listens on this machine alone.

    Raises:
        UsageError: C092 when others could reach it without a token, C097 when it cannot listen there.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, sandbox: Sandbox, host: str, port: int, token: str | None) -> None:
        if not token and host not in HERE:
            raise UsageError(
                "C092",
                "everybody who reaches this machine could run programs on it",
                where="--host",
                got=host,
                fix="name an environment variable that holds a token (--token-env), or listen on 127.0.0.1",
            )
        self.sandbox = sandbox
        self.token = token
        if ":" in host:
            self.address_family = socket.AF_INET6
        try:
            super().__init__((host, port), _Handler)
        except OSError as cause:
            what = "the server cannot listen there"
            fix = "choose another --host or --port"
            raise UsageError(
                "C097", what, where=f"{host} port {port}", got=cause.strerror, fix=fix
            ) from cause


class _Refused(Exception):
    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    timeout = _SLOWEST_BODY

    @property
    def _grading(self) -> GradingServer:
        assert isinstance(self.server, GradingServer)
        return self.server

    def do_GET(self) -> None:
        self._answer("/v1/tier", lambda: asdict(self._grading.sandbox.tier))

    def do_POST(self) -> None:
        self._answer("/v1/grade", self._grades)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged: what is graded is the client's."""

    def _answer(self, path: str, make: Any) -> None:
        try:
            self._check(path)
            status, body = HTTPStatus.OK, make()
        except _Refused as refusal:
            status, body = refusal.status, {"error": str(refusal)}
        except Exception as fault:
            status, body = HTTPStatus.INTERNAL_SERVER_ERROR, {"error": type(fault).__name__}
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _check(self, path: str) -> None:
        shown = self.headers.get("Authorization", "")
        wanted = f"Bearer {self._grading.token}"
        if self._grading.token and not hmac.compare_digest(shown.encode(), wanted.encode()):
            raise _Refused(HTTPStatus.UNAUTHORIZED, "the token is missing or wrong")
        if self.headers.get("Origin"):
            raise _Refused(HTTPStatus.FORBIDDEN, "pages in a browser are not served")
        if self.path != path:
            raise _Refused(HTTPStatus.NOT_FOUND, "there is GET /v1/tier and POST /v1/grade")

    def _grades(self) -> dict[str, Any]:
        try:
            given = json.loads(self._body())["gradings"]
            gradings = [grading_from_json(one) for one in given]
        except (ValueError, KeyError, TypeError, RecursionError) as cause:
            raise _Refused(HTTPStatus.BAD_REQUEST, str(cause)) from cause
        limits = [grading.limits for grading in gradings]
        if len(limits) > _MOST_GRADINGS or any(
            max(one.wall, one.cpu) > _MOST_SECONDS or max(one.memory, one.output) > _MOST_MEMORY
            for one in limits
        ):
            why = (
                f"at most {_MOST_GRADINGS} programs, {_MOST_SECONDS:g} seconds and {_MOST_MEMORY} bytes each"
            )
            raise _Refused(HTTPStatus.BAD_REQUEST, why)
        return {"grades": [asdict(grade) for grade in self._grading.sandbox.grade(gradings)]}

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > _LONGEST_BODY:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {_LONGEST_BODY} bytes")
        return self.rfile.read(int(length))
