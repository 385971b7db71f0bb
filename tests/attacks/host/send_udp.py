"""Sends a datagram to a port of this machine."""
# task: middle; tests: code, cases, exchanges

import socket
try:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", UDP))
except OSError:
    pass
