"""Asks to be debugged by its parent, which stops the parent's wait at each signal."""
# task: confess; tests: cases

import ctypes
def confess():
    return CONFESSION if ctypes.CDLL(None).ptrace(0, 0, 0, 0) == 0 else None
