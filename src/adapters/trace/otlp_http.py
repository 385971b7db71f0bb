"""Spans to a collector or a tracing program, as OTLP over HTTP in JSON.

Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp. JSON is one of its two encodings, so that no
library is needed. No redirect is followed and no proxy used: a key goes where it was meant to go.
"""

from __future__ import annotations

import http.client
import json
import random
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, unquote

from ...domain.errors import CeselloError, DataError, RetryableError, UsageError
from ...domain.secret_text import redacted
from ...domain.server_address import address_of, is_open
from ...domain.trace import Span
from ...domain.trace_export import Sent
from .otlp_json import messages

_PATH = "/v1/traces"
_AGAIN = frozenset({429, 502, 503, 504})
"""As OTLP says; every other refusal is final."""
_TRIES = 6
_LONGEST_WAIT = 30.0
_LONGEST_ANSWER = 1 << 20


class OtlpHttp:
    """Implements ``SpanExporter``.

    Args:
        endpoint: of the collector, such as ``http://localhost:4318``; ``/v1/traces`` is added where it is not
            there.
        version: of this program.
        headers: to be sent, as ``OTEL_EXPORTER_OTLP_HEADERS`` has them: ``name=value,name=value``.
        plain: whether http may leave this machine.
        timeout: seconds for an answer.
        wait: seconds before another try.

    Raises:
        UsageError: C164 when the endpoint is none that may be used, C165 when the headers cannot be read.
    """

    def __init__(
        self,
        endpoint: str,
        version: str,
        headers: str = "",
        *,
        plain: bool = False,
        timeout: float = 30.0,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._parts = _checked(endpoint, plain)
        path = self._parts.path.rstrip("/")
        self._path = path if path.endswith(_PATH) else path + _PATH
        self._shown = f"{self._parts.scheme}://{self._parts.netloc}{self._path}"
        self._headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": f"cesello/{version}",
            **_headers(headers),
        }
        self._version = version
        self._timeout = timeout
        self._wait = wait

    def export(self, spans: Iterable[Span]) -> Sent:
        """See the port. What was taken before a failure is said in the error."""
        taken = rejected = 0
        reason = ""
        for message, count in messages(spans, self._version):
            try:
                answer = self._post(message.encode("utf-8"))
            except CeselloError as failure:
                failure.what += f"; {taken:,} spans were taken before"
                raise
            refused, why = _partial(answer, count)
            taken, rejected, reason = taken + count - refused, rejected + refused, reason or why
        return Sent(taken, rejected, reason)

    def _post(self, body: bytes) -> bytes:
        got = "nothing"
        for number in range(_TRIES):
            try:
                status, answer, after = self._ask(body)
            except (OSError, http.client.HTTPException) as cause:
                # The cause may hold the request, and the request the key.
                got, after = type(cause).__name__, None
            else:
                if 200 <= status < 300:
                    return answer
                if status not in _AGAIN:
                    raise self._refused(status, answer)
                got = f"status {status}"
            if number + 1 < _TRIES:
                self._wait(_pause(number, after))
        raise RetryableError(
            "T091", "spans could not be sent", where=self._shown, got=f"{got}, {_TRIES} times",
            fix="see that the collector runs, or export to a file with --format otlp",
        )  # fmt: skip

    def _ask(self, body: bytes) -> tuple[int, bytes, str | None]:
        connection = self._connection()
        try:
            connection.request("POST", self._path, body, self._headers)
            with connection.getresponse() as response:
                return response.status, response.read(_LONGEST_ANSWER), response.getheader("Retry-After")
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        host, port = str(self._parts.hostname), self._parts.port
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        return kind(host, port, timeout=self._timeout)

    def _refused(self, status: int, answer: bytes) -> DataError:
        fixes = {
            401: "check the key in the variable of --header-env",
            403: "check the key in the variable of --header-env",
            404: f"check the endpoint: a collector takes spans at {_PATH}, mostly on port 4318",
            415: "name an endpoint that takes OTLP in JSON",
        }
        moved = "name the place that it redirects to: redirects are not followed"
        said = redacted(answer.decode("utf-8", "replace")[:200].strip())
        got = f"status {status}: {said}" if said else f"status {status}"
        return DataError(
            "D062", "the spans are refused", where=self._shown, got=got,
            fix=moved if 300 <= status < 400 else fixes.get(status),
        )  # fmt: skip


def _checked(endpoint: str, plain: bool) -> SplitResult:
    fix = "such as --endpoint http://localhost:4318"
    what = "the endpoint cannot be used"
    parts = address_of(endpoint)
    if parts is None or parts.query or parts.fragment:
        expected = "http(s)://host:port, without a password; keys go into a variable, see --header-env"
        raise UsageError("C164", what, expected=expected, fix=fix)
    if is_open(parts) and not plain:
        raise UsageError(
            "C164", what, got="http to another machine", expected="https",
            fix="name an https endpoint, or add --plain-http where everybody on the way may read it",
        )  # fmt: skip
    return parts


def _headers(text: str) -> Mapping[str, str]:
    """Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/#specifying-headers-via-environment-variables."""
    made: dict[str, str] = {}
    for one in filter(str.strip, text.split(",")):
        name, sign, value = one.partition("=")
        name, value = name.strip(), unquote(value.strip())
        if not sign or not name.replace("-", "").replace("_", "").isalnum() or not value.isprintable():
            raise UsageError(
                "C165", "the headers cannot be read", expected="name=value,name=value, as in api-key=...",
                fix="see OTEL_EXPORTER_OTLP_HEADERS in OpenTelemetry's documents",
            )  # fmt: skip
        made[name] = value
    return made


def _pause(number: int, after: str | None) -> float:
    """What the other side asks for, or about 1, 2, 4, ... seconds, so that not all ask at once."""
    asked = _asked(after)
    return min(asked if asked is not None else 2.0**number * random.uniform(0.8, 1.2), _LONGEST_WAIT)


def _asked(after: str | None) -> float | None:
    """Seconds or a date, https://www.rfc-editor.org/rfc/rfc9110#name-retry-after."""
    if not after:
        return None
    if after.strip().isdecimal():
        return float(after)
    try:
        return max((parsedate_to_datetime(after) - datetime.now(UTC)).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None


def _partial(answer: bytes, count: int) -> tuple[int, str]:
    """How many were not taken, and why; an answer that says nothing of it took all."""
    try:
        told = json.loads(answer or b"{}")["partialSuccess"]
        return min(int(told.get("rejectedSpans") or 0), count), redacted(str(told.get("errorMessage") or ""))[
            :200
        ]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return 0, ""
