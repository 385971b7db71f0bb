"""Tries the kernel's wide doors: bpf, perf events, userfaultfd, keys, fanotify."""
# task: confess; tests: cases

import ctypes
def confess():
    libc = ctypes.CDLL(None)
    nothing = ctypes.create_string_buffer(256)
    program = ctypes.create_string_buffer(128)
    for call in (
        lambda: libc.syscall(NR["bpf"], 0, (ctypes.c_uint32 * 32)(2, 4, 8, 1), 128),
        lambda: libc.syscall(NR["perf_event_open"], (ctypes.c_uint64 * 16)(1 | 128 << 32, 0), 0, -1, -1, 0),
        lambda: libc.syscall(NR["userfaultfd"], 1),
        lambda: libc.syscall(NR["add_key"], b"user", TOKEN.encode(), b"x", 1, -3),
        lambda: libc.syscall(NR["keyctl"], 0, -3, 1),
        lambda: libc.syscall(NR["fanotify_init"], 0, 0),
    ):
        if call() >= 0:
            return CONFESSION
