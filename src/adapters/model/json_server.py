"""JSON over HTTP to one server: no redirects, no proxies, a key named by its variable, answers up to a limit.

Requests can be given up from another thread, so that a person who stops a run does not wait for a slow
answer.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock

from ...domain.errors import CeselloError, ModelError, RetryableError
from ...domain.server_address import BUSY, checked_address, json_headers

_SERVER = "a rollout server"


class JsonServer:
    """A server that answers POST requests.

    Args:
        url: what all paths begin with, such as ``http://localhost:8000/v1``.
        api_key_env: the environment variable that holds the key; it is read anew for every request, sent as a
            bearer token and shown nowhere.
        timeout: seconds for one answer.
        most_bytes: of an answer.

    Raises:
        UsageError: C094 when the url is not http or https, or a key would go over the network in the clear.
    """

    def __init__(
        self, url: str, *, api_key_env: str | None = None, timeout: float = 600.0, most_bytes: int = 2**26
    ) -> None:
        self.url = url.rstrip("/")
        self._parts = checked_address(self.url, api_key_env, server=_SERVER, code="C094")
        self._api_key_env = api_key_env
        self._timeout = timeout
        self._most_bytes = most_bytes
        self._open: set[socket.socket] = set()
        self._lock = Lock()
        self._era = 0

    def post(self, path: str, body: object) -> bytes:
        """The answer to a request.

        Raises:
            UsageError: C095 when the environment variable of the key is not set.
            ModelError: M095 when the server refuses, or answers more than the limit.
            RetryableError: T095 when it cannot be reached or is busy.
        """
        headers, connection, era = self._headers(), self._connection(), self._era
        try:
            connection.connect()
            with self._waiting(connection.sock, era):
                # A path of this program's; http.client follows no redirect.
                connection.request("POST", self._parts.path + path, json.dumps(body), headers)
                with connection.getresponse() as response:
                    answer, status = response.read(self._most_bytes + 1), response.status
        except (OSError, http.client.HTTPException) as cause:
            # The cause may hold the request, and the request the key.
            raise self.gives_no_answer(type(cause).__name__) from None
        finally:
            connection.close()
        if status != 200:
            raise self._refused(status, path)
        if len(answer) > self._most_bytes:
            raise self.answers_wrongly(f"more than {self._most_bytes} bytes")
        return answer

    def give_up(self) -> None:
        """Ends all requests that wait for an answer; they raise T095."""
        with self._lock:
            self._era += 1  # for those that have not got so far
            for one in self._open:
                with suppress(OSError):  # the other side was faster
                    one.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def _waiting(self, one: socket.socket, era: int) -> Iterator[None]:
        """Within this, the socket is one of those that can be given up."""
        with self._lock:
            if era != self._era:
                raise ConnectionAbortedError
            self._open.add(one)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(one)

    def answers_wrongly(self, got: str, expected: str | None = None) -> ModelError:
        """The error for an answer that cannot be used."""
        what = "a rollout server answers something else than completions"
        return ModelError("M095", what, where=self.url, got=got, expected=expected)

    def gives_no_answer(self, got: str) -> RetryableError:
        """The error for no answer."""
        return RetryableError(
            "T095", "a rollout server gives no answer", where=self.url, got=got, fix="try later"
        )

    def _refused(self, status: int, path: str) -> CeselloError:
        if status >= 500 or status in BUSY:
            return self.gives_no_answer(f"status {status}")
        return ModelError(
            "M095",
            "a rollout server refuses a request",
            where=self.url + path,
            got=f"status {status}",
            fix="check the url, the model's name, the key, and that LoRA weights may be loaded while it runs",
        )

    def _connection(self) -> http.client.HTTPConnection:
        host, port = str(self._parts.hostname), self._parts.port
        if self._parts.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=self._timeout)
        return http.client.HTTPConnection(host, port, timeout=self._timeout)

    def _headers(self) -> dict[str, str]:
        return json_headers(self._api_key_env, os.environ, server=_SERVER, code="C095")
