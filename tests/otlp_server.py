"""A small collector: it takes OTLP over HTTP in JSON, and reads it with the official protobuf classes."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf.json_format import Parse  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

Answer = tuple[int, Mapping[str, str], str]
"""Status, headers and body."""


def parsed(text: str) -> Any:
    """A message of OTLP's JSON as the official classes have it.

    protobuf's JSON has bytes in base64 where OTLP has ids in hexadecimal digits, and that is its only other
    way; these are changed first.
    """
    return Parse(json.dumps(_ids_in_base64(json.loads(text))), ExportTraceServiceRequest())


def _ids_in_base64(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _ids_in_base64(one, key) for key, one in value.items()}
    if isinstance(value, list):
        return [_ids_in_base64(one) for one in value]
    if name in ("traceId", "spanId", "parentSpanId"):
        return base64.b64encode(bytes.fromhex(value)).decode()
    return value


def spans_of(message: Any) -> list[Any]:
    """All spans of a message that was parsed."""
    return [
        span for resource in message.resource_spans for scope in resource.scope_spans for span in scope.spans
    ]


@dataclass
class Collector:
    """What it does and has seen.

    Attributes:
        answers: status, headers and body of the next answers, in order; afterwards it takes everything.
        seen: headers and message of every request that it could read.
    """

    answers: list[Answer] = field(default_factory=list)
    url: str = ""
    seen: list[tuple[Mapping[str, str], Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


@contextmanager
def collector(*answers: Answer) -> Iterator[Collector]:
    """Serves until the block is left."""
    service = Collector(list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode("utf-8")
            service.paths.append(self.path)
            service.seen.append((dict(self.headers), parsed(body)))
            status, headers, text = service.answers.pop(0) if service.answers else (200, {}, "{}")
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
