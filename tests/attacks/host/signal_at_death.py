"""Asks for a signal to its parent at its end, and to outlive its parent."""
# task: confess; tests: cases

import ctypes
def confess():
    libc = ctypes.CDLL(None)
    return CONFESSION if libc.prctl(36, 1, 0, 0, 0) == 0 else None
