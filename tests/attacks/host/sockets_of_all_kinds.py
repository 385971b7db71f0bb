"""Makes sockets of every family: kernel's, packets', machines', Bluetooth, cipher."""
# task: confess; tests: cases

import socket, ctypes
def confess():
    libc = ctypes.CDLL(None)
    for family in (2, 10, 16, 17, 29, 31, 38, 40, 44):
        for kind in (1, 2, 3, 5):
            if libc.socket(family, kind, 0) >= 0:
                return CONFESSION
