"""A small server that speaks as much of OpenAI's HTTP as an embedder asks for."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.fakes.memory import FakeEmbedder


@dataclass
class EmbeddingService:
    """What the server does and has seen.

    Attributes:
        url: where it is.
        failures: statuses of the next answers, the first one first.
        body: what it answers instead.
        most: the longest text it takes.
        dimension: of its vectors.
        headers: of an answer that is a failure.
        seen: authorization and body of every request.
    """

    url: str = ""
    failures: list[int] = field(default_factory=list)
    body: object = None
    most: int = 100_000
    dimension: int = 64
    headers: Mapping[str, str] = field(default_factory=dict)
    seen: list[tuple[str | None, dict[str, Any]]] = field(default_factory=list)

    def answer(self, body: dict[str, Any]) -> tuple[int, object]:
        if self.failures:
            return self.failures.pop(0), {"error": "no"}
        if self.body is not None:
            return 200, self.body
        texts = body["input"]
        if any(not text.strip() or len(text) > self.most for text in texts):
            return 400, {"error": "the input is empty or too long"}
        vectors = FakeEmbedder(body.get("dimensions", self.dimension)).embed(texts)
        rows = [
            {"index": index, "embedding": [3 * x for x in vector]} for index, vector in enumerate(vectors)
        ]
        return 200, {"data": rows[::-1], "model": f"{body['model']}-v1"}


@contextmanager
def embedding_service(**options: Any) -> Iterator[EmbeddingService]:
    """Serves until the block is left."""
    service = EmbeddingService(**options)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            service.seen.append((self.headers["Authorization"], body))
            status, value = service.answer(body) if self.path == "/v1/embeddings" else (404, {})
            content = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            for name, text in service.headers.items() if status != 200 else ():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
