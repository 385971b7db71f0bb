"""Links our file to where it may write, and reads the link."""
# task: secret; tests: cases

import os
def secret():
    for folder in (DROP, "/" + "tmp", "/dev/shm", "."):
        for make in (os.symlink, os.link):
            path = os.path.join(folder, TOKEN + make.__name__)
            try:
                make(PUBLIC, path)
                return open(path).read()
            except OSError:
                pass
