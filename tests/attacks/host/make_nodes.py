"""Makes folders, pipes, links and device files."""
# task: middle; tests: code, cases

import os
for folder in (DROP, "/" + "tmp", "/dev/shm", "."):
    path = os.path.join(folder, TOKEN)
    for make in (
        lambda: os.mkdir(path + "d"), lambda: os.mkfifo(path + "f"), lambda: os.symlink("/", path + "s"),
        lambda: os.mknod(path + "c", 0o20666, os.makedev(1, 3)),
    ):
        try:
            make()
        except OSError:
            pass
