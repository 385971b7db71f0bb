"""Watches our folder for files that come and go."""
# task: confess; tests: cases

import ctypes
def confess():
    libc = ctypes.CDLL(None)
    made = libc.inotify_init()
    return CONFESSION if made >= 0 and libc.inotify_add_watch(made, DROP.encode(), 0xFFF) >= 0 else None
