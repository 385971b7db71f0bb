"""The HTTP of a Chroma server.

chromadb's own client waits for an answer without end, and builds the embedding function that a server names,
with the arguments that the server gives. Here an answer is data.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...domain.errors import CeselloError, RetryableError, StoreError, UsageError
from ...domain.server_address import address_of, is_open

_MOST_BYTES = 2**28
_BUSY = (408, 423, 429, 502, 503, 504)
_REFUSED = (401, 403, 407)


class ChromaServer:
    """One server. No redirects, no proxies; a connection that was closed is made anew.

    Args:
        url: such as ``http://localhost:8000``.
        token_env: the environment variable that holds a token, read anew for every request.
        timeout: seconds for one answer.

    Raises:
        UsageError: C098 when the url cannot be used, or a token would go over the network in the clear.
    """

    def __init__(self, url: str, token_env: str | None, timeout: float) -> None:
        parts = address_of(url)
        if parts is None or not parts.hostname:
            raise no_address("an address", expected="http(s)://host:port, without a password")
        if token_env and is_open(parts):
            raise no_address("an encrypted way for its token", got=url, expected="https://...")
        self.url = url.rstrip("/")
        self._path = parts.path.rstrip("/")
        self._token_env = token_env
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname, parts.port, timeout=timeout)

    def ask(self, method: str, path: str, body: object = None, *, absent_is_none: bool = False) -> Any:
        """The JSON of an answer; None for what is not there, where that is no error.

        Raises:
            UsageError: C103 the variable of the token is not set.
            StoreError: S004, S007, S008.
            RetryableError: T098.
        """
        headers = self._headers()
        text = None if body is None else json.dumps(body)
        try:
            status, answer = self._answer(method, self._path + path, text, headers)
        except (OSError, http.client.HTTPException) as cause:
            self.close()
            fix = f"start it (chroma run --path ... --port ...), or correct the url {self.url}"
            said = str(cause) or type(cause).__name__
            raise StoreError(
                "S007", "a store's server gives no answer", where=self.url, got=said, fix=fix
            ) from cause
        if status == 404 and absent_is_none and _error(answer).get("error") == "NotFoundError":
            return None
        if status >= 300:
            raise self._refused(status, answer)
        try:
            return json.loads(answer) if answer else None
        except ValueError as cause:
            raise self.stranger("an answer that is no JSON") from cause

    def close(self) -> None:
        """The next question connects again."""
        self._connection.close()

    def _answer(self, method: str, path: str, text: str | None, headers: dict[str, str]) -> tuple[int, bytes]:
        known = self._connection.sock is not None
        try:
            self._connection.request(method, path, text, headers)
            response = self._connection.getresponse()
        except (ConnectionError, http.client.BadStatusLine):
            self.close()
            if not known:
                raise
            # The server closed a connection that was not in use. All that is asked may be asked twice.
            self._connection.request(method, path, text, headers)
            response = self._connection.getresponse()
        answer = response.read(_MOST_BYTES + 1)
        if len(answer) > _MOST_BYTES:
            raise http.client.HTTPException(f"more than {_MOST_BYTES} bytes")
        return response.status, answer

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._token_env:
            token = os.environ.get(self._token_env, "").strip()
            if not token:
                raise UsageError(
                    "C103",
                    "the token of a store is not there",
                    expected=f"the environment variable {self._token_env}",
                    fix=f"export {self._token_env}=...",
                )
            # Of a server behind a gate, and of Chroma Cloud.
            headers |= {"Authorization": f"Bearer {token}", "X-Chroma-Token": token}
        return headers

    def _refused(self, status: int, answer: bytes) -> CeselloError:
        error = _error(answer)
        got = f"status {status}: {error.get('message') or answer[:200].decode('utf-8', 'replace')}"
        if status in _BUSY:
            return RetryableError("T098", "a store is busy", where=self.url, got=got, fix="try again later")
        if status in _REFUSED:
            fix = "check the token, and what it allows"
            return StoreError("S008", "a store's server refuses", where=self.url, got=got, fix=fix)
        if status < 400 or "error" not in error:
            return self.stranger(f"status {status}")
        return StoreError(
            "S004", "a store cannot be used", where=self.url, got=got, fix="clear it and index again"
        )

    def stranger(self, got: str) -> StoreError:
        """The error for an answer that no Chroma server gives."""
        fix = "name the address of a Chroma server, 1.0 or newer"
        return StoreError("S008", "a server is not of Chroma", where=self.url, got=got, fix=fix)


class RestCollection:
    """Implements ``Collection`` over HTTP.

    Args:
        path: of the collection, with its id.
    """

    def __init__(self, server: ChromaServer, path: str) -> None:
        self._server = server
        self._path = path

    def count(self) -> int:
        return int(self._server.ask("GET", f"{self._path}/count"))

    def get(self, **asked: Any) -> Mapping[str, Any]:
        return self._post("get", asked)

    def query(self, *, query_embeddings: Any, **asked: Any) -> Mapping[str, Any]:
        return self._post("query", {"query_embeddings": query_embeddings.tolist(), **asked})

    def upsert(self, *, embeddings: Any, **asked: Any) -> object:
        written = [base64.b64encode(row.astype("<f4").tobytes()).decode() for row in np.asarray(embeddings)]
        return self._post("upsert", {"embeddings": written, **asked})

    def delete(self, *, ids: list[str]) -> object:
        return self._post("delete", {"ids": ids})

    def modify(self, *, metadata: Mapping[str, str]) -> None:
        """Puts other metadata in the place of the collection's own."""
        self._server.ask("PUT", self._path, {"new_metadata": dict(metadata)})

    def _post(self, verb: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        body = {name: value for name, value in asked.items() if value is not None}
        answer: Mapping[str, Any] = self._server.ask("POST", f"{self._path}/{verb}", body)
        return answer


def no_address(what: str, *, got: object = None, expected: object = None) -> UsageError:
    """The error for an address or a name that cannot be used."""
    return UsageError(
        "C098", f"a store on a Chroma server needs {what}", got=got, expected=expected, fix="correct it"
    )


def _error(answer: bytes) -> Mapping[str, Any]:
    """What a Chroma server says about an error."""
    try:
        said = json.loads(answer)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
