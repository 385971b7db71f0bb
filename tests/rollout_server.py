"""A small server that speaks as much of vLLM's HTTP as a rollout engine asks for."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cesello.domain.generation import Sampling
from tests.fakes.rollout import FakeRolloutEngine


@dataclass
class RolloutServer:
    """What the server does and has seen.

    Attributes:
        url: where it is.
        status: of every answer, or of those to the paths of ``only``.
        body: what it answers to completions instead.
        slow: seconds before it answers to completions.
        loaded: LoRA weights it has now, by name, with what ``weights_in`` says of them.
        had: of all weights it ever had, what ``weights_in`` says.
        held: the most it has had at a time.
        seen: path, authorization and body of every request.
    """

    url: str = ""
    status: int = 200
    only: str = ""
    body: bytes | None = None
    slow: float = 0.0
    loaded: dict[str, str] = field(default_factory=dict)
    had: list[str] = field(default_factory=list)
    held: int = 0
    seen: list[tuple[str, str | None, dict[str, Any]]] = field(default_factory=list)

    def bodies(self, path: str) -> list[dict[str, Any]]:
        return [body for seen, _, body in self.seen if seen == f"/v1/{path}"]

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        if self.status != 200 and path.endswith(self.only):
            return self.status, b"{}"
        if path == "/v1/load_lora_adapter":
            # A name that is known is refused, as vLLM does.
            if body["lora_name"] in self.loaded:
                return 400, b"{}"
            self.loaded[body["lora_name"]] = weights_in(Path(body["lora_path"]))
            self.had.append(self.loaded[body["lora_name"]])
            self.held = max(self.held, len(self.loaded))
            return 200, b"Success"
        if path == "/v1/unload_lora_adapter":
            return (200, b"Success") if self.loaded.pop(body["lora_name"], None) else (404, b"{}")
        return self._completion(body)

    def _completion(self, body: dict[str, Any]) -> tuple[int, bytes]:
        time.sleep(self.slow)
        if body["model"] not in self.loaded:
            return 404, b"{}"
        if self.body is not None:
            return 200, self.body
        sampling = Sampling(body["max_tokens"], body["temperature"], body["top_p"])
        engine = FakeRolloutEngine(body["stop_token_ids"])
        [[drawn]] = engine.generate([body["prompt"]], [[body["seed"]]], sampling)
        choice = {
            "text": "",
            "token_ids": drawn.ids.tolist(),
            "logprobs": {"token_logprobs": drawn.log_probs.tolist()},
            "finish_reason": "stop" if drawn.finished else "length",
        }
        return 200, json.dumps({"choices": [choice]}).encode()


def weights_in(folder: Path) -> str:
    """The text of a file with that name, or the sha256 of real ones in the PEFT layout."""
    made_up = folder / "weights"
    if made_up.exists():
        return made_up.read_text()
    assert json.loads((folder / "adapter_config.json").read_text())["peft_type"] == "LORA"
    return sha256((folder / "adapter_model.safetensors").read_bytes()).hexdigest()


@contextmanager
def rollout_server() -> Iterator[RolloutServer]:
    """One that runs."""
    state = RolloutServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.seen.append((self.path, self.headers["Authorization"], request))
            status, body = state.answer(self.path, request)
            with suppress(OSError):  # some do not wait
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 64

    server = Server(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
