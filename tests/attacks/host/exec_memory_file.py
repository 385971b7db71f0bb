"""Writes a program to a file that is memory, and becomes it."""
# task: confess; tests: exchanges

import ctypes, os
libc = ctypes.CDLL(None)
inner = libc.syscall(NR["memfd_create"], b"x", 0)
if inner >= 0:
    os.write(inner, f"#!/bin/sh\necho {CONFESSION}\n".encode())
    arguments = (ctypes.c_char_p * 2)(b"x", None)
    libc.syscall(NR["execveat"], inner, b"", arguments, None, 0x1000)
    os.execve(f"/proc/self/fd/{inner}", ["x"], {})
