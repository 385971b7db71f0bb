"""Forks by the bare system calls fork, vfork, clone and clone3."""
# task: confess; tests: cases

import ctypes, os
def confess():
    libc = ctypes.CDLL(None)
    arguments = (ctypes.c_uint64 * 11)(*[0] * 4, 17, *[0] * 6)
    for call in (
        lambda: libc.syscall(NR["clone"], 17, 0, 0, 0, 0),
        lambda: libc.syscall(NR["clone3"], arguments, 88),
        lambda: libc.syscall(NR["fork"]) if "fork" in NR else -1,
        lambda: libc.fork(),
    ):
        made = call()
        if made == 0:
            os._exit(0)
        if made > 0:
            return CONFESSION
