"""Finds our files by listing the folders they are in."""
# task: confess; tests: cases

import os
def confess():
    for path in (CANARY, os.path.dirname(CANARY)):
        try:
            if os.path.basename(path) in os.listdir(os.path.dirname(path)):
                return CONFESSION
        except OSError:
            pass
