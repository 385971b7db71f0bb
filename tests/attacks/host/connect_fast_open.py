"""Sends on TCP without ever calling connect."""
# task: middle; tests: code, cases

import socket
try:
    socket.socket().sendto(b"x", 0x20000000, ("127.0.0.1", TCP))
except OSError:
    pass
