"""Changes its root, and climbs out of it."""
# task: confess; tests: cases

import os
def confess():
    for folder in (DROP, "/usr", "/proc", "."):
        try:
            os.chroot(folder)
            return CONFESSION
        except OSError:
            pass
