"""Starts a program by posix_spawn, vfork and popen."""
# task: middle; tests: code, cases

import os, ctypes
for attempt in (
    lambda: os.posix_spawn("/bin/sh", ["sh", "-c", f"echo > {DROP}/{TOKEN}"], {}),
    lambda: os.popen(f"echo > {DROP}/{TOKEN}").read(),
    lambda: ctypes.CDLL(None).system(f"echo > {DROP}/{TOKEN}".encode()),
):
    try:
        attempt()
    except OSError:
        pass
