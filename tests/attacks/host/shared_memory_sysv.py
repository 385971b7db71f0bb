"""Leaves System V shared memory, semaphores and a queue."""
# task: middle; tests: code, cases

import ctypes
libc = ctypes.CDLL(None)
libc.shmget(KEY, 4096, 0o1666)
libc.semget(KEY, 1, 0o1666)
libc.msgget(KEY, 0o1666)
