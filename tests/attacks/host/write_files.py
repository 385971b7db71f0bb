"""Writes a file wherever one may be writable."""
# task: middle; tests: code, cases, exchanges

import os, sys
for folder in (DROP, "/" + "tmp", "/var/" + "tmp", "/dev/shm", os.path.expanduser("~"), ".", "/", "/etc", sys.prefix, "/run", os.path.dirname(os.__file__)):
    try:
        open(os.path.join(folder, TOKEN), "w").close()
    except OSError:
        pass
