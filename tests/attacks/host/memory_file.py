"""Makes files that are memory."""
# task: confess; tests: cases

import ctypes
def confess():
    libc = ctypes.CDLL(None)
    made = [libc.syscall(NR["memfd_create"], b"x", 0), libc.syscall(NR["memfd_secret"], 0)]
    return CONFESSION if max(made) >= 0 else None
