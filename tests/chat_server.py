"""A small server that speaks as much of OpenAI's chat completions as a text generator asks for."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Messages = list[dict[str, str]]


@dataclass
class ChatService:
    """What the server does and has seen.

    Attributes:
        answers: what it says to messages.
        url: where it is.
        lost_after: so many requests it answers, and then there is nothing at its address; None: never.
        busy_after: so many requests it answers, and then it is busy; None: never.
        seen: authorization and body of every request that it answered, in order.
    """

    answers: Callable[[Messages], str]
    url: str = ""
    busy_after: int | None = None
    lost_after: int | None = None
    seen: list[tuple[str | None, dict[str, Any]]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, key: str | None, body: dict[str, Any]) -> tuple[int, object]:
        with self.lock:
            if self.busy_after is not None and len(self.seen) >= self.busy_after:
                return 503, {"error": "busy"}
            if self.lost_after is not None and len(self.seen) >= self.lost_after:
                return 404, {"error": "not found"}
            self.seen.append((key, body))
        text = self.answers(body["messages"])
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return 200, {"choices": [choice], "usage": {"completion_tokens": len(text.split())}}


@contextmanager
def chat_service(answers: Callable[[Messages], str]) -> Iterator[ChatService]:
    """Serves until the block is left."""
    service = ChatService(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, value = service.answer(self.headers["Authorization"], body)
            content = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
