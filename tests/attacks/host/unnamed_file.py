"""Makes a file without a name, then gives it one."""
# task: middle; tests: code, cases

import os
for folder in (DROP, "/" + "tmp", "/dev/shm"):
    try:
        inner = os.open(folder, os.O_TMPFILE | os.O_RDWR)
        os.link(f"/proc/self/fd/{inner}", folder + "/" + TOKEN, src_dir_fd=inner)
    except OSError:
        pass
