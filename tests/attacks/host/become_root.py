"""Becomes root, or finds that it still may do what root may."""
# task: confess; tests: cases

import ctypes, os
def confess():
    before = os.getuid()
    for call in (lambda: os.setresuid(0, 0, 0), lambda: os.setresgid(0, 0, 0), lambda: os.setgroups([0])):
        try:
            call()
        except OSError:
            continue
        if before != 0:
            return CONFESSION
    header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    ctypes.CDLL(None).capget(header, data)
    return CONFESSION if data[0] or data[1] or data[3] or data[4] else None
