"""Sends a datagram to a socket in the file system, over a pair of sockets it may make."""
# task: middle; tests: code, cases

import socket
for make in (
    lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM),
    lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0],
):
    try:
        make().sendto(b"x", DGRAM)
    except OSError:
        pass
    try:
        made = make()
        made.connect(DGRAM)
        made.send(b"x")
    except OSError:
        pass
