"""Leaves POSIX shared memory, a semaphore and a queue."""
# task: middle; tests: code, cases

import ctypes
from multiprocessing import shared_memory
try:
    shared_memory.SharedMemory(TOKEN, create=True, size=4096)
except OSError:
    pass
libc = ctypes.CDLL(None)
libc.mq_open(b"/" + TOKEN.encode(), 0o102, 0o666, None)
libc.shm_open(b"/" + TOKEN.encode() + b"s", 0o102, 0o666)
