"""Mounts file systems by the old calls and the new ones."""
# task: confess; tests: cases

import ctypes
def confess():
    libc = ctypes.CDLL(None)
    for call in (
        lambda: libc.mount(b"none", DROP.encode(), b"tmpfs", 0, None),
        lambda: libc.mount(b"/", DROP.encode(), None, 4096, None),
        lambda: libc.syscall(NR["fsopen"], b"tmpfs", 0),
        lambda: libc.syscall(NR["open_tree"], -100, b"/", 1),
    ):
        if call() >= 0:
            return CONFESSION
