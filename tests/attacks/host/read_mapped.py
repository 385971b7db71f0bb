"""Maps our file into memory by bare system calls."""
# task: secret; tests: cases

import ctypes
def secret():
    libc = ctypes.CDLL(None, use_errno=True)
    found = libc.syscall(NR["openat"], -100, PUBLIC.encode(), 0)
    buffer = ctypes.create_string_buffer(99)
    if found >= 0 and libc.read(found, buffer, 99) > 0:
        return buffer.value.decode()
