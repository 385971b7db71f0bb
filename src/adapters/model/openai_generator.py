"""A language model behind a server that speaks OpenAI's chat completions, asked with the standard library."""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ...domain.chatml import tools_as_text
from ...domain.conversation import Conversation
from ...domain.errors import CeselloError, ModelError, RetryableError
from ...domain.generation import Completion, Sampling
from ...domain.server_address import BUSY, checked_address, json_headers

_LARGEST = 4 * 2**20
_SERVER = "a model's server"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A key is sent where it was meant to go, and nowhere else."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> None:
        return None


class OpenAiGenerator:
    """Asks for one completion a prompt, several at a time.

    Args:
        url: without ``/chat/completions``, such as ``http://localhost:8000/v1``.
        model: its name there.
        api_key_env: the environment variable that holds the key; it is read anew for every batch, sent as a
            bearer token and shown nowhere.
        timeout: seconds for one answer.
        workers: requests at a time.

    Raises:
        UsageError: C088 when the url is not http or https, or a key would go over the network in the clear.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        api_key_env: str | None = None,
        timeout: float = 60.0,
        workers: int = 4,
    ) -> None:
        checked_address(url, api_key_env, server=_SERVER, code="C088")
        self._url = url.rstrip("/") + "/chat/completions"
        self._model = model
        self._api_key_env = api_key_env
        self._timeout = timeout
        self._workers = workers
        self._opener = urllib.request.build_opener(_NoRedirects)

    def generate(self, prompts: Sequence[Conversation], sampling: Sampling) -> list[Completion]:
        """See the port.

        Raises:
            UsageError: C089 when the environment variable of the key is not set.
        """
        headers = self._headers()
        with ThreadPoolExecutor(self._workers) as pool:
            return list(pool.map(lambda prompt: self._ask(prompt, sampling, headers), prompts))

    def _headers(self) -> dict[str, str]:
        return json_headers(self._api_key_env, os.environ, server=_SERVER, code="C089")

    def _ask(self, prompt: Conversation, sampling: Sampling, headers: dict[str, str]) -> Completion:
        body = json.dumps(
            {
                "model": self._model,
                "messages": [
                    {"role": turn.role.value, "content": turn.content}
                    for turn in tools_as_text(prompt).messages
                ],
                "max_tokens": sampling.max_new_tokens,
                "temperature": sampling.temperature,
                "top_p": sampling.top_p,
                "seed": sampling.seed,
            }
        )
        request = urllib.request.Request(self._url, body.encode(), headers, method="POST")
        try:
            with self._opener.open(request, timeout=self._timeout) as response:
                answer = response.read(_LARGEST + 1)
        except urllib.error.HTTPError as cause:
            with cause:
                raise self._refused(cause.code) from None
        except (OSError, http.client.HTTPException) as cause:
            # The cause may hold the request, and the request the key.
            raise self._unreachable(type(cause).__name__) from None
        return self._completion(answer, sampling.max_new_tokens)

    def _refused(self, status: int) -> CeselloError:
        if status >= 500 or status in BUSY:
            return self._unreachable(f"status {status}")
        return ModelError(
            "M090",
            "a model's server refuses the request",
            where=self._url,
            got=f"status {status}",
            fix="check the url, the model's name and the key",
        )

    def _unreachable(self, got: str) -> RetryableError:
        return RetryableError(
            "T090", "a model's server gives no answer", where=self._url, got=got, fix="try later"
        )

    def _completion(self, answer: bytes, longest: int) -> Completion:
        """An answer whose tokens the server does not count is taken for the longest: a budget must hold."""
        try:
            if len(answer) > _LARGEST:
                raise ValueError
            value = json.loads(answer)
            choice = value["choices"][0]
            text, usage = choice["message"]["content"], value.get("usage") or {}
            if not isinstance(text, str):
                raise TypeError
            tokens = int(usage.get("completion_tokens") or 0)
            return Completion(text, tokens if tokens > 0 else longest, choice.get("finish_reason") == "stop")
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            raise ModelError(
                "M090",
                "a model's server answers something else than a completion",
                where=self._url,
                got=f"{len(answer)} bytes",
                expected="choices[0].message.content",
            ) from None
