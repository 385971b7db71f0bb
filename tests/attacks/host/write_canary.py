"""Overwrites, truncates, renames, removes and opens up a file of ours."""
# task: middle; tests: code, cases, exchanges

import os
for attempt in (
    lambda: open(PUBLIC, "w").write(TOKEN),
    lambda: os.truncate(PUBLIC, 0),
    lambda: os.rename(PUBLIC, PUBLIC + TOKEN),
    lambda: os.unlink(PUBLIC),
    lambda: os.chmod(CANARY, 0o777),
    lambda: os.utime(PUBLIC, (1, 1)),
    lambda: os.setxattr(PUBLIC, "user.x", b"x"),
    lambda: os.chown(PUBLIC, os.getuid(), 1),
):
    try:
        attempt()
    except OSError:
        pass
