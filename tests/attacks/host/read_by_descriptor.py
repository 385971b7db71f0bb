"""Reads our file by way of a folder's descriptor and by climbing out of /proc."""
# task: secret; tests: cases

import os
def secret():
    folder, name = os.path.split(PUBLIC)
    for start in ("/proc/self/cwd", "/proc/self/root", "/proc/self/fd/0/..", "/usr/.."):
        try:
            inner = os.open(start, os.O_RDONLY | os.O_DIRECTORY)
            return os.read(os.open("../" * 8 + folder.lstrip("/") + "/" + name, os.O_RDONLY, dir_fd=inner), 99).decode()
        except OSError:
            pass
