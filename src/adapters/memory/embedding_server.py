"""A server that speaks OpenAI's embeddings, asked with the standard library."""

from __future__ import annotations

import http.client
import json
import math
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...domain.errors import ModelError, RetryableError
from ...domain.server_address import BUSY, checked_address, json_headers

_LARGEST = 64 * 2**20
_TOO_MUCH = frozenset({400, 413, 422})
_SERVER = "a model's server"
_LONGEST_PAUSE = 30.0


class TooMuch(Exception):
    """The server refuses a request that may be too large; a smaller one may pass."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class _Busy(Exception):
    def __init__(self, got: str, pause: float) -> None:
        super().__init__(got)
        self.pause = pause


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A key is sent where it was meant to go, and nowhere else."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> None:
        return None


class EmbeddingServer:
    """Asks one server; a busy one again, with growing pauses.

    Args:
        url: without ``/embeddings``, such as ``http://localhost:8000/v1``.
        api_key_env: the environment variable that holds the key; it is read anew for every request, sent as
            a bearer token and shown nowhere.
        timeout: seconds for one answer.
        attempts: how often the server is asked before it counts as away.
        pause: what waits some seconds.

    Raises:
        UsageError: C088 when the url is not http or https, or a key would go over the network in the clear.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key_env: str | None = None,
        timeout: float = 60.0,
        attempts: int = 5,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        checked_address(url, api_key_env, server=_SERVER, code="C088")
        self._url = url.rstrip("/") + "/embeddings"
        self._api_key_env = api_key_env
        self._timeout = timeout
        self._attempts = attempts
        self._pause = pause
        self._opener = urllib.request.build_opener(_NoRedirects)

    def ask(self, body: Mapping[str, Any], texts: int) -> tuple[list[list[float]], str]:
        """One vector a text, in their order, each with finite numbers; and the model that made them.

        Raises:
            TooMuch: it refuses, perhaps because of the size.
            UsageError: C089 when the environment variable of the key is not set.
            ModelError: M090 it refuses for another reason, or answers something else.
            RetryableError: T090 it cannot be reached or stays busy.
        """
        request = urllib.request.Request(self._url, json.dumps(body).encode(), self._headers(), method="POST")
        for attempt in range(1, self._attempts + 1):
            try:
                return self._vectors(self._posted(request), texts)
            except _Busy as busy:
                if attempt == self._attempts:
                    fix = "try later; what is done is kept"
                    what = "a model's server gives no answer"
                    raise RetryableError("T090", what, where=self._url, got=str(busy), fix=fix) from None
                self._pause(min(max(busy.pause, 0.5 * 2 ** (attempt - 1)), _LONGEST_PAUSE))
        raise AssertionError("at least one attempt")

    def wrong(self, got: str, expected: str) -> ModelError:
        """The error for an answer that cannot be used."""
        what = "a model's server answers something else than embeddings"
        return ModelError("M090", what, where=self._url, got=got, expected=expected)

    def refused(self, status: int) -> ModelError:
        """The error for a request that it does not take."""
        what = "a model's server refuses the request"
        fix = "check the url, the model's name and the key"
        return ModelError("M090", what, where=self._url, got=f"status {status}", fix=fix)

    def _posted(self, request: urllib.request.Request) -> bytes:
        try:
            with self._opener.open(request, timeout=self._timeout) as response:
                answer: bytes = response.read(_LARGEST + 1)
        except urllib.error.HTTPError as cause:
            with cause:
                raise self._status(cause.code, cause.headers.get("Retry-After", "")) from None
        except (OSError, http.client.HTTPException) as cause:
            # The cause may hold the request, and the request the key.
            raise _Busy(type(cause).__name__, 0) from None
        if len(answer) > _LARGEST:
            raise self.wrong(f"more than {_LARGEST} bytes", "embeddings")
        return answer

    def _status(self, status: int, retry_after: str) -> Exception:
        if status >= 500 or status in BUSY:
            return _Busy(f"status {status}", float(retry_after) if retry_after.isdecimal() else 0)
        return TooMuch(status) if status in _TOO_MUCH else self.refused(status)

    def _headers(self) -> dict[str, str]:
        return json_headers(self._api_key_env, os.environ, server=_SERVER, code="C089")

    def _vectors(self, answer: bytes, texts: int) -> tuple[list[list[float]], str]:
        try:
            value = json.loads(answer)
            rows = {int(row["index"]): [float(part) for part in row["embedding"]] for row in value["data"]}
            vectors = [rows[place] for place in range(texts)]
            model = str(value.get("model") or "")
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            raise self.wrong(f"{len(answer)} bytes", f"data with {texts} embeddings of numbers") from None
        if len(rows) != texts or not all(map(_is_direction, vectors)):
            raise self.wrong(f"{len(rows)} embeddings", f"{texts}, of finite numbers that are not all 0")
        return vectors, model


def _is_direction(vector: Sequence[float]) -> bool:
    return 0 < math.hypot(*vector) < math.inf
