"""A small server of OpenAI's chat completions that says one thing, for questions to a memory."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class AnswerService:
    """What the server does and has seen.

    Attributes:
        says: what it answers.
        status: of every answer.
        url: where it is.
        seen: path, authorization and body of every request.
    """

    says: str = "Somewhere."
    status: int = 200
    url: str = ""
    seen: list[tuple[str, str | None, dict[str, Any]]] = field(default_factory=list)

    def answer(self) -> bytes:
        choice = {"message": {"role": "assistant", "content": self.says}, "finish_reason": "stop"}
        return json.dumps({"choices": [choice], "usage": {"completion_tokens": 3}}).encode()


@contextmanager
def answer_service(says: str = "Somewhere.", status: int = 200) -> Iterator[AnswerService]:
    """Serves until the block is left."""
    service = AnswerService(says, status)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            service.seen.append((self.path, self.headers["Authorization"], body))
            content = service.answer()
            self.send_response(service.status)
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
