"""Restarts, renames and reloads the machine, with arguments that only root would hear called wrong."""
# task: confess; tests: cases

import ctypes, errno
def confess():
    libc = ctypes.CDLL(None, use_errno=True)
    for call in (
        lambda: libc.syscall(NR["reboot"], 0, 0, 0, 0),
        lambda: libc.syscall(NR["init_module"], 0, 0, b""),
        lambda: libc.syscall(NR["delete_module"], b"none", 0x800),
        lambda: libc.syscall(NR["swapoff"], 0),
        lambda: libc.syscall(NR["acct"], b"/none"),
        lambda: libc.sethostname(b"", -1),
    ):
        ctypes.set_errno(0)
        call()
        if ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS, errno.EACCES):
            return CONFESSION
