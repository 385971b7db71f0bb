"""A sandbox on another machine, served there by ``cesello sandbox serve``."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any

from ...domain.code_tests import Grade, Grading, SandboxTier
from ...domain.errors import SandboxError, UsageError
from ...domain.grading_json import grade_from_json, grading_as_json, tier_from_json
from ...domain.reward import Verdict
from ...domain.server_address import address_of, is_open

_AT_ONCE = 64
_TRIES = 3
_PAUSE = 0.5
_TIER_SECONDS = 10.0
_SPARE_SECONDS = 30.0


class RemoteSandbox:
    """Sends programs and tests there; what comes back are grades.

    A machine that cannot be reached, or does not answer in time, gives infra errors.

    Args:
        url: as ``https://sandbox.example:8765``.
        token: proves who asks. It is sent over TLS, or within this machine, and nowhere else.
    """

    def __init__(self, url: str, token: str | None = None) -> None:
        parts = address_of(url)
        if parts is None:  # which is not shown: it may hold a password
            what, expected = "no address of a sandbox", "https://host:port, without a password"
            raise UsageError("C090", what, where="sandbox.url", expected=expected)
        self._url = parts
        self._token = token
        if token and is_open(parts):
            raise UsageError(
                "C091",
                "a token would be sent for everybody to read",
                where="sandbox.url",
                got=url,
                fix="use https, or a tunnel to this machine",
            )

    @property
    def tier(self) -> SandboxTier:
        """How programs are held over there."""
        try:
            there = tier_from_json(self._asked("GET", "/v1/tier", None, _TIER_SECONDS))
        except (OSError, HTTPException, ValueError) as cause:
            raise SandboxError(
                "X001",
                "the remote sandbox does not answer as one",
                where=f"sandbox.url {self._url.geturl()}",
                got=str(cause),
                fix="start it there with `cesello sandbox serve`, and see that it can be reached from here",
            ) from cause
        return SandboxTier(f"remote {there.name}", there.stops, there.missing)

    def grade(self, gradings: Sequence[Grading]) -> list[Grade]:
        """See the port."""
        parts = (gradings[start : start + _AT_ONCE] for start in range(0, len(gradings), _AT_ONCE))
        return [grade for part in parts for grade in self._graded(part)]

    def close(self) -> None:
        """Nothing is kept open."""

    def _graded(self, gradings: Sequence[Grading]) -> list[Grade]:
        patience = sum(grading.limits.wall for grading in gradings) + _SPARE_SECONDS
        body = {"gradings": [grading_as_json(grading) for grading in gradings]}
        why: Exception | None = None
        for pause in _pauses():
            time.sleep(pause)
            try:
                answer = self._asked("POST", "/v1/grade", body, patience)
                grades = [grade_from_json(one) for one in answer["grades"]]
            except TimeoutError as cause:
                why = cause
                break  # it had all the time that the programs may take
            except (OSError, HTTPException, ValueError, KeyError, TypeError) as cause:
                why = cause
                continue
            if len(grades) == len(gradings):
                return grades
            why = ValueError(f"{len(grades)} grades for {len(gradings)} programs")
        detail = f"{type(why).__name__}: {why}"
        return [Grade(Verdict.INFRA_ERROR, reason="sandbox_failed", detail=detail)] * len(gradings)

    def _asked(self, method: str, path: str, body: Any, seconds: float) -> Any:
        """The JSON of an answer. Redirections are not followed: the token is for one address."""
        kind = HTTPSConnection if self._url.scheme == "https" else HTTPConnection
        assert self._url.hostname
        connection = kind(self._url.hostname, self._url.port, timeout=seconds)
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, self._url.path.rstrip("/") + path, text, headers)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise ValueError(f"status {response.status}: {content[:200].decode('utf-8', 'replace')}")
        return json.loads(content)


def _pauses() -> Iterator[float]:
    yield 0.0
    yield from (_PAUSE * 2**number for number in range(_TRIES - 1))
