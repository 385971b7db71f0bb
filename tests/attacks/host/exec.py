"""Becomes another program."""
# task: confess; tests: exchanges

import os
for name in ("/bin/echo", "/usr/bin/echo"):
    try:
        os.execv(name, ["echo", CONFESSION])
    except OSError:
        pass
