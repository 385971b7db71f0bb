"""Connects to a port of this machine."""
# task: middle; tests: code, cases, exchanges

import socket
for host in ("127.0.0.1", "localhost", "::1"):
    try:
        socket.create_connection((host, TCP), timeout=1).send(b"x")
    except OSError:
        pass
