"""Reads what only root may read."""
# task: confess; tests: cases

def confess():
    for path in ("/etc/shadow", "/etc/sudoers", "/proc/kcore", "/proc/kmsg"):
        try:
            open(path, "rb").read(1)
            return CONFESSION
        except OSError:
            pass
