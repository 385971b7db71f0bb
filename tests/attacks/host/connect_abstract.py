"""Connects to a socket that has a name and no file."""
# task: middle; tests: code, cases, exchanges

import socket
try:
    socket.socket(socket.AF_UNIX).connect(ABSTRACT)
except OSError:
    pass
