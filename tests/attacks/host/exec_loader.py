"""Runs a program by way of the dynamic loader, which needs only to be read."""
# task: confess; tests: exchanges

import glob, os
for loader in glob.glob("/lib*/ld-linux*") + glob.glob("/lib/*/ld-linux*"):
    try:
        os.execv(loader, ["x", "/bin/echo", CONFESSION])
    except OSError:
        pass
