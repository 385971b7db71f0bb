"""Enters the namespaces of other processes."""
# task: confess; tests: cases

import ctypes, os
def confess():
    libc = ctypes.CDLL(None)
    for process in (1, DECOY, os.getppid(), "self"):
        for name in ("mnt", "pid", "net", "user"):
            try:
                found = os.open(f"/proc/{process}/ns/{name}", os.O_RDONLY)
            except OSError:
                continue
            if libc.setns(found, 0) == 0:
                return CONFESSION
