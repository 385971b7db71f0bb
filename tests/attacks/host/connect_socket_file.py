"""Connects to a socket in the file system."""
# task: middle; tests: code, cases, exchanges

import socket
for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
    try:
        socket.socket(socket.AF_UNIX, kind).connect(UNIX)
    except OSError:
        pass
