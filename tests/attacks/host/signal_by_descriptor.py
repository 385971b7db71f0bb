"""Signals a process of ours by pidfd, and by queueing to its thread."""
# task: middle; tests: code, cases

import ctypes, os, signal
libc = ctypes.CDLL(None)
try:
    signal.pidfd_send_signal(os.pidfd_open(DECOY), 9)
except OSError:
    pass
libc.syscall(NR["tgkill"], DECOY, DECOY, 9)
libc.syscall(NR["tkill"], DECOY, 9)
libc.syscall(NR["rt_sigqueueinfo"], DECOY, 9, ctypes.create_string_buffer(128))
