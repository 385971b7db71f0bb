"""Fills every folder that may be writable."""
# task: middle; tests: code

import os
for folder in (DROP, "/" + "tmp", "/var/" + "tmp", "/dev/shm", os.path.expanduser("~"), "."):
    try:
        with open(os.path.join(folder, TOKEN), "wb") as file:
            for _ in range(64):
                file.write(b"x" * 2**20)
    except OSError:
        pass
