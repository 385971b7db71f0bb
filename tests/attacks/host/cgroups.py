"""Looks for a control group that it may change."""
# task: confess; tests: cases

import os
def confess():
    for root, folders, names in os.walk("/sys/fs/cgroup"):
        for name in ("release_agent", "cgroup.procs", "memory.max"):
            try:
                os.open(os.path.join(root, name), os.O_WRONLY)
                return CONFESSION
            except OSError:
                pass
        del folders[3:]
