"""Sends a datagram to a socket in the file system by sendmsg and sendmmsg."""
# task: middle; tests: code, cases

import ctypes, socket, struct
try:
    made = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0]
    try:
        made.sendmsg([b"x"], [], 0, DGRAM)
    except OSError:
        pass
    name = ctypes.create_string_buffer(struct.pack("H", 1) + DGRAM.encode() + b"\0")
    data = ctypes.create_string_buffer(b"x")
    part = (ctypes.c_uint64 * 2)(ctypes.addressof(data), 1)
    header = (ctypes.c_uint64 * 8)(ctypes.addressof(name), len(DGRAM) + 3, ctypes.addressof(part), 1, 0, 0, 0, 0)
    ctypes.CDLL(None).sendmmsg(made.fileno(), header, 1, 0)
except OSError:
    pass
